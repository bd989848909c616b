//! The warm start: states first, then what follows them, and ready only then.

use std::sync::atomic::Ordering;

use fantail_model::{Body, BookChange, Event, Position, State};
use fantail_wire::client::Reply;

use super::{BOOK, Plan, Rig, TRADE};
use crate::limits;
use crate::link::ToShard;
use crate::query::{Answer, Query};
use crate::seed::{Part, SnapshotBody};
use crate::testing::{bbo, event, level, status, trade};

const SECOND: i64 = 1_000_000;
const BBO: &str = "bbo:binance:BTC-USDT";

fn view(price: u64) -> BookChange {
    BookChange { bids: vec![level(price, 1)], asks: vec![level(price + 10, 1)] }
}

/// A book snapshot at a position: the state after it.
fn book_at(seq: u64, price: u64) -> Event {
    Event { reset: true, ..event(1, seq, Body::Book(view(price))) }
}

fn book(rig: &Rig) -> Option<(BookChange, Option<Position>)> {
    match rig.ask(Query::Book { channel: BOOK.parse().unwrap(), depth: 0 }) {
        Answer::Book(book) => Some((book.view, book.meta.position)),
        _ => None,
    }
}

#[test]
fn states_come_first_then_what_follows_them_and_old_events_are_not_read() {
    let rig = Rig::after(65_536, |owner| {
        owner.age = 600 * SECOND;
        for seq in 1..=300 {
            owner.publish(TRADE, &trade(1, seq));
        }
        owner.publish(BOOK, &book_at(1, 100));
        owner.age = 20 * SECOND;
        owner.snapshot(BOOK, &book_at(7, 500));
        owner.snapshot(BBO, &bbo(1, 9));
        owner.state(TRADE, &event(1, 300, status(State::Live)));
        owner.age = 5 * SECOND;
        let change = BookChange { bids: vec![level(501, 2)], asks: Vec::new() };
        owner.publish(BOOK, &event(1, 7, Body::Book(BookChange::default())));
        owner.publish(BOOK, &event(1, 8, Body::Book(change)));
        owner.publish(TRADE, &trade(1, 301));
    });
    rig.ready();
    let (view, position) = book(&rig).unwrap();
    assert_eq!(view.bids, [level(501, 2), level(500, 1)], "the snapshot and what followed it");
    assert_eq!(position, Some(Position::new(1, 8)));
    assert_eq!(rig.position_of(BBO), Some(Position::new(1, 9)), "a quiet channel is known");
    assert_eq!(rig.position(), Some(Position::new(1, 301)));
    let figures = &rig.metrics;
    let counts = [&figures.records, &figures.holes, &figures.duplicates];
    let counts = counts.map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [3, 0, 0], "nothing from before the snapshots was read");
}

