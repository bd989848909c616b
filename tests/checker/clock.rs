//! The only place of this crate that reads a clock: it depends on nothing of ours, so it can't use
//! the server's.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time in microseconds, moved on by the monotonic clock: histories of one run compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start_micros: u64,
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this file is where time comes in")]
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_micros = u64::try_from(since.as_micros()).unwrap_or(0);
        Self { start_micros, started: Instant::now() }
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub fn micros(&self) -> u64 {
        self.start_micros + u64::try_from(self.elapsed().as_micros()).unwrap_or(0)
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
