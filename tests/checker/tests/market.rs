//! The model's feed: seeded events of a few channels, as JSON for clients and as records for the bus.
//! The two are written apart from one another, so that the checker's two readers must agree.

use std::collections::BTreeMap;

use prost::Message;

use crate::generated as proto;
use crate::generated::event::Body;
use crate::place::Place;

/// The channels: two of each kind, so that one can be taken for another.
pub(super) const CHANNELS: [&str; 6] =
    ["trade:a:B-C", "trade:a:D-C", "book:a:B-C", "book:a:D-C", "ticker:a:B-C", "ticker:a:D-C"];

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) channel: usize,
    pub(super) place: Place,
    pub(super) prev: u64,
    pub(super) reset: bool,
    pub(super) rx: i64,
    pub(super) what: What,
}

/// What happened, in ticks of 0.01 and lots of 0.001.
#[derive(Clone, Debug)]
pub(super) enum What {
    Trade {
        id: String,
        price: i64,
    },
    Ticker {
        last: i64,
    },
    /// Changed levels of bids and asks: price → size.
    Book([BTreeMap<i64, i64>; 2]),
}

impl Fact {
    /// As the bus holds it.
    pub(super) fn record(&self) -> Vec<u8> {
        let levels = |side: &BTreeMap<i64, i64>| {
            let level = |(price, size): (&i64, &i64)| proto::Level {
                price: decimal_of(*price, 2),
                size: decimal_of(*size, 3),
            };
            side.iter().map(level).collect()
        };
        let body = match &self.what {
            What::Trade { id, price } => Body::Trade(proto::Trade {
                id: id.clone(),
                price: decimal_of(*price, 2),
                size: decimal_of(1, 0),
                side: proto::Side::Buy.into(),
            }),
            What::Ticker { last } => {
                Body::Ticker(proto::Ticker { last: decimal_of(*last, 2), ..Default::default() })
            }
            What::Book([bids, asks]) => {
                Body::Book(proto::Book { bids: levels(bids), asks: levels(asks) })
            }
        };
        let event = proto::Event {
            epoch: Some(self.place.epoch),
            seq: self.place.seq,
            prev: self.prev,
            reset: self.reset,
            rx: self.rx,
            body: Some(body),
            ..Default::default()
        };
        let channel = CHANNELS[self.channel].to_owned();
        let event = proto::BusEvent { channel, event: Some(event) };
        let record = Some(proto::bus_record::Record::Event(event));
        proto::BusRecord { version: 1, record }.encode_to_vec()
    }

    /// As a client is sent it: under a channel's name, with further fields.
    pub(super) fn json(&self, name: &str, further: &str) -> String {
        let Self { place, prev, rx, .. } = self;
        let (kind, body) = match &self.what {
            What::Trade { id, price } => {
                let price = decimal(*price, 2);
                ("trade", format!(r#""id":"{id}","price":"{price}","size":"1","side":"buy""#))
            }
            What::Ticker { last } => ("ticker", format!(r#""last":"{}""#, decimal(*last, 2))),
            What::Book(sides) => ("book", book_json(sides)),
        };
        let reset = match self.reset {
            true => format!(r#""epoch":{},"reset":true,"#, place.epoch),
            false => String::new(),
        };
        let seq = place.seq;
        format!(
            r#"{{"type":"{kind}","channel":"{name}","seq":{seq},"prev":{prev},{reset}{further}"rx":{rx},"tx":1,{body}}}"#
        )
    }
}

/// `"bids":[…],"asks":[…]`.
pub(super) fn book_json(sides: &[BTreeMap<i64, i64>; 2]) -> String {
    let levels = |side: &BTreeMap<i64, i64>| {
        let level = |(price, size): (&i64, &i64)| {
            format!(r#"["{}","{}"]"#, decimal(*price, 2), decimal(*size, 3))
        };
        side.iter().map(level).collect::<Vec<_>>().join(",")
    };
    format!(r#""bids":[{}],"asks":[{}]"#, levels(&sides[0]), levels(&sides[1]))
}

/// Canonical: without trailing zeros; 0 is 0.
fn decimal_of(mut mantissa: i64, places: i32) -> Option<proto::Decimal> {
    let mut exponent = -places;
    while exponent < 0 && mantissa % 10 == 0 {
        (mantissa, exponent) = (mantissa / 10, exponent + 1);
    }
    Some(proto::Decimal { mantissa, exponent, text: String::new() })
}

fn decimal(mantissa: i64, places: u32) -> String {
    let unit = 10_i64.pow(places);
    let text = format!("{}.{:0width$}", mantissa / unit, mantissa % unit, width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
