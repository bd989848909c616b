//! A client of the shard: frames in, checked values out.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use fantail_wire::client::{
    Command, Id, Reply, ServerMessage, SubscribeItem, decode_message, encode_command,
};
use fantail_wire::frame::encode::client_frame;
use fantail_wire::frame::{Decoder, Inflater, Limits, Message, Opcode, Role};

use crate::kind::FrameKind;
use crate::testing::PATIENCE;

/// Longest message a test's server sends.
const MESSAGE_BYTES: u32 = 64 * 1_024 * 1_024;

/// What a client sees.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are messages, and none is kept")]
pub(super) enum Seen {
    Message(ServerMessage),
    Ping,
    Pong(Vec<u8>),
    Close(u16, String),
    /// The end of the stream.
    Eof,
}

/// One client.
pub(super) struct Client {
    stream: TcpStream,
    pub(super) kind: FrameKind,
    decoder: Decoder,
    inflater: Inflater,
    seen: VecDeque<Seen>,
    /// Names of channel numbers, from acknowledgements.
    names: HashMap<u32, String>,
    ended: bool,
}

impl Client {
    pub(super) fn new(stream: TcpStream, kind: FrameKind) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let limits = Limits { message_bytes_max: MESSAGE_BYTES, ..Limits::default() };
        let decoder = Decoder::new(Role::Client, limits, kind.deflate);
        let (inflater, seen, names) = (Inflater::new(), VecDeque::new(), HashMap::new());
        Self { stream, kind, decoder, inflater, seen, names, ended: false }
    }

    pub(super) fn welcome(&mut self) {
        match self.reply() {
            Reply::Welcome { protocol: 1, .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// The next thing, waited for.
    pub(super) fn next(&mut self) -> Seen {
        loop {
            if let Some(seen) = self.seen.pop_front() {
                return seen;
            }
            assert!(!self.ended, "the stream has ended");
            assert!(self.read(), "nothing came in time");
        }
    }

    /// What is there now, without waiting; reads at most `turns` times.
    pub(super) fn poll(&mut self, turns: usize) -> Vec<Seen> {
        self.stream.set_nonblocking(true).unwrap();
        for _ in 0..turns {
            if self.ended || !self.read() {
                break;
            }
        }
        self.stream.set_nonblocking(false).unwrap();
        self.seen.drain(..).collect()
    }

    pub(super) fn message(&mut self) -> ServerMessage {
        loop {
            match self.next() {
                Seen::Message(message) => return message,
                Seen::Ping => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn reply(&mut self) -> Reply {
        match self.message() {
            ServerMessage::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Name of a message's channel, in any encoding.
    pub(super) fn name(&self, channel: &str, ch: u32) -> String {
        if channel.is_empty() { self.names[&ch].clone() } else { channel.to_owned() }
    }

    pub(super) fn command(&mut self, command: &Command) {
        let mut payload = Vec::new();
        encode_command(self.kind.encoding, command, &mut payload);
        let text = self.kind.encoding.is_text();
        self.frame(if text { Opcode::Text } else { Opcode::Binary }, &payload);
    }

    pub(super) fn subscribe(&mut self, names: &[&str]) {
        let item =
            |name: &&str| SubscribeItem { channel: (*name).to_owned(), from: None, history: None };
        let channels = names.iter().map(item).collect();
        self.command(&Command::Subscribe { id: Some(Id::Number(1)), channels });
    }

    pub(super) fn unsubscribe(&mut self, names: &[&str]) {
        let channels = names.iter().map(|name| (*name).to_owned()).collect();
        self.command(&Command::Unsubscribe { id: Some(Id::Number(2)), channels });
    }

    pub(super) fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        client_frame(opcode, false, payload, [1, 2, 3, 4], &mut bytes);
        self.raw(&bytes);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        // A server that has closed does not take it; then its close is what there is to see.
        let _ = self.stream.write_all(bytes);
    }

    /// Ends both directions at once.
    pub(super) fn hang_up(&self) {
        self.stream.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// Drops the connection so that the other end finds it dead and not ended.
    pub(super) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    /// The close frame that must come, whatever comes before it, and then the end.
    pub(super) fn closed(&mut self) -> (u16, String) {
        loop {
            if let Seen::Close(code, reason) = self.next() {
                assert!(matches!(self.next(), Seen::Eof), "nothing follows a close frame");
                return (code, reason);
            }
        }
    }

    /// One `recv`; false when nothing is there (in time, where it waits).
    fn read(&mut self) -> bool {
        let mut buffer = vec![0; 32 * 1_024];
        let length = match self.stream.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        };
        if length == 0 {
            self.ended = true;
            self.seen.push_back(Seen::Eof);
            return true;
        }
        self.decode(&mut buffer[..length]);
        true
    }

    fn decode(&mut self, mut input: &mut [u8]) {
        while !input.is_empty() {
            let step = self.decoder.feed(input, &mut self.inflater).expect("legal frames");
            let encoding = self.kind.encoding;
            let seen = step.message.map(|message| match message {
                Message::Text(text) => {
                    assert!(encoding.is_text());
                    Seen::Message(decode_message(encoding, text.as_bytes()).unwrap())
                }
                Message::Binary(bytes) => {
                    assert!(!encoding.is_text());
                    Seen::Message(decode_message(encoding, bytes).unwrap())
                }
                Message::Ping(_) => Seen::Ping,
                Message::Pong(payload) => Seen::Pong(payload.to_vec()),
                Message::Close { code, reason } => Seen::Close(code.unwrap(), reason.to_owned()),
            });
            let consumed = step.consumed;
            if let Some(Seen::Message(ServerMessage::Reply(Reply::Subscribed {
                channels, ..
            }))) = &seen
            {
                let named = channels.iter().map(|ack| (ack.ch, ack.channel.clone()));
                self.names.extend(named);
            }
            self.seen.extend(seen);
            input = &mut input[consumed..];
        }
    }
}
