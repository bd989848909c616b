//! Makes frames: the one place where market data becomes bytes for sockets.
//!
//! Owned by a shard (scratch buffers and a compressor), called through the `OnceLock`s of groups
//! and snapshots, so each frame is made at most once per node and kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fantail_wire::client::{self, BookSnapshot, Encoding, EventMessage, Reply};
use fantail_wire::frame::encode::{deflated_frame, server_frame};
use fantail_wire::frame::{Deflater, Opcode};

use crate::group::Group;
use crate::kind::{FrameKind, KINDS};
use crate::seed::{Snapshot, SnapshotBody};

/// Frames made, by kind; written by shards, read at scrape.
#[derive(Debug, Default)]
pub(crate) struct FramesMade {
    made: [AtomicU64; KINDS],
    compressed: AtomicU64,
}

impl FramesMade {
    pub(crate) fn of(&self, kind: FrameKind) -> u64 {
        self.made[kind.index()].load(Ordering::Relaxed)
    }

    pub(crate) fn compressed(&self) -> u64 {
        self.compressed.load(Ordering::Relaxed)
    }
}

/// Scratch buffers and a compressor.
pub(crate) struct Encoder {
    payload: Vec<u8>,
    frames: Vec<u8>,
    deflater: Deflater,
    counters: Arc<FramesMade>,
}

const fn opcode(encoding: Encoding) -> Opcode {
    if encoding.is_text() { Opcode::Text } else { Opcode::Binary }
}

impl Encoder {
    pub(crate) fn new(deflater: Deflater, counters: Arc<FramesMade>) -> Self {
        let (payload, frames) = (Vec::new(), Vec::new());
        Self { payload, frames, deflater, counters }
    }

    /// All frames of a group, back to back.
    pub(crate) fn group(&mut self, group: &Group, kind: FrameKind) -> Bytes {
        if kind.deflate {
            let plain = group.frames(kind.plain(), self);
            return self.compress(&plain, kind);
        }
        self.frames.clear();
        let messages = group.messages();
        if group.is_batch || (kind.batch && group.events.len() > 1) {
            let messages: Vec<EventMessage<'_>> = messages.collect();
            self.payload.clear();
            client::encode_batch(kind.encoding, &messages, &mut self.payload);
            self.frame(kind);
        } else {
            for message in messages {
                self.payload.clear();
                client::encode_event(kind.encoding, &message, &mut self.payload);
                self.frame(kind);
            }
        }
        Bytes::copy_from_slice(&self.frames)
    }

    /// A snapshot as one frame.
    pub(crate) fn snapshot(&mut self, snapshot: &Snapshot, kind: FrameKind) -> Bytes {
        if kind.deflate {
            let plain = snapshot.frame(kind.plain(), self);
            return self.compress(&plain, kind);
        }
        self.frames.clear();
        self.payload.clear();
        let (channel, ch, tx) = (&*snapshot.info.name, snapshot.info.ch, snapshot.tx);
        match &snapshot.body {
            SnapshotBody::Book { position, ts, rx, vseq, levels, crc } => {
                let (position, ts, rx, vseq, crc) = (*position, *ts, *rx, *vseq, *crc);
                let message = BookSnapshot { channel, ch, position, ts, rx, tx, vseq, levels, crc };
                client::encode_snapshot(kind.encoding, &message, &mut self.payload);
            }
            SnapshotBody::Last(event) => {
                let message =
                    EventMessage { channel, ch, tx, event, crc: None, snapshot: true, n: None };
                client::encode_event(kind.encoding, &message, &mut self.payload);
            }
        }
        self.frame(kind);
        Bytes::copy_from_slice(&self.frames)
    }

    /// A reply to one session. Never compressed: it stands beside secrets.
    pub(crate) fn reply(&mut self, encoding: Encoding, reply: &Reply) -> Bytes {
        self.payload.clear();
        self.frames.clear();
        client::encode_reply(encoding, reply, &mut self.payload);
        server_frame(opcode(encoding), false, &self.payload, &mut self.frames);
        Bytes::copy_from_slice(&self.frames)
    }

    fn frame(&mut self, kind: FrameKind) {
        self.counters.made[kind.index()].fetch_add(1, Ordering::Relaxed);
        server_frame(opcode(kind.encoding), false, &self.payload, &mut self.frames);
    }

    /// The same frames, each compressed if that pays.
    fn compress(&mut self, plain: &[u8], kind: FrameKind) -> Bytes {
        self.frames.clear();
        let mut rest = plain;
        while let Some((payload, after)) = cut_server_frame(rest) {
            let opcode = opcode(kind.encoding);
            let pays = deflated_frame(opcode, payload, &mut self.deflater, &mut self.frames);
            self.counters.made[kind.index()].fetch_add(1, Ordering::Relaxed);
            self.counters.compressed.fetch_add(u64::from(pays), Ordering::Relaxed);
            rest = after;
        }
        Bytes::copy_from_slice(&self.frames)
    }
}

/// Payload of the first of our own unmasked frames, and what follows it.
fn cut_server_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, length): (usize, usize) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(head..head.checked_add(length)?)?;
    Some((payload, &bytes[head + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_at_every_header_size() {
        let mut frames = Vec::new();
        let payloads = [0_usize, 1, 125, 126, 65_535, 65_536].map(|length| vec![7_u8; length]);
        for payload in &payloads {
            server_frame(Opcode::Binary, false, payload, &mut frames);
        }
        let mut rest = &frames[..];
        for wanted in &payloads {
            let (payload, after) = cut_server_frame(rest).expect("a whole frame");
            assert_eq!(payload, &wanted[..]);
            rest = after;
        }
        assert!(rest.is_empty());
    }
}
