//! Opening and ending sessions.
//!
//! A planned end says goodbye, sends the close frame behind the frame that is under way (in a
//! drain behind everything queued), shuts our side, and waits a bounded time for the client's.
//! Every end is logged with its reason.

use std::net::Shutdown;
use std::time::Duration;

use fantail_model::Micros;
use fantail_ops::closes::CloseEntry;
use fantail_wire::client::Reply;
use fantail_wire::codes::Code;
use fantail_wire::frame::encode::close_frame;
use fantail_wire::frame::{Decoder, Limits, Role, close};

use super::Shard;
use super::outbox::Outbox;
use super::socket::{Closing, End, Gone, Hot, Session};
use crate::limits;
use crate::listener::Arrival;
use crate::session::state::SessionState;

impl Shard {
    /// Takes an upgraded socket.
    pub(super) fn open(&mut self, arrival: Arrival) {
        let now = self.clock.monotonic();
        let entry = self.sessions.vacant_entry();
        let slot = entry.key();
        let mut socket = arrival.socket;
        if let Err(error) = self.pollset.add(&mut socket, slot) {
            tracing::error!(%error, "a socket cannot be polled");
            return;
        }
        self.generation += 1;
        let node_limits = self.config.limits;
        let state = SessionState::new(arrival.session, arrival.identity, node_limits, now);
        let frame_limits =
            Limits { message_bytes_max: state.limits.message_bytes, ..Limits::default() };
        if self.hot.len() <= slot {
            self.hot.resize_with(slot + 1, || Hot::FREE);
        }
        let kind = arrival.kind.index() as u8;
        self.hot[slot] = Hot { socket: Some(socket), kind, level: true, ..Hot::FREE };
        entry.insert(Session {
            generation: self.generation,
            kind: arrival.kind,
            decoder: Decoder::new(Role::Server, frame_limits, arrival.kind.deflate),
            outbox: Outbox::default(),
            behind: None,
            state: Box::new(state),
            peer: arrival.peer,
            opened: now,
            heard: now,
            next_heartbeat: now + first_beat(self.config.heartbeat),
            closing: None,
            is_runnable: false,
            lent_bytes: 0,
            _permit: arrival.permit,
        });
        self.metrics.opened();
        self.welcome(slot);
        if self.drain.is_some() {
            self.say_restart(slot);
        }
        // Frames that came in one piece with the handshake.
        let mut early = arrival.early.to_vec();
        self.contained(slot, |shard| shard.feed(slot, &mut early));
    }

    fn welcome(&mut self, slot: usize) {
        let Some(session) = self.sessions.get(slot) else { return };
        let wall = Micros(self.clock.wall_micros());
        let welcome = session.state.welcome(&self.config.node, self.config.heartbeat, wall);
        self.reply(slot, &welcome);
    }

    /// Ends a session for a reason of ours.
    pub(super) fn close(&mut self, slot: usize, end: &End) {
        // Slow sessions are often closed together; they should not all come back together.
        let retry_after_ms = (end.name == Code::TooSlow.name()).then(retry_after_ms);
        self.end(slot, end, retry_after_ms);
    }

