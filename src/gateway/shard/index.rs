//! Channel number → members by frame kind, so the inner loop has no decisions.

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
    channels: Vec<Option<Box<Members>>>,
}

impl Members {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
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
        self.channels.get(ch as usize)?.as_deref()
    }

    /// Adds a session; returns its place among the members of its kind.
    pub(crate) fn join(&mut self, ch: u32, kind: FrameKind, session: usize) -> u32 {
        let at = ch as usize;
        if self.channels.len() <= at {
            self.channels.resize_with(at + 1, || None);
        }
        let members = self.channels[at].get_or_insert_default();
        let list = &mut members.by_kind[kind.index()];
        list.push(session as u32);
        members.count += 1;
        (list.len() - 1) as u32
    }

    /// Removes the member at `place`; returns the session that took that place, if any.
    pub(crate) fn leave(&mut self, ch: u32, kind: FrameKind, place: u32) -> Option<usize> {
        let members = self.channels.get_mut(ch as usize)?.as_deref_mut()?;
        let list = &mut members.by_kind[kind.index()];
        if (place as usize) < list.len() {
            list.swap_remove(place as usize);
            members.count -= 1;
        }
        list.get(place as usize).map(|moved| *moved as usize)
    }
}
