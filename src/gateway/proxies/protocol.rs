//! The PROXY protocol, versions 1 and 2: one header that stands before everything else.
//!
//! Owns the grammar (haproxy's `proxy-protocol.txt`) and its bounds. Input: the start of a
//! stream. Output: the client's address, `None` where the proxy speaks for itself (health checks:
//! `LOCAL`, `UNKNOWN`), or why it is no header. Reads not one byte more than the header: what
//! follows is HTTP's. Whether the peer may say such things is the caller's matter.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Version 2 begins with these bytes. Version 1 has no shorter line either, so this many bytes
/// tell which it is.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 1 begins with this.
const WORD: &[u8] = b"PROXY ";
/// Longest line of version 1, as its specification says.
const LINE_BYTES_MAX: usize = 107;
/// Longest block of addresses and TLVs taken of version 2: the addresses are at most 216 bytes,
/// and balancers add a few TLVs of at most 255. The declared length, up to 64 KiB, is never
/// allocated.
const BLOCK_BYTES_MAX: usize = 2_048;
/// What is read of the block at a time.
const CHUNK_BYTES: usize = 256;

/// Why a connection to a PROXY listener is refused. The proxy's or its operator's to fix.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// The peer is no trusted proxy.
    #[error("this listener takes connections only from the proxies in listen.trusted_proxies")]
    NotTrusted,
    /// The header did not come in time.
    #[error("no whole PROXY header came in 5 s")]
    TooSlow,
    /// Something else stands where the header must be.
    #[error("this listener needs a PROXY header (listen.proxy_protocol): {0}")]
    Malformed(&'static str),
    /// The connection ended within the header.
    #[error("the connection ended within its PROXY header: {0}")]
    Truncated(#[from] io::Error),
}

/// Reads the header off a stream.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyError> {
    let mut start = [0; SIGNATURE.len()];
    // Byte by byte as far as it matters: a client of HTTP must be refused by its first bytes.
    for at in 0..start.len() {
        start[at] = stream.read_u8().await?;
        let so_far = &start[..=at];
        let fits = SIGNATURE.starts_with(so_far) || so_far.starts_with(WORD);
        if !fits && !WORD.starts_with(so_far) {
            return Err(ProxyError::Malformed("the connection begins with something else"));
        }
    }
    if &start == SIGNATURE { read_block(stream).await } else { read_line(stream, &start).await }
}

/// The rest of a version 1 line.
async fn read_line(
    stream: &mut (impl AsyncRead + Unpin),
    start: &[u8],
) -> Result<Option<SocketAddr>, ProxyError> {
    let mut line = Vec::with_capacity(LINE_BYTES_MAX);
    line.extend_from_slice(start);
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_BYTES_MAX {
            return Err(ProxyError::Malformed("its line is longer than 107 bytes"));
        }
        line.push(stream.read_u8().await?);
    }
    let text = std::str::from_utf8(&line[..line.len() - 2]);
    let text = text.map_err(|_| ProxyError::Malformed("its line is no text"))?;
    parse_line(text)
}

/// `PROXY TCP4 <source> <destination> <source port> <destination port>`.
fn parse_line(line: &str) -> Result<Option<SocketAddr>, ProxyError> {
    let malformed = || ProxyError::Malformed("its line is not as version 1 says");
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Ok(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, from, to] => {
            let address = |text: &str| match family {
                "TCP4" => text.parse::<Ipv4Addr>().ok().map(Into::into),
                _ => text.parse::<Ipv6Addr>().ok().map(|v6| v6.to_canonical()),
            };
            let (from, _) = port(from).zip(port(to)).ok_or_else(malformed)?;
            let both = address(source).zip(address(destination));
            let (source, _) = both.ok_or_else(malformed)?;
            Ok(Some(SocketAddr::new(source, from)))
        }
        _ => Err(malformed()),
    }
}

/// Digits only, without a needless zero in front.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    (plain && !padded).then(|| text.parse().ok()).flatten()
}

/// What follows version 2's signature: version and command, family, length, addresses, TLVs.
async fn read_block(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyError> {
    let (version, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if length > BLOCK_BYTES_MAX {
        return Err(ProxyError::Malformed("its block is longer than 2048 bytes"));
    }
    let mut addresses = [0; CHUNK_BYTES];
    let first = length.min(CHUNK_BYTES);
    stream.read_exact(&mut addresses[..first]).await?;
    let mut left = length - first;
    let mut skipped = [0; CHUNK_BYTES];
    while left > 0 {
        let some = left.min(CHUNK_BYTES);
        stream.read_exact(&mut skipped[..some]).await?;
        left -= some;
    }
    parse_block(version, family, &addresses[..first])
}

fn parse_block(
    version: u8,
    family: u8,
    addresses: &[u8],
) -> Result<Option<SocketAddr>, ProxyError> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    match version {
        // The proxy itself, whatever stands in the block.
        LOCAL => return Ok(None),
        PROXY => {}
        _ => return Err(ProxyError::Malformed("its version or command is unknown")),
    }
    let short = || ProxyError::Malformed("its block is shorter than its addresses");
    let port = |at: usize| Some(u16::from_be_bytes([*addresses.get(at)?, *addresses.get(at + 1)?]));
    match family {
        // TCP over IPv4: source, destination, two ports.
        0x11 => {
            let source: [u8; 4] = addresses.first_chunk().copied().ok_or_else(short)?;
            let port = port(10).and(port(8)).ok_or_else(short)?;
            Ok(Some(SocketAddr::new(source.into(), port)))
        }
        // TCP over IPv6.
        0x21 => {
            let source: [u8; 16] = addresses.first_chunk().copied().ok_or_else(short)?;
            let port = port(34).and(port(32)).ok_or_else(short)?;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(source).to_canonical(), port)))
        }
        // Not told, or a local socket: the connection stands for itself.
        0x00 | 0x31 => Ok(None),
        _ => Err(ProxyError::Malformed("it is of no TCP connection")),
    }
}
