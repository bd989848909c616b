//! How fast the tail takes records when nobody is subscribed, printed; it judges nothing. The
//! figure means something in a release build on a quiet machine.

use std::time::Duration;

use fantail_model::{Body, BookChange, Event};
use fantail_ops::clock::Clock;

use super::{Plan, Rig};
use crate::testing::{bbo, event, level, trade};

const RECORDS: u64 = 600_000;
const CHANNELS: u64 = 200;
/// Levels on each side of a book.
const LEVELS: u64 = 500;

#[test]
fn records_a_second_with_nobody_subscribed() {
    run("trade", |seq| trade(1, seq));
    run("bbo", |seq| bbo(1, seq));
    run("book", |seq| event(1, seq, Body::Book(book(seq))));
}

/// The whole view first, then changes of two levels.
fn book(seq: u64) -> BookChange {
    let at = |base: u64, n: u64| level(base + n, 1 + seq % 9);
    if seq == 1 {
        let bids = (0..LEVELS).rev().map(|n| at(10_000, n)).collect();
        return BookChange { bids, asks: (0..LEVELS).map(|n| at(20_000, n)).collect() };
    }
    BookChange { bids: vec![at(10_000, seq % LEVELS)], asks: vec![at(20_000, seq % LEVELS)] }
}

fn run(kind: &str, make: impl Fn(u64) -> Event) {
    let count = if cfg!(debug_assertions) { RECORDS / 20 } else { RECORDS };
    let clock = Clock::system();
    let mut began = None;
    let (ring, mailbox, wait) = (64 * 1_024 * 1_024, 65_536, Duration::ZERO);
    let plan = Plan { faulty: false, ring, mailbox, partitions: 1, by_interest: None, wait };
    let rig = Rig::planned(plan, |owner| {
        let names: Vec<String> =
            (0..CHANNELS).map(|n| format!("{kind}:binance:S{n}-USDT")).collect();
        for seq in 1..=count / CHANNELS {
            for name in &names {
                owner.publish(name, &make(seq));
            }
        }
        began = Some(clock.monotonic());
    });
    rig.ready();
    let took = clock.monotonic() - began.unwrap();
    let rate = count as f64 / took.as_secs_f64();
    eprintln!(
        "tail, nobody subscribed: {count} {kind} records of {CHANNELS} channels, {rate:.0}/s"
    );
}
