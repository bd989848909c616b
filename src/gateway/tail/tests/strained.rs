//! Resuming on a shard that is pressed: what it could not send in time is told as a gap, exactly, and
//! what it can is sent as ever.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fantail_model::Position;
use fantail_wire::client::Reply;

use super::{Rig, TRADE};
use crate::limits;
use crate::seed::{Part, Seed};
use crate::testing::{bbo, trade};

const BBO: &str = "bbo:binance:BTC-USDT";
/// Trades that are more than one write.
const MANY: u64 = 1_000;

/// The gaps of a seed with their reasons.
fn gaps(seed: &Seed) -> Vec<(u64, u64, Option<u64>, &str)> {
    let gap = |part| match part {
        &Part::Gap(Reply::Gap { epoch, from, to, ref reason, .. }) => {
            Some((epoch, from, to, &reason[..]))
        }
        _ => None,
    };
    seed.parts.iter().filter_map(gap).collect()
}

fn events(seed: &Seed) -> usize {
    seed.parts.iter().filter_map(Part::group).map(|group| group.events.len()).sum()
}

#[test]
fn a_shard_that_let_go_sends_no_backlog_until_it_may_again() {
    let (mut rig, ch) = Rig::with_trades(1_024, MANY);
    rig.strain.let_go(rig.clock.monotonic());
    rig.want(ch, Some((1, 10)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert_eq!(gaps(seed), [(1, 11, Some(MANY), "overload")]);
    assert_eq!((seed.resumed, seed.position), (false, Some(Position::new(1, MANY))));
    assert_eq!((events(seed), seeds.lent_bytes), (0, 0));
    rig.publish(TRADE, &trade(1, MANY + 1));
    assert_eq!(rig.next_seqs(), [MANY + 1], "live goes on from there");
    // A few events are one write, and are sent always.
    rig.want(ch, Some((1, MANY - 9)));
    let seeds = rig.next_seeds();
    assert_eq!(events(seeds.seeds[0].as_ref().unwrap()), 10);
    assert_eq!(rig.strain.owed_bytes(), seeds.lent_bytes as u64);
    rig.hand.advance(Duration::from_secs(10));
    rig.want(ch, Some((1, 10)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert_eq!((events(seed), gaps(seed)), (MANY as usize - 9, Vec::new()));
    assert!(seed.resumed);
    assert_eq!(rig.metrics.resumes_cut.load(Ordering::Relaxed), 1);
}

#[test]
fn backlogs_are_lent_until_they_would_be_too_late() {
    let (mut rig, ch) = Rig::with_trades(1_024, MANY);
    rig.want(ch, Some((1, 10)));
    let lent = rig.next_seeds().lent_bytes;
    assert!(lent > limits::REPLAY_BYTES_FREE);
    let room = 10 * limits::REPLAY_BYTES_PER_S - lent - lent / 2;
    assert!(rig.strain.lend(room, rig.clock.monotonic()));
    rig.want(ch, Some((1, 10)));
    assert_eq!(gaps(rig.next_seeds().seeds[0].as_ref().unwrap()).len(), 1);
    rig.strain.repay(lent);
    rig.want(ch, Some((1, 10)));
    let seeds = rig.next_seeds();
    assert_eq!(gaps(seeds.seeds[0].as_ref().unwrap()).len(), 0);
    assert_eq!(rig.strain.owed_bytes(), (room + lent) as u64);
}

#[test]
fn what_is_older_than_the_ring_is_not_read_back_for_a_shard_that_cannot_send_it() {
    let mut rig = Rig::with_ring(65_536, 1, |owner| {
        (1..=2_000).for_each(|seq| owner.publish(TRADE, &trade(1, seq)));
        (1..=2_000).for_each(|seq| owner.publish(TRADE, &trade(2, seq)));
        (1..=2_000).for_each(|seq| owner.publish(BBO, &bbo(1, seq)));
    });
    rig.ready();
    let (first, second) = (rig.channel(), rig.channel());
    let named = |rig: &Rig, name: &str| rig.position_of(name).is_some_and(|at| at.epoch == 2);
    assert!(named(&rig, TRADE) && !named(&rig, BBO));
    rig.strain.lags(Duration::from_secs(1));
    rig.want(first, Some((1, 100)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    let expected = [(1, 101, Some(2_000), "overload"), (2, 1, Some(2_000), "overload")];
    assert_eq!(gaps(seed), expected, "each epoch's missing part");
    assert_eq!((seed.position, events(seed)), (Some(Position::new(2, 2_000)), 0));
    rig.want(second, Some((1, 100)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert_eq!(gaps(seed), [(1, 101, Some(2_000), "overload")]);
    assert!(matches!(seed.parts[1], Part::Snapshot(_)), "a state is told whole");
    assert_eq!(rig.metrics.reads_back.load(Ordering::Relaxed), 0);
    // Who is not ahead of anything is told nothing, and what nobody told stays unknown.
    rig.want(first, Some((2, 2_000)));
    let seeds = rig.next_seeds();
    let seed = seeds.seeds[0].as_ref().unwrap();
    assert!(seed.resumed && seed.parts.is_empty());
}
