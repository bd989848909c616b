//! The receiving half of the bus. Owns the trait, its errors and the [`Waker`]; implementations
//! live elsewhere. No groups, no commits: who consumes says from where.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::record::Delivered;
use crate::topic::TopicName;

/// Receives every record of the partitions it assigned. One thread owns it.
pub trait Consumer: Send {
    /// Replaces the whole assignment. `Latest` and `Time` become offsets before this returns, so
    /// a record sent afterwards is never missed.
    ///
    /// # Errors
    /// An unknown topic or partition (then the old assignment stays), or a bus that is away.
    fn assign(&mut self, starts: Vec<Start>) -> Result<(), ConsumeError>;

    /// Adds one partition to the assignment; the others go on undisturbed. One that is assigned
    /// already is moved, as by [`Consumer::seek`]. With [`Offset::At`], and a topic whose
    /// partitions were asked for before, it waits for nobody.
    ///
    /// # Errors
    /// As [`Consumer::assign`].
    fn add(&mut self, start: Start) -> Result<(), ConsumeError>;

    /// Takes one partition out of the assignment: no later poll delivers a record of it, or an
    /// error about it. It waits for nobody; one that is not assigned is no mistake.
    ///
    /// # Errors
    /// The client library's own refusal; then the partition stays assigned.
    fn remove(&mut self, topic: &TopicName, partition: u32) -> Result<(), ConsumeError>;

    /// Moves one assigned partition, e.g. after [`ConsumeError::OffsetOutOfRange`].
    ///
    /// # Errors
    /// As [`Consumer::assign`]; a partition that is not assigned is unknown.
    fn seek(&mut self, start: Start) -> Result<(), ConsumeError>;

    /// The first offset of an assigned partition that no poll has delivered or passed over yet;
    /// `None` if it is not assigned. Asks nobody.
    fn next_offset(&self, topic: &TopicName, partition: u32) -> Option<u64>;

    /// Appends what is there to `out`, at most `max_records`, and stops once `max_bytes` are
    /// reached (one record is always delivered, however large). With nothing there it waits until
    /// something is, until `timeout` is over or until a [`Waker`] wakes it; it may return early
    /// with 0. Returns how many were appended. No partition starves another.
    ///
    /// # Errors
    /// On an error nothing was appended. `OffsetOutOfRange` is reported once, and its partition
    /// stands still until `seek` or `assign`: nothing is ever skipped silently.
    fn poll(
        &mut self,
        max_records: usize,
        max_bytes: usize,
        timeout: Duration,
        out: &mut Vec<Delivered>,
    ) -> Result<usize, ConsumeError>;

    /// How many partitions the topic has.
    ///
    /// # Errors
    /// `UnknownTopic`, or a bus that is away.
    fn partitions(&mut self, topic: &TopicName) -> Result<u32, ConsumeError>;

    /// The offset the next record of the partition will get.
    ///
    /// # Errors
    /// Unknown topic or partition, or a bus that is away.
    fn end_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError>;

    /// The smallest offset still readable; equals the end if nothing is kept.
    ///
    /// # Errors
    /// Unknown topic or partition, or a bus that is away.
    fn low_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError>;

    /// The first kept record whose timestamp is at or after `time_micros`; the end if there is
    /// none. Implementations may look at milliseconds only.
    ///
    /// # Errors
    /// Unknown topic or partition, or a bus that is away.
    fn offset_for_time(
        &mut self,
        topic: &TopicName,
        partition: u32,
        time_micros: i64,
    ) -> Result<u64, ConsumeError>;

    /// A handle that makes a waiting (or the next) `poll` return early, from any thread.
    fn waker(&self) -> Waker;
}

/// Where to start reading one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: u32,
    /// The first record wanted.
    pub from: Offset,
}

/// A place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// The oldest kept record.
    Earliest,
    /// Only what is sent from now on.
    Latest,
    /// Exactly this offset.
    At(u64),
    /// The first record at or after this wall-clock time, µs since 1970.
    Time(i64),
}

/// Why nothing could be received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// The wanted record is not kept (any more, or not yet): retention passed the consumer, or
    /// the topic was made anew. The caller decides where to go on and tells its clients.
    #[error("{topic}/{partition}: offset {wanted} is outside of {low}..{end}")]
    OffsetOutOfRange {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: u32,
        /// The offset that was to be read.
        wanted: u64,
        /// The smallest readable offset.
        low: u64,
        /// The next offset to be written.
        end: u64,
    },
    /// There is no such topic.
    #[error("there is no topic {0}")]
    UnknownTopic(TopicName),
    /// The topic has no such partition, or it is not assigned.
    #[error("topic {0} has no partition {1} here")]
    UnknownPartition(TopicName, u32),
    /// The bus was closed and everything assigned has been read.
    #[error("the bus is closed")]
    Closed,
    /// The broker can't be used now; polling again is right.
    #[error("the bus is unreachable: {0}")]
    Unreachable(String),
}

/// Wakes a consumer's `poll`. A wake is remembered: with no poll waiting, the next one returns
/// early (unless it has records anyway).
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls `wake`, which must not block.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Makes a waiting or the next poll return early.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
