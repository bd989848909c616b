//! Finds the few fields a check needs in a JSON message, without parsing it whole.
//!
//! The server writes its keys in one order (`schemas/vectors`), so a forward search is enough. A
//! test holds this against the full decoder.

/// What a message says of its place and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned<'a> {
    /// Channel name.
    pub channel: &'a [u8],
    /// Its seq.
    pub seq: u64,
    /// What it continues; equal to `seq` on a snapshot.
    pub prev: u64,
    /// It replaces what the client holds.
    pub restarts: bool,
    /// Receive time at ingest, µs.
    pub rx: i64,
    /// When the gateway's tail published it, µs.
    pub tx: i64,
}

/// Fields stand within this many bytes: names are short and levels come after them.
const HEAD_BYTES: usize = 420;

/// Scans an event or a snapshot; `None` for anything else (replies, batches, placeholders).
#[must_use]
pub fn scan(message: &[u8]) -> Option<Scanned<'_>> {
    let head = &message[..message.len().min(HEAD_BYTES)];
    let kind = head.strip_prefix(b"{\"type\":\"")?;
    let snapshot = kind.starts_with(b"snapshot\"");
    if kind.starts_with(b"gap\"") || kind.starts_with(b"batch\"") || kind.starts_with(b"stale\"") {
        return None;
    }
    let (channel, rest) = text(head, b"\"channel\":\"")?;
    let seq = number(rest, b"\"seq\":")?;
    let last_value = find(rest, b"\"snapshot\":true").is_some();
    let restarts = snapshot || last_value || find(rest, b"\"reset\":true").is_some();
    let prev = if snapshot { seq } else { number(rest, b"\"prev\":")? };
    let rx = i64::try_from(number(rest, b"\"rx\":")?).ok()?;
    let tx = i64::try_from(number(rest, b"\"tx\":")?).ok()?;
    Some(Scanned { channel, seq, prev, restarts, rx, tx })
}

/// True for a told loss.
#[must_use]
pub fn is_gap(message: &[u8]) -> bool {
    message.starts_with(b"{\"type\":\"gap\"")
}

fn find(bytes: &[u8], key: &[u8]) -> Option<usize> {
    let first = *key.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(key) {
            return Some(from + at + key.len());
        }
        from += at + 1;
    }
    None
}

fn number(bytes: &[u8], key: &[u8]) -> Option<u64> {
    let digits = &bytes[find(bytes, key)?..];
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

fn text<'a>(bytes: &'a [u8], key: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let value = &bytes[find(bytes, key)?..];
    let end = value.iter().position(|byte| *byte == b'"')?;
    Some((&value[..end], &value[end..]))
}

#[cfg(test)]
mod tests {
    use fantail_model::{Body, Event, Micros, Position, Side, Trade};
    use fantail_wire::client::{Encoding, EventMessage, encode_event};

    use super::*;

    fn encoded(seq: u64, reset: bool, snapshot: bool) -> Vec<u8> {
        let (price, size) = ("1.5".parse().expect("a number"), "2".parse().expect("a number"));
        let event = Event {
            position: Position::new(9, seq),
            prev: seq - 1,
            reset,
            ts: Some(Micros(5)),
            rx: Micros(1_790_000_000_000_001),
            vseq: Some(77),
            body: Body::Trade(Trade { id: "seq".into(), price, size, side: Side::Buy }),
        };
        let (channel, ch, tx) = ("trade:binance:BTC-USDT", 64, Micros(1_790_000_000_000_002));
        let message = EventMessage { channel, ch, tx, event: &event, crc: None, snapshot, n: None };
        let mut out = Vec::new();
        encode_event(Encoding::Json, &message, &mut out);
        out
    }

    #[test]
    fn scanning_agrees_with_the_encoder() {
        for (reset, snapshot) in [(false, false), (true, false), (false, true)] {
            let bytes = encoded(7, reset, snapshot);
            let scanned = scan(&bytes).expect("an event");
            assert_eq!(scanned.channel, b"trade:binance:BTC-USDT");
            assert_eq!((scanned.seq, scanned.prev), (7, 6));
            assert_eq!(scanned.restarts, reset || snapshot);
            assert_eq!((scanned.rx, scanned.tx), (1_790_000_000_000_001, 1_790_000_000_000_002));
        }
    }

    #[test]
    fn other_messages_are_left_alone() {
        for text in ["", "{}", "{\"type\":\"heartbeat\",\"n\":1,\"time\":5}", "{\"type\":\"gap\"}"]
        {
            assert_eq!(scan(text.as_bytes()), None, "{text}");
        }
        assert!(is_gap(b"{\"type\":\"gap\",\"channel\":\"x\"}"));
    }
}
