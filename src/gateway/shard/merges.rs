//! What was merged for one session that is behind serves all who fell behind at the same place.
//!
//! A crowd falls behind together, in one flush, and is caught up in one turn: merging, and making the
//! frame, is then done once and not a thousand times. Kept only while the log stands where it stood.

use std::collections::HashMap;
use std::sync::Arc;

use crate::group::Group;
use crate::limits;
use crate::merge::merge;

/// Merged groups by channel and by number of the first batch in them.
#[derive(Debug, Default)]
pub(super) struct Merges {
    /// Where the log stood.
    next: u64,
    made: HashMap<(u32, u64), Arc<Group>, foldhash::fast::RandomState>,
}

impl Merges {
    /// The groups of one channel from batch number `first` up to the log's `next`, as one.
    pub(super) fn merged(
        &mut self,
        groups: &[Arc<Group>],
        first: u64,
        next: u64,
    ) -> Option<Arc<Group>> {
        if self.next != next || self.made.len() >= limits::MERGES_MAX {
            self.forget();
            self.next = next;
        }
        let key = (groups.first()?.info.ch, first);
        if let Some(made) = self.made.get(&key) {
            return Some(Arc::clone(made));
        }
        let merged = merge(groups)?;
        self.made.insert(key, Arc::clone(&merged));
        Some(merged)
    }

    /// Keeps nothing.
    pub(super) fn forget(&mut self) {
        self.made.clear();
    }
}
