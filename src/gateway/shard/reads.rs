//! Reading a socket: bytes into the shard's scratch, messages out of the session's decoder.

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
                Got::End => {
                    self.drop_session(slot, &End::gone());
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
