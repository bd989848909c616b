//! Reading from Kafka: every record of the partitions it was told to read, from where it was told.
//! Owns the poll and its wait, the place of each partition, and what an unreadable offset means.
//!
//! The client never starts anywhere by itself (`auto.offset.reset=error`): offsets are numbers
//! before they are assigned, and an offset the broker doesn't have is told to the caller. The
//! client says that it happened but not where. So what it has fetched is read first; then the
//! broker is asked which of our next offsets it doesn't keep; then everything else is assigned
//! again where it stands, so that no partition can stand still unnoticed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset as RawOffset, TopicPartitionList};

use super::assignment::{Assigned, Assignment};
use super::bell::Bell;
use super::context::ReadingContext;
use super::{Shared, client, delivered, limits, places};
use crate::OpenError;
use crate::consumer::{ConsumeError, Consumer, Offset, Start, Waker};
use crate::record::Delivered;
use crate::topic::TopicName;

pub(super) struct KafkaConsumer {
    shared: Arc<Shared>,
    client: BaseConsumer<ReadingContext>,
    bell: Arc<Bell>,
    assignment: Assignment,
    /// Errors found and not yet told, at most one a partition and one of the client's.
    pending: VecDeque<ConsumeError>,
    /// Since when an offset is known to be lost, without its place.
    suspicion: Option<Duration>,
}

impl KafkaConsumer {
    pub(super) fn open(shared: Arc<Shared>, name: &str) -> Result<Self, OpenError> {
        let context = ReadingContext::new(Arc::clone(&shared.figures));
        let made = client::consumer(&shared.config, name).create_with_context(context);
        let mut client: BaseConsumer<ReadingContext> =
            made.map_err(|error| OpenError::Unreachable(client::told(&error)))?;
        let bell = Arc::new(Bell::default());
        let rung = Arc::clone(&bell);
        client.set_nonempty_callback(move || rung.ring());
        let (assignment, pending) = (Assignment::default(), VecDeque::new());
        Ok(Self { shared, client, bell, assignment, pending, suspicion: None })
    }

    /// Turns every wish into a number. All times are asked for at once.
    fn resolve(&self, starts: Vec<Start>) -> Result<Vec<Assigned>, ConsumeError> {
        let places = &self.shared.places;
        let timed: Vec<_> = starts
            .iter()
            .filter_map(|start| match start.from {
                Offset::Time(micros) => Some((&start.topic, start.partition, micros)),
                _ => None,
            })
            .collect();
        let at_times = if timed.is_empty() { Vec::new() } else { places.at_times(&timed)? };
        let mut at_times = at_times.into_iter();
        let mut resolved = Vec::with_capacity(starts.len());
        for start in &starts {
            let bounds = || places.bounds(&start.topic, start.partition);
            let next = match start.from {
                Offset::Earliest => bounds()?.low,
                Offset::Latest => bounds()?.end,
                Offset::At(offset) => {
                    places.check(&start.topic, start.partition)?;
                    offset
                }
                // One answer for each time, in order.
                Offset::Time(_) => at_times.next().unwrap_or(0),
            };
            resolved.push(Assigned::new(start.topic.clone(), start.partition, next));
        }
        Ok(resolved)
    }

    /// Tells the client to read what stands in the assignment, at its next offsets.
    fn apply(&self) -> Result<(), ConsumeError> {
        let mut list = TopicPartitionList::with_capacity(self.assignment.all().len());
        for assigned in self.assignment.all().iter().filter(|assigned| !assigned.lost) {
            add(&mut list, assigned)?;
        }
        self.client.assign(&list).map_err(|error| away(&error))
    }

    /// Appends what the client has, without waiting.
    fn drain(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        out: &mut Vec<Delivered>,
    ) -> Result<usize, ConsumeError> {
        let before = out.len();
        let (mut bytes, mut empty) = (0, 0);
        while out.len() - before < max_records.max(1) && bytes < max_bytes.max(1) {
            // The look for a record and what is done about an error borrow differently.
            let error = match self.client.poll(Duration::ZERO) {
                None if empty + 1 >= limits::EMPTY_LOOKS => break,
                None => {
                    empty += 1;
                    continue;
                }
                Some(Ok(message)) => {
                    let taken = take(&mut self.assignment, &self.shared, &message, out);
                    bytes += taken;
                    continue;
                }
                Some(Err(error)) => error,
            };
            match self.meaning(&error) {
                None => {}
                Some(error) if out.len() == before => return Err(error),
                Some(error) => {
                    self.pending.push_back(error);
                    break;
                }
            }
        }
        let drained = out.len() - before;
        self.shared.metrics.records_out.fetch_add(drained as u64, Ordering::Relaxed);
        Ok(drained)
    }

