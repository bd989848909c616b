//! One and the same stream gives the same counts in every encoding.

use std::time::Duration;

use fantail_model::{Body, BookChange, Decimal, Event, Micros, Position, Side, Trade};
use fantail_wire::client::{
    Ack, BookSnapshot, EventMessage, encode_batch, encode_event, encode_reply, encode_snapshot,
};

use super::*;
use crate::chain::Losses;

const CHANNEL: &str = "trade:x:A-B";
const NOW: i64 = 1_790_000_000_001_000;

fn event(seq: u64) -> Event {
    let body = Trade { id: "1".into(), price: Decimal::ZERO, size: Decimal::ZERO, side: Side::Buy };
    Event {
        position: Position::new(9, seq),
        prev: seq - 1,
        reset: false,
        ts: None,
        rx: Micros(NOW - 500),
        vseq: None,
        body: Body::Trade(body),
    }
}

fn message(event: &Event) -> EventMessage<'_> {
    let tx = Micros(NOW - 200);
    EventMessage { channel: CHANNEL, ch: 5, tx, event, crc: None, snapshot: false, n: None }
}

fn start(encoding: Encoding) -> (Ledger, Member) {
    let counts = Counts::new(Duration::from_secs(1)).expect("constants");
    let mut member = Member {
        number: 1,
        encoding,
        chains: Chains::default(),
        acks_due: 1,
        is_slow: false,
        retry_after: Duration::ZERO,
    };
    let mut ledger = Ledger::new(counts);
    let ack = Ack { channel: CHANNEL.into(), ch: 5, epoch: Some(9), seq: Some(10), resumed: false };
    let reply = Reply::Subscribed { id: None, channels: vec![ack], errors: Vec::new() };
    let mut bytes = Vec::new();
    encode_reply(encoding, &reply, &mut bytes);
    ledger.take(&mut member, &bytes, NOW);
    assert_eq!(member.acks_due, 0);
    (ledger, member)
}

#[test]
fn every_encoding_gives_the_same_counts() {
    for encoding in Encoding::ALL {
        let (mut ledger, mut member) = start(encoding);
        let mut take = |seqs: &[u64]| {
            let events: Vec<Event> = seqs.iter().map(|seq| event(*seq)).collect();
            let messages: Vec<_> = events.iter().map(message).collect();
            let mut bytes = Vec::new();
            match messages.as_slice() {
                [one] => encode_event(encoding, one, &mut bytes),
                several => encode_batch(encoding, several, &mut bytes),
            }
            ledger.take(&mut member, &bytes, NOW);
        };
        take(&[11]);
        take(&[12, 13, 14]);
        take(&[17]);
        take(&[16]);
        take(&[17]);
        let counts = &ledger.counts;
        let expected = Losses { holes: 1, lost: 1, duplicates: 1, reordered: 1, gaps: 0 };
        assert_eq!((counts.losses, counts.deliveries), (expected, 7), "{encoding:?}");
        assert_eq!((counts.unreadable, counts.mismatches), (0, 0), "{encoding:?}");
        assert_eq!(counts.from_tail.value_at_quantile(0.5), 200, "{encoding:?}");
        assert_eq!(counts.from_ingest.max(), 500, "{encoding:?}");
    }
}

#[test]
fn a_told_gap_and_a_book_go_on() {
    for encoding in Encoding::ALL {
        let (mut ledger, mut member) = start(encoding);
        let gap = Reply::Gap {
            channel: CHANNEL.into(),
            ch: 5,
            epoch: 9,
            from: 11,
            to: Some(20),
            reason: "retention".into(),
        };
        let levels = BookChange::default();
        let at = Position::new(9, 30);
        let mut book = BookSnapshot {
            channel: CHANNEL,
            ch: 5,
            position: Some(at),
            ts: None,
            rx: Micros(1),
            tx: Micros(2),
            vseq: None,
            levels: &levels,
            crc: 0,
        };
        let mut take = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            ledger.take(&mut member, &bytes, NOW);
        };
        take(&|out| encode_reply(encoding, &gap, out));
        take(&|out| encode_event(encoding, &message(&event(21)), out));
        take(&|out| encode_snapshot(encoding, &book, out));
        book.position = None;
        take(&|out| encode_snapshot(encoding, &book, out));
        let later = event(31);
        take(&|out| encode_event(encoding, &message(&later), out));
        let expected = Losses { gaps: 1, ..Losses::default() };
        let counts = &ledger.counts;
        assert_eq!((counts.losses, counts.unreadable), (expected, 0), "{encoding:?}");
        // The state itself is not timed: it is as old as its last event.
        assert_eq!((counts.deliveries, counts.from_tail.len()), (3, 2), "{encoding:?}");
    }
}

#[test]
fn what_cannot_be_read_is_counted() {
    for encoding in Encoding::ALL {
        let (mut ledger, mut member) = start(encoding);
        ledger.take(&mut member, b"{\"type\":\"batch\",\"channel\":\"x\",\"events\":[", NOW);
        ledger.take(&mut member, &[0xc1, 0xff], NOW);
        assert_eq!(ledger.counts.unreadable, 2, "{encoding:?}");
    }
}

#[test]
fn slow_readers_are_checked_but_not_timed() {
    let (mut ledger, mut member) = start(Encoding::Json);
    member.is_slow = true;
    let mut bytes = Vec::new();
    encode_event(Encoding::Json, &message(&event(13)), &mut bytes);
    ledger.take(&mut member, &bytes, NOW);
    let counts = &ledger.counts;
    assert_eq!((counts.slow_deliveries, counts.from_ingest.len()), (1, 0));
    assert_eq!(counts.losses.holes, 1);
}
