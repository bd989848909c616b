//! Time, as a handle that tests can move. The only place that reads the machine's clocks.
//!
//! Owns the distinction between wall time (what a person or a token's `exp` means; may jump) and
//! monotonic time (what durations are measured in; never goes back). It doesn't sleep.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the one module that may read the machine's clocks"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { start: Instant },
    Manual(Arc<ManualTime>),
}

#[derive(Debug)]
struct ManualTime {
    wall_micros: AtomicI64,
    monotonic_nanos: AtomicU64,
}

impl Clock {
    /// The machine's clocks; monotonic time starts now.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System { start: Instant::now() })
    }

    /// A clock that stands still until the returned handle moves it. Monotonic time starts at 0.
    #[must_use]
    pub fn manual(wall_micros: i64) -> (Self, ManualClock) {
        let time = Arc::new(ManualTime {
            wall_micros: AtomicI64::new(wall_micros),
            monotonic_nanos: AtomicU64::new(0),
        });
        (Self(Source::Manual(Arc::clone(&time))), ManualClock(time))
    }

    /// Wall time, µs since 1970. For what leaves the process; never for measuring a duration.
    #[must_use]
    pub fn wall_micros(&self) -> i64 {
        match &self.0 {
            Source::System { .. } => system_wall_micros(),
            Source::Manual(time) => time.wall_micros.load(Ordering::SeqCst),
        }
    }

    /// Time since the clock was made; never goes back, not even when the wall clock does.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(time) => {
                Duration::from_nanos(time.monotonic_nanos.load(Ordering::SeqCst))
            }
        }
    }

    /// When, in this clock's monotonic time, the wall time `wall_micros` will be reached, judged
    /// now. A token's lifetime is turned into a deadline with it once, at the handshake, so that
    /// a later jump of the wall clock neither revives nor kills it.
    #[must_use]
    pub fn monotonic_at(&self, wall_micros: i64) -> Duration {
        let ahead = wall_micros.saturating_sub(self.wall_micros());
        self.monotonic() + Duration::from_micros(u64::try_from(ahead).unwrap_or(0))
    }
}

fn system_wall_micros() -> i64 {
    let saturated = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => saturated(since),
        Err(before) => -saturated(before.duration()),
    }
}

/// Moves a manual clock. Cloning shares it.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<ManualTime>);

impl ManualClock {
    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.wall_micros.fetch_add(micros, Ordering::SeqCst);
        self.0.monotonic_nanos.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an operator or NTP does.
    pub fn set_wall(&self, wall_micros: i64) {
        self.0.wall_micros.store(wall_micros, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_time_moves_only_by_hand() {
        let (clock, hand) = Clock::manual(1_000);
        assert_eq!((clock.wall_micros(), clock.monotonic()), (1_000, Duration::ZERO));
        hand.advance(Duration::from_micros(5));
        assert_eq!((clock.wall_micros(), clock.monotonic()), (1_005, Duration::from_micros(5)));
        assert_eq!(clock.clone().wall_micros(), 1_005);
    }

    #[test]
    fn a_wall_jump_moves_no_deadline() {
        let (clock, hand) = Clock::manual(0);
        let deadline = clock.monotonic_at(10_000_000);
        hand.set_wall(99_000_000_000);
        assert!(clock.monotonic() < deadline);
        hand.advance(Duration::from_secs(10));
        assert!(clock.monotonic() >= deadline);
        assert_eq!(clock.monotonic_at(0), clock.monotonic(), "the past is now");
    }

    #[test]
    fn the_system_clock_runs() {
        let clock = Clock::system();
        assert!(clock.wall_micros() > 1_700_000_000_000_000);
        let before = clock.monotonic();
        assert!(clock.monotonic() >= before);
    }
}
