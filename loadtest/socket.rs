//! One client socket: connects without blocking, shakes hands, subscribes, and reads into a buffer
//! that all sockets of its thread share. Holds no message.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use fantail_wire::client::{Command, From, Id, SubscribeItem, encode_command};
use fantail_wire::frame::encode::client_frame;
use fantail_wire::frame::{Decoder, Inflater, Limits, Message, Opcode, Role};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::chain::{Chains, Names};
use crate::handshake::{self, Ask};
use crate::ledger::{Ledger, Member};
use crate::limits::{CHANNELS_PER_COMMAND, MESSAGE_BYTES_MAX, OUT_BYTES_MAX};
use crate::plan::{Group, Slow};
use crate::target::Target;

/// `connect` goes on by itself: EINPROGRESS on Linux and on macOS.
const IN_PROGRESS: [i32; 2] = [115, 36];
/// Fragments of one message: ours come whole.
const FRAGMENTS_MAX: u32 = 64;

/// What a socket is to become.
pub(crate) struct Wanted<'a> {
    pub(crate) target: &'a Target,
    pub(crate) token: Option<&'a str>,
    pub(crate) group: &'a Group,
    /// Its place in the group.
    pub(crate) nth: usize,
    /// What the group's channels have become.
    pub(crate) list: &'a [String],
    /// Of random picks.
    pub(crate) seed: u64,
    /// Last byte of its 127.0.0.x, on loopback.
    pub(crate) source: u8,
    pub(crate) slow: Option<Slow>,
    /// Differs from socket to socket.
    pub(crate) key: u64,
}

/// A socket.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) member: Member,
    decoder: Decoder,
    /// The handshake's answer so far; `None` once it is there.
    answer: Option<Vec<u8>>,
    key: String,
    /// What the kernel did not take yet.
    out: Vec<u8>,
}

/// What a thread lends to the socket it reads.
pub(crate) struct Lent<'a> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) inflater: &'a mut Inflater,
    pub(crate) ledger: &'a mut Ledger,
    /// Wall time of the read, µs.
    pub(crate) now: i64,
}

/// Why a socket is no more.
#[derive(Debug)]
pub(crate) enum End {
    /// The server ended it, with its code.
    Closed(Option<u16>),
    /// The server did not take it.
    Refused(String),
}

