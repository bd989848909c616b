//! One client socket of a swarm: handshake, subscription, and reading without a buffer of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};
use fantail_wire::client::{Command, Encoding, Id, SubscribeItem, encode_command};
use fantail_wire::frame::encode::client_frame;
use fantail_wire::frame::{Decoder, Limits, Opcode, Role};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::chain::Chains;
use crate::plan::Plan;

/// Sockets of one source address: below the usual 28,000 ephemeral ports.
const PER_SOURCE: usize = 20_000;
/// A book's snapshot is a few hundred kilobytes.
const MESSAGE_BYTES_MAX: u32 = 16 * 1_024 * 1_024;
/// Longest answer to a handshake.
const ANSWER_BYTES_MAX: usize = 8_192;

/// A connected, subscribed socket.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) decoder: Decoder,
    pub(crate) chains: Chains,
    /// Names by number, for encodings that carry only those.
    pub(crate) names: Vec<(u32, u64)>,
    /// It no longer reads, on purpose.
    pub(crate) stalled: bool,
}

impl Client {
    /// Connects the `number`-th socket, shakes hands and subscribes.
    pub(crate) fn connect(
        number: usize,
        plan: &Plan,
        target: SocketAddr,
        token: Option<&str>,
    ) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
        if target.ip().is_loopback() && target.is_ipv4() {
            let last = u8::try_from(1 + number / PER_SOURCE).context("too many sockets")?;
            let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
            socket.bind(&source.into())?;
        }
        socket.set_tcp_nodelay(true)?;
        socket.connect(&target.into()).context("connecting")?;
        let mut stream = std::net::TcpStream::from(socket);
        let encoding = plan.encoding()?;
        let deflate = shake_hands(&mut stream, plan, encoding, target, token)?;
        let mut frame = Vec::new();
        let item =
            |name: &str| SubscribeItem { channel: name.to_owned(), from: None, history: None };
        let channels = plan.channels_of(number).into_iter().map(item).collect();
        let command = Command::Subscribe { id: Some(Id::Number(1)), channels };
        let mut payload = Vec::new();
        encode_command(encoding, &command, &mut payload);
        let opcode = if encoding.is_text() { Opcode::Text } else { Opcode::Binary };
        client_frame(opcode, false, &payload, mask(number), &mut frame);
        stream.write_all(&frame).context("subscribing")?;
        stream.set_nonblocking(true)?;
        let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, fragments_max: 64 };
        Ok(Self {
            stream: TcpStream::from_std(stream),
            decoder: Decoder::new(Role::Client, limits, deflate),
            chains: Chains::default(),
            names: Vec::new(),
            stalled: false,
        })
    }

    /// Reads once; `None` when there is nothing, an error when the server has closed.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> std::io::Result<Option<usize>> {
        loop {
            match self.stream.read(into) {
                Ok(0) => return Err(ErrorKind::ConnectionAborted.into()),
                Ok(length) => return Ok(Some(length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers a ping.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let mut frame = Vec::new();
        client_frame(Opcode::Pong, false, payload, mask(payload.len()), &mut frame);
        // A full socket loses a pong; the next ping brings another.
        let _ = self.stream.write(&frame);
    }
}

/// Masks only have to differ, not to be secret: the server is ours.
fn mask(number: usize) -> [u8; 4] {
    (number as u32).wrapping_mul(0x9e37_79b9).to_le_bytes()
}

/// Sends the upgrade and reads its answer; true if permessage-deflate was agreed on.
fn shake_hands(
    stream: &mut std::net::TcpStream,
    plan: &Plan,
    encoding: Encoding,
    target: SocketAddr,
    token: Option<&str>,
) -> anyhow::Result<bool> {
    let query = if plan.batch { "?batch=true" } else { "" };
    let deflate = match plan.deflate {
        true => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        false => "",
    };
    let token = token.map_or_else(String::new, |t| format!("Authorization: Bearer {t}\r\n"));
    let request = format!(
        "GET /v1/stream{query} HTTP/1.1\r\nHost: {target}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: {}\r\n{deflate}{token}\r\n",
        encoding.subprotocol()
    );
    stream.write_all(request.as_bytes()).context("shaking hands")?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).context("shaking hands")?;
        answer.push(byte[0]);
        anyhow::ensure!(answer.len() < ANSWER_BYTES_MAX, "an endless answer to the handshake");
    }
    let answer = String::from_utf8_lossy(&answer);
    if !answer.starts_with("HTTP/1.1 101") {
        bail!("refused: {}", answer.lines().next().unwrap_or_default());
    }
    Ok(answer.to_ascii_lowercase().contains("sec-websocket-extensions: permessage-deflate"))
}
