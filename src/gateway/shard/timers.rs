//! What happens by time: heartbeats, dead peers, slow peers, ended credentials, closing sockets,
//! and interest in channels nobody holds.

use std::time::Duration;

use fantail_model::Micros;
use fantail_wire::codes::Code;
use fantail_wire::frame::encode::ping_frame;

use super::Shard;
use super::socket::{End, Gone, Session};
use crate::limits;
use crate::link::ToTail;

impl Shard {
    pub(super) fn tick(&mut self) {
        let now = self.clock.monotonic();
        let slots: Vec<usize> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.tick_session(slot, now);
        }
        self.give_up_interest(now);
        if self.behind == 0 {
            self.log.clear();
            self.merges.forget();
        }
        let live = |session: &Session| session.state.held.is_any_live();
        let subscribers = self.sessions.iter().filter(|(_, session)| live(session)).count();
        let waits = |session: &Session| session.closing.is_none() && !session.is_level();
        self.metrics.set_waiting(self.sessions.iter().filter(|(_, one)| waits(one)).count());
        let cursors = self.sessions.iter().filter_map(|(_, session)| session.behind);
        let furthest = cursors.map(|(cursor, _)| self.log.distance(cursor)).max();
        self.metrics.set_backlog(self.log.bytes().0, furthest.unwrap_or(0));
        self.metrics.set_strain(self.strain.owed_bytes(), self.strain.lag());
        self.metrics.set_levels(self.sessions.len(), subscribers, self.behind);
        if self.scratch.capacity() > limits::SCRATCH_BYTES_KEPT {
            self.scratch = Vec::new();
        }
    }

    fn tick_session(&mut self, slot: usize, now: Duration) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if let Some(closing) = &session.closing {
            if now >= closing.deadline {
                // It was counted when its end began.
                self.drop_session(slot, &End::gone(Gone::Left));
            }
            return;
        }
        let slow = session.behind.is_some_and(|(cursor, since)| {
            let late = now.saturating_sub(since) >= self.config.slow_after;
            let lost = self.log.has_lost(cursor, self.config.session_backlog_bytes);
            (late || lost) && session.state.holds_trades(&self.directory)
        });
        if slow {
            self.close(slot, &End::too_slow("it did not keep up"));
            return;
        }
        if now.saturating_sub(session.heard) >= 2 * self.config.heartbeat {
            self.close(slot, &End::of(Code::HeartbeatMissed, "two pings without an answer"));
            return;
        }
        let due = now >= session.next_heartbeat;
        if let Some(action) = session.state.tick(now) {
            self.act(slot, vec![action]);
        }
        if due {
            self.beat(slot, now);
        }
    }

    /// A ping for the library, a heartbeat for the program.
    fn beat(&mut self, slot: usize, now: Duration) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if session.closing.is_some() {
            return;
        }
        session.next_heartbeat = now + self.config.heartbeat;
        let heartbeat = session.state.heartbeat(Micros(self.clock.wall_micros()));
        let mut bytes = Vec::new();
        ping_frame(b"", &mut bytes);
        bytes.extend_from_slice(&self.encoder.reply(session.kind.encoding, &heartbeat));
        self.send_own(slot, bytes.into());
    }

    /// Channels that stayed without members for a while: the tail need not send them.
    fn give_up_interest(&mut self, now: Duration) {
        while let Some(&(ch, since)) = self.deserted.front() {
            if now.saturating_sub(since) < limits::INTEREST_LINGER {
                return;
            }
            self.deserted.pop_front();
            // A seed on its way will join, or desert the channel again.
            if self.index.members(ch).is_none_or(|members| members.is_empty())
                && !self.parked.contains_key(&ch)
                && !self.deserted.iter().any(|(later, _)| *later == ch)
            {
                let shard = self.number;
                self.request(ToTail::Leave { shard, ch });
            }
        }
    }
}