    /// What an error of the client means; `None` if it recovers by itself.
    fn meaning(&mut self, error: &KafkaError) -> Option<ConsumeError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::LogTruncation) => {
                self.suspicion.get_or_insert(self.shared.clock.monotonic());
                None
            }
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                Some(away(error))
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Some(away(error)),
            // A lost connection, a moved leader, a bad checksum: fetched again.
            _ => None,
        }
    }

    /// Looks for the lost offset once what was fetched has been read, or after a while.
    fn follow_suspicion(&mut self, is_drained: bool) {
        let Some(since) = self.suspicion else { return };
        let now = self.shared.clock.monotonic();
        if !is_drained && now < since + limits::SUSPICION_MAX {
            return;
        }
        self.suspicion = None;
        if let Err(error) = self.find_lost() {
            // The broker went away in between: asked again later.
            self.suspicion = Some(now + limits::SUSPICION_MAX);
            self.pending.push_back(error);
        }
    }

    /// Marks the partitions whose next offsets are not kept, and goes on with all others. If the
    /// broker keeps all of them (the log was cut and has grown past us since), the place is the
    /// one the client's words name.
    fn find_lost(&mut self) -> Result<(), ConsumeError> {
        let mut found = Vec::new();
        for (at, assigned) in self.assignment.all().iter().enumerate().filter(|(_, a)| !a.lost) {
            let wait = limits::SUSPICION_ANSWER_WAIT;
            let bounds = self.shared.places.bounds_within(&assigned.topic, assigned.index, wait)?;
            if !(bounds.low..=bounds.end).contains(&assigned.next) {
                found.push((at, bounds));
            }
        }
        if found.is_empty() {
            let reason = self.client.context().reason();
            tracing::warn!(reason, "kafka consumer looked for a lost offset and found none");
            if let Some(at) = self.assignment.named_by(&reason) {
                let assigned = &self.assignment.all()[at];
                found.push((at, self.shared.places.bounds(&assigned.topic, assigned.index)?));
            }
        }
        for (at, bounds) in found {
            let told = self.lose(at, bounds);
            self.pending.push_back(told);
        }
        self.shared.figures.restarts.fetch_add(1, Ordering::Relaxed);
        self.apply()
    }

    fn lose(&mut self, at: usize, bounds: places::Bounds) -> ConsumeError {
        self.shared.metrics.out_of_range.fetch_add(1, Ordering::Relaxed);
        let assigned = self.assignment.lose(at);
        ConsumeError::OffsetOutOfRange {
            topic: assigned.topic.clone(),
            partition: assigned.index,
            wanted: assigned.next,
            low: bounds.low,
            end: bounds.end,
        }
    }
}

/// Appends a record if it belongs to the assignment and is not behind it. Returns its size.
fn take(
    assignment: &mut Assignment,
    shared: &Shared,
    message: &BorrowedMessage<'_>,
    out: &mut Vec<Delivered>,
) -> usize {
    let Some(assigned) = assignment.of(message) else { return 0 };
    let record = delivered::read(message, &assigned.topic, assigned.index, &shared.figures);
    if record.offset < assigned.next {
        shared.figures.duplicates.fetch_add(1, Ordering::Relaxed);
        return 0;
    }
    assigned.next = record.offset + 1;
    let bytes = record.record.size_bytes();
    out.push(record);
    bytes
}

fn add(list: &mut TopicPartitionList, assigned: &Assigned) -> Result<(), ConsumeError> {
    let offset = RawOffset::Offset(i64::try_from(assigned.next).unwrap_or(i64::MAX));
    let (topic, index) = (assigned.topic.as_str(), places::signed(assigned.index));
    list.add_partition_offset(topic, index, offset).map_err(|error| away(&error))
}

fn away(error: &KafkaError) -> ConsumeError {
    ConsumeError::Unreachable(client::told(error))
}

