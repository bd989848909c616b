//! Moving a socket's own queue, and catching a session up that is behind.
//!
//! Order: what is queued, then the log from the session's cursor, then it is level and the flush
//! serves it again.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use fantail_model::Kind;

use super::Shard;
use super::socket::{End, Written};
use crate::group::Group;
use crate::limits;

/// Bytes of shared frames queued for a session that is behind before they are written.
const REFILL_BYTES: usize = 64 * 1_024;

impl Shard {
    /// Queues bytes of one session and sends what goes.
    pub(super) fn send_own(&mut self, slot: usize, bytes: Bytes) {
        let (Some(session), Some(hot)) = (self.sessions.get_mut(slot), self.hot.get_mut(slot))
        else {
            return;
        };
        if hot.level {
            self.metrics.written(bytes.len());
            match hot.write(&bytes) {
                Written::All => {}
                Written::Part(sent) => {
                    session.outbox.push_own(bytes);
                    session.outbox.skip(sent);
                    self.settle(slot);
                }
                Written::Gone(how) => self.drop_session(slot, &End::gone(how)),
            }
            return;
        }
        session.outbox.push_own(bytes);
        if session.outbox.is_over(self.config.session_reply_bytes) && session.closing.is_none() {
            self.close(slot, &End::too_slow("its own answers are not being read"));
        }
    }

    /// A turn of those who have more to be sent, one after the other, as far as a turn goes.
    pub(super) fn catch_up(&mut self) {
        let mut left = limits::CATCH_UP_TURN_BYTES;
        let end = self.clock.monotonic() + limits::CATCH_UP_TURN;
        for _ in 0..self.runnable.len() {
            let Some(slot) = self.runnable.pop_front() else { return };
            if let Some(session) = self.sessions.get_mut(slot) {
                session.is_runnable = false;
            }
            left = left.saturating_sub(self.pump(slot));
            if left == 0 || self.clock.monotonic() >= end {
                return;
            }
        }
    }

    /// It gets its turn, once.
    pub(super) fn run_later(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if !std::mem::replace(&mut session.is_runnable, true) {
            self.runnable.push_back(slot);
        }
    }

    /// Sends as much as the socket takes: its queue, then what it missed. Returns the bytes.
    pub(super) fn pump(&mut self, slot: usize) -> usize {
        if self.hot.get(slot).is_some_and(|hot| hot.level) {
            return 0;
        }
        let mut budget = limits::CATCH_UP_BYTES;
        self.pump_on(slot, &mut budget);
        self.settle(slot);
        limits::CATCH_UP_BYTES - budget
    }

    fn pump_on(&mut self, slot: usize, budget: &mut usize) {
        loop {
            if !self.drain_outbox(slot, budget) {
                return;
            }
            let Some(session) = self.sessions.get_mut(slot) else { return };
            if session.closing.is_some() {
                self.finish_close(slot);
                return;
            }
            let Some((cursor, since)) = session.behind else { return };
            if self.log.has_lost(cursor, self.config.session_backlog_bytes) {
                self.start_again(slot);
                return;
            }
            if cursor == self.log.next() {
                session.behind = None;
                self.behind -= 1;
                return;
            }
            if *budget == 0 {
                self.run_later(slot);
                return;
            }
            let far = self.clock.monotonic().saturating_sub(since) >= self.config.conflate_after;
            let next =
                if far { self.refill_merged(slot, cursor) } else { self.refill(slot, cursor) };
            if let Some(session) = self.sessions.get_mut(slot) {
                session.behind = Some((next, since));
            }
        }
    }

    /// Writes the queue; false when the socket is full, gone or the session is.
    fn drain_outbox(&mut self, slot: usize, budget: &mut usize) -> bool {
        loop {
            let (Some(session), Some(hot)) = (self.sessions.get_mut(slot), self.hot.get_mut(slot))
            else {
                return false;
            };
            if session.outbox.is_empty() {
                return true;
            }
            if *budget == 0 {
                self.run_later(slot);
                return false;
            }
            self.scratch.clear();
            let kind = session.kind;
            session.outbox.gather(kind, &mut self.encoder, REFILL_BYTES, &mut self.scratch);
            self.metrics.written(self.scratch.len());
            let outcome = hot.write(&self.scratch);
            let sent = match outcome {
                Written::All => self.scratch.len(),
                Written::Part(sent) => sent,
                Written::Gone(how) => {
                    self.drop_session(slot, &End::gone(how));
                    return false;
                }
            };
            session.outbox.advance(sent, kind, &mut self.encoder);
            *budget = budget.saturating_sub(sent);
            if matches!(outcome, Written::Part(_)) {
                return false;
            }
        }
    }

    /// It lost its place in the log: everything starts again with a state that replaces what the
    /// client holds; with trades, which must not be lost, the session ends and resumes.
    pub(super) fn start_again(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let held: Vec<_> = session.state.held.iter().copied().collect();
        let Some(action) = session.state.start_again(&self.directory) else {
            self.close(slot, &End::too_slow("it fell out of the backlog"));
            return;
        };
        if session.behind.take().is_some() {
            self.behind -= 1;
        }
        self.metrics.restarted();
        for subscription in held {
            self.leave(slot, subscription.ch, subscription.phase);
        }
        self.act(slot, vec![action]);
    }

    /// Queues everything from the cursor on, each channel's values merged into one; trades stay
    /// as they are. Returns the new cursor.
    fn refill_merged(&mut self, slot: usize, cursor: u64) -> u64 {
        let Some(session) = self.sessions.get_mut(slot) else { return cursor };
        self.metrics.merged();
        let mut channels: Vec<(u64, Vec<Arc<Group>>)> = Vec::new();
        let mut places: HashMap<u32, usize> = HashMap::new();
        let next = self.log.next();
        for number in cursor..next {
            let Some(batch) = self.log.get(number) else { continue };
            for group in &batch.groups {
                if session.state.held.is_due(group.info.ch, number) {
                    let place = *places.entry(group.info.ch).or_insert(channels.len());
                    if place == channels.len() {
                        channels.push((number, Vec::new()));
                    }
                    channels[place].1.push(Arc::clone(group));
                }
            }
        }
        for (first, groups) in channels {
            let events: usize = groups.iter().map(|group| group.events.len()).sum();
            if groups.iter().any(|group| group.info.channel.kind == Kind::Trade) {
                self.metrics.delivered(events);
                groups.into_iter().for_each(|group| session.outbox.push_group(group));
            } else if let Some(merged) = self.merges.merged(&groups, first, next) {
                self.metrics.delivered(merged.events.len());
                self.metrics.conflated(events - merged.events.len());
                session.outbox.push_group(merged);
            }
        }
        next
    }

    /// Queues references to what the session is due from its cursor on; returns the new cursor.
    fn refill(&mut self, slot: usize, mut cursor: u64) -> u64 {
        let Some(session) = self.sessions.get_mut(slot) else { return cursor };
        let mut bytes = 0;
        while let Some(batch) = self.log.get(cursor) {
            for group in &batch.groups {
                if session.state.held.is_due(group.info.ch, cursor) {
                    bytes += group.frames_ref(session.kind, &mut self.encoder).len();
                    self.metrics.delivered(group.events.len());
                    session.outbox.push_group(Arc::clone(group));
                }
            }
            cursor += 1;
            if bytes >= REFILL_BYTES {
                break;
            }
        }
        cursor
    }
}
