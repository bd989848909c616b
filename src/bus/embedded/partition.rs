//! One partition: its records behind a lock, and the bells of those who read it.
//!
//! Owns the lock of the embedded bus. It is per partition and held for one append, or one copy of
//! at most [`limits::POLL_RUN_RECORDS_MAX`] records; never while sleeping, and the bell's own lock
//! is only ever taken inside it, so there is no cycle. How records are kept is `log`'s and
//! `compacted`'s.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bell::Bell;
use super::compacted::CompactedLog;
use super::log::DenseLog;
use crate::consumer::Offset;
use crate::limits;
use crate::metrics::BusMetrics;
use crate::record::{Delivered, Record};
use crate::topic::{Retention, TopicSpec};

#[derive(Debug)]
pub(super) struct Partition {
    retention: Retention,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    kept: Kept,
    listeners: Vec<Arc<Bell>>,
}

#[derive(Debug)]
enum Kept {
    Dense(DenseLog),
    Compacted(CompactedLog),
}

/// What an append or expiry changed, for the counters.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) added_bytes: u64,
    pub(super) removed_bytes: u64,
    pub(super) retention_drops: u64,
    pub(super) compacted: u64,
}

/// The bounds of what is readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) low: u64,
    pub(super) end: u64,
}

/// How much a read may still take, counted down.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

impl Room {
    pub(super) fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    /// Takes one record's worth.
    pub(super) fn take(&mut self, record: &Record) {
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(record.size_bytes());
    }
}

/// What a record costs while kept.
pub(super) fn cost_bytes(record: &Record) -> u64 {
    (record.size_bytes() + limits::RECORD_OVERHEAD_BYTES) as u64
}

impl Partition {
    pub(super) fn new(spec: &TopicSpec) -> Self {
        let kept = if spec.compacted {
            Kept::Compacted(CompactedLog::default())
        } else {
            Kept::Dense(DenseLog::default())
        };
        let inner = Mutex::new(Inner { kept, listeners: Vec::new() });
        Self { retention: spec.retention, inner }
    }

    pub(super) fn append(&self, record: Record, now_micros: i64, metrics: &BusMetrics) {
        let mut inner = self.inner();
        let mut change = match &mut inner.kept {
            Kept::Dense(log) => log.append(record),
            Kept::Compacted(log) => log.append(record, now_micros),
        };
        inner.kept.expire(self.retention, now_micros, &mut change);
        inner.listeners.iter().for_each(|bell| bell.ring());
        drop(inner);
        change.count(metrics);
    }

    /// Appends what stands at `from` and after it to `out`, a bounded run at a time. Returns the
    /// offset to go on from.
    pub(super) fn read(
        &self,
        from: u64,
        room: &mut Room,
        out: &mut Vec<Delivered>,
    ) -> Result<u64, Bounds> {
        let inner = self.inner();
        let bounds = inner.kept.bounds();
        if from < bounds.low || from > bounds.end {
            return Err(bounds);
        }
        if from == bounds.end {
            return Ok(from);
        }
        Ok(match &inner.kept {
            Kept::Dense(log) => log.read(from, room, out),
            Kept::Compacted(log) => log.read(from, room, out),
        })
    }

    /// What is readable, after dropping what has become too old.
    pub(super) fn bounds(&self, now_micros: i64, metrics: &BusMetrics) -> Bounds {
        let mut change = Change::default();
        let mut inner = self.inner();
        inner.kept.expire(self.retention, now_micros, &mut change);
        let bounds = inner.kept.bounds();
        drop(inner);
        change.count(metrics);
        bounds
    }

    pub(super) fn resolve(&self, from: Offset, now_micros: i64, metrics: &BusMetrics) -> u64 {
        let bounds = self.bounds(now_micros, metrics);
        match from {
            Offset::Earliest => bounds.low,
            Offset::Latest => bounds.end,
            Offset::At(offset) => offset,
            Offset::Time(micros) => self.offset_for_time(micros),
        }
    }

    pub(super) fn offset_for_time(&self, micros: i64) -> u64 {
        match &self.inner().kept {
            Kept::Dense(log) => log.offset_for_time(micros),
            Kept::Compacted(log) => log.offset_for_time(micros),
        }
    }

    pub(super) fn listen(&self, bell: &Arc<Bell>) {
        self.inner().listeners.push(Arc::clone(bell));
    }

    pub(super) fn unlisten(&self, bell: &Arc<Bell>) {
        self.inner().listeners.retain(|other| !Arc::ptr_eq(other, bell));
    }

    /// Rouses everyone who sleeps on this partition without a record.
    pub(super) fn ring(&self) {
        self.inner().listeners.iter().for_each(|bell| bell.ring());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn bounds(&self) -> Bounds {
        match self {
            Self::Dense(log) => log.bounds(),
            Self::Compacted(log) => log.bounds(),
        }
    }

    fn expire(&mut self, retention: Retention, now_micros: i64, change: &mut Change) {
        let oldest_micros = match retention.time_micros {
            Retention::NO_TIME_LIMIT => i64::MIN,
            age => now_micros.saturating_sub(age),
        };
        match self {
            Self::Dense(log) => log.expire(retention.bytes, oldest_micros, change),
            Self::Compacted(log) => {
                log.expire(retention.bytes, oldest_micros, change);
                log.forget_tombstones(
                    now_micros.saturating_sub(limits::TOMBSTONE_KEEP_MICROS),
                    change,
                );
            }
        }
    }
}

impl Change {
    fn count(&self, metrics: &BusMetrics) {
        let drops = [
            (&metrics.retention_drops, self.retention_drops),
            (&metrics.compacted, self.compacted),
        ];
        for (counter, amount) in drops {
            if amount > 0 {
                counter.fetch_add(amount, Ordering::Relaxed);
            }
        }
        // Added and removed in one step: the gauge never shows less than nothing.
        let delta = self.added_bytes.wrapping_sub(self.removed_bytes);
        metrics.kept_bytes.fetch_add(delta, Ordering::Relaxed);
    }
}
