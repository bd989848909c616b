//! What a server sends over JSON, as far as a recording client looks.
//!
//! One flat form for all messages: which fields matter is decided by `type`. A message that can't
//! be read as this is itself a finding.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Body, Event, Level};

/// Any server message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Message<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) channel: Option<&'a str>,
    pub(crate) epoch: Option<u64>,
    pub(crate) seq: Option<u64>,
    pub(crate) prev: Option<u64>,
    pub(crate) reset: bool,
    pub(crate) snapshot: bool,
    pub(crate) n: Option<u32>,
    pub(crate) ts: Option<i64>,
    pub(crate) rx: Option<i64>,
    pub(crate) vseq: Option<u64>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    price: Option<&'a str>,
    size: Option<&'a str>,
    side: Option<&'a str>,
    bid: Option<(&'a str, &'a str)>,
    ask: Option<(&'a str, &'a str)>,
    last: Option<&'a str>,
    open: Option<&'a str>,
    high: Option<&'a str>,
    low: Option<&'a str>,
    close: Option<&'a str>,
    volume: Option<&'a str>,
    bids: Vec<(&'a str, &'a str)>,
    asks: Vec<(&'a str, &'a str)>,
    start: Option<i64>,
    #[serde(rename = "final")]
    closed: bool,
    partial: bool,
    mark: Option<&'a str>,
    index: Option<&'a str>,
    rate: Option<&'a str>,
    next: Option<i64>,
    state: Option<&'a str>,
    pub(crate) reason: Option<Cow<'a, str>>,
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
    #[serde(borrow)]
    pub(crate) channels: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) errors: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) events: Option<&'a RawValue>,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) heartbeat_ms: Option<u64>,
}

/// One channel of an acknowledgement.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack<'a> {
    pub(crate) channel: &'a str,
    #[serde(default)]
    pub(crate) epoch: Option<u64>,
    #[serde(default)]
    pub(crate) seq: Option<u64>,
    #[serde(default)]
    pub(crate) resumed: bool,
}

/// One refused channel.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal<'a> {
    pub(crate) channel: &'a str,
    pub(crate) code: &'a str,
}

impl<'a> Message<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Levels of a book or snapshot.
    pub(crate) fn levels(&self) -> (Vec<Level<'a>>, Vec<Level<'a>>) {
        let levels = |side: &[(&'a str, &'a str)]| side.iter().copied().map(level).collect();
        (levels(&self.bids), levels(&self.asks))
    }

    /// The event it tells, if its type is an event's.
    pub(crate) fn event(&self) -> Result<Event<'a>, String> {
        let body = self.body()?;
        let lacks = |field: &str| format!("{} without {field}", self.kind);
        Ok(Event {
            seq: self.seq.ok_or_else(|| lacks("seq"))?,
            prev: self.prev.ok_or_else(|| lacks("prev"))?,
            reset: self.reset,
            ts: self.ts,
            rx: self.rx,
            vseq: self.vseq,
            body,
        })
    }

    fn body(&self) -> Result<Body<'a>, String> {
        let need = |field: Option<&'a str>, name: &str| {
            field.ok_or_else(|| format!("{} without {name}", self.kind))
        };
        let number = |field: Option<&'a str>| field.map(Cow::Borrowed);
        Ok(match self.kind {
            "trade" => Body::Trade {
                id: self.trade_id()?,
                price: need(self.price, "price")?.into(),
                size: need(self.size, "size")?.into(),
                side: need(self.side, "side")?,
            },
            "bbo" => Body::Bbo { bid: self.bid.map(level), ask: self.ask.map(level) },
            "ticker" => {
                Body::Ticker([self.last, self.open, self.high, self.low, self.volume].map(number))
            }
            "book" => {
                let (bids, asks) = self.levels();
                Body::Book { bids, asks }
            }
            "candle" => Body::Candle {
                start: self.start.ok_or("candle without start")?,
                numbers: [self.open, self.high, self.low, self.close, self.volume].map(number),
                closed: self.closed,
                partial: self.partial,
            },
            "funding" => Body::Funding {
                numbers: [self.mark, self.index, self.rate].map(number),
                next: self.next,
            },
            "status" => Body::Status {
                state: need(self.state, "state")?,
                reason: self.reason.clone().unwrap_or_default(),
            },
            "venue_gap" => Body::VenueGap { reason: self.reason.clone().unwrap_or_default() },
            other => return Err(format!("a message of type {other:?}, which is not known")),
        })
    }

    fn trade_id(&self) -> Result<Cow<'a, str>, String> {
        let raw = self.id.ok_or("trade without id")?;
        serde_json::from_str::<&str>(raw.get())
            .map(Cow::Borrowed)
            .map_err(|error| format!("trade id {raw}: {error}"))
    }
}

fn level<'a>((price, size): (&'a str, &'a str)) -> Level<'a> {
    (Cow::Borrowed(price), Cow::Borrowed(size))
}