impl Client {
    /// Begins to connect. Fails only where this machine refuses.
    pub(crate) fn connect(wanted: &Wanted<'_>, member: Member) -> io::Result<Self> {
        let addr = wanted.target.addr;
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // The first source is what connecting chooses by itself, and then a port is taken from this
        // server's peers only: bound before, it would be taken from all.
        if addr.ip().is_loopback() && addr.is_ipv4() && wanted.source > 1 {
            let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, wanted.source), 0));
            socket.bind(&source.into())?;
        }
        if let Some(bytes) = wanted.slow.map(|slow| slow.receive_buffer_bytes).filter(|b| *b > 0) {
            socket.set_recv_buffer_size(bytes)?;
        }
        match socket.connect(&addr.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error().is_some_and(|it| IN_PROGRESS.contains(&it)) => {}
            Err(error) => return Err(error),
        }
        let key = handshake::key(wanted.key);
        let out = handshake::request(&ask(wanted, &key)).into_bytes();
        let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, fragments_max: FRAGMENTS_MAX };
        Ok(Self {
            stream: TcpStream::from_std(socket.into()),
            member,
            decoder: Decoder::new(Role::Client, limits, false),
            answer: Some(Vec::new()),
            key,
            out,
        })
    }

    /// It has shaken hands and all its subscriptions are acknowledged.
    pub(crate) fn is_ready(&self) -> bool {
        self.answer.is_none() && self.member.acks_due == 0
    }

    /// Writes what is due and reads until the kernel has no more.
    pub(crate) fn turn(&mut self, wanted: &Wanted<'_>, lent: &mut Lent<'_>) -> Result<(), End> {
        self.flush()?;
        loop {
            let Some(length) = self.read(lent.buffer)? else { return Ok(()) };
            self.came(length, wanted, lent)?;
            if length < lent.buffer.len() {
                // What comes later makes news of its own.
                return Ok(());
            }
        }
    }

    /// Reads once, at most as much as was lent; the bytes that came.
    pub(crate) fn sip(&mut self, wanted: &Wanted<'_>, lent: &mut Lent<'_>) -> Result<usize, End> {
        self.flush()?;
        let length = self.read(lent.buffer)?.unwrap_or(0);
        self.came(length, wanted, lent).map(|()| length)
    }

    /// Leaves; by a reset if `abrupt`.
    pub(crate) fn leave(self, abrupt: bool) -> Chains {
        if abrupt {
            // Where that fails the socket leaves in order, which is no worse.
            let _ = SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
        }
        self.member.chains
    }

    fn came(&mut self, length: usize, wanted: &Wanted<'_>, lent: &mut Lent<'_>) -> Result<(), End> {
        lent.ledger.counts.wire_bytes += length as u64;
        if self.answer.is_none() {
            let Lent { buffer, inflater, ledger, now } = lent;
            return self.frames(&mut buffer[..length], inflater, ledger, *now);
        }
        let mut rest = self.switched(&lent.buffer[..length], wanted, &lent.ledger.names)?;
        self.frames(&mut rest, lent.inflater, lent.ledger, lent.now)
    }

    /// Takes the handshake's answer; when it is whole, subscribes and gives what came behind it.
    fn switched(
        &mut self,
        came: &[u8],
        wanted: &Wanted<'_>,
        names: &Names,
    ) -> Result<Vec<u8>, End> {
        let Some(answer) = self.answer.as_mut() else { return Ok(Vec::new()) };
        answer.extend_from_slice(came);
        let switched = handshake::answer(answer, &ask(wanted, &self.key))
            .map_err(|error| End::Refused(format!("{error:#}")))?;
        let Some(switched) = switched else { return Ok(Vec::new()) };
        let rest = answer.split_off(switched.bytes);
        self.answer = None;
        self.key = String::new();
        let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, fragments_max: FRAGMENTS_MAX };
        self.decoder = Decoder::new(Role::Client, limits, switched.deflate);
        self.subscribe(wanted, names);
        self.flush()?;
        Ok(rest)
    }

    fn subscribe(&mut self, wanted: &Wanted<'_>, names: &Names) {
        let links = self.member.chains.links();
        let from = |name: &str| {
            let link = links.iter().find(|link| names.name(link.channel) == name)?;
            let (seq, epoch) = (link.last?, link.epoch);
            // A first event tells the epoch only if it restarts the channel.
            (epoch > 0).then_some(From { epoch, seq, rx: (link.rx > 0).then_some(link.rx) })
        };
        let item = |name: &str| SubscribeItem {
            channel: name.to_owned(),
            from: from(name),
            history: None,
        };
        let channels = wanted.group.channels_of(wanted.nth, wanted.seed, wanted.list);
        let items: Vec<SubscribeItem> = channels.into_iter().map(item).collect();
        let encoding = self.member.encoding;
        let opcode = if encoding.is_text() { Opcode::Text } else { Opcode::Binary };
        let mut payload = Vec::new();
        for (number, channels) in items.chunks(CHANNELS_PER_COMMAND).enumerate() {
            payload.clear();
            let id = Some(Id::Number(number as i64 + 1));
            encode_command(
                encoding,
                &Command::Subscribe { id, channels: channels.to_vec() },
                &mut payload,
            );
            client_frame(opcode, false, &payload, mask(wanted.key), &mut self.out);
            self.member.acks_due += 1;
        }
    }

    fn frames(
        &mut self,
        mut input: &mut [u8],
        inflater: &mut Inflater,
        ledger: &mut Ledger,
        now: i64,
    ) -> Result<(), End> {
        while !input.is_empty() {
            let step = self.decoder.feed(input, inflater);
            let Ok(step) = step else {
                ledger.counts.unreadable += 1;
                return Err(End::Closed(None));
            };
            let consumed = step.consumed;
            match step.message {
                Some(Message::Text(text)) => ledger.take(&mut self.member, text.as_bytes(), now),
                Some(Message::Binary(bytes)) => ledger.take(&mut self.member, bytes, now),
                Some(Message::Ping(payload)) => {
                    let number = u64::from(self.member.number);
                    client_frame(Opcode::Pong, false, payload, mask(number), &mut self.out);
                }
                Some(Message::Close { code, .. }) => return Err(End::Closed(code)),
                Some(Message::Pong(_)) | None => {}
            }
            input = input.get_mut(consumed..).unwrap_or_default();
        }
        self.flush()
    }

    fn read(&mut self, into: &mut [u8]) -> Result<Option<usize>, End> {
        loop {
            match self.stream.read(into) {
                Ok(0) => return Err(self.end("the connection ended")),
                Ok(length) => return Ok(Some(length)),
                Err(error) if is_not_yet(&error) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.end(&error.to_string())),
            }
        }
    }

    fn flush(&mut self) -> Result<(), End> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if is_not_yet(&error) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.end(&error.to_string())),
            }
        }
        if self.out.is_empty() {
            self.out = Vec::new();
        }
        if self.out.len() > OUT_BYTES_MAX { Err(self.end("it takes nothing")) } else { Ok(()) }
    }

    fn end(&self, why: &str) -> End {
        match self.answer {
            None => End::Closed(None),
            Some(_) => End::Refused(why.to_owned()),
        }
    }
}

fn ask<'a>(wanted: &Wanted<'a>, key: &'a str) -> Ask<'a> {
    Ask {
        host: &wanted.target.host,
        encoding: wanted.group.encoding,
        deflate: wanted.group.deflate,
        batch: wanted.group.batch,
        token: wanted.token,
        key,
    }
}

/// A socket that still connects is "not connected" to reads and writes.
fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

/// Masks only have to differ, not to be secret: the server is ours.
fn mask(number: u64) -> [u8; 4] {
    (number as u32).wrapping_mul(0x9e37_79b9).to_le_bytes()
}
