//! How hard a shard is pressed: what the tail asks before it lets anybody resume there.
//!
//! A resume is begun only if it can end. Who is sent a backlog on top of a stream that is already more
//! than the shard can send falls behind, is closed with 4409, resumes from further back, and in the
//! end the shard sends nothing but backlogs. So each shard has an account: how late it is, what it
//! still owes to sessions that resume, and whether it has just let go of everybody. The tail lends
//! from it; the shard pays back. Decides nothing else, and is touched once a flush and once a seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::limits::{REPLAY_BYTES_FREE, REPLAY_BYTES_PER_S};

/// One shard's account, shared by the shard and the tail.
#[derive(Debug)]
pub(crate) struct Strain {
    /// How late a session may be before it is closed. A shard that is a tenth of that late has no time
    /// to lend.
    bound: Duration,
    /// How late the shard is for two turns at least, µs.
    lag_micros: AtomicU64,
    /// Estimated bytes of missed events promised to sessions and not sent yet.
    owed_bytes: AtomicU64,
    /// Until when nothing is lent, because sessions were let go: monotonic, µs.
    closed_until: AtomicU64,
}

impl Strain {
    /// The account of a shard whose sessions are closed when they are this late.
    pub(crate) fn new(bound: Duration) -> Self {
        let (lag_micros, owed_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { bound, lag_micros, owed_bytes, closed_until: AtomicU64::new(0) }
    }

    /// Lends the sending of this many estimated bytes of missed events, if they can be sent before the
    /// session would be closed for being late. What one write takes is lent always.
    pub(crate) fn lend(&self, bytes: usize, now: Duration) -> bool {
        let lent = bytes <= REPLAY_BYTES_FREE || self.would_lend(bytes, now);
        if lent {
            self.owed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        lent
    }

    /// Whether a backlog of which only the least size is known may be worth finding.
    pub(crate) fn would_lend(&self, bytes: usize, now: Duration) -> bool {
        let closed_until = Duration::from_micros(self.closed_until.load(Ordering::Relaxed));
        if now < closed_until || self.lag() >= self.bound / 10 {
            return false;
        }
        let owed = self.owed_bytes.load(Ordering::Relaxed).saturating_add(bytes as u64);
        let sending = Duration::from_secs_f64(owed as f64 / REPLAY_BYTES_PER_S as f64);
        self.lag().saturating_add(sending) <= self.bound
    }

    /// Lent bytes were sent, or need not be any more.
    pub(crate) fn repay(&self, bytes: usize) {
        let repaid = |owed: u64| Some(owed.saturating_sub(bytes as u64));
        // Never fails: the closure always answers.
        let _ = self.owed_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, repaid);
    }

    /// What is lent now.
    pub(crate) fn owed_bytes(&self) -> u64 {
        self.owed_bytes.load(Ordering::Relaxed)
    }

    /// The shard is this late.
    pub(crate) fn lags(&self, lag: Duration) {
        let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        self.lag_micros.store(micros, Ordering::Relaxed);
    }

    /// How late it is.
    pub(crate) fn lag(&self) -> Duration {
        Duration::from_micros(self.lag_micros.load(Ordering::Relaxed))
    }

    /// The shard let go of its sessions: whoever comes back within the time they were late meets the
    /// stream as it is.
    pub(crate) fn let_go(&self, now: Duration) {
        let until = u64::try_from((now + self.bound).as_micros()).unwrap_or(u64::MAX);
        self.closed_until.store(until, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_sent_in_time_is_lent_until_it_is_repaid() {
        let second = Duration::from_secs(1);
        let strain = Strain::new(2 * second);
        assert!(strain.lend(REPLAY_BYTES_PER_S, second));
        assert!(strain.lend(REPLAY_BYTES_PER_S, second));
        assert!(!strain.lend(REPLAY_BYTES_FREE + 1, second), "two seconds are owed");
        assert!(strain.lend(REPLAY_BYTES_FREE, second), "one write is nothing");
        strain.repay(REPLAY_BYTES_PER_S);
        strain.repay(REPLAY_BYTES_FREE);
        strain.lags(second / 10);
        assert!(!strain.lend(REPLAY_BYTES_PER_S, second), "late already, and a second owed");
        strain.repay(usize::MAX);
        strain.lags(second / 5);
        assert!(!strain.lend(REPLAY_BYTES_FREE + 1, second), "a tenth of the bound late");
        strain.lags(Duration::ZERO);
        strain.let_go(second);
        assert!(!strain.lend(REPLAY_BYTES_FREE + 1, 2 * second));
        assert!(strain.lend(REPLAY_BYTES_FREE + 1, 3 * second));
        strain.repay(2 * REPLAY_BYTES_FREE);
        assert_eq!(strain.owed_bytes(), 0);
    }
}
