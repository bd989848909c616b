//! The bus on Apache Kafka: producers and consumers in many processes, one log.
//!
//! Owns what is shared by all clients of a bus: the configuration, what is known of topics, the
//! counters. Input: producers' records. Output: the same records to every consumer of every
//! process. This file and those in `kafka/` are the only ones that name the client library.
//!
//! Records travel through it as through a log: a consumer is told where to start, belongs to no
//! group and commits nothing, so no rebalance ever touches it. Groups only share out work
//! (`membership`). `Earliest`, `Latest` and `Time` become
//! numbers when they are assigned; retention may pass such a number before it is read, which is
//! told like any other offset that is not kept.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fantail_ops::clock::Clock;

use crate::consumer::Consumer;
use crate::membership::Membership;
use crate::metrics::BusMetrics;
use crate::producer::Producer;
use crate::topic::TopicName;
use crate::{Bus, OpenError};

mod assignment;
mod bell;
mod client;
pub mod config;
mod consumer;
mod context;
mod delivered;
mod figures;
mod limits;
mod membership;
mod places;
mod producer;
#[cfg(test)]
mod tests;
pub mod topics;
mod wait;

pub use config::{KafkaConfig, KafkaSection};
pub use figures::KafkaMetrics;

use places::Places;

/// The bus on Apache Kafka. Cloning shares it.
#[derive(Clone)]
pub struct KafkaBus {
    shared: Arc<Shared>,
}

struct Shared {
    config: KafkaConfig,
    places: Places,
    clock: Clock,
    metrics: Arc<BusMetrics>,
    figures: Arc<KafkaMetrics>,
    closed: AtomicBool,
    /// Consumers opened so far, so that each has its own name.
    consumers: AtomicU64,
}

impl KafkaBus {
    /// A bus on these brokers. Waits for none of them: whether they answer and hold the right
    /// topics is [`topics::check`]'s to say.
    ///
    /// # Errors
    /// A configuration the client library can't use.
    pub fn open(config: KafkaConfig) -> Result<Self, OpenError> {
        // Not a caller's clock: the client library waits in real time, whatever ours says.
        let clock = Clock::system();
        let places = Places::new(&config, clock.clone())?;
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                places,
                clock,
                metrics: Arc::default(),
                figures: Arc::default(),
                closed: AtomicBool::new(false),
                consumers: AtomicU64::new(0),
            }),
        })
    }

    /// The bus's counters, the same as the embedded bus has.
    #[must_use]
    pub fn metrics(&self) -> &Arc<BusMetrics> {
        &self.shared.metrics
    }

    /// What only Kafka has: lost records, queues, brokers.
    #[must_use]
    pub fn kafka_metrics(&self) -> &Arc<KafkaMetrics> {
        &self.shared.figures
    }

    /// Refuses further records and ends every consumer once it has read what it has fetched.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
    }
}

impl Bus for KafkaBus {
    fn producer(&self) -> Result<Box<dyn Producer>, OpenError> {
        self.shared.check_open()?;
        Ok(Box::new(producer::KafkaProducer::open(Arc::clone(&self.shared))?))
    }

    fn consumer(&self) -> Result<Box<dyn Consumer>, OpenError> {
        self.shared.check_open()?;
        let name = self.shared.consumer_name();
        Ok(Box::new(consumer::KafkaConsumer::open(Arc::clone(&self.shared), &name)?))
    }

    fn membership(&self, group: &str, topic: &TopicName) -> Result<Box<dyn Membership>, OpenError> {
        self.shared.check_open()?;
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(membership::KafkaMembership::join(shared, group, topic)?))
    }
}

impl Shared {
    fn check_open(&self) -> Result<(), OpenError> {
        if self.is_closed() { Err(OpenError::Closed) } else { Ok(()) }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// A group name nobody else has. The client library insists on one; it never leaves the
    /// process, as nothing is committed or subscribed.
    fn consumer_name(&self) -> String {
        let number = self.consumers.fetch_add(1, Ordering::Relaxed);
        format!("gw-{}-{}-{number}", std::process::id(), self.clock.wall_micros())
    }
}

impl fmt::Debug for KafkaBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaBus").field("brokers", &self.shared.config.brokers).finish()
    }
}
