//! A WebSocket written by hand, for what no library would send, and for reading frames as they
//! are.
//!
//! Owns the handshake's text and RFC 6455's framing, both ways, without any rule: a test decides
//! what is right. Shares no code with the server's own codec.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a server may take to answer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);
/// How long TCP may outlive the close frame: the server lingers for a second.
const TCP_LIMIT: Duration = Duration::from_secs(2);

/// Text, whole.
pub(crate) const TEXT: u8 = 0x81;
/// Ping.
pub(crate) const PING: u8 = 0x89;
/// Close.
pub(crate) const CLOSE: u8 = 0x88;
/// The bit of a compressed message.
pub(crate) const RSV1: u8 = 0x40;
/// What asks for compression.
pub(crate) const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// An open connection.
pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The answer to the handshake.
    pub(crate) head: String,
}

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    /// FIN, reserved bits, opcode.
    pub(crate) lead: u8,
    /// Unmasked by law.
    pub(crate) payload: Vec<u8>,
}

impl Raw {
    /// Connects and shakes hands with further header lines, each ended by CRLF.
    pub(crate) async fn open(addr: SocketAddr, headers: &str) -> anyhow::Result<Self> {
        let mut raw = Self::knock(addr, headers).await?;
        let read = raw.read_head();
        tokio::time::timeout(LIMIT, read).await.context("no handshake")??;
        ensure!(raw.head.starts_with("HTTP/1.1 101"), "{}", raw.head);
        Ok(raw)
    }

    /// Sends a handshake and doesn't wait for its answer.
    pub(crate) async fn knock(addr: SocketAddr, headers: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let mut raw = Self { stream, buffer: Vec::new(), head: String::new() };
        raw.send(handshake(addr, headers).as_bytes()).await?;
        Ok(raw)
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads the answer to the handshake.
    pub(crate) async fn read_head(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                self.head = String::from_utf8(head)?;
                return Ok(());
            }
            ensure!(self.fill().await?, "closed within the handshake");
        }
    }

    /// The next frame, or `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> anyhow::Result<Option<Frame>> {
        let reading = async {
            loop {
                if let Some(frame) = cut(&mut self.buffer)? {
                    return Ok(Some(frame));
                }
                if !self.fill().await? {
                    return Ok(None);
                }
            }
        };
        tokio::time::timeout(LIMIT, reading).await.context("no frame came")?
    }

    /// The next message in JSON that has this type.
    pub(crate) async fn json(&mut self, of_type: &str) -> anyhow::Result<Value> {
        loop {
            let Some(frame) = self.frame().await? else { bail!("the connection ended") };
            if frame.lead & 0x0F == 8 {
                bail!("closed: {:?}", closing(&frame));
            }
            if frame.lead & 0x0F != 1 {
                continue;
            }
            let text = match frame.lead & RSV1 == 0 {
                true => frame.payload,
                false => inflate(&frame.payload)?,
            };
            let message: Value = serde_json::from_slice(&text)?;
            if message["type"] == of_type {
                return Ok(message);
            }
        }
    }

    /// Reads to the close frame; then TCP has to end soon.
    pub(crate) async fn closed(&mut self) -> anyhow::Result<(u16, String)> {
        let closed = loop {
            match self.frame().await? {
                Some(frame) if frame.lead & 0x0F == 8 => break closing(&frame),
                Some(_) => {}
                None => bail!("ended without a close frame"),
            }
        };
        let ended = async { while self.fill().await.unwrap_or(false) {} };
        tokio::time::timeout(TCP_LIMIT, ended).await.context("TCP outlives the close frame")?;
        Ok(closed)
    }

    /// Proves that the session lives: a command is answered.
    pub(crate) async fn is_served(&mut self) -> anyhow::Result<()> {
        self.send(&masked(TEXT, br#"{"op":"ping","id":"alive"}"#)).await?;
        let pong = self.json("pong").await?;
        ensure!(pong["id"] == "alive", "{pong}");
        Ok(())
    }

    async fn fill(&mut self) -> anyhow::Result<bool> {
        let mut piece = [0; 16 * 1_024];
        let count = self.stream.read(&mut piece).await?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }
}

/// The text of a handshake.
pub(crate) fn handshake(addr: SocketAddr, headers: &str) -> String {
    format!(
        "GET /v1/stream HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// A client's frame: lead byte, shortest length, a mask.
pub(crate) fn masked(lead: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![lead];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A message compressed as RFC 7692 wants it.
pub(crate) fn deflate(payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(payload.len() / 2 + 1_024);
    let mut input = payload;
    loop {
        let before = compress.total_in();
        compress.compress_vec(input, &mut out, FlushCompress::Sync)?;
        input = &input[(compress.total_in() - before) as usize..];
        if input.is_empty() && out.len() < out.capacity() {
            break;
        }
        out.reserve(1_024);
    }
    ensure!(out.ends_with(&[0, 0, 0xFF, 0xFF]), "not flushed");
    out.truncate(out.len() - 4);
    Ok(out)
}

/// The reverse, without any memory of earlier messages.
pub(crate) fn inflate(payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    let input = [payload, &[0, 0, 0xFF, 0xFF]].concat();
    let mut stream = Decompress::new(false);
    let mut out = Vec::with_capacity(payload.len() * 4 + 1_024);
    loop {
        let rest = &input[stream.total_in() as usize..];
        let before = (stream.total_in(), stream.total_out());
        stream.decompress_vec(rest, &mut out, FlushDecompress::Sync)?;
        if stream.total_in() as usize == input.len() && out.len() < out.capacity() {
            return Ok(out);
        }
        ensure!(
            out.len() == out.capacity() || before != (stream.total_in(), stream.total_out()),
            "no progress"
        );
        out.reserve(out.capacity());
    }
}

fn cut(buffer: &mut Vec<u8>) -> anyhow::Result<Option<Frame>> {
    let [lead, second, rest @ ..] = buffer.as_slice() else { return Ok(None) };
    ensure!(second & 0x80 == 0, "the server masks");
    let (wide, lead) = (match second & 0x7F { 126 => 2, 127 => 8, _ => 0 }, *lead);
    if rest.len() < wide {
        return Ok(None);
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let length = if wide == 0 { usize::from(second & 0x7F) } else { number(&rest[..wide]) };
    let start = 2 + wide;
    if buffer.len() < start + length {
        return Ok(None);
    }
    let payload = buffer[start..start + length].to_vec();
    buffer.drain(..start + length);
    Ok(Some(Frame { lead, payload }))
}

fn closing(frame: &Frame) -> (u16, String) {
    match frame.payload.as_slice() {
        [high, low, reason @ ..] => {
            let reason = String::from_utf8_lossy(reason).into_owned();
            (u16::from_be_bytes([*high, *low]), reason)
        }
        _ => (1_005, String::new()),
    }
}
