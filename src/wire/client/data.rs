//! Market data as it is handed to an encoder: borrowed, shared by every subscriber, so it holds
//! nothing about a session.

use fantail_model::{BookChange, Event, Micros, Position};

/// One event on its way to clients.
#[derive(Clone, Copy, Debug)]
pub struct EventMessage<'a> {
    /// Channel name (JSON, MessagePack).
    pub channel: &'a str,
    /// The node's number of the channel (Protobuf).
    pub ch: u32,
    /// When the gateway's tail published it.
    pub tx: Micros,
    /// The fact.
    pub event: &'a Event,
    /// Book checksum after this event, where due.
    pub crc: Option<u32>,
    /// True for a last value sent on subscribe: adds `snapshot: true` and `epoch`.
    pub snapshot: bool,
    /// How many events a conflated message stands for.
    pub n: Option<u32>,
}

/// A book as a whole: the state after `position`, or a placeholder while it is not in sync.
#[derive(Clone, Copy, Debug)]
pub struct BookSnapshot<'a> {
    /// Channel name (JSON, MessagePack).
    pub channel: &'a str,
    /// The node's number of the channel (Protobuf).
    pub ch: u32,
    /// `None`: not in sync yet (`"seq": null`), the real one follows.
    pub position: Option<Position>,
    /// Venue time of the last event in it.
    pub ts: Option<Micros>,
    /// Receive time of the last event in it.
    pub rx: Micros,
    /// When the gateway's tail made it.
    pub tx: Micros,
    /// Venue update id of the last event in it.
    pub vseq: Option<u64>,
    /// The levels, best first.
    pub levels: &'a BookChange,
    /// Checksum of the top ten.
    pub crc: u32,
}
