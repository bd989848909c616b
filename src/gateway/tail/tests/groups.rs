//! A venue whose symbols are shared out: who falls silent is told of its own symbols only.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fantail_bus::stable_partition;
use fantail_model::State;

use super::Rig;
use crate::limits;
use crate::link::ToShard;
use crate::query::{Answer, Query};
use crate::testing::trade;

const GROUPS: u32 = 3;
/// What the venue says as a whole.
const VENUE_STATUS: &str = "status:binance";

/// A channel of each group.
fn channels() -> Vec<String> {
    let name = |group| {
        let symbols = (0..).map(|n| format!("S{n}-USDT"));
        let mut ours = symbols.filter(|s| stable_partition(s.as_bytes(), GROUPS) == group);
        format!("trade:binance:{}", ours.next().unwrap())
    };
    (0..GROUPS).map(name).collect()
}

fn states(rig: &Rig, names: &[String]) -> Vec<State> {
    let state =
        |name: &String| match rig.ask(Query::Recent { channel: name.parse().unwrap(), limit: 1 }) {
            Answer::Recent { meta, .. } => meta.state,
            other => panic!("{other:?}"),
        };
    names.iter().map(state).collect()
}

/// Where what they say ends is asked first.
fn until_all_are_live(rig: &Rig, names: &[String]) {
    while states(rig, names) != [State::Live; GROUPS as usize] {}
}

impl Rig {
    /// Heartbeats of these groups, taken before it returns.
    fn beats(&mut self, groups: &[u32], of: u32, epoch: u64) {
        let wanted = self.metrics.records.load(Ordering::Relaxed) + groups.len() as u64;
        for group in groups {
            self.owner.heartbeat(*group, of, epoch);
        }
        self.counted(|figures| &figures.records, wanted);
    }

    /// Time goes on, for owners as well.
    fn pass(&mut self, by: Duration) {
        self.hand.advance(by);
        self.owner.age -= by.as_micros() as i64;
    }

    /// The next channels told stale.
    fn next_stale(&mut self) -> Vec<u32> {
        loop {
            if let ToShard::Stale { channels, .. } = self.next() {
                return channels.to_vec();
            }
        }
    }
}

fn rig(names: &[String]) -> (Rig, Vec<u32>) {
    let mut rig = Rig::new(65_536);
    let mut numbers = Vec::new();
    for name in names.iter().map(String::as_str).chain([VENUE_STATUS]) {
        rig.publish(name, &trade(1, 1));
        numbers.push(rig.channel());
    }
    (rig, numbers)
}

#[test]
fn only_the_symbols_of_the_silent_group_are_told() {
    let names = channels();
    let (mut rig, numbers) = rig(&names);
    rig.beats(&[0, 1, 2], GROUPS, 5);
    rig.pass(limits::OWNER_SILENCE - limits::TICK);
    rig.beats(&[0, 2], GROUPS, 5);
    rig.pass(limits::TICK);
    assert_eq!(rig.next_stale(), [numbers[1]], "not the others', and not the venue's own");
    rig.counted(|figures| &figures.owners_silent, 1);
    assert_eq!(states(&rig, &names), [State::Live, State::Stale, State::Live]);
    // Another owner speaks for the group again.
    rig.beats(&[1], GROUPS, 6);
    until_all_are_live(&rig, &names);
    rig.pass(limits::TICK);
    rig.counted(|figures| &figures.owners_silent, 0);
    // The first group's unit speaks for the venue as a whole.
    rig.pass(limits::OWNER_SILENCE - limits::TICK * 2);
    rig.beats(&[1, 2], GROUPS, 6);
    rig.pass(limits::TICK);
    assert_eq!(rig.next_stale(), [numbers[0], numbers[3]]);
    rig.counted(|figures| &figures.owners_silent, 1);
}

#[test]
fn a_group_nobody_ever_spoke_for_is_told_as_well() {
    let names = channels();
    let (mut rig, numbers) = rig(&names);
    rig.beats(&[0, 1], GROUPS, 5);
    rig.pass(limits::OWNER_SILENCE - limits::TICK);
    rig.beats(&[0, 1], GROUPS, 5);
    rig.pass(limits::TICK);
    assert_eq!(rig.next_stale(), [numbers[2]]);
}

#[test]
fn a_venue_divided_anew_is_judged_by_its_newest_owners() {
    let names = channels();
    let (mut rig, mut numbers) = rig(&names);
    rig.beats(&[0, 1, 2], GROUPS, 5);
    rig.pass(limits::OWNER_SILENCE);
    numbers.sort_unstable();
    let mut told: Vec<u32> = (0..GROUPS).flat_map(|_| rig.next_stale()).collect();
    told.sort_unstable();
    assert_eq!(told, numbers);
    // Not divided any more: one sign of life is everybody's. What an old owner still says is not.
    rig.beats(&[0], 0, 9);
    until_all_are_live(&rig, &names);
    rig.beats(&[1], GROUPS, 5);
    rig.pass(limits::OWNER_SILENCE);
    assert_eq!(rig.next_stale().len(), numbers.len());
    assert_eq!(states(&rig, &names), [State::Stale; 3]);
}

#[test]
fn a_sign_of_life_that_makes_no_sense_changes_nothing() {
    let names = channels();
    let (mut rig, _) = rig(&names);
    rig.beats(&[0, 1, 2], GROUPS, 5);
    for (group, groups) in [(3, GROUPS), (0, u32::MAX)] {
        rig.owner.heartbeat(group, groups, 99);
    }
    rig.counted(|figures| &figures.poison, 2);
    rig.pass(limits::OWNER_SILENCE - limits::TICK);
    rig.beats(&[0, 1], GROUPS, 5);
    rig.pass(limits::TICK);
    rig.next_stale();
    assert_eq!(states(&rig, &names), [State::Live, State::Live, State::Stale]);
}

#[test]
fn an_older_writer_that_names_no_number_of_groups_speaks_for_its_venue() {
    let names = channels();
    let (mut rig, numbers) = rig(&names);
    rig.beats(&[1], 0, 5);
    rig.pass(limits::OWNER_SILENCE - limits::TICK);
    rig.beats(&[2], 0, 6);
    rig.pass(limits::TICK);
    assert_eq!(states(&rig, &names), [State::Live; 3]);
    rig.pass(limits::OWNER_SILENCE);
    assert_eq!(rig.next_stale().len(), numbers.len());
}
