//! Seeds: how one subscriber's channel begins, decided at one place in the stream.
//!
//! Without a position: the state (or nothing, for trades). With one: every missed event out of
//! the ring; or a gap with its exact range, then the state. A position this node has not reached
//! is waited for by the caller.

use fantail_model::{Micros, Position};
use fantail_wire::client::{From, Reply};

use crate::limits;
use crate::link::WantItem;
use crate::seed::{Part, Seed};
use crate::store::channel::{ChannelState, Value};

/// What to do with one wanted channel.
#[derive(Debug)]
pub(crate) enum Start {
    /// Begin like this.
    Seed(Seed),
    /// The position lies ahead of this node.
    Ahead,
}

/// Decides how a channel begins for one subscriber.
pub(crate) fn start(channel: &mut ChannelState, want: &WantItem, now: Micros) -> Start {
    let head = channel.position();
    if want.repeat {
        return Start::Seed(seed(channel, head, false, Vec::new()));
    }
    let Some(from) = want.from else {
        return Start::Seed(fresh(channel, want, now));
    };
    let from_position = Position::new(from.epoch, from.seq);
    match (head, channel.ring.floor()) {
        (Some(head), _) if from_position > head => Start::Ahead,
        (Some(_), Some(floor)) if from_position >= floor => {
            let parts = channel.ring.after(from_position).into_iter().map(Part::Group).collect();
            Start::Seed(seed(channel, Some(from_position), true, parts))
        }
        (Some(head), floor) => Start::Seed(outside(channel, &from, head, floor, now)),
        (None, _) => Start::Ahead,
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
    floor: Option<Position>,
    now: Micros,
) -> Seed {
    // Trades go on with what the ring still has; states are told as a whole, so everything up to
    // the head is missing.
    let floor = floor.unwrap_or(head);
    let stream = matches!(channel.value, Value::Stream);
    let reached = if stream { floor } else { head };
    let to =
        if from.epoch == reached.epoch { Some(reached.seq) } else { channel.ended(from.epoch) };
    let info = std::sync::Arc::clone(&channel.info);
    let gap = |epoch, from, to| Reply::Gap {
        channel: info.name.to_string(),
        ch: info.ch,
        epoch,
        from,
        to,
        reason: "retention".into(),
    };
    // An epoch that ended exactly at the client's position lost it nothing.
    let lost_nothing = to.is_some_and(|to| to <= from.seq);
    let mut parts = Vec::new();
    if !lost_nothing {
        parts.push(Part::Gap(gap(from.epoch, from.seq.saturating_add(1), to)));
    }
    if stream {
        for end in channel.ended_between(from.epoch, reached.epoch) {
            parts.push(Part::Gap(gap(end.epoch, 1, Some(end.seq))));
        }
        if from.epoch != reached.epoch && reached.seq > 0 {
            let (epoch, from) = (reached.epoch, 1);
            parts.push(Part::Gap(gap(epoch, from, Some(reached.seq))));
        }
        parts.extend(channel.ring.after(floor).into_iter().map(Part::Group));
        return seed(channel, Some(floor), false, parts);
    }
    parts.extend(channel.snapshots(now, false).into_iter().map(Part::Snapshot));
    seed(channel, Some(head), false, parts)
}