    pub(super) fn end(&mut self, slot: usize, end: &End, retry_after_ms: Option<u64>) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if session.closing.is_some() {
            return;
        }
        // Who is sent elsewhere takes along what is queued; otherwise only a frame that has begun
        // still has to end.
        if end.name != Code::Restart.name() {
            session.outbox.keep_begun();
        }
        let too_slow = end.name == Code::TooSlow.name();
        let unpaid = too_slow && session.lent_bytes > 0;
        let slow = too_slow || !session.outbox.is_empty();
        let linger = if slow { limits::CLOSE_LINGER_SLOW } else { limits::CLOSE_LINGER };
        let deadline = self.clock.monotonic() + linger;
        session.closing = Some(Closing { deadline, shut: false });
        let encoding = session.kind.encoding;
        if let Some(code) = planned(end.code) {
            let goodbye = self.encoder.reply(encoding, &Reply::Goodbye { code, retry_after_ms });
            session.outbox.push_own(goodbye);
        }
        let mut frame = Vec::new();
        close_frame(end.code, &end.text(), &mut frame);
        session.outbox.push_own(frame.into());
        if unpaid {
            self.note_unpaid();
        }
        self.leave_all(slot);
        self.log_end(slot, end);
        self.settle(slot);
        self.pump(slot);
    }

    /// The client said close: answer it and go.
    pub(super) fn closed_by_peer(&mut self, slot: usize, code: Option<u16>, reason: String) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let deadline = self.clock.monotonic() + limits::CLOSE_LINGER;
        session.closing = Some(Closing { deadline, shut: false });
        session.outbox.keep_begun();
        let mut frame = Vec::new();
        close_frame(close::ANSWER, "", &mut frame);
        session.outbox.push_own(frame.into());
        self.leave_all(slot);
        let code = code.unwrap_or(close::NORMAL);
        self.log_end(slot, &End { code, name: "CLIENT_CLOSED", reason });
        self.settle(slot);
        self.pump(slot);
    }

    /// Everything is sent: shut our side, once.
    pub(super) fn finish_close(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if let Some(closing) = &mut session.closing
            && !closing.shut
        {
            closing.shut = true;
            // A dead socket needs no shutting; its end shows at the next read or the deadline.
            let socket = self.hot.get_mut(slot).and_then(|hot| hot.socket.as_mut());
            let _ = socket.map(|socket| socket.shutdown(Shutdown::Write));
        }
    }

    /// Takes a session out of everything and drops its socket.
    pub(super) fn drop_session(&mut self, slot: usize, end: &End) {
        if !self.sessions.contains(slot) {
            return;
        }
        if self.sessions[slot].closing.is_none() {
            self.leave_all(slot);
            self.log_end(slot, end);
        }
        self.sessions.remove(slot);
        let hot = self.hot.get_mut(slot).map(|hot| std::mem::replace(hot, Hot::FREE));
        if let Some(mut socket) = hot.and_then(|hot| hot.socket) {
            self.pollset.remove(&mut socket);
        }
    }

    fn leave_all(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if session.behind.take().is_some() {
            self.behind -= 1;
        }
        self.strain.repay(std::mem::take(&mut session.lent_bytes));
        let held = std::mem::take(&mut session.state.held);
        for subscription in held.iter() {
            self.leave(slot, subscription.ch, subscription.phase);
        }
    }

    fn log_end(&self, slot: usize, end: &End) {
        let Some(session) = self.sessions.get(slot) else { return };
        self.metrics.closed(end.code, end.name);
        let lifetime = self.clock.monotonic().saturating_sub(session.opened);
        self.closes.push(CloseEntry {
            time_micros: self.clock.wall_micros(),
            session: session.state.id.clone(),
            user: Some(session.state.identity.user.clone()),
            peer: session.peer.to_string(),
            code: end.code,
            name: end.name.to_owned(),
            reason: end.reason.clone(),
            bytes_sent: self.hot.get(slot).map_or(0, |hot| hot.bytes_sent),
            duration_ms: millis(lifetime),
        });
    }
}

/// The first heartbeat comes early by a part of its interval: sessions that arrived together are not
/// all spoken to in one turn ever after.
fn first_beat(interval: Duration) -> Duration {
    interval.mul_f64(rand::random_range(0.5..=1.0))
}

/// When a client may come back, spread so that many that leave together do not come together.
pub(super) fn retry_after_ms() -> u64 {
    limits::RETRY_MIN_MS + rand::random_range(0..limits::RETRY_SPREAD_MS)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The row of a planned close: one that is no protocol mistake of the client.
fn planned(number: u16) -> Option<Code> {
    const MISTAKES: [u16; 4] =
        [close::PROTOCOL_ERROR, close::UNSUPPORTED, close::INVALID_DATA, close::TOO_BIG];
    let row = Code::ALL.iter().copied().find(|code| code.close_code() == Some(number))?;
    (!MISTAKES.contains(&number)).then_some(row)
}

impl End {
    /// The connection ended without a close frame.
    pub(super) fn gone(how: Gone) -> Self {
        let (name, reason) = match how {
            Gone::Left => ("CONNECTION_LOST", ""),
            Gone::Reset => ("CONNECTION_RESET", ""),
            Gone::TimedOut => {
                ("CONNECTION_TIMED_OUT", "what was sent was not acknowledged in time")
            }
            Gone::Broken => ("CONNECTION_BROKEN", ""),
        };
        Self { code: 1006, name, reason: reason.into() }
    }

    /// The client does not keep up.
    pub(super) fn too_slow(reason: &str) -> Self {
        Self::of(Code::TooSlow, reason)
    }
}
