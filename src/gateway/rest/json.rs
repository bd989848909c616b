//! Model values as REST's JSON: decimals as strings, times as µs, absent rather than null where
//! a venue gives nothing.
//!
//! Owns the shapes that aren't on the stream; field names are the stream's.

use fantail_model::{
    BookChange, Candle, Decimal, Event, Instrument, Level, Micros, State, Trade, checksum,
};
use serde_json::{Map, Value, json};

use crate::query::{Meta, StatusAnswer};

/// What every answer about a channel starts with.
pub(super) fn meta(channel: &str, meta: &Meta, now: Micros) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    put("channel", channel.into());
    put("state", meta.state.as_str().into());
    put("epoch", meta.position.map(|position| position.epoch).into());
    put("seq", meta.position.map(|position| position.seq).into());
    // Clocks of two machines may disagree; nothing is younger than now.
    put("age_ms", meta.rx.map(|rx| now.since(rx).max(0) / 1_000).into());
    if let Some(ts) = meta.ts {
        put("ts", ts.0.into());
    }
    map
}

/// A book cut to `depth`; the checksum is over its top ten, as on the stream.
pub(super) fn book(view: &BookChange, depth: usize, map: &mut Map<String, Value>) {
    let side = |levels: &[Level]| levels.iter().take(depth).map(level).collect::<Value>();
    map.insert("bids".to_owned(), side(&view.bids));
    map.insert("asks".to_owned(), side(&view.asks));
    let crc = checksum(view.bids.iter().copied(), view.asks.iter().copied());
    map.insert("crc".to_owned(), crc.into());
}

fn level(level: &Level) -> Value {
    json!([level.price.to_string(), level.size.to_string()])
}

/// A trade.
pub(super) fn trade(event: &Event, trade: &Trade) -> Value {
    let mut map = place(event);
    map.insert("id".to_owned(), trade.id.as_str().into());
    map.insert("price".to_owned(), trade.price.to_string().into());
    map.insert("size".to_owned(), trade.size.to_string().into());
    map.insert("side".to_owned(), trade.side.as_str().into());
    Value::Object(map)
}

/// A candle.
pub(super) fn candle(event: &Event, candle: &Candle) -> Value {
    let mut map = place(event);
    map.insert("start".to_owned(), candle.start.0.into());
    let prices = [
        ("open", candle.open),
        ("high", candle.high),
        ("low", candle.low),
        ("close", candle.close),
        ("volume", candle.volume),
    ];
    for (name, value) in prices {
        map.insert(name.to_owned(), value.to_string().into());
    }
    map.insert("final".to_owned(), candle.is_final.into());
    map.insert("partial".to_owned(), candle.partial.into());
    Value::Object(map)
}

fn place(event: &Event) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("epoch".to_owned(), event.position.epoch.into());
    map.insert("seq".to_owned(), event.position.seq.into());
    if let Some(ts) = event.ts {
        map.insert("ts".to_owned(), ts.0.into());
    }
    map.insert("rx".to_owned(), event.rx.0.into());
    map
}

/// An instrument with the state of its feed.
pub(super) fn instrument(instrument: &Instrument, state: State, channels: Vec<String>) -> Value {
    let mut value = json!({
        "venue": instrument.venue.as_str(),
        "symbol": instrument.symbol.as_str(),
        "native": instrument.native,
        "trading": instrument.state.as_str(),
        "state": state.as_str(),
        "channels": channels,
    });
    let steps = [("tick", instrument.tick), ("lot", instrument.lot)];
    for (name, step) in steps {
        if let Some(step) = step.map(|step: Decimal| step.to_string()) {
            value[name] = step.into();
        }
    }
    value
}

/// The state of a feed.
pub(super) fn status(answer: &StatusAnswer, now: Micros) -> Value {
    let mut value = json!({
        "venue": answer.venue.as_str(),
        "state": answer.state.as_str(),
        "reason": answer.reason,
        "since": answer.since.0,
        "age_ms": now.since(answer.since).max(0) / 1_000,
    });
    if let Some(symbol) = &answer.symbol {
        value["symbol"] = symbol.as_str().into();
    }
    value
}
