//! Reading from the embedded bus: each consumer keeps its own offsets and copies runs of records
//! out of the partitions in turn. Owns fairness and the wait; retention is the partition's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::bell::Bell;
use super::partition::{Partition, Room};
use crate::consumer::{ConsumeError, Consumer, Offset, Start, Waker};
use crate::limits;
use crate::record::Delivered;
use crate::topic::TopicName;

pub(super) struct EmbeddedConsumer {
    shared: Arc<Shared>,
    bell: Arc<Bell>,
    assigned: Vec<Assigned>,
    /// Whose turn it is first in the next poll.
    turn: usize,
}

struct Assigned {
    topic: TopicName,
    index: u32,
    partition: Arc<Partition>,
    next: u64,
    /// Out of range and told so; stands still until moved.
    lost: bool,
}

impl EmbeddedConsumer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, bell: Arc::default(), assigned: Vec::new(), turn: 0 }
    }

    fn resolve(&self, start: Start) -> Result<Assigned, ConsumeError> {
        let partition = Arc::clone(self.shared.partition(&start.topic, start.partition)?);
        let next = self.offset_of(&partition, start.from);
        Ok(Assigned { topic: start.topic, index: start.partition, partition, next, lost: false })
    }

    /// Where an assigned partition stands in the list.
    fn place(&self, topic: &TopicName, index: u32) -> Option<usize> {
        self.assigned.iter().position(|a| a.topic == *topic && a.index == index)
    }

    fn offset_of(&self, partition: &Partition, from: Offset) -> u64 {
        partition.resolve(from, self.shared.clock.wall_micros(), &self.shared.metrics)
    }

    /// Copies what is there, without waiting, round and round until the room is used or nothing
    /// is left. An error after something was copied is left for the next call.
    fn gather(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        out: &mut Vec<Delivered>,
    ) -> Result<usize, ConsumeError> {
        let before = out.len();
        let mut left = Room { records: max_records.max(1), bytes: max_bytes.max(1) };
        let count = self.assigned.len();
        // Partitions in a row that had nothing: a whole round of them ends it.
        let mut idle = 0;
        while idle < count && !left.is_full() {
            self.turn = (self.turn + 1) % count;
            let Some(assigned) = self.assigned.get_mut(self.turn).filter(|a| !a.lost) else {
                idle += 1;
                continue;
            };
            match assigned.read_run(&mut left, out) {
                Ok(0) => idle += 1,
                Ok(_) => idle = 0,
                Err(error) if out.len() == before => {
                    assigned.lost = true;
                    self.shared.metrics.out_of_range.fetch_add(1, Ordering::Relaxed);
                    return Err(error);
                }
                Err(_) => {
                    // Met again, and told, by the next poll.
                    self.turn = (self.turn + count - 1) % count;
                    break;
                }
            }
        }
        let gathered = out.len() - before;
        self.shared.metrics.records_out.fetch_add(gathered as u64, Ordering::Relaxed);
        Ok(gathered)
    }

    fn unlisten_all(&mut self) {
        self.assigned.iter().for_each(|a| a.partition.unlisten(&self.bell));
    }
}

impl Assigned {
    /// One bounded run under the partition's lock. Returns how many records it gave.
    fn read_run(
        &mut self,
        left: &mut Room,
        out: &mut Vec<Delivered>,
    ) -> Result<usize, ConsumeError> {
        let before = out.len();
        let records = left.records.min(limits::POLL_RUN_RECORDS_MAX);
        let mut run = Room { records, bytes: left.bytes };
        let next = self.partition.read(self.next, &mut run, out).map_err(|bounds| {
            ConsumeError::OffsetOutOfRange {
                topic: self.topic.clone(),
                partition: self.index,
                wanted: self.next,
                low: bounds.low,
                end: bounds.end,
            }
        })?;
        self.next = next;
        left.records -= records - run.records;
        left.bytes = run.bytes;
        Ok(out.len() - before)
    }
}

impl Consumer for EmbeddedConsumer {
    fn assign(&mut self, starts: Vec<Start>) -> Result<(), ConsumeError> {
        let resolved: Result<Vec<_>, _> =
            starts.into_iter().map(|start| self.resolve(start)).collect();
        let resolved = resolved?;
        self.unlisten_all();
        self.assigned = resolved;
        self.turn = 0;
        self.assigned.iter().for_each(|a| a.partition.listen(&self.bell));
        Ok(())
    }

    fn add(&mut self, start: Start) -> Result<(), ConsumeError> {
        if self.place(&start.topic, start.partition).is_some() {
            return self.seek(start);
        }
        let added = self.resolve(start)?;
        added.partition.listen(&self.bell);
        self.assigned.push(added);
        Ok(())
    }

    fn remove(&mut self, topic: &TopicName, partition: u32) -> Result<(), ConsumeError> {
        if let Some(at) = self.place(topic, partition) {
            self.assigned.swap_remove(at).partition.unlisten(&self.bell);
        }
        Ok(())
    }

    fn seek(&mut self, start: Start) -> Result<(), ConsumeError> {
        let Some(at) = self.place(&start.topic, start.partition) else {
            return Err(ConsumeError::UnknownPartition(start.topic, start.partition));
        };
        let next = self.offset_of(&self.assigned[at].partition, start.from);
        let assigned = &mut self.assigned[at];
        (assigned.next, assigned.lost) = (next, false);
        Ok(())
    }

    fn next_offset(&self, topic: &TopicName, partition: u32) -> Option<u64> {
        self.place(topic, partition).map(|at| self.assigned[at].next)
    }

    fn poll(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        timeout: Duration,
        out: &mut Vec<Delivered>,
    ) -> Result<usize, ConsumeError> {
        let woken = self.bell.take_woken();
        let gathered = self.gather(max_records, max_bytes, out)?;
        if gathered > 0 {
            return Ok(gathered);
        }
        if self.shared.is_closed() {
            return Err(ConsumeError::Closed);
        }
        if woken || timeout.is_zero() {
            return Ok(0);
        }
        self.bell.prepare();
        let mut gathered = self.gather(max_records, max_bytes, out);
        if gathered == Ok(0) && !self.shared.is_closed() {
            self.bell.wait(timeout);
            gathered = self.gather(max_records, max_bytes, out);
        }
        self.bell.up();
        gathered
    }

    fn partitions(&mut self, topic: &TopicName) -> Result<u32, ConsumeError> {
        let partitions = self.shared.topics.get(topic);
        let partitions = partitions.ok_or_else(|| ConsumeError::UnknownTopic(topic.clone()))?;
        Ok(partitions.len() as u32)
    }

    fn end_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError> {
        let now_micros = self.shared.clock.wall_micros();
        let partition = self.shared.partition(topic, partition)?;
        Ok(partition.bounds(now_micros, &self.shared.metrics).end)
    }

    fn low_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError> {
        let now_micros = self.shared.clock.wall_micros();
        let partition = self.shared.partition(topic, partition)?;
        Ok(partition.bounds(now_micros, &self.shared.metrics).low)
    }

    fn offset_for_time(
        &mut self,
        topic: &TopicName,
        partition: u32,
        time_micros: i64,
    ) -> Result<u64, ConsumeError> {
        Ok(self.shared.partition(topic, partition)?.offset_for_time(time_micros))
    }

    fn waker(&self) -> Waker {
        let bell = Arc::clone(&self.bell);
        Waker::new(move || bell.wake())
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.unlisten_all();
    }
}
