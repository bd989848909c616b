//! Clients that do not read: what they lose is told, what they hold is bounded, and nobody else
//! notices.

use std::time::Duration;

use fantail_model::{Body, BookChange, Event};
use fantail_wire::client::{Command, From, Reply, ServerMessage, SubscribeItem};

use super::chains::{Chain, Chains};
use super::client::Seen;
use super::flush_paths::also_by_io_uring;
use super::{JSON, Rig};
use crate::limits;
use crate::testing::{bbo, event, identity, level, trade};

const TRADE: &str = "trade:binance:BTC-USDT";
const BOOK: &str = "book:binance:BTC-USDT";
const BBO: &str = "bbo:binance:BTC-USDT";
/// Socket buffers small enough to fill soon (the kernel doubles and rounds them).
const SMALL: usize = 4 * 1_024;

also_by_io_uring! {
    who_never_reads_trades_is_closed_in_time_and_nobody_else_notices,
    a_slow_reader_with_trades_falls_out_of_the_backlog_with_4409,
    a_reader_of_states_that_fell_out_of_the_backlog_starts_again,
    a_long_resume_is_not_taken_for_a_reader_that_stopped,
    a_message_larger_than_every_buffer_arrives_whole,
    who_reads_no_answers_is_closed,
}

#[test]
fn who_never_reads_trades_is_closed_in_time_and_nobody_else_notices() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    let mut stalled = rig.client_with(JSON, Some(SMALL), identity());
    let mut healthy = rig.client(JSON);
    let mut chains = Chains::default();
    for client in [&mut stalled, &mut healthy] {
        client.subscribe(&[TRADE]);
        rig.answer_next();
    }
    let mut seq = 0;
    let mut send = |rig: &mut Rig| {
        rig.publish(vec![(ch, (1..=50).map(|at| trade(1, seq + at)).collect())]);
        seq += 50;
    };
    while rig.sessions().sessions.iter().all(|session| session.behind_batches == 0) {
        send(&mut rig);
        chains.poll(&mut healthy, 100);
    }
    rig.hand.advance(Duration::from_secs(9));
    for _ in 0..20 {
        send(&mut rig);
        chains.poll(&mut healthy, 100);
    }
    assert!(rig.sessions().sessions.iter().all(|session| !session.closing), "not before its time");
    rig.hand.advance(Duration::from_secs(1));
    rig.until("closing", |shard| shard.sessions.iter().any(|session| session.closing));
    let closed = rig.closes.latest();
    assert_eq!((closed.len(), closed[0].code, &closed[0].name[..]), (1, 4409, "TOO_SLOW"));
    rig.until("level", |shard| shard.sessions.iter().all(|s| s.behind_batches == 0));
    // Its socket still says so, behind the frame that was under way.
    let (code, reason) = stalled.closed();
    assert_eq!(code, 4409);
    assert!(reason.starts_with("TOO_SLOW"), "{reason}");
    send(&mut rig);
    while chains.held[TRADE].last.unwrap().seq < seq {
        let seen = healthy.next();
        chains.take(&healthy, seen);
    }
    assert_eq!((chains.events, chains.ended), (seq, None));
}

#[test]
fn a_slow_reader_with_trades_falls_out_of_the_backlog_with_4409() {
    let mut rig = Rig::with(200_000);
    let ch = rig.open(TRADE);
    let mut stalled = rig.client_with(JSON, Some(SMALL), identity());
    stalled.subscribe(&[TRADE]);
    rig.answer_next();
    for batch in 0..200 {
        rig.publish(vec![(ch, (1..=50).map(|at| trade(1, batch * 50 + at)).collect())]);
        rig.sessions();
    }
    let mut chains = Chains::default();
    while chains.ended.is_none() {
        let seen = stalled.next();
        chains.take(&stalled, seen);
    }
    assert_eq!(chains.ended.unwrap().code, 4409);
    assert!(chains.events < 10_000, "it did miss something");
}

#[test]
fn a_reader_of_states_that_fell_out_of_the_backlog_starts_again() {
    let mut rig = Rig::with(100_000);
    let (book, last) = (rig.open(BOOK), rig.open(BBO));
    rig.publish(vec![(book, vec![whole(1)]), (last, vec![bbo(1, 1)])]);
    let mut stalled = rig.client_with(JSON, Some(SMALL), identity());
    stalled.subscribe(&[BOOK, BBO]);
    rig.answer_next();
    let rounds = 3_000;
    for seq in 2..=rounds {
        let change = BookChange { bids: vec![level(1 + seq % 50, seq)], asks: Vec::new() };
        let change = event(1, seq, Body::Book(change));
        rig.publish(vec![(book, vec![change]), (last, vec![bbo(1, seq)])]);
    }
    rig.sessions();
    let mut chains = Chains::default();
    let at_end = |chains: &Chains| {
        let last = |name| chains.held.get(name).and_then(|chain| chain.last);
        [BOOK, BBO].into_iter().all(|name| last(name).is_some_and(|last| last.seq == rounds))
    };
    while !at_end(&chains) {
        rig.answer();
        rig.sessions();
        chains.poll(&mut stalled, 10);
        assert_eq!(chains.ended, None);
    }
    assert!(chains.resets >= 2, "each channel began again: {}", chains.resets);
    let held = chains.held[BOOK].book.as_ref().unwrap();
    assert_eq!(held.view(), expected(rounds), "the book it ends with is the whole truth");
}

