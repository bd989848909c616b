//! Reading the bus, and what its faults mean to channels.
//!
//! Records the bus no longer has are never skipped silently: reading goes on behind the loss, and
//! the channels of that partition are suspected until their next event or snapshot tells whether
//! they lost anything, and what. A log that was cut is read again from further back; what was
//! taken already is dropped by its position.

use std::sync::atomic::Ordering;

use fantail_bus::{ConsumeError, Consumer, Delivered, Offset, Start, TopicName};
use fantail_model::Micros;
use fantail_wire::record::{self, RecordError};

use super::Tail;
use super::layout::Place;
use crate::limits;

/// Reason of a gap whose events left the bus before this node read them.
pub(super) const RETENTION: &str = "retention";
/// Reason of a gap behind a record that could not be read.
pub(super) const UNREADABLE: &str = "unreadable";
/// Reason of a gap that nothing explains.
pub(super) const MISSING: &str = "missing";

/// What has been said about unreadable records, so that they don't fill the log.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    unreadable: u64,
    versions: Vec<u64>,
}

impl Tail {
    /// Takes what the bus has, waiting a little. Returns how many records.
    pub(super) fn poll(
        &mut self,
        consumer: &mut dyn Consumer,
        delivered: &mut Vec<Delivered>,
    ) -> usize {
        let (records, bytes) = (limits::CYCLE_RECORDS_MAX, limits::CYCLE_BYTES_MAX);
        let wait = self.patience();
        match consumer.poll(records, bytes, wait, delivered) {
            Ok(taken) => taken,
            Err(ConsumeError::OffsetOutOfRange { topic, partition, wanted, low, end }) => {
                self.lost(&topic, partition, (wanted, low, end));
                self.go_on(consumer);
                0
            }
            Err(error) => {
                self.count_bus_error(&error);
                0
            }
        }
    }

    /// Notes where an unreadable place goes on, and whom it concerns.
    fn lost(&mut self, topic: &TopicName, partition: u32, bounds: (u64, u64, u64)) {
        let (wanted, low, end) = bounds;
        let from = if wanted < low {
            tracing::error!(%topic, partition, wanted, low, "the bus dropped records unread");
            self.metrics.bus_lost.fetch_add(low - wanted, Ordering::Relaxed);
            Offset::At(low)
        } else {
            tracing::error!(%topic, partition, wanted, end, "the bus lost its newest records");
            self.metrics.bus_cut.fetch_add(1, Ordering::Relaxed);
            let back = limits::SNAPSHOT_AGE_MAX.as_micros() as i64;
            Offset::Time(self.clock.wall_micros().saturating_sub(back))
        };
        self.standing.push(Start { topic: topic.clone(), partition, from });
        let Some(topic) = self.layout.topic(topic) else { return };
        if wanted < low {
            self.passed(Place { topic, partition }, low);
            self.suspect(Place { topic, partition }, RETENTION);
        } else {
            self.passed(Place { topic, partition }, u64::MAX);
        }
    }

    /// Everything before `next` of a partition is past.
    pub(super) fn passed(&mut self, place: Place, next: u64) {
        self.ends.passed(place, next);
        self.interest.passed(place, next);
    }

    /// Moves partitions that stand still; what can't be moved now is tried again.
    pub(super) fn go_on(&mut self, consumer: &mut dyn Consumer) {
        self.standing.retain(|start| match consumer.seek(start.clone()) {
            Ok(()) => false,
            Err(error) => {
                let (topic, partition) = (&start.topic, start.partition);
                tracing::error!(%topic, partition, %error, "cannot go on after lost records");
                true
            }
        });
    }

    /// Every channel of a partition may have lost something.
    fn suspect(&mut self, place: Place, reason: &'static str) {
        let layout = &self.layout;
        for channel in self.store.channels_mut() {
            let info = &channel.info;
            if record::topic(info.channel.kind) == place.topic
                && layout.place(info.channel.kind, &info.name) == place
            {
                channel.suspect(reason);
            }
        }
    }

    pub(super) fn count_bus_error(&self, error: &ConsumeError) {
        self.metrics.bus_errors.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%error, "reading the bus failed");
    }

    /// Counts a record that can't be read and suspects the channels its key names: if it was an
    /// event of theirs, the next one shows the hole.
    pub(super) fn unreadable(&mut self, error: &RecordError, delivered: &Delivered) {
        self.metrics.poison(1);
        let (topic, offset) = (&delivered.record.topic, delivered.offset);
        match error {
            RecordError::Version { found } => {
                self.metrics.too_new.fetch_add(1, Ordering::Relaxed);
                if !self.complaints.versions.contains(found)
                    && self.complaints.versions.len() < limits::VERSIONS_NAMED_MAX
                {
                    self.complaints.versions.push(*found);
                    tracing::error!(%error, %topic, offset, "records of a newer version skipped");
                }
            }
            _ => {
                self.complaints.unreadable += 1;
                // The first, the second, the fourth, …: a flood of them is a few lines.
                if self.complaints.unreadable.is_power_of_two() {
                    let count = self.complaints.unreadable;
                    tracing::warn!(%error, %topic, offset, count, "record not understood");
                }
            }
        }
        let Some(topic) = self.layout.topic(topic) else { return };
        for channel in self.store.channels_mut() {
            let (kind, name) = (channel.info.channel.kind, &channel.info.name);
            if record::topic(kind) == topic && record::key(name).as_bytes() == delivered.record.key
            {
                channel.suspect(UNREADABLE);
            }
        }
    }

    /// The time of a record is further back than live ones' are: what it says was true then.
    pub(super) fn is_late(&self, delivered: &Delivered, now: Micros) -> bool {
        let age = now.since(Micros(delivered.record.timestamp_micros));
        age > limits::OWNER_SILENCE.as_micros() as i64
    }
}
