//! The upgrade, client's side and (for the yardstick) server's side, as bytes.
//!
//! Just enough HTTP/1.1 for one GET: the request is written whole, the answer read as it comes. No
//! I/O here.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantail_wire::client::Encoding;
use sha1::{Digest, Sha1};

use crate::limits::ANSWER_BYTES_MAX;

/// RFC 6455 §1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a socket asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) host: &'a str,
    pub(crate) encoding: Encoding,
    pub(crate) deflate: bool,
    pub(crate) batch: bool,
    pub(crate) token: Option<&'a str>,
    pub(crate) key: &'a str,
}

/// A handshake that went well.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Switched {
    /// permessage-deflate was agreed on.
    pub(crate) deflate: bool,
    /// Bytes of the answer; what follows are frames.
    pub(crate) bytes: usize,
}

/// A `Sec-WebSocket-Key`: it has to differ, not to be secret.
pub(crate) fn key(number: u64) -> String {
    let halves = [number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number];
    STANDARD.encode(halves.map(u64::to_le_bytes).concat())
}

pub(crate) fn request(ask: &Ask<'_>) -> String {
    let Ask { host, key, .. } = ask;
    let query = if ask.batch { "?batch=true" } else { "" };
    let deflate = match ask.deflate {
        true => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        false => "",
    };
    let token = ask.token.map_or_else(String::new, |t| format!("Authorization: Bearer {t}\r\n"));
    format!(
        "GET /v1/stream{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: {}\r\n{deflate}{token}\r\n",
        ask.encoding.subprotocol()
    )
}

/// Reads the answer to `ask` out of what has come; `None` when its end has not come yet.
pub(crate) fn answer(came: &[u8], ask: &Ask<'_>) -> anyhow::Result<Option<Switched>> {
    let Some(bytes) = head_bytes(came) else {
        anyhow::ensure!(came.len() < ANSWER_BYTES_MAX, "an endless answer to the handshake");
        return Ok(None);
    };
    let head = std::str::from_utf8(&came[..bytes]).context("an answer that is no text")?;
    if !head.starts_with("HTTP/1.1 101 ") {
        let body = String::from_utf8_lossy(&came[bytes..]);
        bail!("refused: {} {body}", head.lines().next().unwrap_or_default());
    }
    anyhow::ensure!(
        header(head, "sec-websocket-accept") == Some(&accept(ask.key)),
        "Sec-WebSocket-Accept does not answer the key"
    );
    let protocol = header(head, "sec-websocket-protocol");
    anyhow::ensure!(
        protocol == Some(ask.encoding.subprotocol()),
        "asked for {}, got {}",
        ask.encoding.subprotocol(),
        protocol.unwrap_or("no subprotocol")
    );
    let deflate = match header(head, "sec-websocket-extensions") {
        None => false,
        Some(told) if ask.deflate && told.starts_with("permessage-deflate") => true,
        Some(told) => bail!("an extension nobody asked for: {told}"),
    };
    Ok(Some(Switched { deflate, bytes }))
}

/// The yardstick's answer to a request, when that has come whole.
pub(crate) fn switch(came: &[u8]) -> anyhow::Result<Option<(String, usize)>> {
    let Some(bytes) = head_bytes(came) else {
        anyhow::ensure!(came.len() < ANSWER_BYTES_MAX, "an endless request");
        return Ok(None);
    };
    let head = std::str::from_utf8(&came[..bytes]).context("a request that is no text")?;
    let key = header(head, "sec-websocket-key").context("no Sec-WebSocket-Key")?;
    let protocol = header(head, "sec-websocket-protocol").unwrap_or_default();
    let ours = Encoding::Json.subprotocol();
    anyhow::ensure!(protocol == ours, "the yardstick speaks {ours} only");
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {ours}\r\n\r\n",
        accept(key)
    );
    Ok(Some((answer, bytes)))
}

fn accept(key: &str) -> String {
    STANDARD.encode(Sha1::digest(format!("{key}{MAGIC}")))
}

fn head_bytes(came: &[u8]) -> Option<usize> {
    came.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let split = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    split.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(key: &str) -> Ask<'_> {
        let encoding = Encoding::Json;
        Ask { host: "h:1", encoding, deflate: true, batch: true, token: Some("t"), key }
    }

    #[test]
    fn the_accept_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn both_sides_agree_and_pieces_wait() {
        let key = key(7);
        let request = request(&ask(&key));
        assert!(request.starts_with("GET /v1/stream?batch=true HTTP/1.1\r\nHost: h:1\r\n"));
        assert_eq!(switch(&request.as_bytes()[..50]).expect("a piece"), None);
        let (text, bytes) = switch(request.as_bytes()).expect("a request").expect("whole");
        assert_eq!(bytes, request.len());
        let expected = Switched { deflate: false, bytes: text.len() };
        let more = format!("{text}\u{1}");
        assert_eq!(answer(more.as_bytes(), &ask(&key)).expect("an answer"), Some(expected));
        assert_eq!(answer(&text.as_bytes()[..30], &ask(&key)).expect("a piece"), None);
    }

    #[test]
    fn wrong_answers_are_refused() {
        let key = key(8);
        let good = switch(request(&ask(&key)).as_bytes()).expect("a request").expect("whole").0;
        let deflated =
            good.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; x\r\n\r\n");
        assert!(answer(deflated.as_bytes(), &ask(&key)).expect("fine").expect("whole").deflate);
        let plain = Ask { deflate: false, ..ask(&key) };
        assert!(answer(deflated.as_bytes(), &plain).is_err());
        for (from, to) in [
            ("101 Switching", "429 Too Many"),
            ("fantail.v1.json", "fantail.v1.msgpack"),
            ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x"),
        ] {
            assert!(answer(good.replace(from, to).as_bytes(), &ask(&key)).is_err(), "{to}");
        }
        assert!(answer(&[b'x'; ANSWER_BYTES_MAX], &ask(&key)).is_err());
    }
}
