//! Reading a socket: bytes into the shard's scratch, messages out of the session's decoder.
//!
//! A client's input is where a mistake of ours would come to light. A panic in handling it ends
//! that client's session with 1011 and nobody else's; a panic anywhere else still ends the node.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fantail_wire::client::{self, Command, CommandError, CommandLimits};
use fantail_wire::codes::Code;
use fantail_wire::frame::{DecodeError, Message, Step};

use super::Shard;
use super::socket::{End, Got};
use crate::limits;

/// One decoded message, owned, so that nothing borrows the scratch.
enum Incoming {
    Command(Result<Command, CommandError>),
    /// The frame's form does not fit the session's encoding.
    WrongForm,
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>, String),
}

impl Shard {
    /// Reads what is there, up to a turn's worth.
    pub(super) fn read(&mut self, slot: usize) {
        self.contained(slot, |shard| shard.read_turn(slot));
    }

    /// Does something with a session's input; a panic ends that session.
    pub(super) fn contained(&mut self, slot: usize, work: impl FnOnce(&mut Self)) {
        // What it may leave half done is the session's own, which ends, or scratch.
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_ok() {
            return;
        }
        self.read_scratch.resize(limits::READ_SCRATCH_BYTES, 0);
        let session = self.sessions.get(slot).map(|session| session.state.id.clone());
        tracing::error!(?session, "a mistake of ours ended a session");
        self.close(slot, &End::of(Code::Internal, "a mistake of ours; please report the session"));
    }

    fn read_turn(&mut self, slot: usize) {
        let mut scratch = std::mem::take(&mut self.read_scratch);
        let mut taken = 0;
        while let Some(hot) = self.hot.get_mut(slot).filter(|hot| hot.socket.is_some()) {
            match hot.read(&mut scratch) {
                Got::Bytes(length) => {
                    taken += length;
                    self.feed(slot, &mut scratch[..length]);
                    // On after a short read too: an end of stream that came with these bytes makes
                    // no news of its own.
                    if taken >= limits::READ_TURN_BYTES {
                        self.unread.push(slot);
                        break;
                    }
                }
                Got::Nothing => break,
                Got::End(how) => {
                    self.drop_session(slot, &End::gone(how));
                    break;
                }
            }
        }
        self.read_scratch = scratch;
    }

    /// Feeds bytes of a socket to its decoder, and handles what comes out.
    pub(super) fn feed(&mut self, slot: usize, mut input: &mut [u8]) {
        let now = self.clock.monotonic();
        while !input.is_empty() {
            let Some(session) = self.sessions.get_mut(slot) else { return };
            session.heard = now;
            if session.closing.is_some() || session.decoder.is_finished() {
                return;
            }
            let commands = CommandLimits {
                channels: session.state.limits.channels_per_command as usize,
                ..CommandLimits::default()
            };
            let encoding = session.kind.encoding;
            let step = session.decoder.feed(input, &mut self.inflater).map(|step| {
                let Step { consumed, message } = step;
                (consumed, message.map(|message| own(message, encoding, &commands)))
            });
            match step {
                Ok((consumed, incoming)) => {
                    if let Some(incoming) = incoming {
                        self.take_message(slot, incoming);
                    }
                    input = input.get_mut(consumed..).unwrap_or_default();
                }
                Err(error) => {
                    self.close(slot, &End::broken(error));
                    return;
                }
            }
        }
    }

    fn take_message(&mut self, slot: usize, incoming: Incoming) {
        #[cfg(test)]
        fail_on_order(&incoming);
        match incoming {
            Incoming::Command(command) => self.take_command(slot, command),
            Incoming::WrongForm => {
                let reason = "JSON comes in text messages, other encodings in binary ones";
                self.close(slot, &End::of(Code::UnsupportedData, reason));
            }
            Incoming::Ping(payload) => self.pong(slot, &payload),
            Incoming::Pong => {}
            Incoming::Close(code, reason) => self.closed_by_peer(slot, code, reason),
        }
    }
}

/// Where a test lets the handling of a client's input go wrong.
#[cfg(test)]
fn fail_on_order(incoming: &Incoming) {
    if let Incoming::Command(Ok(Command::Ping { id: Some(client::Id::Text(id)) })) = incoming {
        assert_ne!(id, "go wrong", "by order of a test");
    }
}

fn own(message: Message<'_>, encoding: client::Encoding, limits: &CommandLimits) -> Incoming {
    match message {
        Message::Text(text) if encoding.is_text() => {
            Incoming::Command(client::decode_command(encoding, text.as_bytes(), limits))
        }
        Message::Binary(bytes) if !encoding.is_text() => {
            Incoming::Command(client::decode_command(encoding, bytes, limits))
        }
        Message::Text(_) | Message::Binary(_) => Incoming::WrongForm,
        Message::Ping(payload) => Incoming::Ping(payload.to_vec()),
        Message::Pong(_) => Incoming::Pong,
        Message::Close { code, reason } => Incoming::Close(code, reason.to_owned()),
    }
}

impl End {
    /// The peer broke the WebSocket protocol or a limit of it.
    fn broken(error: DecodeError) -> Self {
        let number = error.close_code();
        let row = Code::ALL.iter().find(|code| code.close_code() == Some(number));
        Self {
            code: number,
            name: row.map_or("POLICY", |code| code.name()),
            reason: error.reason(),
        }
    }
}
