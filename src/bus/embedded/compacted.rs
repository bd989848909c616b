//! Records of a compacted topic: the last of each key, in the order they came. Pure: no lock, no
//! clock.
//!
//! Compaction is immediate: an older record of the key is gone with the append. A tombstone
//! removes its key and is itself kept a while, so that a consumer reading live sees it. Offsets
//! have holes; reading from an offset in a hole goes on at the next record, which is no skip:
//! everything in the hole was replaced by something later.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::partition::{Bounds, Change, Room, cost_bytes};
use crate::record::{Delivered, Record};

#[derive(Debug, Default)]
pub(super) struct CompactedLog {
    entries: BTreeMap<u64, Record>,
    latest: HashMap<Bytes, u64>,
    /// Tombstones, oldest first; some may have been replaced since.
    tombstones: VecDeque<Tombstone>,
    /// Below this, records were dropped by retention rather than replaced.
    low: u64,
    end: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Tombstone {
    offset: u64,
    /// When it was appended, by the bus's clock: readers have had it since then, whatever time
    /// its producer wrote on it.
    since_micros: i64,
}

impl CompactedLog {
    pub(super) fn append(&mut self, record: Record, now_micros: i64) -> Change {
        let offset = self.end;
        let mut change = Change { added_bytes: cost_bytes(&record), ..Change::default() };
        self.end += 1;
        self.bytes += change.added_bytes;
        if record.value.is_none() {
            self.tombstones.push_back(Tombstone { offset, since_micros: now_micros });
        }
        // Removed first, so that the map holds the new record's key, not a share of the old buffer.
        let older = self.latest.remove(&record.key);
        self.latest.insert(record.key.clone(), offset);
        if let Some(older) = older {
            change.removed_bytes += self.remove(older);
            change.compacted += 1;
        }
        self.entries.insert(offset, record);
        // Replaced tombstones at the front are of no use; dropping them bounds the queue by the
        // entries plus those replaced behind a living one.
        let is_kept = |tombstone: &Tombstone| self.entries.contains_key(&tombstone.offset);
        while self.tombstones.front().is_some_and(|tombstone| !is_kept(tombstone)) {
            self.tombstones.pop_front();
        }
        if self.tombstones.len() > 2 * self.entries.len() + 16 {
            self.tombstones.retain(is_kept);
        }
        change
    }

    /// Drops the oldest records over the byte bound or older than `oldest_micros`, moving the low
    /// bound, so that a reader behind it is told.
    pub(super) fn expire(&mut self, bytes_max: u64, oldest_micros: i64, change: &mut Change) {
        while self.entries.len() > 1 {
            let Some((&offset, record)) = self.entries.first_key_value() else { return };
            if self.bytes <= bytes_max && record.timestamp_micros >= oldest_micros {
                return;
            }
            self.latest.remove(&record.key);
            change.removed_bytes += self.remove(offset);
            change.retention_drops += 1;
            self.low = offset + 1;
        }
    }

    /// Lets go of tombstones appended before `oldest_micros`.
    pub(super) fn forget_tombstones(&mut self, oldest_micros: i64, change: &mut Change) {
        while let Some(tombstone) = self.tombstones.front() {
            if tombstone.since_micros >= oldest_micros {
                return;
            }
            let offset = tombstone.offset;
            self.tombstones.pop_front();
            if let Some(record) = self.entries.get(&offset) {
                self.latest.remove(&record.key);
                change.removed_bytes += self.remove(offset);
                change.compacted += 1;
            }
        }
    }

    pub(super) fn read(&self, from: u64, room: &mut Room, out: &mut Vec<Delivered>) -> u64 {
        let mut next = from;
        for (&offset, record) in self.entries.range(from..) {
            if room.is_full() {
                return next;
            }
            room.take(record);
            out.push(Delivered { record: record.clone(), offset });
            next = offset + 1;
        }
        // Nothing but a hole is left.
        self.end
    }

    pub(super) fn offset_for_time(&self, micros: i64) -> u64 {
        let first = self.entries.iter().find(|(_, record)| record.timestamp_micros >= micros);
        first.map_or(self.end, |(&offset, _)| offset)
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { low: self.low, end: self.end }
    }

    /// Takes an entry out and says what it cost.
    fn remove(&mut self, offset: u64) -> u64 {
        let cost = self.entries.remove(&offset).map_or(0, |record| cost_bytes(&record));
        self.bytes -= cost;
        cost
    }
}
