//! The end of a node, paced: sessions leave one after the other, so that the nodes they go to
//! meet a stream of clients, not a wave.
//!
//! Owns who leaves when. Input: the end's beginning and the clock. Output: sessions closed with
//! 1012, each flushed first, so that a client leaves with everything that was queued for it and
//! resumes behind exactly that. A session that has not left is served as ever.

use std::time::Duration;

use rand::seq::SliceRandom;

use super::Shard;
use super::closing::retry_after_ms;
use super::socket::{End, NONE};
use crate::limits;
use fantail_wire::codes::Code;

/// A drain under way.
#[derive(Debug)]
pub(super) struct Drain {
    began: Duration,
    /// How long it takes for all to leave.
    length: Duration,
    /// Who was there when it began.
    total: usize,
    /// Who is still to be told, by slot and generation; the last one is next.
    left: Vec<(usize, u64)>,
}

impl Shard {
    /// From now on sessions leave; new ones are turned away as soon as they arrive.
    pub(super) fn begin_drain(&mut self) {
        let sessions = self.sessions.iter();
        let mut left: Vec<_> = sessions.map(|(slot, one)| (slot, one.generation)).collect();
        // Sockets of one client lie side by side; they should not all leave at once.
        left.shuffle(&mut rand::rng());
        let total = left.len();
        let length = self.config.drain.min(shortest(total));
        let began = self.clock.monotonic();
        self.drain = Some(Drain { began, length, total, left });
        self.drain_on();
    }

    /// Tells those whose turn it is.
    pub(super) fn drain_on(&mut self) {
        let now = self.clock.monotonic();
        while let Some((slot, generation)) = self.drain.as_mut().and_then(|drain| drain.next(now)) {
            if self.sessions.get(slot).is_some_and(|one| one.generation == generation) {
                self.say_restart(slot);
            }
        }
    }

    /// Tells everybody at once.
    pub(super) fn drain_at_once(&mut self) {
        if let Some(drain) = &mut self.drain {
            drain.length = Duration::ZERO;
        }
        self.drain_on();
    }

    /// Tells a session to come back elsewhere, after what it is due of a running flush.
    pub(super) fn say_restart(&mut self, slot: usize) {
        if self.hot.get(slot).is_some_and(|hot| hot.due_head != NONE) {
            self.flush_session(slot);
        }
        self.end(slot, &End::of(Code::Restart, ""), Some(retry_after_ms()));
    }
}

impl Drain {
    /// Whose turn it is, if anybody's: the k-th of n leaves when k/n of the time is over.
    fn next(&mut self, now: Duration) -> Option<(usize, u64)> {
        let elapsed = now.saturating_sub(self.began);
        let turn = match elapsed.as_nanos().checked_div(self.length.as_nanos()) {
            Some(0) => {
                let share = elapsed.as_secs_f64() / self.length.as_secs_f64();
                (share * self.total as f64) as usize
            }
            _ => self.total,
        };
        let told = self.total - self.left.len();
        if told <= turn { self.left.pop() } else { None }
    }
}

/// Few sessions need no pace: they are no wave.
fn shortest(sessions: usize) -> Duration {
    Duration::from_secs_f64(sessions as f64 / f64::from(limits::DRAIN_PER_S_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_leave_evenly() {
        let begin = Duration::from_secs(100);
        let left = (0..1_000).map(|slot| (slot, 1)).collect();
        let mut drain = Drain { began: begin, length: Duration::from_secs(10), total: 1_000, left };
        let mut told_at = |millis| {
            let now = begin + Duration::from_millis(millis);
            std::iter::from_fn(|| drain.next(now)).count()
        };
        assert_eq!(told_at(0), 1);
        assert_eq!(told_at(5), 0);
        assert_eq!(told_at(1_000), 100);
        assert_eq!(told_at(2_500), 150);
        assert_eq!(told_at(9_989), 748);
        assert_eq!(told_at(9_990), 1);
        assert_eq!(told_at(20_000), 0, "all are told");
        assert_eq!(shortest(3), Duration::from_millis(60));
    }
}
