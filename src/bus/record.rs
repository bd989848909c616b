//! One record, before and after the bus gave it an offset. Owns the shape and the size rule;
//! never looks inside `value`.

use bytes::Bytes;

use crate::headers::Headers;
use crate::topic::TopicName;

/// One record on its way to a partition. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it goes.
    pub topic: TopicName,
    /// Which partition of it; see [`crate::stable_partition`].
    pub partition: u32,
    /// What it is about (an instrument or channel id); compaction keeps the last of each key.
    pub key: Bytes,
    /// The payload; `None` is a tombstone: "this key is gone".
    pub value: Option<Bytes>,
    /// Small facts a reader may want without decoding the value.
    pub headers: Headers,
    /// The producer's time of the record, wall clock, µs since 1970. Retention by age and
    /// [`crate::Offset::Time`] go by it.
    pub timestamp_micros: i64,
}

impl Record {
    /// Bytes of key, value and headers: what the record limit is about.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + self.headers.packed_bytes()
    }
}

/// A record as a consumer receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The record as it was sent.
    pub record: Record,
    /// Its place in its partition: increasing, dense unless the topic is compacted.
    pub offset: u64,
}
