//! Ids of sessions and requests: a ULID, so that they sort by time.
//!
//! Owns their making only. They name things in logs and answers; nothing trusts them.

use fantail_ops::clock::Clock;
use rand::TryRngCore;
use rand::rngs::OsRng;
use ulid::Ulid;

/// A new id.
pub(crate) fn new_id(clock: &Clock) -> String {
    let millis = u64::try_from(clock.wall_micros() / 1_000).unwrap_or(0);
    let mut random = [0; 16];
    // Without randomness the id still tells the time, and ids are not secrets.
    let _ = OsRng.try_fill_bytes(&mut random);
    Ulid::from_parts(millis, u128::from_ne_bytes(random)).to_string()
}
