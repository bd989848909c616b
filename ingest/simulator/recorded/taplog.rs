//! `fantail tap --record` played back: messages of Fantail's own client protocol turned into the
//! frames of the venue they came from.
//!
//! The format is JSON lines, one message each: `{"t":<receive time, µs>,"m":<server message>}`,
//! where `m` is the message in the JSON encoding, whatever encoding the tap spoke. Played are
//! `snapshot`, `book`, `trade`, `bbo`, `ticker` and `batch`es of them, on the plain channels
//! (`<kind>:<venue>:<symbol>`) of Binance and Coinbase; every other line is passed over.
//!
//! The venue's own ids are not in the protocol, so ids here are the channel's `seq`, made to rise
//! across epochs; a hole in `seq` is a hole for the ingest too, which resyncs. A Coinbase `ticker`
//! carries best prices the protocol keeps apart: it is told only where `bbo` was recorded as well.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::Venue;
use super::super::coinbase::frames::stamp;
use super::lines::{Combined, stream_entry};
use super::script::{Entry, Kind, Script, What};

const NO_ORDER: &str = "00000000-0000-4000-a000-000000000000";

/// What must be remembered from line to line.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Per channel: last id told, and what is added to `seq`.
    ids: HashMap<String, (i64, i64)>,
    /// Coinbase: last best bid and ask.
    bbo: HashMap<String, (String, String)>,
}

impl Memory {
    /// A rising id for `seq`; a snapshot may repeat the last one.
    fn id(&mut self, channel: &str, seq: i64, is_snapshot: bool) -> i64 {
        let (last, offset) = self.ids.entry(channel.to_owned()).or_insert((i64::MIN, 0));
        let id = seq.saturating_add(*offset);
        let is_behind = id < *last || (id == *last && !is_snapshot);
        if is_behind {
            // One more than needed: the ingest must see that a new epoch continues nothing.
            *offset = last.saturating_add(2).saturating_sub(seq);
        }
        *last = seq.saturating_add(*offset);
        *last
    }
}

#[derive(Deserialize)]
struct Line {
    t: i64,
    m: Value,
}

/// The entries of one line; `None` when it is not of this format.
pub(super) fn entries(line: &str, script: &mut Script) -> Option<Vec<Entry>> {
    let line: Line = serde_json::from_str(line).ok()?;
    let channel = line.m.get("channel").and_then(Value::as_str).unwrap_or_default();
    let Some(place) = Place::of(channel) else { return Some(Vec::new()) };
    let messages = match line.m.get("events").and_then(Value::as_array) {
        Some(events) => events.iter().collect(),
        None => vec![&line.m],
    };
    let entry = |message| entry(line.t, &place, message, script);
    Some(messages.into_iter().filter_map(entry).collect())
}

/// A plain channel of a venue that is played.
struct Place<'a> {
    channel: &'a str,
    venue: Venue,
    base: &'a str,
    quote: &'a str,
}

impl<'a> Place<'a> {
    fn of(channel: &'a str) -> Option<Self> {
        let mut segments = channel.split(':');
        let (_, venue, symbol) = (segments.next()?, segments.next()?, segments.next()?);
        if segments.next().is_some() || symbol.contains('@') {
            return None;
        }
        let venue = Venue::ALL.into_iter().find(|played| played.as_str() == venue)?;
        let (base, quote) = symbol.split_once('-')?;
        Some(Self { channel, venue, base, quote })
    }

    fn native(&self) -> String {
        match self.venue {
            Venue::Binance => format!("{}{}", self.base, self.quote),
            Venue::Coinbase => format!("{}-{}", self.base, self.quote),
        }
    }
}

