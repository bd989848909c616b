//! What a client reads, as owned values: used by `tap`, the load generator and every test.

use fantail_model::{BookChange, Event, Micros, Position};

use super::Reply;

/// One event as read from a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataMessage {
    /// Channel name; empty in Protobuf, where `ch` names it.
    pub channel: String,
    /// The node's number of the channel; 0 outside Protobuf.
    pub ch: u32,
    /// When the gateway's tail published it.
    pub tx: Micros,
    /// The fact. `position.epoch` is 0 unless `reset` or `snapshot` carried it.
    pub event: Event,
    /// Book checksum, where sent.
    pub crc: Option<u32>,
    /// A last value sent on subscribe.
    pub snapshot: bool,
    /// How many events it stands for, on conflated channels.
    pub n: Option<u32>,
}

/// A book as a whole, as read from a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMessage {
    /// Channel name; empty in Protobuf.
    pub channel: String,
    /// The node's number of the channel; 0 outside Protobuf.
    pub ch: u32,
    /// `None`: not in sync yet.
    pub position: Option<Position>,
    /// Venue time.
    pub ts: Option<Micros>,
    /// Receive time at ingest.
    pub rx: Micros,
    /// When the tail made it.
    pub tx: Micros,
    /// Venue update id.
    pub vseq: Option<u64>,
    /// The levels, best first.
    pub levels: BookChange,
    /// Checksum of the top ten.
    pub crc: u32,
}

/// Anything a server may send.
#[allow(
    clippy::large_enum_variant,
    reason = "the large variant is the common one; boxing it would cost an allocation a message"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// An event.
    Data(DataMessage),
    /// A whole book.
    Snapshot(SnapshotMessage),
    /// Events of one channel that left together.
    Batch(Vec<DataMessage>),
    /// A message to this session.
    Reply(Reply),
}
