//! Publications: the events of one channel that leave together, and their frames.
//!
//! A group is made by the tail, kept in the channel's ring for resumes, and shared by reference
//! with every interested shard. Its frames are made by whichever shard needs them first.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fantail_model::{Body, Channel, Event, Micros, Position};
use fantail_wire::client::EventMessage;

use crate::encoder::Encoder;
use crate::kind::{FrameKind, KINDS};

/// A channel of this node: its number, never reused, and its name.
#[derive(Debug)]
pub(crate) struct ChannelInfo {
    pub(crate) ch: u32,
    pub(crate) name: Arc<str>,
    pub(crate) channel: Channel,
}

/// One published event.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) event: Event,
    /// Book checksum after it, where due.
    pub(crate) crc: Option<u32>,
    /// For how many events it stands, where that is not plainly one.
    pub(crate) n: Option<u32>,
}

/// Events of one channel, in order; never empty.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) info: Arc<ChannelInfo>,
    pub(crate) tx: Micros,
    pub(crate) events: Vec<Published>,
    /// Its events travel in one message for everybody (a conflation window of trades).
    pub(crate) is_batch: bool,
    /// Made with the first frame: most of a history is never sent.
    frames: OnceLock<Box<[OnceLock<Bytes>; KINDS]>>,
}

/// What the tail hands to shards in one cycle.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) groups: Vec<Arc<Group>>,
    /// Estimated bytes, for bounds.
    pub(crate) weight: usize,
}

impl Group {
    pub(crate) fn new(info: Arc<ChannelInfo>, tx: Micros, events: Vec<Published>) -> Self {
        Self::merged(info, tx, events, false)
    }

    /// A group whose events, with `is_batch`, travel in one message.
    pub(crate) fn merged(
        info: Arc<ChannelInfo>,
        tx: Micros,
        events: Vec<Published>,
        is_batch: bool,
    ) -> Self {
        Self { info, tx, events, is_batch, frames: OnceLock::new() }
    }

    /// The place just before its first event.
    pub(crate) fn before(&self) -> Position {
        let first = self.events.first();
        first
            .map_or_else(Position::default, |p| Position::new(p.event.position.epoch, p.event.prev))
    }

    /// The place of its last event.
    pub(crate) fn last(&self) -> Position {
        self.events.last().map_or_else(Position::default, |p| p.event.position)
    }

    /// Its frames of one kind, back to back; made once per node.
    pub(crate) fn frames(&self, kind: FrameKind, encoder: &mut Encoder) -> Bytes {
        self.frames_ref(kind, encoder).clone()
    }

    /// The same without touching a reference count.
    pub(crate) fn frames_ref(&self, kind: FrameKind, encoder: &mut Encoder) -> &Bytes {
        let frames = self.frames.get_or_init(|| Box::new([const { OnceLock::new() }; KINDS]));
        frames[kind.index()].get_or_init(|| encoder.group(self, kind))
    }

    /// The same when they are known to exist.
    pub(crate) fn frames_made(&self, kind: FrameKind) -> &[u8] {
        let made = self.frames.get().and_then(|frames| frames[kind.index()].get());
        made.map_or(&[], |bytes| &bytes[..])
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = EventMessage<'_>> {
        self.events.iter().map(|published| EventMessage {
            channel: &self.info.name,
            ch: self.info.ch,
            tx: self.tx,
            event: &published.event,
            crc: published.crc,
            snapshot: false,
            n: published.n,
        })
    }

    /// Estimated bytes of one encoding of it.
    pub(crate) fn weight(&self) -> usize {
        self.events.iter().map(|published| weight(&published.event)).sum()
    }
}

/// Estimated bytes of an event on a wire: a bound's currency, not a measurement.
pub(crate) fn weight(event: &Event) -> usize {
    const ENVELOPE: usize = 160;
    const LEVEL: usize = 32;
    ENVELOPE
        + match &event.body {
            Body::Book(change) => LEVEL * (change.bids.len() + change.asks.len()),
            Body::Trade(_) | Body::Bbo(_) => 2 * LEVEL,
            Body::Ticker(_) | Body::Candle(_) | Body::Funding(_) => 4 * LEVEL,
            Body::Status(status) => status.reason.len(),
            Body::VenueGap(gap) => gap.reason.len(),
        }
}
