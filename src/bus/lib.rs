//! `fantail-bus`: moves records between processes and knows no market.
//!
//! Owns the words of the bus ([`Record`], [`TopicName`], [`Start`]), the pair of traits
//! ([`Producer`], [`Consumer`]) everything above is written against, and its two homes: in process
//! ([`embedded`]) and on Apache Kafka ([`kafka`]). Input: bytes with a topic, a partition and a
//! key. Output: the same bytes, in order per partition, to every consumer that assigned it. It
//! deliberately does not parse values, does not import `model` or `wire`, and commits no offsets: a
//! consumer always says where it starts. Groups ([`Membership`]) share out work, never records.
#![forbid(unsafe_code)]

pub mod consumer;
#[doc(hidden)]
pub mod contract;
pub mod embedded;
pub mod headers;
pub mod kafka;
pub mod limits;
pub mod membership;
pub mod metrics;
pub mod partitioner;
pub mod producer;
pub mod record;
pub mod topic;

pub use consumer::{ConsumeError, Consumer, Offset, Start, Waker};
pub use embedded::EmbeddedBus;
pub use headers::{Headers, HeadersError};
pub use kafka::KafkaBus;
pub use membership::{Held, Membership, MembershipError};
pub use metrics::BusMetrics;
pub use partitioner::stable_partition;
pub use producer::{FlushError, Producer, SendError};
pub use record::{Delivered, Record};
pub use topic::{Retention, TopicError, TopicName, TopicSpec};

/// A bus one can open producers and consumers on.
///
/// The door between the code that wires a process together and the implementation it chose.
pub trait Bus: Send + Sync {
    /// Opens a producer. Each thread that sends has its own.
    ///
    /// # Errors
    /// When the implementation can't be reached or has been closed.
    fn producer(&self) -> Result<Box<dyn Producer>, OpenError>;

    /// Opens a consumer with nothing assigned. Each is independent of all others: every
    /// consumer sees every record of what it assigned (broadcast, no groups).
    ///
    /// # Errors
    /// When the implementation can't be reached or has been closed.
    fn consumer(&self) -> Result<Box<dyn Consumer>, OpenError>;

    /// Joins a group whose members share the partitions of a topic among them.
    ///
    /// # Errors
    /// When the implementation can't be reached or has been closed, or there is no such topic.
    fn membership(&self, group: &str, topic: &TopicName) -> Result<Box<dyn Membership>, OpenError>;
}

/// Why a producer or consumer could not be opened. An operator's matter, never a client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bus was closed: the process is shutting down.
    #[error("the bus is closed")]
    Closed,
    /// The broker can't be used; the text says why.
    #[error("the bus is unreachable: {0}")]
    Unreachable(String),
}
