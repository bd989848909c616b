//! Records of an ordinary topic: a queue with dense offsets. Pure: no lock, no clock.

use std::collections::VecDeque;

use super::partition::{Bounds, Change, Room, cost_bytes};
use crate::record::{Delivered, Record};

#[derive(Debug, Default)]
pub(super) struct DenseLog {
    entries: VecDeque<Entry>,
    /// Offset of the first entry.
    low: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    /// The largest timestamp up to this entry. Producers' timestamps may cross; this never
    /// decreases, so it can be searched by halving.
    max_micros: i64,
}

impl DenseLog {
    pub(super) fn append(&mut self, record: Record) -> Change {
        let before = self.entries.back().map_or(i64::MIN, |entry| entry.max_micros);
        let max_micros = before.max(record.timestamp_micros);
        let cost = cost_bytes(&record);
        self.bytes += cost;
        self.entries.push_back(Entry { record, max_micros });
        Change { added_bytes: cost, ..Change::default() }
    }

    /// Drops from the front what is over the byte bound or older than `oldest_micros`. The newest
    /// record always stays, so that what was just accepted can be read.
    pub(super) fn expire(&mut self, bytes_max: u64, oldest_micros: i64, change: &mut Change) {
        while self.entries.len() > 1 {
            let front = self.entries.front().filter(|entry| {
                self.bytes > bytes_max || entry.record.timestamp_micros < oldest_micros
            });
            let Some(front) = front else { return };
            let cost = cost_bytes(&front.record);
            self.entries.pop_front();
            self.low += 1;
            self.bytes -= cost;
            change.removed_bytes += cost;
            change.retention_drops += 1;
        }
    }

    pub(super) fn read(&self, from: u64, room: &mut Room, out: &mut Vec<Delivered>) -> u64 {
        let first = usize::try_from(from - self.low).unwrap_or(usize::MAX).min(self.entries.len());
        let mut next = from;
        for entry in self.entries.range(first..) {
            if room.is_full() {
                break;
            }
            room.take(&entry.record);
            out.push(Delivered { record: entry.record.clone(), offset: next });
            next += 1;
        }
        next
    }

    pub(super) fn offset_for_time(&self, micros: i64) -> u64 {
        let first = self.entries.partition_point(|entry| entry.max_micros < micros);
        // A dropped record may have been newer than those after it, hence the last few steps.
        let later = self.entries.range(first..);
        let steps = later.take_while(|entry| entry.record.timestamp_micros < micros).count();
        self.low + (first + steps) as u64
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { low: self.low, end: self.low + self.entries.len() as u64 }
    }
}
