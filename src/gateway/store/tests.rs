//! The store against naive models: what a subscriber is given is everything it missed, once and
//! in order, or the exact word about what is missing.

mod books;
mod conflated;
mod resumes;

use std::sync::Arc;

use fantail_model::{Event, Micros, Position};
use fantail_wire::client::{From, Reply};

use super::channel::{ChannelState, Refused};
use super::resume::{Start, start};
use crate::group::{ChannelInfo, Group};
use crate::link::WantItem;
use crate::past::Past;
use crate::seed::{Part, Seed};

const NOW: Micros = Micros(1_800_000_000_000_000);

fn channel(name: &str) -> ChannelState {
    let channel = name.parse().unwrap();
    ChannelState::new(Arc::new(ChannelInfo { ch: 0, name: name.into(), channel }))
}

/// Applies events as one cycle does: those that are taken become one group of the ring.
fn cycle(channel: &mut ChannelState, events: Vec<Event>, ring_bytes: usize) -> Vec<Refused> {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for event in events {
        match channel.apply(event) {
            Ok((published, _)) => taken.push(published),
            Err(reason) => refused.push(reason),
        }
    }
    if !taken.is_empty() {
        let group = Arc::new(Group::new(Arc::clone(&channel.info), NOW, taken));
        channel.remember(group, ring_bytes);
    }
    refused
}

fn want(from: Option<(u64, u64)>, history: Option<u32>) -> WantItem {
    let from = from.map(|(epoch, seq)| From { epoch, seq, rx: None });
    WantItem { ch: 0, from, history, repeat: false, reset: false }
}

/// A start where nothing can be read back.
fn started(channel: &mut ChannelState, want: &WantItem) -> Start {
    let from = want
        .from
        .as_ref()
        .map_or_else(Position::default, |from| Position::new(from.epoch, from.seq));
    start(channel, want, Some(&Past::failed(from)), NOW)
}

fn seeded(channel: &mut ChannelState, want: &WantItem) -> Seed {
    match started(channel, want) {
        Start::Seed(seed) => seed,
        other => panic!("a seed was expected: {want:?}: {other:?}"),
    }
}

/// Events of a seed, in order.
fn events(seed: &Seed) -> Vec<Event> {
    let groups = seed.parts.iter().filter_map(Part::group);
    groups.flat_map(|group| group.events.iter().map(|p| p.event.clone())).collect()
}

/// Gaps of a seed: epoch, from, to.
fn gaps(seed: &Seed) -> Vec<(u64, u64, Option<u64>)> {
    let gap = |part: &Part| match part {
        Part::Gap(Reply::Gap { epoch, from, to, .. }) => Some((*epoch, *from, *to)),
        _ => None,
    };
    seed.parts.iter().filter_map(gap).collect()
}