fn entry(at_us: i64, place: &Place<'_>, message: &Value, script: &mut Script) -> Option<Entry> {
    let kind = message.get("type")?.as_str()?;
    let seq = message.get("seq")?.as_i64()?;
    let is_book = kind == "snapshot" || kind == "book";
    let is_whole = is_book
        && (kind == "snapshot" || message.get("reset").and_then(Value::as_bool) == Some(true));
    let id = script.tap.id(place.channel, seq, is_whole);
    script.name(place.venue, &place.native(), place.base, place.quote);
    let kind = match kind {
        _ if is_whole => Told::Whole,
        "book" => Told::Changes,
        "trade" => Told::Trade,
        "bbo" => Told::Bbo,
        "ticker" => Told::Ticker,
        _ => return None,
    };
    match place.venue {
        Venue::Binance => binance(at_us, place, kind, id, message, script),
        Venue::Coinbase => coinbase(at_us, place, kind, id, message, script),
    }
}

#[derive(Debug, Clone, Copy)]
enum Told {
    Whole,
    Changes,
    Trade,
    Bbo,
    Ticker,
}

fn binance(
    at_us: i64,
    place: &Place<'_>,
    told: Told,
    id: i64,
    message: &Value,
    script: &mut Script,
) -> Option<Entry> {
    let native = place.native();
    let ms = time_us(message, at_us).div_euclid(1_000);
    let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or("0");
    let (suffix, data) = match told {
        Told::Whole => {
            let (bids, asks) = (message.get("bids")?, message.get("asks")?);
            let body = format!(r#"{{"lastUpdateId":{id},"bids":{bids},"asks":{asks}}}"#);
            let symbol = script.depth(&native, &body);
            return Some(Entry { at_us, what: What::Depth { symbol, body: body.into() } });
        }
        Told::Changes => {
            let (bids, asks) = (message.get("bids")?, message.get("asks")?);
            let steps = message.get("seq")?.as_i64()? - message.get("prev")?.as_i64()?;
            let data = format!(
                r#"{{"e":"depthUpdate","E":{ms},"s":"{native}","U":{},"u":{id},"b":{bids},"a":{asks}}}"#,
                id - steps.max(1) + 1
            );
            ("depth@100ms", data)
        }
        Told::Trade => {
            let number = text("id").parse::<i64>().unwrap_or(id);
            let data = format!(
                r#"{{"e":"trade","E":{ms},"s":"{native}","t":{number},"p":"{}","q":"{}","T":{ms},"m":{},"M":true}}"#,
                text("price"),
                text("size"),
                text("side") == "sell"
            );
            ("trade", data)
        }
        Told::Bbo => {
            let (bid, ask) = (level(message, "bid")?, level(message, "ask")?);
            let data = format!(
                r#"{{"u":{id},"s":"{native}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
                bid.0, bid.1, ask.0, ask.1
            );
            ("bookTicker", data)
        }
        Told::Ticker => ("ticker", day(&native, ms, text)),
    };
    let frame = format!(r#"{{"stream":"{}@{suffix}","data":{data}}}"#, native.to_ascii_lowercase());
    let parsed: Combined<'_> = serde_json::from_str(&frame).ok()?;
    stream_entry(script, at_us, &frame, &parsed)
}

/// A 24hrTicker; what the protocol does not carry is zero.
fn day<'a>(native: &str, ms: i64, text: impl Fn(&str) -> &'a str) -> String {
    let (last, open) = (text("last"), text("open"));
    let (high, low, volume) = (text("high"), text("low"), text("volume"));
    format!(
        concat!(
            r#"{{"e":"24hrTicker","E":{ms},"s":"{native}","p":"0","P":"0","w":"0","x":"{open}","c":"{last}","#,
            r#""Q":"0","b":"0","B":"0","a":"0","A":"0","o":"{open}","h":"{high}","l":"{low}","v":"{volume}","#,
            r#""q":"0","O":0,"C":{ms},"F":0,"L":0,"n":0}}"#
        ),
        ms = ms,
        native = native,
        open = open,
        last = last,
        high = high,
        low = low,
        volume = volume
    )
}

fn coinbase(
    at_us: i64,
    place: &Place<'_>,
    told: Told,
    id: i64,
    message: &Value,
    script: &mut Script,
) -> Option<Entry> {
    let native = place.native();
    let time = stamp(time_us(message, at_us));
    let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or("0");
    let (kind, frame) = match told {
        Told::Whole => {
            let (bids, asks) = (message.get("bids")?, message.get("asks")?);
            let frame = format!(
                r#"{{"type":"snapshot","product_id":"{native}","asks":{asks},"bids":{bids}}}"#
            );
            (Kind::Snapshot, frame)
        }
        Told::Changes => {
            let changes = changes(message)?;
            let frame = format!(
                r#"{{"type":"l2update","product_id":"{native}","changes":[{changes}],"time":"{time}"}}"#
            );
            (Kind::Update, frame)
        }
        Told::Trade => (Kind::Match, matched(&native, id, &time, text)),
        Told::Bbo => {
            let (bid, ask) = (level(message, "bid")?, level(message, "ask")?);
            script.tap.bbo.insert(native, (bid.0.to_owned(), ask.0.to_owned()));
            return None;
        }
        Told::Ticker => {
            let (bid, ask) = script.tap.bbo.get(&native)?;
            let frame = ticker(&native, id, &time, (bid, ask), text);
            (Kind::Ticker, frame)
        }
    };
    let product = script.product(&native, kind, &frame);
    Some(Entry { at_us, what: What::Feed { product, kind, text: frame.into() } })
}

/// A `match`. The protocol names the taker's side, the venue the maker's.
fn matched<'a>(native: &str, id: i64, time: &str, text: impl Fn(&str) -> &'a str) -> String {
    let side = if text("side") == "buy" { "sell" } else { "buy" };
    format!(
        concat!(
            r#"{{"type":"match","trade_id":{},"maker_order_id":"{}","taker_order_id":"{}","side":"{}","#,
            r#""size":"{}","price":"{}","product_id":"{}","sequence":{},"time":"{}"}}"#
        ),
        text("id").parse::<i64>().unwrap_or(id),
        NO_ORDER,
        NO_ORDER,
        side,
        text("size"),
        text("price"),
        native,
        id,
        time
    )
}

