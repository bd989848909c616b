//! A channel's recovery ring: its latest groups, for resumes out of memory.
//!
//! Groups are immutable and shared; the ring only decides how long they are kept and whether a
//! position lies inside. It never invents: what was evicted is a gap the caller tells.

use std::collections::VecDeque;
use std::sync::Arc;

use fantail_model::Position;

use crate::group::{Group, Published};

/// The latest groups of one channel.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    groups: VecDeque<(Arc<Group>, usize)>,
    bytes: usize,
    /// The place before the oldest kept event; `None` while nothing was ever pushed.
    floor: Option<Position>,
}

impl Ring {
    /// Appends a group and evicts old ones until at most `bytes_max` estimated bytes are kept
    /// (one group always stays).
    pub(crate) fn push(&mut self, group: Arc<Group>, weight: usize, bytes_max: usize) {
        self.floor.get_or_insert_with(|| group.before());
        self.bytes += weight;
        self.groups.push_back((group, weight));
        while self.bytes > bytes_max && self.groups.len() > 1 {
            if let Some((evicted, weight)) = self.groups.pop_front() {
                self.bytes -= weight;
                self.floor = Some(evicted.last());
            }
        }
    }

    /// Forgets everything: what can be replayed begins after `floor`.
    pub(crate) fn restart(&mut self, floor: Position) {
        self.groups.clear();
        (self.bytes, self.floor) = (0, Some(floor));
    }

    /// The place before the oldest event that can still be replayed.
    pub(crate) fn floor(&self) -> Option<Position> {
        self.floor
    }

    /// Whether anything of this epoch is kept.
    pub(crate) fn knows_epoch(&self, epoch: u64) -> bool {
        let of_it = |p: &Published| p.event.position.epoch == epoch;
        self.groups.iter().any(|(group, _)| group.events.iter().any(of_it))
    }

    /// Estimated bytes kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Every kept event after `position`, in order. A group the position falls into is cut.
    pub(crate) fn after(&self, position: Position) -> Vec<Arc<Group>> {
        let start = self.groups.partition_point(|(group, _)| group.last() <= position);
        let mut groups = Vec::with_capacity(self.groups.len() - start);
        for (group, _) in self.groups.range(start..) {
            let within = |p: &Published| p.event.position <= position;
            if group.events.first().is_some_and(within) {
                let rest = group.events.iter().filter(|p| !within(p)).cloned().collect();
                groups.push(Arc::new(Group::new(group.info.clone(), group.tx, rest)));
            } else {
                groups.push(Arc::clone(group));
            }
        }
        groups
    }

    /// The newest kept events, at most `limit`, oldest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<&Published> {
        let newest_first =
            self.groups.iter().rev().flat_map(|(group, _)| group.events.iter().rev());
        let mut events: Vec<_> = newest_first.take(limit).collect();
        events.reverse();
        events
    }
}
