//! Where an event stands in its channel, and the unit of time.
//!
//! Positions are born at ingest and nowhere else; everyone downstream only compares them.

use std::fmt;

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// From milliseconds, the unit most venues write. Saturates instead of wrapping.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds from `earlier` to `self`; negative when clocks disagree.
    pub const fn since(self, earlier: Micros) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Place of an event in its channel: the owner's `epoch`, then a dense `seq` from 1.
///
/// The order is lexicographic, which is what makes a higher epoch a fence: whatever an old owner
/// still sends compares lower than everything of the new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// `max(previous + 1, start time in µs)` of the feed's owner.
    pub epoch: u64,
    /// 1, 2, 3 … within the epoch; 0 means "before the first event".
    pub seq: u64,
}

impl Position {
    /// A position from its two numbers.
    pub const fn new(epoch: u64, seq: u64) -> Self {
        Self { epoch, seq }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch, self.seq)
    }
}
