//! Carrying out what a session decided.

use fantail_model::Micros;
use fantail_wire::client::{Command, CommandError, Reply};
use fantail_wire::codes::Code;
use fantail_wire::frame::encode::pong_frame;

use super::Shard;
use super::socket::{End, NONE};
use crate::link::ToTail;
use crate::seed::SessionKey;
use crate::session::commands::Context;
use crate::session::state::Action;
use crate::session::subscriptions::Phase;

impl Shard {
    /// One command of one session.
    pub(super) fn take_command(&mut self, slot: usize, command: Result<Command, CommandError>) {
        self.metrics.command();
        // What a running flush still owes it was published before this command.
        if self.hot.get(slot).is_some_and(|hot| hot.due_head != NONE) {
            self.flush_session(slot);
        }
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let context = Context {
            directory: &self.directory,
            authenticator: &self.authenticator,
            now: self.clock.monotonic(),
            wall: Micros(self.clock.wall_micros()),
        };
        let actions = session.state.command(command, &context);
        self.act(slot, actions);
    }

    pub(super) fn act(&mut self, slot: usize, actions: Vec<Action>) {
        for action in actions {
            let Some(session) = self.sessions.get_mut(slot) else { return };
            let key = SessionKey { slot, generation: session.generation };
            match action {
                // Nothing follows a close frame; what it held is given back all the same.
                Action::Reply(_) | Action::Want { .. } if session.closing.is_some() => {}
                Action::Reply(reply) => self.reply(slot, &reply),
                Action::Want { token, items } => {
                    let shard = self.number;
                    self.request(ToTail::Want { shard, session: key, token, items });
                }
                Action::Leave(ch, phase) => self.leave(slot, ch, phase),
                Action::Close(code, reason) => self.close(slot, &End::of(code, reason)),
            }
        }
    }

    pub(super) fn reply(&mut self, slot: usize, reply: &Reply) {
        let Some(session) = self.sessions.get(slot) else { return };
        let bytes = self.encoder.reply(session.kind.encoding, reply);
        self.send_own(slot, bytes);
    }

    /// Takes a session out of a channel's members.
    pub(super) fn leave(&mut self, slot: usize, ch: u32, phase: Phase) {
        let Phase::Live { slot: place, .. } = phase else { return };
        let Some(kind) = self.sessions.get(slot).map(|session| session.kind) else { return };
        if let Some(moved) = self.index.leave(ch, kind, place)
            && let Some(moved) = self.sessions.get_mut(moved)
            && let Some(held) = moved.state.held.get_mut(ch)
            && let Phase::Live { slot, .. } = &mut held.phase
        {
            *slot = place;
        }
        self.metrics.left(1);
        self.desert_if_empty(ch);
    }

    /// Answers a ping, unless there were too many.
    pub(super) fn pong(&mut self, slot: usize, payload: &[u8]) {
        let now = self.clock.monotonic();
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if !session.state.ping_allowed(now) {
            let reason = format!("more than {} pings a second", crate::limits::PINGS_PER_S);
            self.close(slot, &End::of(Code::Policy, reason));
            return;
        }
        let mut frame = Vec::with_capacity(payload.len() + 2);
        pong_frame(payload, &mut frame);
        self.send_own(slot, frame.into());
    }
}
