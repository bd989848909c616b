//! A shard that is later than a session may be: what cannot be merged has to go.
//!
//! Values are merged long before (`flush`), trades cannot be. Once turns begin later than a session
//! may be behind, and go on doing so, sessions that are sent trades are let go with 4409, all of them:
//! each of them is that late. What waits is then passed over in no time, and who comes back meets the
//! stream as it is ([`crate::strain`]). The same holds after a crowd of readers was closed before it was
//! sent what it resumed for. Owns also what becomes of sessions when the tail gave up what waited for
//! the shard.

use std::sync::Arc;
use std::time::Duration;

use fantail_model::Micros;

use super::Shard;
use super::socket::{End, Session};
use crate::group::Batch;
use crate::limits;
use crate::link::ToShard;

/// Sessions closed as too slow while what was lent for them was unsent.
#[derive(Debug, Default)]
pub(super) struct Unpaid {
    since: Duration,
    sessions: usize,
    /// They are a crowd, and that was said.
    told: bool,
}

impl Shard {
    /// How long ago the tail published what a flush begins with.
    pub(super) fn age(&self, batches: &[Arc<Batch>]) -> Duration {
        let made = batches.first().and_then(|batch| batch.groups.first()).map(|group| group.tx);
        let age = made.map_or(0, |made| Micros(self.clock.wall_micros()).since(made));
        Duration::from_micros(u64::try_from(age).unwrap_or(0))
    }

    /// A turn begins with this message.
    pub(super) fn feel(&mut self, first: &ToShard) {
        let ToShard::Batch(batch) = first else { return };
        let age = self.age(std::slice::from_ref(batch));
        // A process that stood still is late once, and takes in one turn what waited meanwhile.
        let last = std::mem::replace(&mut self.last_age, age);
        self.strain.lags(age.min(last));
        self.late_turns = if age < self.config.slow_after { 0 } else { self.late_turns + 1 };
        if self.late_turns >= limits::LATE_TURNS_MAX {
            self.late_turns = 0;
            self.let_go(age);
        }
    }

    /// Nothing waits.
    pub(super) fn at_ease(&mut self) {
        (self.late_turns, self.last_age) = (0, Duration::ZERO);
        if !self.strain.lag().is_zero() {
            self.strain.lags(Duration::ZERO);
        }
    }

    /// Closes who is sent trades; who only waits for their start is not late.
    fn let_go(&mut self, age: Duration) {
        let sent_trades = |session: &Session| session.state.is_sent_trades(&self.directory);
        let open = self.sessions.iter().filter(|(_, session)| session.closing.is_none());
        let slots: Vec<usize> =
            open.filter(|(_, session)| sent_trades(session)).map(|(slot, _)| slot).collect();
        if slots.is_empty() {
            return;
        }
        self.tell_let_go(slots.len(), age);
        for slot in slots {
            self.close(slot, &End::too_slow("the node sends later than it may; resume"));
        }
    }

    /// The tail gave up what waited for this shard, seeds among it. States start again with a `reset`;
    /// who is sent trades, or waits for a start that will not come, has to resume.
    pub(super) fn lose_place(&mut self) {
        self.parked.clear();
        self.lost_generation = self.generation;
        let slots: Vec<usize> = self.sessions.iter().map(|(slot, _)| slot).collect();
        let mut gone = 0;
        for slot in slots {
            let Some(session) = self.sessions.get(slot) else { continue };
            if session.closing.is_some() || session.state.held.len() == 0 {
                continue;
            }
            if session.state.is_waiting() || session.state.holds_trades(&self.directory) {
                gone += 1;
                self.close(slot, &End::too_slow("the node fell behind; resume"));
            } else {
                self.start_again(slot);
            }
        }
        if gone > 0 {
            self.tell_let_go(gone, self.strain.lag());
        }
    }

    /// A session is closed as too slow, and what was lent for its resume is unsent. One such reader is
    /// its own matter. A crowd of them within the time a session may be late is not: whether they share
    /// a core or a line, more backlogs would only take more of it, so nothing is lent for a while.
    pub(super) fn note_unpaid(&mut self) {
        let (now, slow_after) = (self.clock.monotonic(), self.config.slow_after);
        if now.saturating_sub(self.unpaid.since) >= slow_after {
            self.unpaid = Unpaid { since: now, ..Unpaid::default() };
        }
        self.unpaid.sessions += 1;
        let crowd = (self.sessions.len() / limits::CROWD_SHARE).max(limits::CROWD_MIN);
        if self.unpaid.sessions < crowd {
            return;
        }
        if !std::mem::replace(&mut self.unpaid.told, true) {
            let (shard, sessions) = (self.number, self.unpaid.sessions);
            tracing::warn!(shard, sessions, "resumes end too slow; none are begun for a while");
        }
        self.strain.let_go(now);
    }

    fn tell_let_go(&self, sessions: usize, age: Duration) {
        let (shard, late_ms) = (self.number, age.as_millis());
        tracing::warn!(shard, sessions, late_ms, "the shard is too late; sessions have to resume");
        self.metrics.let_go(sessions);
        self.strain.let_go(self.clock.monotonic());
    }
}
