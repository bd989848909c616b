//! Sending to Kafka: idempotent, into a bounded queue, never waiting for a broker once a topic is
//! known. Owns what becomes of a record that can't be taken, and of one that was taken and then
//! given up: it is counted, told by `lost` at once and by the next `flush`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::context::{Lost, SendingContext};
use super::{Shared, client, limits, places};
use crate::OpenError;
use crate::consumer::ConsumeError;
use crate::headers::Headers;
use crate::limits::RECORD_BYTES_MAX;
use crate::producer::{FlushError, Producer, SendError};
use crate::record::Record;
use crate::topic::TopicName;

pub(super) struct KafkaProducer {
    shared: Arc<Shared>,
    inner: ThreadedProducer<SendingContext>,
    lost: Arc<Lost>,
    /// Of the lost records, how many a flush has told.
    lost_told: u64,
    /// Partition counts, so that a record costs no look into the shared memory.
    counts: HashMap<TopicName, u32>,
}

impl KafkaProducer {
    pub(super) fn open(shared: Arc<Shared>) -> Result<Self, OpenError> {
        let lost = Arc::new(Lost::default());
        let inner = open_inner(&shared, &lost)?;
        Ok(Self { shared, inner, lost, lost_told: 0, counts: HashMap::new() })
    }

    fn check_place(&mut self, record: &Record) -> Result<(), Refusal> {
        if self.counts.get(&record.topic).is_some_and(|&count| record.partition < count) {
            return Ok(());
        }
        self.shared.places.check(&record.topic, record.partition).map_err(Refusal::from)?;
        let count = self.shared.places.remembered(&record.topic).map_err(Refusal::from)?;
        // Bounded as the shared memory is: both hold names that exist on the broker.
        self.counts.insert(record.topic.clone(), count.unwrap_or(0));
        Ok(())
    }

    fn hand_over(&self, record: &Record) -> Result<(), KafkaError> {
        let mut message = BaseRecord::to(record.topic.as_str())
            .partition(places::signed(record.partition))
            .key(&record.key[..])
            // 0 would mean "now", and a negative one is refused.
            .timestamp(record.timestamp_micros.div_euclid(1000).max(1));
        message.payload = record.value.as_ref().map(Bytes::as_ref);
        message.headers = packed(&record.headers);
        self.inner.send::<[u8], [u8]>(message).map_err(|(error, _)| error)
    }

    /// Starts over after an error the client can't survive. What it still held is lost, and
    /// counted by its delivery reports as it goes.
    fn reopen(&mut self) -> Result<(), OpenError> {
        tracing::error!(reason = self.fatal_reason(), "kafka producer starts over");
        self.inner = open_inner(&self.shared, &self.lost)?;
        self.shared.figures.reopened.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn fatal_reason(&self) -> String {
        let fatal = self.inner.client().fatal_error();
        fatal.map_or_else(String::new, |(code, reason)| format!("{code}: {reason}"))
    }

    /// What an error means for the record it came with.
    fn refuse(&self, error: &KafkaError, record: Record) -> SendError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                SendError::TooLarge { size_bytes: record.size_bytes(), max_bytes: RECORD_BYTES_MAX }
            }
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                SendError::UnknownTopic(record.topic)
            }
            Some(RDKafkaErrorCode::UnknownPartition) => {
                SendError::UnknownPartition(record.topic, record.partition)
            }
            Some(RDKafkaErrorCode::QueueFull) => self.queue_full(record),
            _ => {
                tracing::debug!(%error, "kafka producer refused a record");
                self.queue_full(record)
            }
        }
    }

    fn queue_full(&self, record: Record) -> SendError {
        self.shared.figures.queue_full.fetch_add(1, Ordering::Relaxed);
        SendError::QueueFull(Box::new(record))
    }
}

fn open_inner(
    shared: &Shared,
    lost: &Arc<Lost>,
) -> Result<ThreadedProducer<SendingContext>, OpenError> {
    let context = SendingContext::new(Arc::clone(&shared.figures), Arc::clone(lost));
    let made = client::producer(&shared.config).create_with_context(context);
    made.map_err(|error| OpenError::Unreachable(client::told(&error)))
}

/// Why a place can't be sent to.
enum Refusal {
    Topic,
    Partition,
    Away,
}

impl From<ConsumeError> for Refusal {
    fn from(error: ConsumeError) -> Self {
        match error {
            ConsumeError::UnknownTopic(_) => Self::Topic,
            ConsumeError::UnknownPartition(..) => Self::Partition,
            _ => Self::Away,
        }
    }
}

fn packed(headers: &Headers) -> Option<OwnedHeaders> {
    if headers.is_empty() {
        return None;
    }
    let empty = OwnedHeaders::new_with_capacity(crate::limits::HEADERS_MAX);
    Some(
        headers
            .iter()
            .fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(value) })),
    )
}

impl Producer for KafkaProducer {
    fn partitions(&self, topic: &TopicName) -> Option<u32> {
        self.shared.places.spread(topic).ok().flatten()
    }

    /// Waits for the broker only when it meets a topic for the first time.
    fn send(&mut self, record: Record) -> Result<(), SendError> {
        if self.shared.is_closed() {
            return Err(SendError::Closed);
        }
        let size_bytes = record.size_bytes();
        if size_bytes > RECORD_BYTES_MAX {
            return Err(SendError::TooLarge { size_bytes, max_bytes: RECORD_BYTES_MAX });
        }
        match self.check_place(&record) {
            Ok(()) => {}
            Err(Refusal::Topic) => return Err(SendError::UnknownTopic(record.topic)),
            Err(Refusal::Partition) => {
                return Err(SendError::UnknownPartition(record.topic, record.partition));
            }
            Err(Refusal::Away) => return Err(self.queue_full(record)),
        }
        let mut sent = self.hand_over(&record);
        let fatal =
            |error: &KafkaError| error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal);
        if sent.as_ref().is_err_and(fatal) && self.reopen().is_ok() {
            sent = self.hand_over(&record);
        }
        if let Err(error) = sent {
            return Err(self.refuse(&error, record));
        }
        self.shared.metrics.records_in.fetch_add(1, Ordering::Relaxed);
        self.shared.metrics.bytes_in.fetch_add(size_bytes as u64, Ordering::Relaxed);
        Ok(())
    }

    fn flush(&mut self, timeout: Duration) -> Result<(), FlushError> {
        let until = self.shared.clock.monotonic() + timeout;
        loop {
            let waiting = self.inner.in_flight_count();
            if waiting <= 0 {
                break;
            }
            if self.shared.clock.monotonic() >= until {
                return Err(FlushError::TimedOut(waiting.unsigned_abs().into()));
            }
            // Serves reports for a moment; the queue's length is what decides.
            self.inner.poll(limits::FLUSH_SLICE);
        }
        let total = self.lost.total();
        let fresh = total.saturating_sub(self.lost_told);
        self.lost_told = total;
        if fresh > 0 { Err(FlushError::Lost(fresh, self.lost.reason())) } else { Ok(()) }
    }

    fn lost(&self) -> u64 {
        self.lost.total()
    }
}

impl Drop for KafkaProducer {
    /// The client would throw away what it holds; what was accepted gets a last chance.
    fn drop(&mut self) {
        if let Err(error) = self.flush(limits::DROP_FLUSH_WAIT) {
            tracing::error!(%error, "kafka producer closed with records not stored");
        }
    }
}
