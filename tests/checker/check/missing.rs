//! What one client is missing in one channel: ranges of an epoch, opened by a jump, closed by a late
//! delivery. Bounded: past the bound, ranges are only counted.

use crate::limits;
use crate::place::Place;

/// Ranges not delivered and not told.
#[derive(Debug, Default)]
pub(super) struct Missing {
    ranges: Vec<(u64, u64, u64)>,
    /// Events in ranges that found no room.
    pub(super) beyond: u64,
}

impl Missing {
    /// `from..=to` of an epoch did not come.
    pub(super) fn open(&mut self, epoch: u64, from: u64, to: u64) {
        if self.ranges.len() < limits::MISSING_RANGES_MAX {
            self.ranges.push((epoch, from, to));
        } else {
            self.beyond += to - from + 1;
        }
    }

    /// The event came after all; false if it was not missing.
    pub(super) fn close(&mut self, place: Place) -> bool {
        let holds = |(epoch, from, to): &(u64, u64, u64)| {
            *epoch == place.epoch && *from <= place.seq && place.seq <= *to
        };
        let Some(at) = self.ranges.iter().position(holds) else { return false };
        let (epoch, from, to) = self.ranges.swap_remove(at);
        let before = (from, place.seq - 1);
        let after = (place.seq + 1, to);
        let left = [before, after].into_iter().filter(|(from, to)| from <= to);
        self.ranges.extend(left.map(|(from, to)| (epoch, from, to)));
        true
    }

    /// What is still missing.
    pub(super) fn ranges(&self) -> &[(u64, u64, u64)] {
        &self.ranges
    }
}
