//! Sample bus records, for the golden vectors.

use fantail_model::{Event, Instrument, InstrumentState, Micros, Side, Symbol, VenueId};

use super::samples::{self, EPOCH, decimal, event, trade};
use crate::client::ServerMessage;
use crate::record::{FeedHeartbeat, Record};

/// Name, what it shows, the record.
pub(super) fn records() -> Vec<(&'static str, &'static str, Record)> {
    let mut records: Vec<_> = [samples::quotes(), samples::states(), samples::books()]
        .into_iter()
        .flatten()
        .filter_map(|(name, about, message)| match message {
            ServerMessage::Data(data) => {
                Some((name, about, Record::Event { channel: data.channel, event: data.event }))
            }
            _ => None,
        })
        .collect();
    let early = Event {
        ts: Some(Micros(-1)),
        vseq: Some(u64::MAX),
        ..event(u64::MAX, trade("", "0", "1", Side::Buy))
    };
    let channel = "trade:binance:BTC-USDT".to_owned();
    records.push((
        "extremes",
        "largest seq and vseq, a time before 1970",
        Record::Event { channel, event: early },
    ));
    let venue = VenueId::new("binance").unwrap();
    let time = Micros(1_790_000_000_123_456);
    let heartbeat = FeedHeartbeat { venue, group: 0, groups: 0, epoch: EPOCH, time };
    let divided = FeedHeartbeat { group: 2, groups: 3, ..heartbeat.clone() };
    records.push(("heartbeat", "a feed owner is alive", Record::Heartbeat(heartbeat)));
    let about = "the owner of the last of three groups of the venue's symbols";
    records.push(("heartbeat-group", about, Record::Heartbeat(divided)));
    let instrument = |state, full: bool| {
        Record::Instrument(Instrument {
            venue: VenueId::new("coinbase").unwrap(),
            symbol: Symbol::new("BTC-USD").unwrap(),
            native: "BTC-USD".into(),
            tick: full.then(|| decimal("0.01")),
            lot: full.then(|| decimal("0.00000001")),
            state,
            channels: if full {
                ["trade:coinbase:BTC-USD", "candle:coinbase:BTC-USD:1m", "status:coinbase:BTC-USD"]
                    .map(|name| name.parse().unwrap())
                    .into()
            } else {
                vec![]
            },
        })
    };
    records.push((
        "instrument",
        "what can be subscribed",
        instrument(InstrumentState::Trading, true),
    ));
    records.push((
        "instrument-halted",
        "a venue that tells no steps",
        instrument(InstrumentState::Halted, false),
    ));
    records.push(("instrument-delisted", "gone", instrument(InstrumentState::Delisted, false)));
    records
}
