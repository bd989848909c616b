//! Data messages just read: one wide map of everything a data message may have, then the
//! checks that make it an event, a snapshot, or an error that names the missing field.
//!
//! Unknown keys are ignored: an older client must survive a newer server.

use fantail_model::{
    Bbo, Body, BookChange, Candle, Event, Funding, Level, Micros, Position, Side, State, Status,
    Ticker, Trade, VenueGap,
};
use serde::Deserialize;

use super::number::{LevelList, LevelPair, Number};
use crate::client::{DataMessage, SnapshotMessage};

/// Only what kind of message it is.
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(rename = "type")]
    pub(crate) kind: Type,
}

/// `type` of a server's message or of a bus record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Type {
    Trade,
    Bbo,
    Ticker,
    Book,
    Candle,
    Funding,
    Status,
    VenueGap,
    Snapshot,
    Batch,
    Instrument,
    FeedHeartbeat,
    /// A reply: those describe themselves, and refuse what they don't know.
    #[serde(other)]
    Reply,
}

/// A batch as read.
#[derive(Deserialize)]
pub(crate) struct BatchIn {
    pub(crate) channel: String,
    pub(crate) events: Vec<EventIn>,
}

/// Every field a data message may have.
#[derive(Deserialize)]
pub(crate) struct EventIn {
    #[serde(rename = "type")]
    kind: Type,
    #[serde(default)]
    pub(crate) channel: String,
    epoch: Option<u64>,
    seq: Option<u64>,
    prev: Option<u64>,
    #[serde(default)]
    reset: bool,
    #[serde(default)]
    snapshot: bool,
    ts: Option<i64>,
    rx: Option<i64>,
    tx: Option<i64>,
    crc: Option<u32>,
    vseq: Option<u64>,
    n: Option<u32>,
    id: Option<String>,
    price: Option<Number>,
    size: Option<Number>,
    side: Option<SideIn>,
    bid: Option<LevelPair>,
    ask: Option<LevelPair>,
    last: Option<Number>,
    start: Option<i64>,
    open: Option<Number>,
    high: Option<Number>,
    low: Option<Number>,
    close: Option<Number>,
    volume: Option<Number>,
    #[serde(rename = "final")]
    is_final: Option<bool>,
    #[serde(default)]
    partial: bool,
    mark: Option<Number>,
    index: Option<Number>,
    rate: Option<Number>,
    next: Option<i64>,
    bids: Option<LevelList>,
    asks: Option<LevelList>,
    state: Option<StateIn>,
    reason: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideIn {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateIn {
    Live,
    Stale,
    Resync,
    Down,
    FailedOver,
    Lag,
}

fn need<T>(value: Option<T>, key: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("`{key}` is missing"))
}

fn decimal(value: Option<Number>, key: &str) -> Result<fantail_model::Decimal, String> {
    need(value, key).map(|number| number.0)
}

fn list(value: Option<LevelList>, key: &str) -> Result<Vec<Level>, String> {
    need(value, key).map(|list| list.0)
}

impl EventIn {
    /// As a client's data message; `channel` replaces its own where a batch names it.
    pub(crate) fn into_data(mut self, channel: Option<&str>) -> Result<DataMessage, String> {
        let channel = match channel {
            Some(name) => name.to_owned(),
            None => std::mem::take(&mut self.channel),
        };
        let tx = Micros(need(self.tx, "tx")?);
        let (crc, snapshot, n) = (self.crc, self.snapshot, self.n);
        Ok(DataMessage { channel, ch: 0, tx, event: self.into_event()?, crc, snapshot, n })
    }

    /// As a whole book.
    pub(crate) fn into_snapshot(self) -> Result<SnapshotMessage, String> {
        let position = match (self.epoch, self.seq) {
            (Some(epoch), Some(seq)) => Some(Position::new(epoch, seq)),
            (None, None) => None,
            _ => return Err("a snapshot has both `epoch` and `seq`, or neither".into()),
        };
        Ok(SnapshotMessage {
            channel: self.channel,
            ch: 0,
            position,
            ts: self.ts.map(Micros),
            rx: Micros(need(self.rx, "rx")?),
            tx: Micros(need(self.tx, "tx")?),
            vseq: self.vseq,
            levels: BookChange { bids: list(self.bids, "bids")?, asks: list(self.asks, "asks")? },
            crc: need(self.crc, "crc")?,
        })
    }

    /// The event alone; an absent epoch reads as 0.
    pub(crate) fn into_event(self) -> Result<Event, String> {
        Ok(Event {
            position: Position::new(self.epoch.unwrap_or(0), need(self.seq, "seq")?),
            prev: need(self.prev, "prev")?,
            reset: self.reset,
            ts: self.ts.map(Micros),
            rx: Micros(need(self.rx, "rx")?),
            vseq: self.vseq,
            body: self.into_body()?,
        })
    }

    /// Whether an epoch was there at all.
    pub(crate) const fn has_epoch(&self) -> bool {
        self.epoch.is_some()
    }

    fn into_body(self) -> Result<Body, String> {
        Ok(match self.kind {
            Type::Trade => Body::Trade(self.into_trade()?),
            Type::Bbo => {
                Body::Bbo(Bbo { bid: self.bid.map(|it| it.0), ask: self.ask.map(|it| it.0) })
            }
            Type::Ticker => Body::Ticker(self.into_ticker()?),
            Type::Book => Body::Book(BookChange {
                bids: list(self.bids, "bids")?,
                asks: list(self.asks, "asks")?,
            }),
            Type::Candle => Body::Candle(self.into_candle()?),
            Type::Funding => Body::Funding(self.into_funding()?),
            Type::Status => Body::Status(Status {
                state: state(need(self.state, "state")?),
                reason: self.reason.unwrap_or_default(),
            }),
            Type::VenueGap => Body::VenueGap(VenueGap { reason: need(self.reason, "reason")? }),
            other => return Err(format!("{other:?} is not an event")),
        })
    }

    fn into_trade(self) -> Result<Trade, String> {
        let side = match need(self.side, "side")? {
            SideIn::Buy => Side::Buy,
            SideIn::Sell => Side::Sell,
        };
        Ok(Trade {
            id: need(self.id, "id")?,
            price: decimal(self.price, "price")?,
            size: decimal(self.size, "size")?,
            side,
        })
    }

    fn into_ticker(self) -> Result<Ticker, String> {
        Ok(Ticker {
            last: decimal(self.last, "last")?,
            open: self.open.map(|it| it.0),
            high: self.high.map(|it| it.0),
            low: self.low.map(|it| it.0),
            volume: self.volume.map(|it| it.0),
        })
    }

    fn into_candle(self) -> Result<Candle, String> {
        Ok(Candle {
            start: Micros(need(self.start, "start")?),
            open: decimal(self.open, "open")?,
            high: decimal(self.high, "high")?,
            low: decimal(self.low, "low")?,
            close: decimal(self.close, "close")?,
            volume: decimal(self.volume, "volume")?,
            is_final: need(self.is_final, "final")?,
            partial: self.partial,
        })
    }

    fn into_funding(self) -> Result<Funding, String> {
        Ok(Funding {
            mark: decimal(self.mark, "mark")?,
            index: self.index.map(|it| it.0),
            rate: decimal(self.rate, "rate")?,
            next: self.next.map(Micros),
        })
    }
}

const fn state(word: StateIn) -> State {
    match word {
        StateIn::Live => State::Live,
        StateIn::Stale => State::Stale,
        StateIn::Resync => State::Resync,
        StateIn::Down => State::Down,
        StateIn::FailedOver => State::FailedOver,
        StateIn::Lag => State::Lag,
    }
}