/// A `ticker`; what the protocol does not carry is zero.
fn ticker<'a>(
    native: &str,
    id: i64,
    time: &str,
    best: (&str, &str),
    text: impl Fn(&str) -> &'a str,
) -> String {
    format!(
        concat!(
            r#"{{"type":"ticker","sequence":{},"product_id":"{}","price":"{}","open_24h":"{}","#,
            r#""volume_24h":"{}","low_24h":"{}","high_24h":"{}","volume_30d":"0","best_bid":"{}","#,
            r#""best_ask":"{}","side":"buy","time":"{}","trade_id":{},"last_size":"0"}}"#
        ),
        id,
        native,
        text("last"),
        text("open"),
        text("volume"),
        text("low"),
        text("high"),
        best.0,
        best.1,
        time,
        id
    )
}

/// `["buy","price","size"],…` of a `book` message.
fn changes(message: &Value) -> Option<String> {
    let mut rows = Vec::new();
    for (side, key) in [("buy", "bids"), ("sell", "asks")] {
        for row in message.get(key)?.as_array()? {
            rows.push(format!(r#"["{side}",{},{}]"#, row.get(0)?, row.get(1)?));
        }
    }
    Some(rows.join(","))
}

fn level<'a>(message: &'a Value, side: &str) -> Option<(&'a str, &'a str)> {
    let row = message.get(side)?;
    Some((row.get(0)?.as_str()?, row.get(1)?.as_str()?))
}

/// The venue's time where it was told, else ours.
fn time_us(message: &Value, at_us: i64) -> i64 {
    let time = message.get("ts").or_else(|| message.get("rx"));
    time.and_then(Value::as_i64).unwrap_or(at_us)
}
