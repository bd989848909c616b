//! A merged stream leads to the same state as the stream itself, and its chain holds.

use fantail_model::{Bbo, Book, Event, Micros, Position, Status};
use proptest::prelude::*;

use super::*;
use crate::group::ChannelInfo;

fn info(name: &str) -> Arc<ChannelInfo> {
    let channel = name.parse().expect("a channel");
    Arc::new(ChannelInfo { ch: 0, name: name.into(), channel })
}

fn published(seq: u64, body: Body, reset: bool) -> Published {
    let event = Event {
        position: Position::new(7, seq),
        prev: seq - 1,
        reset,
        ts: None,
        rx: Micros(seq as i64),
        vseq: Some(seq * 10),
        body,
    };
    Published { event, crc: None, n: None }
}

fn change(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> BookChange {
    let levels = |side: &[(i64, i64)]| {
        let level = |(price, size): &(i64, i64)| Level {
            price: Decimal::new((*price).into(), 0).expect("a price"),
            size: Decimal::new((*size).into(), 0).expect("a size"),
        };
        side.iter().map(level).collect()
    };
    BookChange { bids: levels(bids), asks: levels(asks) }
}

fn replay(book: &mut Book, events: &[Published]) {
    for Published { event, .. } in events {
        if let Body::Book(levels) = &event.body {
            if event.reset {
                book.replace(levels).expect("a good book");
            } else {
                book.apply(levels).expect("a good change");
            }
        }
    }
}

proptest! {
    #[test]
    fn books_merge_exactly(
        steps in prop::collection::vec(
            (
                prop::collection::vec((1..20_i64, 0..3_i64), 0..5),
                prop::collection::vec((21..40_i64, 0..3_i64), 0..5),
                prop::sample::select(vec![0_u8, 0, 0, 0, 1, 2]),
            ),
            1..30,
        ),
        cut in 1..8_usize,
    ) {
        let mut events = vec![published(1, Body::Book(change(&[(5, 1)], &[(30, 1)])), true)];
        for (number, (bids, asks, what)) in steps.iter().enumerate() {
            let seq = number as u64 + 2;
            let body = match what {
                2 => Body::Status(Status {
                    state: fantail_model::State::Stale,
                    reason: String::new(),
                }),
                _ => Body::Book(change(bids, asks)),
            };
            events.push(published(seq, body, *what == 1));
        }
        let info = info("book:binance:BTC-USDT");
        let groups: Vec<Arc<Group>> = events
            .chunks(cut)
            .map(|part| Arc::new(Group::new(Arc::clone(&info), Micros(0), part.to_vec())))
            .collect();
        let merged = merge(&groups).expect("something");
        let (mut whole, mut short) = (Book::new(0), Book::new(0));
        replay(&mut whole, &events);
        replay(&mut short, &merged.events);
        prop_assert_eq!(whole.view(), short.view());
        let mut last = 0;
        let mut stands_for = 0;
        for Published { event, n, .. } in &merged.events {
            prop_assert!(event.prev <= last && last < event.position.seq);
            last = event.position.seq;
            stands_for += u64::from(n.unwrap_or(1));
        }
        prop_assert_eq!((last, stands_for), (events.len() as u64, events.len() as u64));
        let facts = |events: &[Published]| {
            events.iter().filter(|p| matches!(p.event.body, Body::Status(_))).count()
        };
        prop_assert_eq!(facts(&events), facts(&merged.events));
    }
}

#[test]
fn the_latest_value_wins_and_says_for_how_many() {
    let info = info("bbo:binance:BTC-USDT");
    let group = |seq| {
        let body = Body::Bbo(Bbo { bid: None, ask: None });
        Arc::new(Group::new(Arc::clone(&info), Micros(0), vec![published(seq, body, false)]))
    };
    let merged = merge(&[group(4), group(5), group(6)]).expect("something");
    let [only] = &merged.events[..] else { panic!("one event") };
    assert_eq!((only.event.prev, only.event.position.seq, only.n), (3, 6, Some(3)));
}
