//! Seeds of derived channels: the state under the derived channel's name, or one merged message
//! over everything that was missed.
//!
//! A joiner in mid-window is seeded at the parent's head; the ordinary message at the window's end
//! fits it (`prev ≤ last < seq`), because book levels are absolute and trades carry their own seq.

use std::sync::Arc;

use fantail_model::{Body, Event, Micros, Position};
use fantail_wire::client::{From, Reply};

use crate::group::{Group, Published};
use crate::link::WantItem;
use crate::merge::merge;
use crate::past::Past;
use crate::seed::{Part, Seed};
use crate::store::channel::{ChannelState, Value};
use crate::store::derived::Derived;
use crate::store::resume::{Replay, Start, outside, replay, seed};

/// Decides how a derived channel begins: the state, or one merged message over what was missed.
/// `past` is what its parent said after the position, if that was read back.
pub(crate) fn start_derived(
    parent: &mut ChannelState,
    derived: &mut Derived,
    want: &WantItem,
    past: Option<&Past>,
    now: Micros,
) -> Start {
    let ch = derived.info.ch;
    let of_derived = |seed: Seed| Seed { ch, ..seed };
    let head = parent.position();
    if want.repeat {
        return Start::Seed(of_derived(seed(parent, head, false, Vec::new())));
    }
    let Some(from) = want.from else {
        let parts = derived_states(parent, derived, want.reset, now);
        return Start::Seed(of_derived(seed(parent, head, false, parts)));
    };
    let from_position = Position::new(from.epoch, from.seq);
    let Some(head) = head else { return Start::Ahead };
    let state_only = needs_state(parent, &from);
    match replay(parent, from_position, past) {
        Replay::Ahead => Start::Ahead,
        Replay::Foreign => Start::Foreign,
        // What it missed is not missing: this channel promises the latest state, and tells it.
        _ if state_only => {
            let parts = derived_states(parent, derived, true, now);
            Start::Seed(of_derived(seed(parent, Some(head), false, parts)))
        }
        Replay::Older => Start::Older,
        Replay::Whole(missed) => {
            let merged = (!missed.is_empty())
                .then(|| missed_as_one(parent, derived, &missed, from_position, now));
            let parts = merged.into_iter().map(Part::Group).collect();
            Start::Seed(of_derived(seed(parent, Some(from_position), true, parts)))
        }
        Replay::Broken => Start::Seed(missing(parent, derived, &from, head, past, now)),
    }
}

/// One message cannot continue a chain of states over two epochs: the state replaces it.
pub(super) fn needs_state(parent: &ChannelState, from: &From) -> bool {
    let head = parent.position();
    !matches!(parent.value, Value::Stream) && head.is_some_and(|head| from.epoch < head.epoch)
}

/// The gap under the derived channel's name, then what there is.
fn missing(
    parent: &mut ChannelState,
    derived: &mut Derived,
    from: &From,
    head: Position,
    past: Option<&Past>,
    now: Micros,
) -> Seed {
    let outside = outside(parent, from, head, past, now);
    let mut parts: Vec<Part> = outside.parts;
    let info = Arc::clone(&derived.info);
    // Of trades there is a rest: it follows the gaps, as one message.
    let rest: Vec<Arc<Group>> = match parent.value {
        Value::Stream => parts.iter().filter_map(Part::group).cloned().collect(),
        _ => Vec::new(),
    };
    parts.retain(|part| matches!(part, Part::Gap(_)));
    for part in &mut parts {
        if let Part::Gap(Reply::Gap { channel, ch, .. }) = part {
            (*channel, *ch) = (info.name.to_string(), info.ch);
        }
    }
    let from_position = Position::new(from.epoch, from.seq);
    if !rest.is_empty() {
        let one = missed_as_one(parent, derived, &rest, from_position, now);
        parts.push(Part::Group(one));
        return Seed { ch: info.ch, ..seed(parent, outside.position, false, parts) };
    }
    parts.extend(derived_states(parent, derived, false, now));
    Seed { ch: info.ch, ..seed(parent, Some(head), false, parts) }
}

/// The state under the derived channel's name, shared until the parent's next event.
fn derived_states(
    parent: &ChannelState,
    derived: &mut Derived,
    reset: bool,
    now: Micros,
) -> Vec<Part> {
    let shared = derived.snapshots.as_ref().filter(|(at, _)| !reset && *at == parent.position());
    let snapshots = match shared {
        Some((_, snapshots)) => snapshots.clone(),
        None => {
            let view = match &parent.value {
                Value::Book { book, in_sync: true } => {
                    let crc = derived.checksum(parent).unwrap_or(0);
                    Some((derived.levels(book), crc))
                }
                _ => None,
            };
            let made = parent.states(&derived.info, view, now, reset);
            if !reset {
                derived.snapshots = Some((parent.position(), made.clone()));
            }
            made
        }
    };
    snapshots.into_iter().map(Part::Snapshot).collect()
}

/// Everything the subscriber missed, as one message that continues its position.
fn missed_as_one(
    parent: &ChannelState,
    derived: &Derived,
    missed: &[Arc<Group>],
    from: Position,
    now: Micros,
) -> Arc<Group> {
    let info = Arc::clone(&derived.info);
    let stream = matches!(parent.value, Value::Stream);
    if stream {
        let events = missed.iter().flat_map(|group| group.events.iter().cloned()).collect();
        return Arc::new(Group::merged(info, now, events, true));
    }
    let mut events = merge(missed).map_or_else(Vec::new, |m| m.events.clone());
    // Only a book's message is rewritten; of everything else the last value must stay where it is.
    if let Value::Book { book, in_sync: true } = &parent.value
        && let Some(last) = events.pop()
    {
        // A top-n view at the old position is not known, so it is told whole; a full book's
        // merged change is exact as it is.
        let whole = derived.info.channel.depth().is_some();
        let n = events.iter().chain([&last]).map(|p| p.n.unwrap_or(1)).sum();
        let mut event = Event { prev: from.seq, ..last.event };
        if whole {
            event.reset = true;
            event.body = Body::Book(derived.levels(book));
            events.clear();
        } else if let Some(before) = events.last() {
            event.prev = before.event.position.seq;
        }
        events.push(Published { event, crc: derived.checksum(parent), n: Some(n) });
    }
    Arc::new(Group::merged(info, now, events, false))
}
