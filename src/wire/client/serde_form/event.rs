//! Data messages on their way out: keys, their order, and when each is present.
//!
//! One list of fields per message, walked twice: once to count (MessagePack announces a map's
//! length), once to write.

use std::fmt;

use fantail_model::{
    Body, BookChange, Candle, Event, Funding, Level, Micros, Status, Ticker, Trade,
};
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::number::{LevelPair, Levels, Number};
use crate::client::{BookSnapshot, EventMessage};

/// An event as a map. Clients and the bus see the same map with other options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventForm<'a> {
    /// Absent inside a batch.
    pub(crate) channel: Option<&'a str>,
    /// The event.
    pub(crate) event: &'a Event,
    /// Always write the epoch (bus), not only with `reset` and `snapshot`.
    pub(crate) with_epoch: bool,
    /// A last value sent on subscribe.
    pub(crate) snapshot: bool,
    /// Absent on the bus.
    pub(crate) tx: Option<Micros>,
    /// Where due.
    pub(crate) crc: Option<u32>,
    /// On conflated channels.
    pub(crate) n: Option<u32>,
}

/// Several events of one channel.
pub(crate) struct BatchForm<'a>(pub(crate) &'a [EventMessage<'a>]);

/// A whole book.
pub(crate) struct SnapshotForm<'a>(pub(crate) &'a BookSnapshot<'a>);

impl<'a> EventForm<'a> {
    /// What a client gets.
    pub(crate) fn of(message: &EventMessage<'a>) -> Self {
        Self {
            channel: Some(message.channel),
            event: message.event,
            with_epoch: message.event.reset || message.snapshot,
            snapshot: message.snapshot,
            tx: Some(message.tx),
            crc: message.crc,
            n: message.n,
        }
    }

    fn fields<S: SerializeStruct>(&self, to: &mut S) -> Result<(), S::Error> {
        let event = self.event;
        to.serialize_field("type", type_of(&event.body))?;
        some(to, "channel", self.channel)?;
        some(to, "epoch", self.with_epoch.then_some(event.position.epoch))?;
        to.serialize_field("seq", &event.position.seq)?;
        to.serialize_field("prev", &event.prev)?;
        some(to, "reset", event.reset.then_some(true))?;
        some(to, "snapshot", self.snapshot.then_some(true))?;
        some(to, "ts", event.ts.map(|ts| ts.0))?;
        to.serialize_field("rx", &event.rx.0)?;
        some(to, "tx", self.tx.map(|tx| tx.0))?;
        body(&event.body, to)?;
        some(to, "crc", self.crc)?;
        some(to, "vseq", event.vseq)?;
        some(to, "n", self.n)
    }
}

impl Serialize for EventForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_struct("event", count(|to| self.fields(to)))?;
        self.fields(&mut map)?;
        map.end()
    }
}

impl Serialize for BatchForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_struct("batch", 3)?;
        map.serialize_field("type", "batch")?;
        map.serialize_field("channel", self.0.first().map_or("", |first| first.channel))?;
        map.serialize_field("events", &BatchEvents(self.0))?;
        map.end()
    }
}

struct BatchEvents<'a>(&'a [EventMessage<'a>]);

impl Serialize for BatchEvents<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut seq = to.serialize_seq(Some(self.0.len()))?;
        for message in self.0 {
            seq.serialize_element(&EventForm { channel: None, ..EventForm::of(message) })?;
        }
        seq.end()
    }
}

impl SnapshotForm<'_> {
    fn fields<S: SerializeStruct>(&self, to: &mut S) -> Result<(), S::Error> {
        let book = self.0;
        to.serialize_field("type", "snapshot")?;
        to.serialize_field("channel", book.channel)?;
        some(to, "epoch", book.position.map(|position| position.epoch))?;
        // The one null of the protocol: "not in sync yet" must not be taken for a forgotten field.
        to.serialize_field("seq", &book.position.map(|position| position.seq))?;
        some(to, "ts", book.ts.map(|ts| ts.0))?;
        to.serialize_field("rx", &book.rx.0)?;
        to.serialize_field("tx", &book.tx.0)?;
        levels(book.levels, to)?;
        to.serialize_field("crc", &book.crc)?;
        some(to, "vseq", book.vseq)
    }
}

