//! Names and specifications of topics. Owns what a valid topic is; input is configuration, output
//! is a checked [`TopicSpec`]. Creates nothing.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::limits;

/// The name of a topic. Cloning one is free (static) or one atomic increment (shared).
#[derive(Clone)]
pub struct TopicName(Name);

#[derive(Clone)]
enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl TopicName {
    /// A name known at compile time: `const TRADES: TopicName = TopicName::from_static("…")`.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Name::Static(name))
    }

    /// A name made at run time (from configuration).
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Name::Shared(Arc::from(name)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Static(name) => name,
            Name::Shared(name) => name,
        }
    }
}

impl PartialEq for TopicName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for TopicName {}

impl Hash for TopicName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// How much of each partition is kept. Whichever bound is met first wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Bytes kept per partition, each record's fixed overhead included.
    pub bytes: u64,
    /// Age after which a record may be dropped, by its own timestamp; [`Retention::NO_TIME_LIMIT`]
    /// keeps it until `bytes` decides.
    pub time_micros: i64,
}

impl Retention {
    /// No bound by age.
    pub const NO_TIME_LIMIT: i64 = i64::MAX;

    /// Bounded by bytes alone.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self { bytes, time_micros: Self::NO_TIME_LIMIT }
    }
}

/// What a topic is: made once, when the bus is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: TopicName,
    /// How many partitions; order is kept within each.
    pub partitions: u32,
    /// What is kept of each partition.
    pub retention: Retention,
    /// Keep only the last record of each key (a tombstone deletes the key). Offsets then have
    /// holes; `retention.bytes` stays a hard bound.
    pub compacted: bool,
    /// More partitions than said are fine, and fewer may be added to: of topics whose partitions
    /// are shared out and hold no keys' order.
    pub at_least: bool,
}

impl TopicSpec {
    /// Checks the specification against the bus's limits.
    ///
    /// # Errors
    /// [`TopicError`] naming the topic and what is wrong with it.
    pub fn check(&self) -> Result<(), TopicError> {
        let name = self.name.as_str();
        let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let bad_name = name.is_empty() || name == "." || name == "..";
        if bad_name || name.len() > limits::TOPIC_NAME_BYTES_MAX || !name.bytes().all(letters) {
            return Err(TopicError::Name(name.to_owned()));
        }
        if self.partitions == 0 || self.partitions > limits::PARTITIONS_MAX {
            return Err(TopicError::Partitions(self.name.clone(), self.partitions));
        }
        if self.retention.bytes == 0 || self.retention.time_micros <= 0 {
            return Err(TopicError::Retention(self.name.clone()));
        }
        Ok(())
    }
}

/// A topic that can't be made: the operator's configuration is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not a name: letters, digits, `.`, `_`, `-`, at most 249 of them.
    #[error("topic name {0:?} is not valid: use letters, digits, '.', '_' and '-'")]
    Name(String),
    /// Too few or too many partitions.
    #[error("topic {0} can't have {1} partitions (1 to {max})", max = limits::PARTITIONS_MAX)]
    Partitions(TopicName, u32),
    /// A retention that keeps nothing.
    #[error("topic {0} would keep nothing: retention must be positive")]
    Retention(TopicName),
    /// The same name twice.
    #[error("topic {0} is specified twice")]
    Twice(TopicName),
    /// More topics than a bus holds.
    #[error("{0} topics are more than the {max} a bus holds", max = limits::TOPICS_MAX)]
    TooMany(usize),
}
