//! Readers that stop: bounded, told, and nobody else's matter.

use std::time::Duration;

use fantail_model::{Body, Book};
use fantail_wire::client::{Reply, ServerMessage};

use super::client::Seen;
use super::flush_paths::also_by_io_uring;
use super::{JSON, Rig};
use crate::testing::{Seeded, book_change, event, trade, whole_book};

const TRADES: &str = "trade:binance:BTC-USDT";
const BOOK: &str = "book:binance:BTC-USDT";
/// Small socket buffers, so that a reader that stops is noticed soon.
const BUFFER: usize = 4_096;

also_by_io_uring! {
    a_large_snapshot_to_a_reader_that_pauses_arrives_whole,
    a_reader_of_states_is_merged_and_never_closed,
    a_reader_of_trades_that_stops_is_told_4409_and_others_read_on,
    a_repeated_subscription_of_a_reader_that_is_behind_tells_its_own_place,
}

#[test]
fn a_large_snapshot_to_a_reader_that_pauses_arrives_whole() {
    let (mut rig, mut seeded) = (Rig::new(), Seeded::new(5));
    let ch = rig.open(BOOK);
    let mut book = whole_book(&mut seeded, 190);
    book.bids.truncate(150);
    rig.publish(vec![(ch, vec![event(1, 1, Body::Book(book.clone()))])]);
    let mut client = rig.client_with(JSON, Some(BUFFER), crate::testing::identity());
    client.subscribe(&[BOOK]);
    rig.answer_next();
    for seq in 2..200 {
        rig.publish(vec![(ch, vec![event(1, seq, Body::Book(book_change(&mut seeded, 3)))])]);
    }
    rig.until("takes all mail", |_| true);
    let (mut copy, mut last) = (Book::new(0), 0);
    while last < 199 {
        match client.message() {
            ServerMessage::Snapshot(snapshot) => {
                assert_eq!(snapshot.levels, book);
                copy.replace(&snapshot.levels).expect("a book");
                last = snapshot.position.expect("in sync").seq;
            }
            ServerMessage::Data(data) => {
                assert!(data.event.prev <= last && last < data.event.position.seq);
                last = data.event.position.seq;
                if let Body::Book(change) = &data.event.body {
                    copy.apply(change).expect("a change");
                }
                assert!(data.crc.is_none_or(|crc| crc == copy.checksum()));
            }
            _ => {}
        }
    }
}

#[test]
fn a_reader_of_states_is_merged_and_never_closed() {
    let (mut rig, mut seeded) = (Rig::new(), Seeded::new(6));
    let ch = rig.open(BOOK);
    rig.publish(vec![(ch, vec![event(1, 1, Body::Book(whole_book(&mut seeded, 60)))])]);
    let mut client = rig.client_with(JSON, Some(BUFFER), crate::testing::identity());
    client.subscribe(&[BOOK]);
    rig.answer_next();
    for seq in 2..2_000 {
        rig.publish(vec![(ch, vec![event(1, seq, Body::Book(book_change(&mut seeded, 6)))])]);
    }
    rig.until("is behind", |all| all.sessions.iter().any(|one| one.behind_batches > 0));
    rig.hand.advance(Duration::from_secs(5));
    let (mut copy, mut last, mut merged) = (Book::new(0), 0, 0);
    while last < 1_999 {
        match client.message() {
            ServerMessage::Snapshot(snapshot) => {
                copy.replace(&snapshot.levels).expect("a book");
                last = snapshot.position.expect("in sync").seq;
            }
            ServerMessage::Data(data) => {
                assert!(data.event.reset || data.event.prev <= last, "a hole");
                last = data.event.position.seq;
                merged += data.n.unwrap_or(1);
                match &data.event.body {
                    Body::Book(levels) if data.event.reset => copy.replace(levels).expect("a book"),
                    Body::Book(change) => drop(copy.apply(change).expect("a change")),
                    _ => {}
                }
                assert!(data.crc.is_none_or(|crc| crc == copy.checksum()), "at {last}");
            }
            _ => {}
        }
    }
    assert_eq!(merged, 1_998, "each event is stood for once");
}

#[test]
fn a_reader_of_trades_that_stops_is_told_4409_and_others_read_on() {
    let mut rig = Rig::with(200_000);
    let ch = rig.open(TRADES);
    let mut stopped = rig.client_with(JSON, Some(BUFFER), crate::testing::identity());
    let mut healthy = rig.client(JSON);
    for client in [&mut stopped, &mut healthy] {
        client.subscribe(&[TRADES]);
        rig.answer_next();
        assert!(matches!(client.reply(), Reply::Subscribed { .. }));
    }
    let mut last = 0;
    for seq in 1..=5_000 {
        rig.publish(vec![(ch, vec![trade(1, seq)])]);
        if seq % 100 == 0 {
            while last < seq {
                let ServerMessage::Data(data) = healthy.message() else { continue };
                assert_eq!(data.event.prev, last);
                last = data.event.position.seq;
            }
        }
    }
    rig.hand.advance(Duration::from_secs(11));
    rig.until("is closing", |all| all.total == 1 || all.sessions.iter().any(|one| one.closing));
    let (code, reason) = stopped.closed();
    assert_eq!(code, 4_409, "{reason}");
    assert!(reason.starts_with("TOO_SLOW"), "{reason}");
    assert_eq!(rig.closes.latest()[0].name, "TOO_SLOW");
    rig.publish(vec![(ch, vec![trade(1, 5_001)])]);
    // A heartbeat may come before it.
    while !matches!(healthy.next(), Seen::Message(ServerMessage::Data(_))) {}
}

#[test]
fn a_repeated_subscription_of_a_reader_that_is_behind_tells_its_own_place() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADES);
    let mut client = rig.client_with(JSON, Some(BUFFER), crate::testing::identity());
    client.subscribe(&[TRADES]);
    rig.answer_next();
    let published = 3_000;
    for seq in 1..=published {
        rig.publish(vec![(ch, vec![trade(1, seq)])]);
    }
    rig.until_stuck();
    client.subscribe(&[TRADES]);
    rig.answer_next();
    rig.until("has it queued", |all| all.sessions.iter().any(|one| one.queued_reply_bytes > 0));
    let (mut last, mut acks) = (0, Vec::new());
    while last < published {
        match client.message() {
            ServerMessage::Reply(Reply::Subscribed { channels, .. }) => {
                // The first was told before anything was published.
                let told = channels[0].seq.unwrap_or(0);
                assert_eq!(told, last, "what follows continues the acknowledgement");
                acks.push(told);
            }
            ServerMessage::Data(data) => {
                assert_eq!(data.event.prev, last);
                last = data.event.position.seq;
            }
            _ => {}
        }
    }
    assert!(acks.len() == 2 && acks[1] > 0 && acks[1] < published, "{acks:?}");
}
