//! Records of other versions (row D17): what older writers left out and newer ones added, as bytes
//! in `schemas/vectors/skew.json`. They were made by hand from the contract, not by these codecs,
//! and are never blessed: a reader that no longer takes them can't be rolled out beside others.

use std::path::PathBuf;

use fantail_model::{
    Body, Decimal, Event, Instrument, InstrumentState, Micros, Position, Side, Symbol, Trade,
    VenueId,
};
use serde::Deserialize;

use super::vectors::unhex;
use crate::record::{self, FeedHeartbeat, Record, RecordError};

const WALL: Micros = Micros(1_800_000_000_000_000);
const CHANNEL: &str = "trade:binance:BTC-USDT";

#[derive(Deserialize)]
struct Skewed {
    name: String,
    writer: String,
    format: String,
    record: String,
}

fn skewed() -> Vec<Skewed> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/vectors/skew.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What the record of this name says, whoever wrote it.
fn meant(name: &str, trade: u64) -> Record {
    let venue = VenueId::new("binance").unwrap();
    match name.split('-').next().unwrap() {
        "trade" => {
            let decimal = |mantissa, exponent| Decimal::new(mantissa, exponent).unwrap();
            let (price, size) = (decimal(i128::from(trade), 0), decimal(1, -1));
            let body =
                Body::Trade(Trade { id: format!("1/{trade}"), price, size, side: Side::Buy });
            let (position, prev) = (Position::new(1, trade), trade - 1);
            let event =
                Event { position, prev, reset: false, ts: None, rx: WALL, vseq: None, body };
            Record::Event { channel: CHANNEL.into(), event }
        }
        "heartbeat" => {
            Record::Heartbeat(FeedHeartbeat { venue, group: 0, groups: 0, epoch: 7, time: WALL })
        }
        "instrument" => Record::Instrument(Instrument {
            venue,
            symbol: Symbol::new("BTC-USDT").unwrap(),
            native: "BTCUSDT".into(),
            tick: None,
            lot: None,
            state: InstrumentState::Trading,
            channels: vec![CHANNEL.parse().unwrap()],
        }),
        other => panic!("no meaning for {other}"),
    }
}

#[test]
fn d17_records_of_older_and_newer_writers_mean_the_same() {
    // Trades are a chain that begins at 2.
    let mut trade = 1;
    let mut kinds = Vec::new();
    for Skewed { name, writer, format, record } in skewed() {
        trade += u64::from(name.starts_with("trade"));
        let read = record::decode(&unhex(&record));
        assert_eq!(read.as_ref(), Ok(&meant(&name, trade)), "{name} in {format}");
        kinds.push(format!("{writer} {format}"));
    }
    for writer in ["older", "newer"] {
        for format in ["protobuf", "msgpack"] {
            assert!(kinds.contains(&format!("{writer} {format}")), "{writer} {format} is missing");
        }
    }
}

#[test]
fn d17_what_a_newer_writer_means_differently_is_told_apart() {
    for Skewed { name, format, record, .. } in skewed() {
        let mut bytes = unhex(&record);
        // The second byte of both formats is the version.
        bytes[1] = record::VERSION + 1;
        let newer = RecordError::Version { found: u64::from(record::VERSION) + 1 };
        assert_eq!(record::decode(&bytes), Err(newer), "{name} in {format}");
    }
    // A kind of record, and a kind of event, that this reader does not know: skipped with a reason.
    for unknown in [&[0x08, 1, 0x4a, 0][..], &[0x08, 1, 0x12, 6, 0x12, 4, 0x10, 1, 0x18, 1]] {
        let read = record::decode(unknown);
        assert!(matches!(read, Err(RecordError::Malformed { .. })), "{read:?}");
    }
}