impl Consumer for KafkaConsumer {
    fn assign(&mut self, starts: Vec<Start>) -> Result<(), ConsumeError> {
        let resolved = self.resolve(starts)?;
        self.assignment = Assignment::new(resolved);
        self.pending.clear();
        self.suspicion = None;
        self.apply()
    }

    fn add(&mut self, start: Start) -> Result<(), ConsumeError> {
        if self.assignment.position(start.topic.as_str(), start.partition).is_some() {
            return self.seek(start);
        }
        let Some(added) = self.resolve(vec![start])?.pop() else { return Ok(()) };
        let mut list = TopicPartitionList::with_capacity(1);
        add(&mut list, &added)?;
        self.client.incremental_assign(&list).map_err(|error| away(&error))?;
        self.assignment.push(added);
        Ok(())
    }

    fn remove(&mut self, topic: &TopicName, partition: u32) -> Result<(), ConsumeError> {
        let Some(at) = self.assignment.position(topic.as_str(), partition) else { return Ok(()) };
        let assigned = &self.assignment.all()[at];
        if !assigned.lost {
            let mut list = TopicPartitionList::with_capacity(1);
            add(&mut list, assigned)?;
            self.client.incremental_unassign(&list).map_err(|error| away(&error))?;
        }
        self.assignment.remove(at);
        self.pending.retain(|told| match told {
            ConsumeError::OffsetOutOfRange { topic: of, partition: index, .. } => {
                (of, *index) != (topic, partition)
            }
            _ => true,
        });
        Ok(())
    }

    fn seek(&mut self, start: Start) -> Result<(), ConsumeError> {
        let Some(at) = self.assignment.position(start.topic.as_str(), start.partition) else {
            return Err(ConsumeError::UnknownPartition(start.topic, start.partition));
        };
        let Some(moved) = self.resolve(vec![start])?.pop() else { return Ok(()) };
        let mut list = TopicPartitionList::with_capacity(1);
        add(&mut list, &moved)?;
        // The client's own seek refuses a partition that stands still; taking it away and giving
        // it back works in every state, and drops what was fetched for the old place.
        if !self.assignment.all()[at].lost {
            self.client.incremental_unassign(&list).map_err(|error| away(&error))?;
            self.assignment.lose(at);
        }
        self.client.incremental_assign(&list).map_err(|error| away(&error))?;
        self.assignment.replace(at, moved);
        Ok(())
    }

    fn next_offset(&self, topic: &TopicName, partition: u32) -> Option<u64> {
        let at = self.assignment.position(topic.as_str(), partition)?;
        Some(self.assignment.all()[at].next)
    }

    fn poll(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        timeout: Duration,
        out: &mut Vec<Delivered>,
    ) -> Result<usize, ConsumeError> {
        let until = self.shared.clock.monotonic() + timeout;
        let mut woken = self.bell.take_woken();
        loop {
            if let Some(error) = self.pending.pop_front() {
                return Err(error);
            }
            self.bell.arm();
            let drained = self.drain(max_records, max_bytes, out)?;
            self.follow_suspicion(drained == 0);
            if drained > 0 {
                return Ok(drained);
            }
            if !self.pending.is_empty() {
                continue;
            }
            if self.shared.is_closed() {
                return Err(ConsumeError::Closed);
            }
            let left = until.saturating_sub(self.shared.clock.monotonic());
            if woken || left.is_zero() {
                return Ok(0);
            }
            self.bell.wait(left.min(limits::POLL_SLICE));
            woken = self.bell.take_woken();
        }
    }

    fn partitions(&mut self, topic: &TopicName) -> Result<u32, ConsumeError> {
        let told = self.shared.places.partitions(topic)?;
        told.ok_or_else(|| ConsumeError::UnknownTopic(topic.clone()))
    }

    fn end_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError> {
        Ok(self.shared.places.bounds(topic, partition)?.end)
    }

    fn low_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError> {
        Ok(self.shared.places.bounds(topic, partition)?.low)
    }

    fn offset_for_time(
        &mut self,
        topic: &TopicName,
        partition: u32,
        time_micros: i64,
    ) -> Result<u64, ConsumeError> {
        let told = self.shared.places.at_times(&[(topic, partition, time_micros)])?;
        told.first().copied().ok_or_else(|| ConsumeError::Unreachable("no answer".to_owned()))
    }

    fn waker(&self) -> Waker {
        let bell = Arc::clone(&self.bell);
        Waker::new(move || bell.wake())
    }
}