impl Serialize for SnapshotForm<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_struct("snapshot", count(|to| self.fields(to)))?;
        self.fields(&mut map)?;
        map.end()
    }
}

/// The `type` of an event.
fn type_of(body: &Body) -> &'static str {
    match body {
        Body::Trade(_) => "trade",
        Body::Bbo(_) => "bbo",
        Body::Ticker(_) => "ticker",
        Body::Book(_) => "book",
        Body::Candle(_) => "candle",
        Body::Funding(_) => "funding",
        Body::Status(_) => "status",
        Body::VenueGap(_) => "venue_gap",
    }
}

fn body<S: SerializeStruct>(body: &Body, to: &mut S) -> Result<(), S::Error> {
    match body {
        Body::Trade(it) => trade(it, to),
        Body::Bbo(it) => side("bid", it.bid, to).and_then(|()| side("ask", it.ask, to)),
        Body::Ticker(it) => ticker(it, to),
        Body::Book(it) => levels(it, to),
        Body::Candle(it) => candle(it, to),
        Body::Funding(it) => funding(it, to),
        Body::Status(it) => status(it, to),
        Body::VenueGap(it) => to.serialize_field("reason", &it.reason),
    }
}

fn trade<S: SerializeStruct>(trade: &Trade, to: &mut S) -> Result<(), S::Error> {
    to.serialize_field("id", &trade.id)?;
    to.serialize_field("price", &Number(trade.price))?;
    to.serialize_field("size", &Number(trade.size))?;
    to.serialize_field("side", trade.side.as_str())
}

fn side<S: SerializeStruct>(
    key: &'static str,
    level: Option<Level>,
    to: &mut S,
) -> Result<(), S::Error> {
    some(to, key, level.map(LevelPair))
}

fn ticker<S: SerializeStruct>(ticker: &Ticker, to: &mut S) -> Result<(), S::Error> {
    to.serialize_field("last", &Number(ticker.last))?;
    some(to, "open", ticker.open.map(Number))?;
    some(to, "high", ticker.high.map(Number))?;
    some(to, "low", ticker.low.map(Number))?;
    some(to, "volume", ticker.volume.map(Number))
}

fn levels<S: SerializeStruct>(change: &BookChange, to: &mut S) -> Result<(), S::Error> {
    to.serialize_field("bids", &Levels(&change.bids))?;
    to.serialize_field("asks", &Levels(&change.asks))
}

fn candle<S: SerializeStruct>(candle: &Candle, to: &mut S) -> Result<(), S::Error> {
    to.serialize_field("start", &candle.start.0)?;
    to.serialize_field("open", &Number(candle.open))?;
    to.serialize_field("high", &Number(candle.high))?;
    to.serialize_field("low", &Number(candle.low))?;
    to.serialize_field("close", &Number(candle.close))?;
    to.serialize_field("volume", &Number(candle.volume))?;
    to.serialize_field("final", &candle.is_final)?;
    some(to, "partial", candle.partial.then_some(true))
}

fn funding<S: SerializeStruct>(funding: &Funding, to: &mut S) -> Result<(), S::Error> {
    to.serialize_field("mark", &Number(funding.mark))?;
    some(to, "index", funding.index.map(Number))?;
    to.serialize_field("rate", &Number(funding.rate))?;
    some(to, "next", funding.next.map(|next| next.0))
}

fn status<S: SerializeStruct>(status: &Status, to: &mut S) -> Result<(), S::Error> {
    to.serialize_field("state", status.state.as_str())?;
    some(to, "reason", (!status.reason.is_empty()).then_some(&status.reason))
}

/// Absent rather than null.
fn some<S: SerializeStruct, T: Serialize>(
    to: &mut S,
    key: &'static str,
    value: Option<T>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => to.serialize_field(key, &value),
        None => Ok(()),
    }
}

struct Count(usize);

fn count(fields: impl FnOnce(&mut Count) -> Result<(), fmt::Error>) -> usize {
    let mut count = Count(0);
    let counted = fields(&mut count);
    debug_assert!(counted.is_ok());
    count.0
}

impl SerializeStruct for Count {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _key: &'static str,
        _value: &T,
    ) -> Result<(), fmt::Error> {
        self.0 += 1;
        Ok(())
    }

    fn end(self) -> Result<(), fmt::Error> {
        Ok(())
    }
}
