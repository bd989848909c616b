//! Conflated channels at the end of an epoch: what waits is told there, and the state of the next one
//! replaces what clients hold.

use fantail_model::{Bbo, Body, BookChange, Event, Position, State};

use super::{NOW, cycle, want};
use crate::link::WantItem;
use crate::seed::{Part, Seed, SnapshotBody};
use crate::store::Store;
use crate::store::resume::Start;
use crate::testing::{event, level, status};
use crate::variant::Variants;

/// A store whose first channel is the parent of a conflated one, and the numbers of both.
fn store(name: &str) -> (Store, u32, u32) {
    let channel: fantail_model::Channel = name.parse().unwrap();
    let variants = Variants::new(vec![channel.interval.unwrap()]);
    let mut store = Store::new(1, variants.clone());
    let parent = store.open(channel.base()).unwrap().ch;
    let conflated = variants.number(parent, &channel).unwrap();
    (store, parent, conflated)
}

fn start(store: &mut Store, ch: u32, from: Option<(u64, u64)>) -> Seed {
    let item = WantItem { ch, ..want(from, None) };
    match store.start(&item, None, 1, NOW) {
        Some(Start::Seed(seed)) => seed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_waits_of_an_epoch_that_is_over_is_told_at_its_end() {
    let (mut store, parent, ch) = store("bbo:binance:BTC-USDT@100ms");
    let bbo = |seq| event(1, seq, Body::Bbo(Bbo { bid: None, ask: None }));
    cycle(store.channel_mut(parent).unwrap(), vec![bbo(1)], 100_000);
    start(&mut store, ch, None);
    let parent = store.channel_mut(parent).unwrap();
    let mut derived = parent.derived.pop().unwrap();
    let mut told = Vec::new();
    for event in [bbo(2), bbo(3), event(2, 1, status(State::Resync))] {
        let (published, _) = parent.apply(event).unwrap();
        derived.take(&published, parent, NOW, &mut told);
    }
    let place = |e: &Event| (e.position, e.prev, e.reset);
    let told: Vec<_> = told.iter().map(|told| (place(&told.event), told.n)).collect();
    let end = ((Position::new(1, 3), 1, false), Some(2));
    assert_eq!(told, [end, ((Position::new(2, 1), 0, true), Some(1))]);
}

#[test]
fn who_resumes_into_an_epoch_without_a_book_is_told_that_the_old_one_is_void() {
    let (mut store, parent, ch) = store("book:binance:BTC-USDT@100ms");
    let whole = BookChange { bids: vec![level(1, 1)], asks: vec![level(2, 1)] };
    let change = BookChange { bids: vec![level(1, 2)], asks: Vec::new() };
    let book =
        [Event { reset: true, ..event(1, 1, Body::Book(whole)) }, event(1, 2, Body::Book(change))];
    let channel = store.channel_mut(parent).unwrap();
    cycle(channel, book.into(), 100_000);
    cycle(channel, vec![event(2, 1, status(State::Resync))], 100_000);
    let seed = start(&mut store, ch, Some((1, 1)));
    assert_eq!((super::gaps(&seed), seed.position), (vec![], Some(Position::new(2, 1))));
    let resets = seed.parts.iter().filter(|part| match part {
        Part::Snapshot(state) => matches!(&state.body, SnapshotBody::Last(last) if last.reset),
        _ => false,
    });
    assert_eq!(resets.count(), 1, "{:?}", seed.parts);
}
