//! The generated Protobuf messages ⇄ the model, shared by client messages and bus records.
//!
//! `generated` owns the bytes, this file and its children the meaning: which absent field is an
//! error, how a number too long for 64 bits travels.

pub(crate) mod body;
pub(super) mod command;
pub(super) mod reply;
pub(super) mod server;

use fantail_model::{BookChange, Decimal, Event, Level, Micros, Position};
use prost::Message;

use crate::generated as proto;

/// Appends a message. Cannot fail: a `Vec` has room for every length.
pub(crate) fn write(message: &impl Message, out: &mut Vec<u8>) {
    out.reserve(message.encoded_len());
    message.encode_raw(out);
}

/// A decimal on its way out.
pub(crate) fn number(value: Decimal) -> proto::Decimal {
    match i64::try_from(value.mantissa()) {
        Ok(mantissa) => {
            proto::Decimal { mantissa, exponent: value.exponent(), text: String::new() }
        }
        Err(_) => proto::Decimal { mantissa: 0, exponent: 0, text: value.to_string() },
    }
}

/// A decimal just read.
pub(crate) fn decimal(value: Option<proto::Decimal>, name: &str) -> Result<Decimal, String> {
    let value = value.ok_or_else(|| format!("`{name}` is missing"))?;
    let read = match value.text.as_str() {
        "" => Decimal::new(i128::from(value.mantissa), value.exponent),
        text => Decimal::parse(text),
    };
    read.map_err(|error| format!("`{name}`: {error}"))
}

/// A decimal that may be absent.
pub(crate) fn decimal_option(
    value: Option<proto::Decimal>,
    name: &str,
) -> Result<Option<Decimal>, String> {
    value.map(|value| decimal(Some(value), name)).transpose()
}

fn level_out(level: &Level) -> proto::Level {
    proto::Level { price: Some(number(level.price)), size: Some(number(level.size)) }
}

fn level_in(level: proto::Level) -> Result<Level, String> {
    Ok(Level { price: decimal(level.price, "price")?, size: decimal(level.size, "size")? })
}

fn levels_out(levels: &[Level]) -> Vec<proto::Level> {
    levels.iter().map(level_out).collect()
}

fn levels_in(bids: Vec<proto::Level>, asks: Vec<proto::Level>) -> Result<BookChange, String> {
    Ok(BookChange { bids: side_in(bids)?, asks: side_in(asks)? })
}

/// Not a byte more than its levels need: a gateway keeps them for as long as its history reaches.
fn side_in(levels: Vec<proto::Level>) -> Result<Vec<Level>, String> {
    let mut side = Vec::with_capacity(levels.len());
    for level in levels {
        side.push(level_in(level)?);
    }
    Ok(side)
}

/// An event without what belongs to a gateway; the caller adds `ch`, `tx`, `crc`, `n`.
pub(crate) fn event_out(event: &Event, with_epoch: bool) -> proto::Event {
    proto::Event {
        ch: 0,
        epoch: with_epoch.then_some(event.position.epoch),
        seq: event.position.seq,
        prev: event.prev,
        reset: event.reset,
        snapshot: false,
        ts: event.ts.map(|ts| ts.0),
        rx: event.rx.0,
        tx: 0,
        crc: None,
        vseq: event.vseq,
        n: None,
        body: Some(body::out(&event.body)),
    }
}

/// An event just read; an absent epoch is 0.
pub(crate) fn event_in(event: proto::Event) -> Result<Event, String> {
    Ok(Event {
        position: Position::new(event.epoch.unwrap_or(0), event.seq),
        prev: event.prev,
        reset: event.reset,
        ts: event.ts.map(Micros),
        rx: Micros(event.rx),
        vseq: event.vseq,
        body: body::read(event.body.ok_or("the event has no body this reader knows")?)?,
    })
}
