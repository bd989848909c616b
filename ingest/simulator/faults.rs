//! What can go wrong on demand, and the schedule by which the demo's venues misbehave alone.
//! Input: calls on the [`Faults`] handle, or the tick count; output: [`Fault`]s for the engine.
//! It decides when, never how: the engines carry the faults out.

use std::time::Duration;

use rand::Rng;
use rand::rngs::SmallRng;
use tokio::sync::mpsc;

use super::Venue;
use super::desk::Mail;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Every connection of the venue is cut without a close frame.
    DropConnection {
        /// Whose connections.
        venue: Venue,
    },
    /// The symbol's next depth message is not sent.
    SkipDelta {
        /// The venue.
        venue: Venue,
        /// Native or BASE-QUOTE name.
        symbol: String,
    },
    /// Nothing of the symbol moves or is sent (a recording as a whole stands still).
    Freeze {
        /// The venue.
        venue: Venue,
        /// Native or BASE-QUOTE name.
        symbol: String,
        /// How long.
        lasting: Duration,
    },
    /// Broken JSON, wrong types and a binary frame to every connection of the venue.
    Garbage {
        /// Whose connections.
        venue: Venue,
    },
    /// All rates (of a recording: the speed) multiplied for a while.
    Burst {
        /// How many times.
        factor: f64,
        /// How long.
        lasting: Duration,
    },
}

/// What the simulator did by itself or was told to do, for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultEvent {
    /// Wall clock, microseconds since the Unix epoch.
    pub at_us: i64,
    /// `drop`, `skip`, `freeze`, `garbage` or `burst`.
    pub kind: &'static str,
    /// The venue; a burst is everywhere.
    pub venue: Option<Venue>,
    /// BASE-QUOTE, where one symbol is meant.
    pub symbol: Option<String>,
}

impl Fault {
    /// Its announcement; `symbol` is the canonical name where the fault has one.
    pub(super) fn event(&self, at_us: i64, symbol: Option<String>) -> FaultEvent {
        let (kind, venue) = match self {
            Self::DropConnection { venue } => ("drop", Some(*venue)),
            Self::SkipDelta { venue, .. } => ("skip", Some(*venue)),
            Self::Freeze { venue, .. } => ("freeze", Some(*venue)),
            Self::Garbage { venue } => ("garbage", Some(*venue)),
            Self::Burst { .. } => ("burst", None),
        };
        FaultEvent { at_us, kind, venue, symbol }
    }
}

/// A handle to make faults; clones reach the same simulator. After its end, calls do nothing.
#[derive(Debug, Clone)]
pub struct Faults {
    mailbox: mpsc::Sender<Mail>,
}

impl Faults {
    pub(super) fn new(mailbox: mpsc::Sender<Mail>) -> Self {
        Self { mailbox }
    }

    /// Hands a fault to the engine; it is carried out in order with what else the engine does.
    pub async fn make(&self, fault: Fault) {
        // A stopped simulator has no one left to disturb.
        let _ = self.mailbox.send(Mail::Fault(fault)).await;
    }

    /// Cuts every connection of a venue.
    pub async fn drop_connection(&self, venue: Venue) {
        self.make(Fault::DropConnection { venue }).await;
    }

    /// Leaves out the next depth message of one symbol.
    pub async fn skip_delta(&self, venue: Venue, symbol: &str) {
        self.make(Fault::SkipDelta { venue, symbol: symbol.to_owned() }).await;
    }

    /// Stands still for a while.
    pub async fn freeze(&self, venue: Venue, symbol: &str, lasting: Duration) {
        self.make(Fault::Freeze { venue, symbol: symbol.to_owned(), lasting }).await;
    }

    /// Sends bytes that are no message of the venue.
    pub async fn garbage(&self, venue: Venue) {
        self.make(Fault::Garbage { venue }).await;
    }

    /// Multiplies the rates for a while.
    pub async fn burst(&self, factor: f64, lasting: Duration) {
        self.make(Fault::Burst { factor, lasting }).await;
    }
}

/// The demo's minute, in ticks of 10 ms, so that each recovery is seen alone.
const MINUTE_TICKS: u64 = 6_000;
const BURST_AT: u64 = 1_000;
const SKIP_AT: u64 = 2_200;
const FREEZE_AT: u64 = 3_400;
const DROP_AT: u64 = 5_000;

/// The fault the demo's schedule asks for at this tick, if any. `pick` names a random symbol.
pub(super) fn scheduled(
    tick: u64,
    rng: &mut SmallRng,
    pick: impl Fn(Venue, &mut SmallRng) -> String,
) -> Option<Fault> {
    let at = tick % MINUTE_TICKS;
    if ![BURST_AT, SKIP_AT, FREEZE_AT, DROP_AT].contains(&at) {
        return None;
    }
    let venue = if rng.random_bool(0.5) { Venue::Binance } else { Venue::Coinbase };
    Some(match at {
        BURST_AT => Fault::Burst { factor: 50.0, lasting: Duration::from_secs(1) },
        SKIP_AT => Fault::SkipDelta { venue, symbol: pick(venue, rng) },
        FREEZE_AT => {
            Fault::Freeze { venue, symbol: pick(venue, rng), lasting: Duration::from_secs(8) }
        }
        _ => Fault::DropConnection { venue },
    })
}

/// Frames no venue sends: for every parser's "this message only" path.
pub(super) const GARBAGE_TEXTS: [&str; 6] = [
    "",
    "{\"stream\":\"btcusdt@trade\",\"data\":{\"e\":\"trade\",\"E\":17",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"stream\":7,\"data\":\"no\"}",
    "{\"type\":\"l2update\",\"product_id\":[],\"changes\":{\"buy\":-1e999999}}",
    "{\"type\":\"match\",\"e\":\"depthUpdate\",\"price\":\"NaN\",\"p\":\"0x10\",\"U\":-1,\"u\":null}",
];
