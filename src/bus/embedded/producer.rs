//! Sending to the embedded bus: an append under the partition's lock. Nothing is queued, so
//! nothing can be full, and what was accepted is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use crate::limits;
use crate::producer::{FlushError, Producer, SendError};
use crate::record::Record;
use crate::topic::TopicName;

pub(super) struct EmbeddedProducer {
    shared: Arc<Shared>,
}

impl EmbeddedProducer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Producer for EmbeddedProducer {
    fn partitions(&self, topic: &TopicName) -> Option<u32> {
        self.shared.topics.get(topic).map(|partitions| partitions.len() as u32)
    }

    fn send(&mut self, record: Record) -> Result<(), SendError> {
        let shared = &self.shared;
        if shared.is_closed() {
            return Err(SendError::Closed);
        }
        let size_bytes = record.size_bytes();
        if size_bytes > limits::RECORD_BYTES_MAX {
            return Err(SendError::TooLarge { size_bytes, max_bytes: limits::RECORD_BYTES_MAX });
        }
        let Some(partitions) = shared.topics.get(&record.topic) else {
            return Err(SendError::UnknownTopic(record.topic));
        };
        let Some(partition) = partitions.get(record.partition as usize) else {
            return Err(SendError::UnknownPartition(record.topic, record.partition));
        };
        partition.append(record, shared.clock.wall_micros(), &shared.metrics);
        shared.metrics.records_in.fetch_add(1, Ordering::Relaxed);
        shared.metrics.bytes_in.fetch_add(size_bytes as u64, Ordering::Relaxed);
        Ok(())
    }

    fn flush(&mut self, _timeout: Duration) -> Result<(), FlushError> {
        Ok(())
    }
}
