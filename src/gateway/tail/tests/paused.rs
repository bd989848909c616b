//! A node that stood still for a while (D03): what lay in its buffers is history, and is not told
//! as the present.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fantail_model::State;
use fantail_wire::client::Reply;

use super::{RAW, Rig, TRADE};
use crate::limits;
use crate::link::ToShard;
use crate::query::{Answer, Query};
use crate::seed::{Part, Seeds};
use crate::testing::trade;

/// How long the process is stopped.
const STOPPED: Duration = Duration::from_secs(30);

fn state(rig: &Rig) -> State {
    match rig.ask(Query::Recent { channel: TRADE.parse().unwrap(), limit: 1 }) {
        Answer::Recent { meta, .. } => meta.state,
        other => panic!("{other:?}"),
    }
}

fn is_told_stale(seeds: &Seeds) -> bool {
    let parts = &seeds.seeds[0].as_ref().unwrap().parts;
    parts.iter().any(|part| matches!(part, Part::Notice(Reply::Stale { .. })))
}

/// A rig whose shard wants the trades, with one taken and its owner heard.
fn watched() -> (Rig, u32) {
    let (mut rig, ch) = Rig::with_trades(1_024, 1);
    rig.heartbeat();
    // Requests are taken after records: when it is answered, the heartbeat was heard.
    rig.want(ch, None);
    rig.next_seeds();
    (rig, ch)
}

/// The same after its process stood still, while both clocks and the market went on.
fn woken() -> (Rig, u32) {
    let (mut rig, ch) = watched();
    rig.hand.advance(STOPPED);
    match rig.next() {
        ToShard::Stale { reason, .. } => assert_eq!(reason, "ingest_silent"),
        other => panic!("{other:?}"),
    }
    (rig, ch)
}

#[test]
fn d03_a_node_that_was_stopped_tells_stale_until_it_has_caught_up() {
    let (mut rig, ch) = woken();
    // What its client library had fetched before: in order, but no sign that the owner lives now.
    rig.publish(TRADE, &trade(1, 2));
    rig.heartbeat();
    assert_eq!(rig.next_seqs(), [2]);
    assert_eq!(state(&rig), State::Stale, "an old heartbeat is none");
    // Who comes in this state is told so.
    rig.want(ch, None);
    let seeds = rig.next_seeds();
    assert!(is_told_stale(&seeds), "a newcomer is told");
    // Then the present: everything in order, and live again with the owner's next word.
    rig.owner.age = -(STOPPED.as_micros() as i64);
    for seq in 3..=6 {
        rig.publish(TRADE, &trade(1, seq));
    }
    rig.heartbeat();
    let mut seqs = Vec::new();
    while seqs.len() < 4 {
        seqs.extend(rig.next_seqs());
    }
    assert_eq!(seqs, [3, 4, 5, 6]);
    while state(&rig) == State::Stale {}
}

#[test]
fn d03_a_sign_of_life_read_before_what_its_owner_said_is_no_present() {
    let (mut rig, ch) = woken();
    rig.owner.age = -(STOPPED.as_micros() as i64);
    // The partition of the signs is read first; the other one has more.
    rig.faults.hold(RAW);
    rig.publish(TRADE, &trade(1, 2));
    let asked = rig.doubts.asked();
    rig.heartbeat();
    // Its end is asked for, told, and not reached.
    while rig.doubts.asked() == asked {
        rig.position();
    }
    rig.position();
    assert_eq!(state(&rig), State::Stale);
    rig.want(ch, None);
    assert!(is_told_stale(&rig.next_seeds()), "a newcomer is told");
    rig.faults.release();
    assert_eq!(rig.next_seqs(), [2]);
    while state(&rig) == State::Stale {}
}

#[test]
fn d03_a_quiet_channel_is_live_again_with_its_owners_next_word() {
    let (mut rig, _) = woken();
    rig.owner.age = -(STOPPED.as_micros() as i64);
    // Where it ends is not told at first.
    rig.doubts.away(true);
    rig.heartbeat();
    while rig.metrics.bus_errors.load(Ordering::Relaxed) == 0 {
        rig.position();
    }
    assert_eq!(state(&rig), State::Stale, "nothing more may be there, or much");
    rig.doubts.away(false);
    rig.hand.advance(limits::LOAD_RETRY);
    while state(&rig) == State::Stale {}
}

#[test]
fn d03_a_short_pause_is_only_lag() {
    let (mut rig, _) = watched();
    rig.hand.advance(limits::OWNER_SILENCE / 2);
    rig.publish(TRADE, &trade(1, 2));
    assert_eq!(rig.next_seqs(), [2], "nothing else is told");
    assert_ne!(state(&rig), State::Stale);
}
