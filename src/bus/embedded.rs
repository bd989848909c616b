//! The in-process bus: a partitioned log in memory.
//!
//! Owns topics, their partitions and their bounds. Input: producers' records. Output: the same
//! records to every consumer. Nothing survives the process; nothing is written to disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fantail_ops::clock::Clock;

use crate::consumer::{ConsumeError, Consumer};
use crate::limits;
use crate::membership::Membership;
use crate::metrics::BusMetrics;
use crate::producer::Producer;
use crate::topic::{TopicError, TopicName, TopicSpec};
use crate::{Bus, OpenError};

mod bell;
mod compacted;
mod consumer;
mod log;
mod membership;
mod partition;
mod producer;
#[cfg(test)]
mod tests;

use partition::Partition;

/// The in-process bus. Cloning shares it.
#[derive(Debug, Clone)]
pub struct EmbeddedBus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Fixed when the bus is made, so looking a topic up needs no lock.
    topics: HashMap<TopicName, Vec<Arc<Partition>>>,
    metrics: Arc<BusMetrics>,
    clock: Clock,
    closed: AtomicBool,
    groups: Arc<membership::Groups>,
    /// Members so far, so that each has its own number.
    members: AtomicU64,
}

impl EmbeddedBus {
    /// A bus with these topics and no others. `clock` decides what is too old to keep.
    ///
    /// # Errors
    /// [`TopicError`] for the first specification that can't be.
    pub fn new(specs: Vec<TopicSpec>, clock: Clock) -> Result<Self, TopicError> {
        if specs.len() > limits::TOPICS_MAX {
            return Err(TopicError::TooMany(specs.len()));
        }
        let mut topics = HashMap::with_capacity(specs.len());
        for spec in specs {
            spec.check()?;
            let partitions: Vec<_> =
                (0..spec.partitions).map(|_| Arc::new(Partition::new(&spec))).collect();
            if topics.insert(spec.name.clone(), partitions).is_some() {
                return Err(TopicError::Twice(spec.name));
            }
        }
        let metrics = Arc::new(BusMetrics::default());
        let closed = AtomicBool::new(false);
        let (groups, members) = (Arc::default(), AtomicU64::new(0));
        Ok(Self { shared: Arc::new(Shared { topics, metrics, clock, closed, groups, members }) })
    }

    /// The bus's counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<BusMetrics> {
        &self.shared.metrics
    }

    /// Refuses further records and ends every consumer once it has read what is there.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.topics.values().flatten().for_each(|partition| partition.ring());
    }
}

impl Bus for EmbeddedBus {
    fn producer(&self) -> Result<Box<dyn Producer>, OpenError> {
        self.shared.check_open()?;
        Ok(Box::new(producer::EmbeddedProducer::new(Arc::clone(&self.shared))))
    }

    fn consumer(&self) -> Result<Box<dyn Consumer>, OpenError> {
        self.shared.check_open()?;
        Ok(Box::new(consumer::EmbeddedConsumer::new(Arc::clone(&self.shared))))
    }

    fn membership(&self, group: &str, topic: &TopicName) -> Result<Box<dyn Membership>, OpenError> {
        self.shared.check_open()?;
        let partitions = self.shared.topics.get(topic).map(|all| all.len() as u32);
        let partitions = partitions
            .ok_or_else(|| OpenError::Unreachable(format!("there is no topic {topic}")))?;
        let number = self.shared.members.fetch_add(1, Ordering::Relaxed);
        let groups = Arc::clone(&self.shared.groups);
        let joined = membership::EmbeddedMembership::join(groups, group, partitions, number);
        Ok(Box::new(joined))
    }
}

impl Shared {
    fn check_open(&self) -> Result<(), OpenError> {
        if self.is_closed() { Err(OpenError::Closed) } else { Ok(()) }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn partition(&self, topic: &TopicName, index: u32) -> Result<&Arc<Partition>, ConsumeError> {
        let partitions =
            self.topics.get(topic).ok_or_else(|| ConsumeError::UnknownTopic(topic.clone()))?;
        partitions
            .get(index as usize)
            .ok_or_else(|| ConsumeError::UnknownPartition(topic.clone(), index))
    }
}
