//! What the bus can do to a reader, and what its clients are told.

use std::sync::atomic::Ordering;

use fantail_bus::limits::RECORD_BYTES_MAX;
use fantail_model::{Body, BookChange, Event, Kind, State};
use fantail_wire::record;

use super::faulty::{Fault, delivered};
use super::{BOOK, RAW, Rig, TRADE};
use crate::limits;
use crate::link::ToShard;
use crate::testing::{event, level, status, trade};

const OTHER: &str = "trade:binance:ETH-USDT";

/// A rig whose shard wants the trades of `TRADE`, with `events` taken.
fn watched(events: u64) -> (Rig, u32) {
    let (mut rig, ch) = Rig::with_trades(1_024, events);
    rig.want(ch, None);
    rig.next_seeds();
    (rig, ch)
}

#[test]
fn what_retention_took_is_told_to_the_affected_channels_only() {
    let (mut rig, _) = watched(3);
    rig.publish(OTHER, &trade(1, 1));
    let other = rig.channel();
    rig.want(other, None);
    rig.next_seeds();
    rig.faults.order(Fault::Retention(RAW, 2));
    rig.publish(TRADE, &trade(1, 4));
    rig.publish(TRADE, &trade(1, 5));
    rig.counted(|metrics| &metrics.bus_lost, 2);
    rig.publish(OTHER, &trade(1, 2));
    assert_eq!(rig.next_seqs(), [2], "nothing was lost there");
    rig.publish(TRADE, &trade(1, 6));
    assert_eq!(rig.next_missed(), (vec![(1, 4, 5)], "retention"));
    assert_eq!(rig.next_seqs(), [6]);
    assert_eq!(rig.metrics.holes.load(Ordering::Relaxed), 1);
}

#[test]
fn what_retention_took_from_a_quiet_channel_is_told_by_its_next_snapshot() {
    let (mut rig, _) = watched(3);
    rig.faults.order(Fault::Retention(RAW, 1));
    rig.publish(TRADE, &trade(1, 4));
    rig.counted(|metrics| &metrics.bus_lost, 1);
    rig.owner.state(TRADE, &event(1, 4, status(State::Live)));
    // The event may still be on its way: it is given some time.
    while !matches!(rig.position(), Some(at) if at.seq == 4) {
        rig.hand.advance(limits::TICK);
    }
    assert_eq!(rig.next_missed(), (vec![(1, 4, 4)], "retention"));
    rig.publish(TRADE, &trade(1, 5));
    assert_eq!(rig.next_seqs(), [5]);
}

#[test]
fn a_log_that_was_cut_is_read_again_and_nothing_is_told_twice() {
    let (mut rig, _) = watched(3);
    rig.faults.order(Fault::Cut(RAW));
    rig.counted(|metrics| &metrics.bus_cut, 1);
    rig.publish(TRADE, &trade(1, 4));
    assert_eq!(rig.next_seqs(), [4]);
    assert_eq!(rig.metrics.duplicates.load(Ordering::Relaxed), 3, "read again, dropped");
    assert_eq!(rig.metrics.holes.load(Ordering::Relaxed), 0);
}

#[test]
fn an_owner_that_lost_acknowledged_events_is_seen_by_its_numbers() {
    let (mut rig, _) = watched(3);
    // What was acknowledged as 4 and 5 is gone; a new epoch begins in its middle.
    rig.publish(TRADE, &trade(1, 6));
    assert_eq!(rig.next_missed(), (vec![(1, 4, 5)], "missing"));
    assert_eq!(rig.next_seqs(), [6]);
    rig.publish(TRADE, &trade(2, 3));
    assert_eq!(rig.next_missed(), (vec![(2, 1, 2)], "missing"));
    assert_eq!(rig.next_seqs(), [3]);
}

#[test]
fn a_broker_that_is_away_is_waited_for_and_the_stream_goes_on_in_order() {
    let (mut rig, _) = watched(1);
    for seq in 2..=200 {
        if seq % 20 == 0 {
            rig.faults.order(Fault::Away);
        }
        rig.publish(TRADE, &trade(1, seq));
    }
    let mut seqs = Vec::new();
    while seqs.len() < 199 {
        seqs.extend(rig.next_seqs());
    }
    assert_eq!(seqs, (2..=200).collect::<Vec<_>>());
    rig.counted(|metrics| &metrics.bus_errors, 10);
    assert_eq!(rig.metrics.holes.load(Ordering::Relaxed), 0);
}

