//! What the engine's tests share: seeded randomness, market events, identities.
//!
//! Owns no assertion. A seed is fixed unless `FANTAIL_SEED` says otherwise, and is printed when
//! the test that used it fails.

use std::time::Duration;

use fantail_model::{
    Bbo, Body, BookChange, Decimal, Event, Level, Micros, Position, Side, State, Status, Trade,
    VenueGap,
};
use fantail_ops::clock::Clock;
use fantail_ops::config::Problems;
use fantail_ops::secret::Secret;
use fantail_wire::client::Limits;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::auth::{
    AuthSection, Authenticator, CredentialKind, Identity, KeyAlgorithm, KeySection, LimitOverrides,
    MintRequest, Permission, Scopes, SigningKey, mint,
};

/// Longest time a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Wall clock of manual clocks, µs.
pub(crate) const WALL: i64 = 1_800_000_000_000_000;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Randomness that tells its seed when the test fails.
pub(crate) struct Seeded {
    pub(crate) rng: StdRng,
    seed: u64,
}

impl Seeded {
    pub(crate) fn new(fixed: u64) -> Self {
        let given = std::env::var("FANTAIL_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or(fixed);
        Self { rng: StdRng::seed_from_u64(seed), seed }
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.rng.random_range(0..end)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("FANTAIL_SEED={}", self.seed);
        }
    }
}

pub(crate) fn decimal(mantissa: i128, exponent: i32) -> Decimal {
    Decimal::new(mantissa, exponent).unwrap()
}

pub(crate) fn level(price: u64, size: u64) -> Level {
    Level { price: decimal(price.into(), -2), size: decimal(size.into(), -3) }
}

/// An event that continues its predecessor; the first of an epoch resets.
pub(crate) fn event(epoch: u64, seq: u64, body: Body) -> Event {
    let (ts, rx) = (None, Micros(WALL));
    let position = Position::new(epoch, seq);
    Event { position, prev: seq - 1, reset: seq == 1, ts, rx, vseq: None, body }
}

/// A trade whose id tells its place.
pub(crate) fn trade(epoch: u64, seq: u64) -> Event {
    let (price, size) = (decimal(seq.into(), 0), decimal(1, -1));
    let id = format!("{epoch}/{seq}");
    event(epoch, seq, Body::Trade(Trade { id, price, size, side: Side::Buy }))
}

/// A best bid and ask whose bid tells its seq.
pub(crate) fn bbo(epoch: u64, seq: u64) -> Event {
    event(epoch, seq, Body::Bbo(Bbo { bid: Some(level(seq, 1)), ask: None }))
}

pub(crate) fn status(state: State) -> Body {
    Body::Status(Status { state, reason: "test".into() })
}

pub(crate) fn venue_gap() -> Body {
    Body::VenueGap(VenueGap { reason: "reconnect".into() })
}

/// A random change of a book around 10,000; with `levels` = 0 nothing changes.
pub(crate) fn book_change(seeded: &mut Seeded, levels: u64) -> BookChange {
    let mut side = |base: u64| {
        let mut prices: Vec<u64> = (0..levels).map(|_| base + seeded.below(200)).collect();
        prices.sort_unstable();
        prices.dedup();
        prices.into_iter().map(|price| level(price, seeded.below(4))).collect::<Vec<_>>()
    };
    let mut bids = side(10_000);
    bids.reverse();
    BookChange { bids, asks: side(20_000) }
}

/// A whole book: no zero sizes.
pub(crate) fn whole_book(seeded: &mut Seeded, levels: u64) -> BookChange {
    let mut book = book_change(seeded, levels);
    for side in [&mut book.bids, &mut book.asks] {
        side.retain(|level| !level.size.is_zero());
    }
    book
}

pub(crate) fn limits() -> Limits {
    Limits {
        channels: 100,
        channels_per_command: 50,
        commands_per_s: 1_000,
        commands_burst: 1_000,
        message_bytes: 65_536,
    }
}

pub(crate) fn permission(grants: &[&str]) -> Permission {
    Permission::new(grants.iter().map(|grant| grant.parse().unwrap()).collect())
}

/// Somebody who may see everything.
pub(crate) fn identity() -> Identity {
    Identity {
        user: "alice".into(),
        kind: CredentialKind::Anonymous,
        key_id: None,
        expiry: None,
        permission: Permission::everything(),
        limits: LimitOverrides::default(),
        scopes: Scopes::ALL,
    }
}

/// Verifies the tokens of [`token`].
pub(crate) fn authenticator(clock: &Clock) -> Authenticator {
    let key = KeySection {
        kid: None,
        alg: KeyAlgorithm::HS256,
        secret: Some(Secret::new(SECRET.into())),
        public_key: None,
        public_key_file: None,
        iss: "issuer".into(),
        aud: "fantail".into(),
    };
    let section = AuthSection { keys: vec![key], ..AuthSection::default() };
    let mut problems = Problems::default();
    let config = section.meaning(&mut problems);
    problems.into_result().unwrap();
    Authenticator::new(config, clock.clone())
}

/// A token of `user` for these channels.
pub(crate) fn token(clock: &Clock, user: &str, channels: &[&str], lifetime: Duration) -> String {
    let key = SigningKey::secret(SECRET.as_bytes());
    let request = MintRequest {
        user: user.into(),
        issuer: "issuer".into(),
        audience: "fantail".into(),
        kid: None,
        lifetime,
        channels: channels.iter().map(|channel| (*channel).to_owned()).collect(),
        limits: LimitOverrides::default(),
    };
    mint(&key, &request, clock).unwrap()
}
