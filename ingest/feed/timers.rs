//! What a feed does by the clock, and how often. Pure.

use std::time::Duration;

use crate::limits;

/// When each regular duty is next due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heartbeat_at: Duration,
    snapshots_at: Option<Duration>,
    instruments_at: Option<Duration>,
    asked_once: bool,
    instruments_failures: u32,
    log_minute: u64,
    logged: u32,
}

/// What is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) heartbeat: bool,
    pub(crate) snapshots: bool,
    pub(crate) instruments: bool,
}

impl Timers {
    /// What is due; each duty once per its period.
    pub(crate) fn due(&mut self, now: Duration) -> Due {
        let heartbeat = now >= self.heartbeat_at;
        if heartbeat {
            self.heartbeat_at = now + limits::HEARTBEAT_EVERY;
        }
        let snapshots_at = *self.snapshots_at.get_or_insert(now + limits::SNAPSHOT_EVERY);
        let snapshots = now >= snapshots_at;
        if snapshots {
            self.snapshots_at = Some(now + limits::SNAPSHOT_EVERY);
        }
        // Asked at once, then again when the answer (or its failure) has set the next time.
        let instruments = !self.asked_once || self.instruments_at.is_some_and(|at| now >= at);
        if instruments {
            self.asked_once = true;
            self.instruments_at = None;
        }
        Due { heartbeat, snapshots, instruments }
    }

    pub(crate) fn instruments_came(&mut self, now: Duration) {
        self.instruments_failures = 0;
        self.instruments_at = Some(now + limits::INSTRUMENTS_EVERY);
    }

    pub(crate) fn instruments_failed(&mut self, now: Duration) {
        let doubled = limits::BACKOFF_MIN * 2_u32.saturating_pow(self.instruments_failures.min(8));
        self.instruments_failures = self.instruments_failures.saturating_add(1);
        self.instruments_at = Some(now + doubled.min(limits::BACKOFF_MAX));
    }

    /// Whether one more bad frame may be logged this minute.
    pub(crate) fn may_log(&mut self, now: Duration) -> bool {
        let minute = now.as_secs() / 60;
        if minute != self.log_minute {
            (self.log_minute, self.logged) = (minute, 0);
        }
        self.logged += 1;
        self.logged <= limits::BAD_FRAME_LOGS_PER_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_come_by_the_clock() {
        let second = Duration::from_secs(1);
        let mut timers = Timers::default();
        let due = timers.due(Duration::ZERO);
        assert_eq!(due, Due { heartbeat: true, snapshots: false, instruments: true });
        let due = timers.due(second / 2);
        assert_eq!(due, Due { heartbeat: false, snapshots: false, instruments: false });
        timers.instruments_failed(second);
        assert!(timers.due(2 * second).instruments);
        timers.instruments_came(3 * second);
        assert!(timers.due(30 * second).snapshots);
        assert!(!timers.due(31 * second).snapshots);
        assert!(timers.due(3_700 * second).instruments);
    }

    #[test]
    fn a_flood_of_bad_frames_is_not_logged() {
        let mut timers = Timers::default();
        let logged = (0..1_000).filter(|_| timers.may_log(Duration::ZERO)).count();
        assert_eq!(logged, limits::BAD_FRAME_LOGS_PER_MINUTE as usize);
        assert!(timers.may_log(Duration::from_secs(60)));
    }
}
