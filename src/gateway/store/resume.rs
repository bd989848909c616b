//! Seeds: how one subscriber's channel begins, decided at one place in the stream.
//!
//! Without a position: the state (or nothing, for trades). With one: every missed event out of
//! the ring and, before it, out of what was read back from the bus; or a gap with its exact range,
//! then the state. A resume that is cut ([`Past::cut`]) is told everything up to the head as a gap.
//! Reading back, and waiting for a position this node has not reached, is the
//! caller's.

use std::sync::Arc;

use fantail_model::{Micros, Position};
use fantail_wire::client::{From, Reply};

use crate::group::Group;
use crate::limits;
use crate::link::WantItem;
use crate::past::{Past, Piece, Verdict};
use crate::seed::{Part, Seed};
use crate::store::channel::{ChannelState, Value};

/// Why a gap is told: nothing that is kept reaches so far back.
const RETENTION: &str = "retention";
/// The same: what is kept could not be read in time.
const UNAVAILABLE: &str = "bus_unavailable";
/// The same: the node could not send what was missed before it would be too late for the rest.
const OVERLOAD: &str = "overload";

/// What to do with one wanted channel.
#[derive(Debug)]
pub(crate) enum Start {
    /// Begin like this.
    Seed(Seed),
    /// The position lies ahead of this node.
    Ahead,
    /// The position lies before the ring: what came after it has to be read back first.
    Older,
    /// Nobody ever told this position.
    Foreign,
}

/// What can be replayed after a position.
pub(super) enum Replay {
    /// Every event after it.
    Whole(Vec<Arc<Group>>),
    /// Something is missing for good.
    Broken,
    Ahead,
    Older,
    Foreign,
}

/// Decides how a channel begins for one subscriber. `past` is what was read back for its
/// position, if it was.
pub(crate) fn start(
    channel: &mut ChannelState,
    want: &WantItem,
    past: Option<&Past>,
    now: Micros,
) -> Start {
    let head = channel.position();
    if want.repeat {
        return Start::Seed(seed(channel, head, false, Vec::new()));
    }
    let Some(from) = want.from else {
        return Start::Seed(fresh(channel, want, now));
    };
    let from_position = Position::new(from.epoch, from.seq);
    match (replay(channel, from_position, past), head) {
        (Replay::Ahead, _) | (_, None) => Start::Ahead,
        (Replay::Older, _) => Start::Older,
        (Replay::Foreign, _) => Start::Foreign,
        (Replay::Whole(groups), _) => {
            let parts = groups.into_iter().map(Part::Group).collect();
            Start::Seed(seed(channel, Some(from_position), true, parts))
        }
        (Replay::Broken, Some(head)) => Start::Seed(outside(channel, &from, head, past, now)),
    }
}

/// Finds everything after a position, in the ring and in what was read back.
pub(super) fn replay(channel: &ChannelState, from: Position, past: Option<&Past>) -> Replay {
    let Some(head) = channel.position() else { return Replay::Ahead };
    if from > head {
        return Replay::Ahead;
    }
    if is_foreign(channel, from, head) {
        return Replay::Foreign;
    }
    if past.is_some_and(|past| past.verdict == Verdict::Cut) {
        return Replay::Broken;
    }
    let floor = channel.ring.floor().unwrap_or(head);
    if from >= floor {
        return Replay::Whole(channel.ring.after(from));
    }
    match past {
        None => Replay::Older,
        Some(past) if past.verdict == Verdict::Foreign => Replay::Foreign,
        Some(past) if past.verdict == Verdict::Failed => Replay::Broken,
        // The ring has moved on meanwhile.
        Some(past) if !past.covers(from, floor) => Replay::Older,
        Some(past) => {
            let event_group = |piece| match piece {
                Piece::Events(group) => Some(group),
                Piece::Hole { .. } => None,
            };
            let groups: Option<Vec<_>> =
                past.between(from, floor).into_iter().map(event_group).collect();
            match groups {
                Some(groups) => {
                    Replay::Whole(groups.into_iter().chain(channel.ring.after(floor)).collect())
                }
                None => Replay::Broken,
            }
        }
    }
}

/// Whether a position at or before the head cannot have been told by anybody: it lies beyond the
/// end of its epoch, or in an epoch that would be in the ring and is not.
fn is_foreign(channel: &ChannelState, from: Position, head: Position) -> bool {
    if from.epoch == head.epoch {
        return false;
    }
    match (channel.ended(from.epoch), channel.ring.floor()) {
        (Some(end), _) => from.seq > end,
        (None, Some(floor)) if from > floor && from.epoch != floor.epoch => {
            !channel.ring.knows_epoch(from.epoch)
        }
        _ => false,
    }
}

