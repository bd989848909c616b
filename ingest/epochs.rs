//! The highest epoch each unit's owners have spoken with, read from their heartbeats.
//!
//! Input: the control topic. Output: per (venue, group) the epoch a new owner has to outbid.
//! Decides nothing; blocks for as long as its consumer does.

use std::collections::HashMap;
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer, Delivered, Offset, Start, TopicName};
use fantail_model::VenueId;
use fantail_wire::record::{self, Record};

use crate::limits;
use crate::unit::Unit;

const CONTROL: TopicName = TopicName::from_static(record::CONTROL);

/// Heartbeats so far.
pub(crate) struct Epochs {
    consumer: Box<dyn Consumer>,
    highest: HashMap<(VenueId, u32), u64>,
    /// The next offset to be read, of each partition.
    next: Vec<u64>,
    batch: Vec<Delivered>,
}

impl Epochs {
    /// Reads from a while back, so that an owner that has just died is known.
    pub(crate) fn open(
        mut consumer: Box<dyn Consumer>,
        wall_micros: i64,
    ) -> Result<Self, ConsumeError> {
        let since = wall_micros.saturating_sub(limits::EPOCHS_BACK_MICROS);
        let (mut next, mut starts) = (Vec::new(), Vec::new());
        for partition in 0..consumer.partitions(&CONTROL)? {
            let offset = consumer.offset_for_time(&CONTROL, partition, since)?;
            next.push(offset);
            starts.push(Start { topic: CONTROL, partition, from: Offset::At(offset) });
        }
        consumer.assign(starts)?;
        Ok(Self { consumer, highest: HashMap::new(), next, batch: Vec::new() })
    }

    /// The epoch to outbid; none if no owner was heard.
    pub(crate) fn of(&self, unit: &Unit) -> Option<u64> {
        self.highest.get(&(unit.venue.id.clone(), unit.group)).copied()
    }

    /// Takes what has come.
    pub(crate) fn listen(&mut self) -> Result<(), ConsumeError> {
        while self.poll(Duration::ZERO)? > 0 {}
        Ok(())
    }

    /// Takes everything that was sent before now: whoever asks is about to outbid it.
    pub(crate) fn catch_up(&mut self) -> Result<(), ConsumeError> {
        for partition in 0..self.next.len() {
            let end = self.consumer.end_offset(&CONTROL, u32::try_from(partition).unwrap_or(0))?;
            for _ in 0..limits::CATCH_UP_LOOKS {
                if self.next[partition] >= end {
                    break;
                }
                self.poll(limits::CATCH_UP_WAIT)?;
            }
        }
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<usize, ConsumeError> {
        let (records, bytes) = (limits::EPOCHS_BATCH, limits::EPOCHS_BATCH_BYTES);
        match self.consumer.poll(records, bytes, timeout, &mut self.batch) {
            // Retention went past us: what is gone told nothing that later beats don't.
            Err(ConsumeError::OffsetOutOfRange { topic, partition, low, .. }) => {
                self.consumer.seek(Start { topic, partition, from: Offset::At(low) })?;
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let count = self.batch.len();
        for delivered in self.batch.drain(..) {
            if let Some(next) = self.next.get_mut(delivered.record.partition as usize) {
                *next = delivered.offset + 1;
            }
            let value = delivered.record.value.as_deref().unwrap_or_default();
            if let Ok(Record::Heartbeat(beat)) = record::decode(value) {
                let highest = self.highest.entry((beat.venue, beat.group)).or_default();
                *highest = beat.epoch.max(*highest);
            }
        }
        Ok(count)
    }
}
