//! What the operator is told about the sessions of this shard.

use super::Shard;
use super::socket::Session;
use crate::sessions::{Bounds, LISTED_MAX, SessionInfo, SessionsAsked, ShardSessions};

impl Shard {
    pub(super) fn report(&self, answer_to: SessionsAsked) {
        let behind = self.sessions.iter().filter(|(_, session)| session.behind.is_some());
        let level = self.sessions.iter().filter(|(_, session)| session.behind.is_none());
        let listed = behind.chain(level).take(LISTED_MAX);
        let sessions = listed.map(|(slot, session)| self.info(slot, session)).collect();
        let (shard, total) = (self.number, self.sessions.len());
        let (backlog_bytes, backlog_bytes_max) = self.log.bytes();
        let kernel = self.config.kernel;
        let bounds = Bounds {
            backlog_bytes: backlog_bytes_max,
            session_backlog_bytes: self.config.session_backlog_bytes,
            session_reply_bytes: self.config.session_reply_bytes,
            kernel_unsent_bytes: kernel.unsent_bytes,
            kernel_unacked_timeout_ms: u64::try_from(kernel.unacked_timeout.as_millis())
                .unwrap_or(u64::MAX),
        };
        let flush_path = self.metrics.flush_path();
        let answer = ShardSessions { shard, total, flush_path, backlog_bytes, bounds, sessions };
        // Whoever asked may have given up.
        let _ = answer_to.send(answer);
    }

    fn info(&self, slot: usize, session: &Session) -> SessionInfo {
        let now = self.clock.monotonic();
        let millis =
            |since| u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
        SessionInfo {
            session: session.state.id.clone(),
            user: session.state.identity.user.clone(),
            peer: session.peer.to_string(),
            encoding: session.kind.encoding.as_str(),
            deflate: session.kind.deflate,
            batch: session.kind.batch,
            channels: session.state.held.len(),
            patterns: session.state.patterns.len(),
            age_ms: millis(session.opened),
            bytes_sent: self.hot.get(slot).map_or(0, |hot| hot.bytes_sent),
            behind_batches: session
                .behind
                .map_or(0, |(cursor, _)| self.log.next().saturating_sub(cursor)),
            behind_bytes: session.behind.map_or(0, |(cursor, _)| self.log.distance(cursor)),
            behind_ms: session.behind.map_or(0, |(_, since)| millis(since)),
            queued: session.outbox.len(),
            queued_reply_bytes: session.outbox.own_bytes(),
            closing: session.closing.is_some(),
        }
    }
}