#[test]
fn an_unreadable_record_is_a_gap_only_where_it_was_an_event() {
    let (mut rig, _) = watched(3);
    rig.send_raw(RAW, vec![0xff; 30]);
    rig.publish(TRADE, &trade(1, 4));
    assert_eq!(rig.next_seqs(), [4], "it took no place in the channel");
    // The fifth event is one nobody can read.
    rig.send_raw(RAW, vec![0x08, 1, 0xff, 0xff]);
    rig.publish(TRADE, &trade(1, 6));
    assert_eq!(rig.next_missed(), (vec![(1, 5, 5)], "unreadable"));
    assert_eq!(rig.next_seqs(), [6]);
    assert_eq!(rig.metrics.poison.load(Ordering::Relaxed), 2);
}

#[test]
fn oversized_records_and_newer_versions_are_skipped_and_counted() {
    let (mut rig, _) = watched(1);
    let large = vec![0x08; RECORD_BYTES_MAX + 1];
    rig.faults.order(Fault::Deliver(delivered(RAW, "binance:BTC-USDT", large)));
    for _ in 0..3 {
        rig.send_raw(RAW, vec![0x08, 2, 0x12, 0]);
    }
    rig.publish(TRADE, &trade(1, 2));
    assert_eq!(rig.next_seqs(), [2]);
    rig.counted(|metrics| &metrics.poison, 4);
    assert_eq!(rig.metrics.too_new.load(Ordering::Relaxed), 3);
}

#[test]
fn fields_a_newer_owner_added_are_ignored() {
    let (mut rig, _) = watched(1);
    let event = trade(1, 2);
    let known = record::RecordRef::Event { channel: TRADE, event: &event };
    let mut value = super::encoded(known);
    // Field 15, a varint, and field 14, three bytes.
    value.extend_from_slice(&[0x78, 7, 0x72, 3, 1, 2, 3]);
    rig.send_raw(RAW, value);
    assert_eq!(rig.next_seqs(), [2]);
    assert_eq!(rig.metrics.poison.load(Ordering::Relaxed), 0);
}

fn book(seq: u64, prices: &[u64], reset: bool) -> Event {
    let bids = prices.iter().rev().map(|price| level(*price, 1)).collect();
    Event { reset, ..event(1, seq, Body::Book(BookChange { bids, asks: Vec::new() })) }
}

/// The only event of the next batch.
fn next_event(rig: &mut Rig) -> Event {
    match rig.next() {
        ToShard::Batch(batch) => {
            assert_eq!((batch.groups.len(), batch.groups[0].events.len()), (1, 1));
            batch.groups[0].events[0].event.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_book_with_a_hole_is_mended_at_the_snapshots_own_place() {
    let mut rig = Rig::new(1_024);
    rig.publish(BOOK, &book(1, &[1], true));
    let ch = rig.channel();
    rig.want(ch, None);
    rig.next_seeds();
    for mended in [true, false] {
        let seq = if mended { 1 } else { 6 };
        rig.publish(BOOK, &book(seq + 2, &[3], false));
        assert_eq!(rig.next_missed(), (vec![(1, seq + 1, seq + 1)], "missing"));
        assert_eq!(next_event(&mut rig).position.seq, seq + 2);
        rig.publish(BOOK, &book(seq + 3, &[4], false));
        assert_eq!(next_event(&mut rig).position.seq, seq + 3);
        if mended {
            // Behind the stream: what came since is put on top of it.
            rig.owner.snapshot(BOOK, &book(seq + 2, &[1, 2, 3], true));
        } else {
            // Ahead of the stream: the events before it are awaited.
            rig.owner.snapshot(BOOK, &book(seq + 5, &[1, 2, 3, 4, 5, 6], true));
            rig.publish(BOOK, &book(seq + 4, &[5], false));
            assert_eq!(next_event(&mut rig).position.seq, seq + 4);
            rig.publish(BOOK, &book(seq + 5, &[6], false));
            assert_eq!(next_event(&mut rig).position.seq, seq + 5);
        }
        let state = next_event(&mut rig);
        let (at, prices): (u64, &[u64]) =
            if mended { (4, &[1, 2, 3, 4]) } else { (11, &[1, 2, 3, 4, 5, 6]) };
        assert!(state.reset);
        assert_eq!((state.position.seq, state.prev), (at, at - 1));
        assert_eq!(state.body, book(at, prices, true).body);
        if mended {
            rig.publish(BOOK, &book(5, &[5], false));
            assert_eq!(next_event(&mut rig).position.seq, 5);
            rig.publish(BOOK, &book(6, &[6], false));
            assert_eq!(next_event(&mut rig).position.seq, 6);
        }
    }
    assert_eq!(rig.metrics.mended.load(Ordering::Relaxed), 2);
    assert_eq!(record::topic(Kind::Book), "fantail.book");
}
