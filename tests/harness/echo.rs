//! An echo server on the gateway's own frame codec, for conformance suites.
//!
//! It exists only in the tests: suites send 16 MiB messages in 65,536 fragments, which production
//! limits refuse, so it brings limits of its own. Everything between the handshake and the socket
//! is `fantail_wire::frame`, driven as a shard drives it.

use std::net::SocketAddr;

use anyhow::Context;
use fantail_wire::frame::encode::{close_frame, deflated_frame, pong_frame, server_frame};
use fantail_wire::frame::limits::DEFLATE_WINDOW_BITS_MIN;
use fantail_wire::frame::{
    Agreed, Decoder, Deflater, Inflater, Limits, Message, Opcode, Role, Step, close, negotiate,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The longest request of a suite is below 1 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// Autobahn's case 9.1.6 sends 16 MiB, 9.3.1 sends 65,536 fragments.
const LIMITS: Limits = Limits { message_bytes_max: 16 * 1_024 * 1_024, fragments_max: 100_000 };

/// A server that sends every message back. Ends with its runtime.
///
/// # Errors
/// No free port.
pub async fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that ends badly is the suite's business.
            tokio::spawn(async move { drop(serve(stream).await) });
        }
    });
    Ok(addr)
}

async fn serve(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (agreed, mut early) = shake_hands(&mut stream).await?;
    let mut echo = Echo {
        decoder: Decoder::new(Role::Server, LIMITS, agreed.is_some()),
        inflater: Inflater::new(),
        deflater: agreed.map(|_| Deflater::with_window(2, DEFLATE_WINDOW_BITS_MIN)),
        out: Vec::new(),
    };
    let mut open = echo.take(&mut early);
    let mut buffer = vec![0; 64 * 1_024];
    loop {
        stream.write_all(&echo.out).await?;
        echo.out.clear();
        if !open {
            break;
        }
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        open = echo.take(&mut buffer[..length]);
    }
    stream.shutdown().await?;
    // What the peer still sends is read, or the reset would overtake the close frame.
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Answers the upgrade; the bytes behind it are the first frames.
async fn shake_hands(stream: &mut TcpStream) -> anyhow::Result<(Option<Agreed>, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        anyhow::ensure!(bytes.len() < HEAD_BYTES_MAX, "the request does not end");
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "no request");
    };
    let early = bytes.split_off(end);
    let head = String::from_utf8(bytes)?;
    let values = |name: &str| {
        let headers = head.lines().filter_map(|line| line.split_once(':'));
        let named: Vec<&str> = headers
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect();
        named
    };
    let key = values("sec-websocket-key").first().copied().context("no key")?.to_owned();
    let agreed = negotiate(values("sec-websocket-extensions"), DEFLATE_WINDOW_BITS_MIN);
    let extension = agreed
        .map_or_else(String::new, |a| format!("Sec-WebSocket-Extensions: {}\r\n", a.answer()));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{extension}\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok((agreed, early))
}

struct Echo {
    decoder: Decoder,
    inflater: Inflater,
    deflater: Option<Deflater>,
    out: Vec<u8>,
}

impl Echo {
    /// Takes bytes; false once the connection is to be closed.
    fn take(&mut self, mut input: &mut [u8]) -> bool {
        while !input.is_empty() {
            match self.decoder.feed(input, &mut self.inflater) {
                Ok(Step { consumed, message }) => {
                    if let Some(message) = message
                        && !answer(message, self.deflater.as_mut(), &mut self.out)
                    {
                        return false;
                    }
                    input = input.get_mut(consumed..).unwrap_or_default();
                }
                Err(error) => {
                    close_frame(error.close_code(), &error.reason(), &mut self.out);
                    return false;
                }
            }
        }
        true
    }
}

/// The frames one message is answered with; false after a close.
fn answer(message: Message<'_>, deflater: Option<&mut Deflater>, out: &mut Vec<u8>) -> bool {
    let (opcode, payload) = match message {
        Message::Text(text) => (Opcode::Text, text.as_bytes()),
        Message::Binary(bytes) => (Opcode::Binary, bytes),
        Message::Ping(payload) => {
            pong_frame(payload, out);
            return true;
        }
        Message::Pong(_) => return true,
        Message::Close { .. } => {
            close_frame(close::ANSWER, "", out);
            return false;
        }
    };
    match deflater {
        Some(deflater) => drop(deflated_frame(opcode, payload, deflater, out)),
        None => server_frame(opcode, false, payload, out),
    }
    true
}
