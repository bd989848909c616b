//! How often something may be done: a budget that refills evenly, with room for a burst.
//!
//! Pure: the caller brings the time and waits by itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A budget of so many units per time.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Time one unit takes to come back.
    per_unit: Duration,
    /// How far ahead of the even pace one may be.
    burst: Duration,
    /// When the budget is whole again.
    whole_at: Duration,
}

/// A budget shared by a venue's connections.
#[derive(Clone, Debug)]
pub(crate) struct SharedPace(Arc<Mutex<Pace>>);

impl Pace {
    /// `units` per `time`, of which a third may be spent at once.
    pub(crate) fn new(units: u32, time: Duration) -> Self {
        Self { per_unit: time / units.max(1), burst: time / 3, whole_at: Duration::ZERO }
    }

    /// Spends units; returns how long to wait before acting on it.
    pub(crate) fn reserve(&mut self, units: u32, now: Duration) -> Duration {
        self.whole_at = self.whole_at.max(now) + self.per_unit * units;
        self.whole_at.saturating_sub(now + self.burst)
    }

    /// Nothing before this moment.
    pub(crate) fn hold_until(&mut self, until: Duration) {
        self.whole_at = self.whole_at.max(until + self.burst);
    }
}

impl SharedPace {
    pub(crate) fn new(pace: Pace) -> Self {
        Self(Arc::new(Mutex::new(pace)))
    }

    /// See [`Pace::reserve`]. The lock is held for one addition.
    pub(crate) fn reserve(&self, units: u32, now: Duration) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reserve(units, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_pace_holds() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(60, 60 * second);
        for _ in 0..20 {
            assert_eq!(pace.reserve(1, Duration::ZERO), Duration::ZERO);
        }
        assert_eq!(pace.reserve(1, Duration::ZERO), second);
        assert_eq!(pace.reserve(2, Duration::ZERO), 3 * second);
        assert_eq!(pace.reserve(1, 60 * second), Duration::ZERO);
        pace.hold_until(100 * second);
        assert_eq!(pace.reserve(1, 70 * second), 31 * second);
    }
}