#[test]
fn a_quiet_channel_answers_with_its_last_value_and_the_state_of_its_feed() {
    let mut rig = Rig::after(65_536, |owner| {
        owner.age = 10 * SECOND;
        owner.snapshot(BBO, &bbo(3, 40));
        owner.state(BBO, &event(3, 40, status(State::Stale)));
        // Older than the value: told before it, so it says nothing any more.
        owner.snapshot(ETH, &bbo(3, 20));
        owner.state(ETH, &event(3, 11, status(State::Down)));
    });
    rig.ready();
    let mut numbers = [0; 2];
    for _ in 0..2 {
        let ToShard::Channel(info) = rig.next() else { panic!("a channel was opened") };
        numbers[usize::from(&*info.name == ETH)] = info.ch;
    }
    for (ch, wanted) in numbers.into_iter().zip([vec![40, 40], vec![20]]) {
        rig.want(ch, None);
        let seeds = rig.next_seeds();
        let seed = seeds.seeds[0].as_ref().unwrap();
        let seqs: Vec<u64> = seed
            .parts
            .iter()
            .map(|part| match part {
                Part::Snapshot(snapshot) => match &snapshot.body {
                    SnapshotBody::Last(event) => event.position.seq,
                    SnapshotBody::Book { .. } => panic!("a book"),
                },
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seqs, wanted);
    }
    // Its place is known as well: who was there already goes on without a gap.
    rig.want(numbers[0], Some((3, 40)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert!(seed.resumed && seed.parts.is_empty());
}

const ETH: &str = "bbo:binance:ETH-USDT";

#[test]
fn an_old_snapshot_is_no_book_and_its_owner_is_told_silent() {
    let mut rig = Rig::after(65_536, |owner| {
        owner.age = 200 * SECOND;
        owner.snapshot(BOOK, &book_at(7, 500));
        owner.snapshot(BBO, &bbo(1, 9));
    });
    rig.ready();
    let (view, position) = book(&rig).unwrap();
    assert_eq!((view, position), (BookChange::default(), Some(Position::new(1, 7))));
    let mut channels = 0;
    rig.hand.advance(limits::OWNER_SILENCE);
    loop {
        match rig.next() {
            ToShard::Channel(_) => channels += 1,
            ToShard::Stale { channels: stale, reason } => {
                assert_eq!((stale.len(), reason), (channels, "ingest_silent"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    rig.want(0, None);
    let seeds = rig.next_seeds();
    let notice = |part: &Part| matches!(part, Part::Notice(Reply::Stale { .. }));
    assert!(seeds.seeds[0].as_ref().unwrap().parts.iter().any(notice));
}

#[test]
fn a_feed_too_young_for_snapshots_is_read_from_its_beginning() {
    let rig = Rig::after(65_536, |owner| {
        owner.age = 25 * SECOND;
        owner.publish(BOOK, &book_at(1, 100));
        // The same partition has a channel whose snapshot is fresh.
        owner.age = SECOND;
        owner.snapshot("book:binance:ETH-USDT", &book_at(90, 7));
        owner.publish(BOOK, &event(1, 2, Body::Book(BookChange::default())));
    });
    rig.ready();
    assert_eq!(book(&rig), Some((view(100), Some(Position::new(1, 2)))));
}

#[test]
fn a_dead_letter_in_the_compacted_topic_stops_no_start() {
    let rig = Rig::after(65_536, |owner| {
        owner.put(super::SNAPSHOTS, "no channel".to_owned(), Some(vec![0xff, 1]));
        owner.put(super::SNAPSHOTS, BBO.to_owned(), Some(vec![0x08, 9]));
        owner.put(super::SNAPSHOTS, ETH.to_owned(), None);
        owner.snapshot(BOOK, &book_at(7, 500));
    });
    rig.ready();
    assert_eq!(book(&rig), Some((view(500), Some(Position::new(1, 7)))));
    assert_eq!(rig.metrics.poison.load(Ordering::Relaxed), 2);
    assert_eq!(rig.metrics.too_new.load(Ordering::Relaxed), 1);
}

/// A node on a bus nobody has spoken on yet.
fn on_an_empty_bus() -> Rig {
    let (ring, mailbox, wait) = (1_024, 65_536, limits::FIRST_CHANNEL_WAIT);
    let plan = Plan { faulty: true, ring, mailbox, partitions: 1, by_interest: None, wait };
    let rig = Rig::planned(plan, |_| {});
    // Several turns of the tail.
    for _ in 0..10 {
        rig.position();
    }
    assert!(!rig.readiness.is_ready(), "who came now would find no channel");
    rig
}

#[test]
fn a_bus_without_any_channel_is_waited_for_until_the_first_one_comes() {
    let mut rig = on_an_empty_bus();
    rig.publish(TRADE, &trade(1, 1));
    rig.ready();
}

#[test]
fn a_bus_without_any_channel_is_not_waited_for_long() {
    let rig = on_an_empty_bus();
    // The wait begins when the bus was found empty, which may take a few more turns.
    while !rig.readiness.is_ready() {
        rig.hand.advance(limits::FIRST_CHANNEL_WAIT);
        rig.position();
    }
}
