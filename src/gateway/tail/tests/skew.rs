//! A rolling upgrade as the tail meets it: records of older and of newer owners in one stream (D17).

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde::Deserialize;

use super::{RAW, Rig, TRADE};
use crate::link::ToShard;
use crate::testing::trade;

#[derive(Deserialize)]
struct Skewed {
    name: String,
    record: String,
}

/// The golden trades: seqs 2, 3, … of one epoch, each from another writer.
fn trades() -> Vec<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/vectors/skew.json");
    let all: Vec<Skewed> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let trades = all.into_iter().filter(|skewed| skewed.name.starts_with("trade"));
    let unhex = |text: &str| {
        let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(pair).collect()
    };
    trades.map(|skewed| unhex(&skewed.record)).collect()
}

#[test]
fn d17_older_and_newer_owners_make_one_stream() {
    let (mut rig, ch) = Rig::with_trades(1_024, 1);
    rig.want(ch, None);
    rig.next_seeds();
    let golden = trades();
    let last = 1 + golden.len() as u64;
    assert!(last >= 5, "both writers in both formats");
    for record in golden {
        // One of a version nobody here can read comes between, and takes no place.
        rig.send_raw(RAW, vec![0x08, 2, 0x12, 0]);
        rig.send_raw(RAW, record);
    }
    // Today's own owner goes on behind them.
    rig.publish(TRADE, &trade(1, last + 1));
    let mut came = Vec::new();
    while came.len() < last as usize {
        match rig.next() {
            ToShard::Batch(batch) => {
                let events = batch.groups.iter().flat_map(|group| &group.events);
                came.extend(events.map(|published| published.event.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(came, (2..=last + 1).map(|seq| trade(1, seq)).collect::<Vec<_>>());
    assert_eq!(rig.metrics.too_new.load(Ordering::Relaxed), last - 1);
    assert_eq!(rig.metrics.holes.load(Ordering::Relaxed), 0);
}
