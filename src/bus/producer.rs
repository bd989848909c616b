//! The sending half of the bus. Owns the trait and its errors; implementations live elsewhere.

use std::time::Duration;

use crate::record::Record;
use crate::topic::TopicName;

/// Sends records. One per thread; several may send to one partition, and then each one's own
/// records stay in order.
pub trait Producer: Send {
    /// How many partitions the topic has; `None` if there is no such topic.
    fn partitions(&self, topic: &TopicName) -> Option<u32>;

    /// Hands the record over without waiting for the broker. What was accepted is delivered in
    /// the order it was sent, or `flush` says so.
    ///
    /// # Errors
    /// See [`SendError`]; on every error the record was not accepted.
    fn send(&mut self, record: Record) -> Result<(), SendError>;

    /// Waits until everything accepted so far is stored.
    ///
    /// # Errors
    /// [`FlushError`] when the time ran out or records were lost.
    fn flush(&mut self, timeout: Duration) -> Result<(), FlushError>;

    /// How many records were accepted and then given up since the producer was opened. Looking
    /// costs nothing: a sender whose records must follow each other without a hole looks after
    /// each batch and starts anew when it has grown. A bus that stores at once loses none.
    fn lost(&self) -> u64 {
        0
    }
}

/// A record that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The local queue to the broker is full: the broker is slow or away. The record comes back,
    /// so that the caller may try again later.
    #[error("the queue to the bus is full")]
    QueueFull(Box<Record>),
    /// Larger than the bus carries: the sender's mistake, trying again won't help.
    #[error("a record of {size_bytes} bytes is larger than the {max_bytes} the bus carries")]
    TooLarge {
        /// Bytes of the refused record.
        size_bytes: usize,
        /// Bytes allowed.
        max_bytes: usize,
    },
    /// The bus was closed: the process is shutting down.
    #[error("the bus is closed")]
    Closed,
    /// There is no such topic.
    #[error("there is no topic {0}")]
    UnknownTopic(TopicName),
    /// The topic has no such partition.
    #[error("topic {0} has no partition {1}")]
    UnknownPartition(TopicName, u32),
}

/// Records whose fate is not the wished one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlushError {
    /// Still waiting for this many.
    #[error("{0} records are not yet stored")]
    TimedOut(u64),
    /// Accepted, then given up.
    #[error("{0} records were lost: {1}")]
    Lost(u64, String),
}
