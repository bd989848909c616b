//! Records on the bus: what ingest tells gateways, and the topics they travel in.
//!
//! Two formats of the same content; readers take both. A Protobuf record is a `BusRecord` of
//! `schemas/market.proto` and starts with its `version` field (bytes `08 01`); a MessagePack record
//! is an array of the version and one map (bytes `92 01`). So the first two bytes tell format and
//! version, and any Protobuf tool can read a record as it stands. Unknown fields are ignored; a
//! higher version is an error of its own, because then meaning, not only content, has changed.
//!
//! Does not decide where a record goes beyond its topic and key; partitions belong to the bus.

mod msgpack;
mod protobuf;
mod topic;

use fantail_model::{Event, Instrument, Micros, VenueId};

pub use topic::{CONTROL, INSTRUMENT, SNAPSHOT, key, snapshot_channel, state_key, topic};

/// The version this code writes and the highest it reads.
pub const VERSION: u8 = 1;

/// How a record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RecordFormat {
    /// `BusRecord` of `schemas/market.proto`: smaller and faster, the default.
    #[default]
    Protobuf,
    /// The same content as a MessagePack map.
    MsgPack,
}

/// One record, owned, as a reader gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An event of a channel.
    Event {
        /// Full channel name.
        channel: String,
        /// The event.
        event: Event,
    },
    /// The owner of a venue's feed is alive.
    Heartbeat(FeedHeartbeat),
    /// An instrument as it now is.
    Instrument(Instrument),
}

/// One record, borrowed, as a publisher writes it.
#[derive(Clone, Copy, Debug)]
pub enum RecordRef<'a> {
    /// An event of a channel.
    Event {
        /// Full channel name.
        channel: &'a str,
        /// The event.
        event: &'a Event,
    },
    /// The owner of a venue's feed is alive.
    Heartbeat(&'a FeedHeartbeat),
    /// An instrument as it now is.
    Instrument(&'a Instrument),
}

/// A sign of life of a venue's feed owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedHeartbeat {
    /// The venue.
    pub venue: VenueId,
    /// Which group of the venue's symbols; 0 where they are not divided.
    pub group: u32,
    /// Of how many groups; 0 where they are not divided, or by a writer that does not say.
    pub groups: u32,
    /// The epoch its owner publishes with.
    pub epoch: u64,
    /// When it was sent.
    pub time: Micros,
}

/// Why bytes are not a record: the writer's fault, never a client's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by newer code.
    #[error("record version {found}; this node reads up to {VERSION}: upgrade readers first")]
    Version {
        /// The version found.
        found: u64,
    },
    /// Neither format.
    #[error("not a record: starts with neither 08 nor 92")]
    Format,
    /// Cut short or corrupt.
    #[error("malformed record: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
}

impl Record {
    /// A borrowed view of it.
    pub fn as_ref(&self) -> RecordRef<'_> {
        match self {
            Self::Event { channel, event } => RecordRef::Event { channel, event },
            Self::Heartbeat(heartbeat) => RecordRef::Heartbeat(heartbeat),
            Self::Instrument(instrument) => RecordRef::Instrument(instrument),
        }
    }
}

impl RecordError {
    pub(crate) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed { reason: reason.to_string() }
    }
}

/// Appends a record to `out`.
pub fn encode(record: RecordRef<'_>, format: RecordFormat, out: &mut Vec<u8>) {
    match format {
        RecordFormat::Protobuf => protobuf::encode(record, out),
        RecordFormat::MsgPack => msgpack::encode(record, out),
    }
}

/// Reads a record of either format.
pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    match bytes.first() {
        Some(&protobuf::FIRST_BYTE) => protobuf::decode(bytes),
        Some(&msgpack::FIRST_BYTE) => msgpack::decode(bytes),
        _ => Err(RecordError::Format),
    }
}

#[cfg(test)]
mod tests;
