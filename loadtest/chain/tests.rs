//! Planted mistakes are found, and told apart.

use super::*;

fn event(prev: u64, seq: u64) -> Place {
    Place { epoch: None, seq, prev, reset: false, snapshot: false, rx: 0 }
}

fn state(epoch: u64, seq: u64) -> Place {
    Place { epoch: Some(epoch), seq, prev: seq, reset: false, snapshot: true, rx: 0 }
}

fn reset(epoch: u64, seq: u64) -> Place {
    Place { epoch: Some(epoch), seq, prev: seq - 1, reset: true, snapshot: false, rx: 0 }
}

#[track_caller]
fn check(places: &[Place], expected: Losses) {
    let (mut chains, mut holes, mut losses) =
        (Chains::default(), Holes::default(), Losses::default());
    for place in places {
        chains.take((1, 7), *place, &mut holes, &mut losses);
    }
    assert_eq!(losses, expected);
}

#[test]
fn an_unbroken_chain_is_clean() {
    check(&[event(9, 10), event(10, 11), event(11, 12)], Losses::default());
    // Conflated: a message may cover what its receiver has already.
    check(&[state(1, 15), event(10, 20), event(20, 24)], Losses::default());
    check(&[state(1, 4), state(1, 4), reset(1, 5), reset(2, 1), event(1, 2)], Losses::default());
}

#[test]
fn a_loss_is_found_and_sized() {
    let expected = Losses { holes: 1, lost: 3, ..Losses::default() };
    check(&[event(9, 10), event(13, 14), event(14, 15)], expected);
}

#[test]
fn a_repeated_message_is_a_duplicate() {
    let expected = Losses { duplicates: 2, ..Losses::default() };
    check(&[event(9, 10), event(10, 11), event(10, 11), event(9, 10)], expected);
}

#[test]
fn a_late_message_is_a_reorder_and_no_loss() {
    let expected = Losses { holes: 1, reordered: 1, ..Losses::default() };
    check(&[event(9, 10), event(11, 12), event(10, 11), event(12, 13)], expected);
    // The second time it is late it is there already.
    let expected = Losses { duplicates: 1, ..expected };
    check(&[event(9, 10), event(11, 12), event(10, 11), event(10, 11)], expected);
}

#[test]
fn going_back_is_found() {
    let expected = Losses { reordered: 1, ..Losses::default() };
    check(&[state(1, 10), state(1, 9)], expected);
    check(&[state(2, 1), state(1, 900)], expected);
    check(&[state(1, 10), reset(1, 10)], expected);
}

#[test]
fn a_told_gap_is_counted_and_continued() {
    let (mut chains, mut holes, mut losses) =
        (Chains::default(), Holes::default(), Losses::default());
    chains.acknowledged(7, Some(3), Some(10));
    chains.take((1, 7), event(10, 11), &mut holes, &mut losses);
    chains.told(7, 3, Some(19), &mut losses);
    chains.take((1, 7), event(19, 20), &mut holes, &mut losses);
    assert_eq!(losses, Losses { gaps: 1, ..Losses::default() });
    chains.told(7, 3, None, &mut losses);
    chains.take((1, 7), event(90, 91), &mut holes, &mut losses);
    assert_eq!(losses, Losses { gaps: 2, ..Losses::default() });
}

#[test]
fn the_acknowledgement_is_the_chains_start() {
    let (mut chains, mut holes, mut losses) =
        (Chains::default(), Holes::default(), Losses::default());
    chains.acknowledged(7, Some(3), Some(10));
    chains.take((1, 7), event(12, 13), &mut holes, &mut losses);
    assert_eq!(losses, Losses { holes: 1, lost: 2, ..Losses::default() });
    // Acknowledged again after a reconnection: the chain keeps its own place.
    chains.acknowledged(7, Some(3), Some(50));
    assert_eq!(chains.links()[0].last, Some(13));
}

#[test]
fn channels_and_sockets_do_not_mix() {
    let (mut first, mut second) = (Chains::default(), Chains::default());
    let (mut holes, mut losses) = (Holes::default(), Losses::default());
    for seq in 2..50 {
        for channel in [3, 1, 2] {
            let place = event(seq * u64::from(channel) - 1, seq * u64::from(channel));
            first.take((1, channel), place, &mut holes, &mut losses);
        }
        second.take((2, 1), event(seq - 1, seq), &mut holes, &mut losses);
    }
    // Channels 2 and 3 skip one and two of each.
    assert_eq!(losses, Losses { holes: 94, lost: 47 + 94, ..Losses::default() });
}

#[test]
fn names_have_one_number() {
    let mut names = Names::default();
    let trade = names.number(b"trade:x:A-B");
    assert_eq!(names.announce(64, "trade:x:A-B"), trade);
    assert_eq!(names.of("", 64), Some(trade));
    assert_eq!(names.of("", 65), None);
    assert_ne!(names.of("book:x:A-B", 0), Some(trade));
    assert_eq!(names.name(trade), "trade:x:A-B");
}
