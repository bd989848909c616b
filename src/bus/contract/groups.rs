//! Promises of groups: every partition is somebody's and nobody's twice, and who leaves is
//! replaced.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Make, TOPIC, topic};
use crate::{Bus, Held, Membership};

const PARTITIONS: u32 = 4;
const GROUP: &str = "contract.group";
/// One look at a member, and how many are borne.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_MAX: usize = 600;

fn join(bus: &dyn Bus) -> Box<dyn Membership> {
    bus.membership(GROUP, &TOPIC).expect("a member joins")
}

/// Lets all take part until what they hold is as wanted.
fn until(
    what: &str,
    members: &mut [&mut Box<dyn Membership>],
    wanted: impl Fn(&[BTreeSet<u32>]) -> bool,
) {
    for _ in 0..LOOKS_MAX {
        let polled = members.iter_mut().map(|member| member.poll(LOOK).expect("a group"));
        let held: Vec<Held> = polled.collect();
        let is_sure = held.iter().all(|held| held.is_sure);
        let partitions: Vec<_> = held.into_iter().map(|held| held.partitions).collect();
        if is_sure && wanted(&partitions) {
            return;
        }
    }
    panic!("{what} did not happen");
}

/// Work is shared, moves to who is left, and is held by one at a time.
pub(super) fn a_group_shares_out(make: &Make<'_>) {
    let bus = make(topic(PARTITIONS));
    let everything: BTreeSet<u32> = (0..PARTITIONS).collect();
    let mut first = join(bus.as_ref());
    until("one member holds all", &mut [&mut first], |held| held[0] == everything);
    let mut second = join(bus.as_ref());
    until("two members hold half each", &mut [&mut first, &mut second], |held| {
        let union: BTreeSet<u32> = held[0].union(&held[1]).copied().collect();
        held[0].is_disjoint(&held[1]) && union == everything && held[0].len() == held[1].len()
    });
    drop(first);
    until("who is left holds all", &mut [&mut second], |held| held[0] == everything);
}
