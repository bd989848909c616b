//! Channel number → members by frame kind, so the inner loop has no decisions.

use std::collections::HashMap;

use crate::kind::{FrameKind, KINDS};

/// Subscribed sessions (slab slots) of one channel.
#[derive(Debug, Default)]
pub(crate) struct Members {
    by_kind: [Vec<u32>; KINDS],
    count: usize,
}

/// Every channel this shard has members of.
#[derive(Debug, Default)]
pub(crate) struct Index {
    channels: HashMap<u32, Members, foldhash::fast::RandomState>,
}

impl Members {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The kinds that have members, with them.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (FrameKind, &[u32])> {
        let members = self.by_kind.iter().enumerate();
        members.filter(|(_, m)| !m.is_empty()).map(|(at, m)| (FrameKind::at(at), &m[..]))
    }
}

impl Index {
    /// Members of a channel.
    pub(crate) fn members(&self, ch: u32) -> Option<&Members> {
        self.channels.get(&ch)
    }

    /// Adds a session; returns its place among the members of its kind.
    pub(crate) fn join(&mut self, ch: u32, kind: FrameKind, session: usize) -> u32 {
        let members = self.channels.entry(ch).or_default();
        let list = &mut members.by_kind[kind.index()];
        list.push(session as u32);
        members.count += 1;
        (list.len() - 1) as u32
    }

    /// Removes the member at `place`; returns the session that took that place, if any.
    pub(crate) fn leave(&mut self, ch: u32, kind: FrameKind, place: u32) -> Option<usize> {
        let members = self.channels.get_mut(&ch)?;
        let list = &mut members.by_kind[kind.index()];
        if (place as usize) < list.len() {
            list.swap_remove(place as usize);
            members.count -= 1;
        }
        let moved = list.get(place as usize).map(|moved| *moved as usize);
        if members.is_empty() {
            self.channels.remove(&ch);
        }
        moved
    }
}