pub(super) fn seed(
    channel: &ChannelState,
    position: Option<Position>,
    resumed: bool,
    parts: Vec<Part>,
) -> Seed {
    Seed { ch: channel.info.ch, position, resumed, parts }
}

/// A start without a position: the state, or up to `history` past events.
fn fresh(channel: &mut ChannelState, want: &WantItem, now: Micros) -> Seed {
    let head = channel.position();
    match (want.history.filter(|n| *n > 0), head) {
        (Some(count), Some(head)) if !matches!(channel.value, Value::Book { .. }) => {
            let count = count.min(limits::HISTORY_MAX) as usize;
            let newest = channel.ring.newest(count);
            let start = newest.first().map_or(head, |published| {
                Position::new(published.event.position.epoch, published.event.prev)
            });
            let parts = channel.ring.after(start).into_iter().map(Part::Group).collect();
            seed(channel, Some(start), false, parts)
        }
        _ => {
            let parts =
                channel.snapshots(now, want.reset).into_iter().map(Part::Snapshot).collect();
            seed(channel, head, false, parts)
        }
    }
}

/// A start whose position has left the ring: what is missing is told.
pub(super) fn outside(
    channel: &mut ChannelState,
    from: &From,
    head: Position,
    past: Option<&Past>,
    now: Micros,
) -> Seed {
    // Trades go on with what is still there; states are told as a whole, so everything up to the
    // head is missing.
    let floor = channel.ring.floor().unwrap_or(head);
    let (floor, reason) = match past.map(|past| past.verdict) {
        Some(Verdict::Cut) => (head, OVERLOAD),
        Some(Verdict::Failed) => (floor, UNAVAILABLE),
        _ => (floor, RETENTION),
    };
    let from_position = Position::new(from.epoch, from.seq);
    if !matches!(channel.value, Value::Stream) {
        let mut parts: Vec<Part> = before(channel, from, head, reason).collect();
        parts.extend(channel.snapshots(now, false).into_iter().map(Part::Snapshot));
        return seed(channel, Some(head), false, parts);
    }
    let rest = channel.ring.after(floor).into_iter().map(Part::Group);
    let Some(past) = past.filter(|past| past.covers(from_position, floor)) else {
        let mut parts: Vec<Part> = before(channel, from, floor, reason).collect();
        for end in channel.ended_between(from.epoch, floor.epoch) {
            parts.push(gap(channel, (end.epoch, 1, Some(end.seq)), reason));
        }
        if from.epoch != floor.epoch && floor.seq > 0 {
            parts.push(gap(channel, (floor.epoch, 1, Some(floor.seq)), reason));
        }
        parts.extend(rest);
        return seed(channel, Some(floor), false, parts);
    };
    let mut parts: Vec<Part> = past
        .between(from_position, floor)
        .into_iter()
        .map(|piece| match piece {
            Piece::Events(group) => Part::Group(group),
            Piece::Hole { epoch, from, to } => gap(channel, (epoch, from, to), reason),
        })
        .collect();
    parts.extend(rest);
    let begins_missing = matches!(parts.first(), Some(Part::Gap(_)));
    let first_group = parts.iter().find_map(Part::group);
    let position = match begins_missing {
        true => first_group.map_or(floor, |group| group.before()),
        false => from_position,
    };
    seed(channel, Some(position), !begins_missing, parts)
}

/// The gap from a position to the end of its epoch or to `reached`; none if nothing was lost.
fn before(
    channel: &ChannelState,
    from: &From,
    reached: Position,
    reason: &str,
) -> impl Iterator<Item = Part> + use<> {
    let to =
        if from.epoch == reached.epoch { Some(reached.seq) } else { channel.ended(from.epoch) };
    // An epoch that ended exactly at the client's position lost it nothing.
    let lost_nothing = to.is_some_and(|to| to <= from.seq);
    let first = from.seq.saturating_add(1);
    (!lost_nothing).then(|| gap(channel, (from.epoch, first, to), reason)).into_iter()
}

/// What is missing of an epoch: from where, and to where if that is known.
fn gap(channel: &ChannelState, missing: (u64, u64, Option<u64>), reason: &str) -> Part {
    let (channel, ch, (epoch, from, to)) =
        (channel.info.name.to_string(), channel.info.ch, missing);
    Part::Gap(Reply::Gap { channel, ch, epoch, from, to, reason: reason.into() })
}
