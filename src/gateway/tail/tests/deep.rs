//! Positions older than the ring: read back from the bus, joined to the ring without hole or
//! double; beyond what the bus keeps, the exact gap.

use std::sync::atomic::Ordering;

use fantail_bus::TopicName;
use fantail_model::{Event, Kind, Position, State};
use fantail_wire::client::{From, Reply};
use fantail_wire::codes::Code;
use fantail_wire::record;

use super::{RAW, Rig, TRADE};
use crate::link::ToShard;
use crate::seed::{Part, Seed};
use crate::testing::{WALL, bbo, event, status, trade};

const SECOND: i64 = 1_000_000;
/// The least ring there is keeps some 290 trades.
const RING: usize = 1;

/// Epoch, first and last missing seq.
type Gap = (u64, u64, Option<u64>);

/// Events and gaps of a seed, each in order.
fn told(seed: &Seed) -> (Vec<Position>, Vec<Gap>) {
    let groups = seed.parts.iter().filter_map(Part::group);
    let events = groups.flat_map(|group| group.events.iter().map(|p| p.event.position)).collect();
    let gap = |part: &Part| match part {
        Part::Gap(Reply::Gap { epoch, from, to, .. }) => Some((*epoch, *from, *to)),
        _ => None,
    };
    (events, seed.parts.iter().filter_map(gap).collect())
}

fn places(epoch: u64, seqs: std::ops::RangeInclusive<u64>) -> Vec<Position> {
    seqs.map(|seq| Position::new(epoch, seq)).collect()
}

/// A node with a small ring that has seen `before`, one record a second, up to now.
fn seen(before: &[(&str, Event)]) -> Rig {
    let rig = Rig::with_ring(65_536, RING, |owner| {
        for (at, (channel, event)) in before.iter().enumerate() {
            owner.age = (before.len() - at) as i64 * SECOND / 20;
            owner.publish(channel, event);
        }
    });
    rig.ready();
    rig
}

fn trades(epoch: u64, seqs: std::ops::RangeInclusive<u64>) -> Vec<(&'static str, Event)> {
    seqs.map(|seq| (TRADE, trade(epoch, seq))).collect()
}