#[test]
fn a_long_resume_is_not_taken_for_a_reader_that_stopped() {
    let mut rig = Rig::new();
    rig.ring_bytes = 64 * 1_024 * 1_024;
    let ch = rig.open(TRADE);
    let missed = limits::SESSION_QUEUE_MAX as u64 + 2_000;
    for seq in 1..=missed {
        rig.publish(vec![(ch, vec![trade(1, seq)])]);
    }
    let mut client = rig.client_with(JSON, Some(SMALL), identity());
    let from = Some(From { epoch: 1, seq: 1, rx: None });
    let item = SubscribeItem { channel: TRADE.into(), from, history: None };
    client.command(&Command::Subscribe { id: None, channels: vec![item] });
    rig.answer_next();
    rig.until("queued", |shard| shard.sessions[0].queued > limits::SESSION_QUEUE_MAX);
    client.command(&Command::Ping { id: None });
    let last = Some(fantail_model::Position::new(1, 1));
    let mut chains = Chains::default();
    chains.resuming.insert(TRADE.into(), Chain { last, book: None });
    while chains.events < missed - 1 {
        let seen = client.next();
        chains.take(&client, seen);
        assert_eq!(chains.ended, None);
    }
    assert!(matches!(client.reply(), Reply::Pong { .. }));
}

fn whole(seq: u64) -> Event {
    let book = BookChange { bids: Vec::new(), asks: vec![level(1_000, 1)] };
    Event { reset: true, ..event(1, seq, Body::Book(book)) }
}

fn expected(rounds: u64) -> BookChange {
    let mut book = fantail_model::Book::new(0);
    book.replace(&BookChange { bids: Vec::new(), asks: vec![level(1_000, 1)] }).unwrap();
    for seq in 2..=rounds {
        let bids = vec![level(1 + seq % 50, seq)];
        book.apply(&BookChange { bids, asks: Vec::new() }).unwrap();
    }
    book.view()
}

#[test]
fn a_message_larger_than_every_buffer_arrives_whole() {
    let mut rig = Rig::new();
    let ch = rig.open(BOOK);
    let side = |base: u64| (0..1_000).map(|at| level(base + at, at + 1)).collect::<Vec<_>>();
    let mut bids = side(10_000);
    bids.reverse();
    let book = BookChange { bids, asks: side(20_000) };
    rig.publish(vec![(ch, vec![event(1, 1, Body::Book(book.clone()))])]);
    let mut stalled = rig.client_with(JSON, Some(SMALL), identity());
    stalled.subscribe(&[BOOK]);
    rig.answer_next();
    rig.until("queued", |shard| shard.sessions[0].queued > 0);
    rig.publish(vec![(ch, vec![event(1, 2, Body::Book(BookChange::default()))])]);
    rig.until("behind", |shard| shard.sessions[0].behind_batches > 0);
    assert!(matches!(stalled.reply(), Reply::Subscribed { .. }));
    match stalled.message() {
        ServerMessage::Snapshot(snapshot) => assert_eq!(snapshot.levels, book),
        other => panic!("{other:?}"),
    }
    match stalled.message() {
        ServerMessage::Data(data) => assert_eq!(data.event.prev, 1),
        other => panic!("{other:?}"),
    }
    rig.until("level", |shard| shard.sessions[0].queued == 0);
}

#[test]
fn who_reads_no_answers_is_closed() {
    let mut rig = Rig::new();
    for at in 0..90 {
        rig.open(&format!("trade:binance:PAIR{at}-USDT"));
    }
    let mut stalled = rig.client_with(JSON, Some(SMALL), identity());
    stalled.subscribe(&["trade:*:*"]);
    rig.answer_next();
    let list = Command::List { id: None };
    for _ in 0..2 * super::REPLY_BYTES / 2_000 {
        stalled.command(&list);
        if !rig.closes.latest().is_empty() {
            break;
        }
        rig.hand.advance(Duration::from_millis(2));
    }
    rig.until("closing", |shard| shard.sessions.iter().all(|session| session.closing));
    assert_eq!(rig.closes.latest()[0].code, 4409);
    loop {
        match stalled.next() {
            Seen::Close(code, _) => break assert_eq!(code, 4409),
            Seen::Message(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
