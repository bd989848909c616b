//! What a new or resuming subscriber is given before the live stream.
//!
//! Made by the tail at one place in the stream; the frames are made by the shard that needs them
//! first and shared by everyone who is seeded from the same state.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fantail_model::{BookChange, Event, Micros, Position};
use fantail_wire::client::Reply;
use fantail_wire::codes::Code;

use crate::encoder::Encoder;
use crate::group::{ChannelInfo, Group};
use crate::kind::{FrameKind, KINDS};

/// State of a channel as one message.
#[derive(Debug)]
pub(crate) enum SnapshotBody {
    /// A whole book.
    Book {
        /// `None`: not in sync, the real one follows.
        position: Option<Position>,
        ts: Option<Micros>,
        rx: Micros,
        vseq: Option<u64>,
        levels: BookChange,
        crc: u32,
    },
    /// The last value of a channel, or its last status; its seq is the channel's head, so that
    /// the next event continues it.
    Last(Event),
}

/// A snapshot and its frames.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) info: Arc<ChannelInfo>,
    pub(crate) tx: Micros,
    pub(crate) body: SnapshotBody,
    frames: [OnceLock<Bytes>; KINDS],
}

impl Snapshot {
    pub(crate) fn new(info: Arc<ChannelInfo>, tx: Micros, body: SnapshotBody) -> Self {
        Self { info, tx, body, frames: [const { OnceLock::new() }; KINDS] }
    }

    /// Its frame of one kind; made once per node. Batching does not change it.
    pub(crate) fn frame(&self, kind: FrameKind, encoder: &mut Encoder) -> Bytes {
        let kind = FrameKind { batch: false, ..kind };
        self.frames[kind.index()].get_or_init(|| encoder.snapshot(self, kind)).clone()
    }
}

/// One step of a seed.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// A state.
    Snapshot(Arc<Snapshot>),
    /// Missed events, out of the ring.
    Group(Arc<Group>),
    /// Missing events.
    Gap(Reply),
    /// Another fact about the channel, without a position.
    Notice(Reply),
}

impl Part {
    /// The missed events, if it is that.
    pub(crate) fn group(&self) -> Option<&Arc<Group>> {
        match self {
            Self::Group(group) => Some(group),
            _ => None,
        }
    }
}

/// The start of one channel for one subscriber.
#[derive(Debug)]
pub(crate) struct Seed {
    pub(crate) ch: u32,
    /// What the first event continues; `None` before the channel's first event.
    pub(crate) position: Option<Position>,
    /// The missed events follow, without a snapshot.
    pub(crate) resumed: bool,
    pub(crate) parts: Vec<Part>,
}

impl Seed {
    /// Estimated bytes of the missed events in it.
    pub(crate) fn replay_bytes(&self) -> usize {
        self.parts.iter().filter_map(Part::group).map(|group| group.weight()).sum()
    }
}

/// A session of a shard; the generation voids answers to a session that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionKey {
    pub(crate) slot: usize,
    pub(crate) generation: u64,
}

/// The answer to one [`crate::link::Want`].
#[derive(Debug)]
pub(crate) struct Seeds {
    pub(crate) session: SessionKey,
    pub(crate) token: u64,
    pub(crate) seeds: Vec<Result<Seed, (u32, Code)>>,
    /// What the shard's account lent for them ([`crate::strain::Strain`]).
    pub(crate) lent_bytes: usize,
}