#[test]
fn an_old_position_is_read_back_and_joined_to_the_ring() {
    let mut rig = seen(&trades(1, 1..=2_000));
    let ch = rig.channel();
    rig.want(ch, Some((1, 100)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert!(seed.resumed);
    assert_eq!(seed.position, Some(Position::new(1, 100)));
    assert_eq!(told(seed), (places(1, 101..=2_000), Vec::new()));
    rig.publish(TRADE, &trade(1, 2_001));
    assert_eq!(rig.next_seqs(), [2_001], "live goes on from there");
    assert_eq!(rig.metrics.reads_back.load(Ordering::Relaxed), 1);
}

#[test]
fn the_hint_is_used_and_a_wrong_one_does_no_harm() {
    let mut rig = seen(&trades(1, 1..=2_000));
    let ch = rig.channel();
    for rx in [WALL - 95 * SECOND, WALL + SECOND, WALL - SECOND, 0, i64::MAX, i64::MIN] {
        rig.want_from(ch, Some(From { epoch: 1, seq: 100, rx: Some(rx) }));
        let seeds = rig.next_seeds();
        let seed = seeds.seeds[0].as_ref().unwrap();
        assert_eq!(told(seed), (places(1, 101..=2_000), Vec::new()), "rx {rx}");
    }
}

#[test]
fn many_who_come_back_at_once_share_one_reading() {
    let mut rig = seen(&trades(1, 1..=2_000));
    let ch = rig.channel();
    for seq in 0..50 {
        rig.want(ch, Some((1, 50 + seq)));
    }
    for _ in 0..50 {
        let seeds = rig.next_seeds();
        let seed = seeds.seeds[0].as_ref().unwrap();
        let from = seed.position.unwrap().seq;
        assert_eq!(told(seed), (places(1, from + 1..=2_000), Vec::new()));
    }
    assert!(rig.metrics.reads_back.load(Ordering::Relaxed) <= 50);
}

#[test]
fn the_remainder_of_an_older_epoch_comes_before_the_new_one() {
    let mut before = trades(1, 1..=500);
    before.extend(trades(2, 1..=800));
    // What the replaced owner still sent is nobody's.
    before.insert(900, (TRADE, trade(1, 501)));
    let mut rig = seen(&before);
    let ch = rig.channel();
    rig.want(ch, Some((1, 490)));
    let seeds = rig.next_seeds();
    let expected = [places(1, 491..=500), places(2, 1..=800)].concat();
    assert_eq!(told(seeds.seeds[0].as_ref().unwrap()), (expected, Vec::new()));
}

#[test]
fn beyond_retention_the_gap_is_exact_and_the_rest_follows() {
    // The bus has nothing before the 300th.
    let mut rig = seen(&trades(1, 301..=2_000));
    let ch = rig.channel();
    rig.want(ch, Some((1, 100)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert_eq!(told(seed), (places(1, 301..=2_000), vec![(1, 101, Some(300))]));
    assert_eq!((seed.resumed, seed.position), (false, Some(Position::new(1, 300))));
}

#[test]
fn beyond_retention_a_state_is_told_whole() {
    let name = "bbo:binance:BTC-USDT";
    let states: Vec<_> = (301..=2_000).map(|seq| (name, bbo(1, seq))).collect();
    let mut rig = seen(&states);
    let ch = rig.channel();
    rig.want(ch, Some((1, 100)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert_eq!(told(seed), (Vec::new(), vec![(1, 101, Some(2_000))]));
    assert!(matches!(seed.parts[1], Part::Snapshot(_)));
    // What is kept is resumed as trades are.
    rig.want(ch, Some((1, 310)));
    let seeds = rig.next_seeds();
    assert_eq!(told(seeds.seeds[0].as_ref().unwrap()).0, places(1, 311..=2_000));
}

#[test]
fn an_unreadable_record_in_the_past_is_a_gap_of_its_own() {
    let mut rig = Rig::with_ring(65_536, RING, |owner| {
        owner.age = 40 * SECOND;
        for seq in (1..=2_000).filter(|seq| *seq != 500) {
            if seq == 501 {
                owner.send_raw(RAW, TRADE, vec![0x08, 1, 0xff]);
            }
            owner.publish(TRADE, &trade(1, seq));
        }
    });
    rig.ready();
    let ch = rig.channel();
    rig.want(ch, Some((1, 400)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    let expected = [places(1, 401..=499), places(1, 501..=2_000)].concat();
    assert_eq!(told(seed), (expected, vec![(1, 500, Some(500))]));
    assert!(seed.resumed, "it begins where the client stood");
}

#[test]
fn a_position_nobody_ever_told_is_refused() {
    let epoch = (WALL - 30 * SECOND) as u64;
    let mut before = trades(5, 1..=400);
    before.extend(trades(epoch, 1..=900));
    let mut rig = seen(&before);
    let ch = rig.channel();
    let foreign = [
        // Beyond the end of an epoch that is known.
        (5, 401),
        // An epoch of the time between, of which the bus would know.
        ((WALL - 40 * SECOND) as u64, 7),
    ];
    for from in foreign {
        rig.want(ch, Some(from));
        let seeds = rig.next_seeds();
        assert_eq!(seeds.seeds[0].as_ref().unwrap_err(), &(ch, Code::PositionUnknown), "{from:?}");
    }
    // One from before everything that is kept may have been told: a gap.
    rig.want(ch, Some((3, 7)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert_eq!(told(seed).1, [(3, 8, None)]);
}

#[test]
fn the_tail_goes_on_while_the_past_is_read() {
    let mut rig = seen(&trades(1, 1..=2_000));
    let ch = rig.channel();
    let plain = rig.want(ch, None);
    assert_eq!(rig.next_seeds().token, plain);
    let deep = rig.want(ch, Some((1, 5)));
    let (mut next, mut joined) = (2_001, false);
    while !joined || next <= 4_000 {
        if next <= 4_000 {
            rig.publish(TRADE, &trade(1, next));
        }
        match rig.next() {
            ToShard::Batch(batch) => {
                for published in batch.groups.iter().flat_map(|group| &group.events) {
                    assert_eq!(published.event.position.seq, next);
                    next += 1;
                }
            }
            ToShard::Seeds(seeds) => {
                assert_eq!(seeds.token, deep);
                let seed = seeds.seeds[0].as_ref().unwrap();
                assert_eq!(told(seed), (places(1, 6..=next - 1), Vec::new()), "up to its place");
                joined = true;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_quiet_channel_is_found_among_others() {
    let other = "trade:binance:ETH-USDT";
    let mut before = trades(1, 1..=3);
    before.extend((1..=1_500).map(|seq| (other, trade(1, seq))));
    let mut rig = Rig::with_ring(65_536, RING, |owner| {
        for (at, (channel, event)) in before.iter().enumerate() {
            owner.age = (before.len() - at) as i64 * SECOND / 2;
            owner.publish(channel, event);
        }
        owner.age = SECOND;
        owner.state(TRADE, &event(1, 3, status(State::Live)));
    });
    rig.ready();
    let ch = loop {
        if let ToShard::Channel(info) = rig.next()
            && &*info.name == TRADE
        {
            break info.ch;
        }
    };
    rig.want(ch, Some((1, 1)));
    let seeds = loop {
        if let ToShard::Seeds(seeds) = rig.next() {
            break seeds;
        }
    };
    let expected = (places(1, 2..=3), Vec::new());
    assert_eq!(told(seeds.seeds[0].as_ref().unwrap()), expected, "12 minutes back");
    assert_eq!(TopicName::from_static(record::topic(Kind::Trade)), RAW);
}
