//! What one socket still has to be sent, in order: own replies, and references to shared frames.
//!
//! Empty for a healthy session: then it holds no memory and the flush writes past it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::encoder::Encoder;
use crate::group::Group;
use crate::kind::FrameKind;
use crate::limits;

/// One run of bytes.
#[derive(Debug)]
enum Item {
    /// Bytes of this session alone, counted against its bound.
    Own(Bytes),
    /// A shared frame (snapshot).
    Shared(Bytes),
    /// A group's frames of the session's kind.
    Group(Arc<Group>),
}

/// The queue of one socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: VecDeque<Item>,
    /// Bytes of the first item that were already sent.
    offset: usize,
    own_bytes: usize,
    own_items: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Runs of bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Bytes of own replies that wait.
    pub(crate) fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// True when the client does not even read its own answers.
    pub(crate) fn is_over(&self, reply_bytes_max: usize) -> bool {
        self.own_bytes > reply_bytes_max
            || self.own_items > limits::SESSION_QUEUE_MAX
            || self.items.len() > limits::SESSION_PARTS_MAX
    }

    pub(crate) fn push_own(&mut self, bytes: Bytes) {
        self.own_bytes += bytes.len();
        self.own_items += 1;
        self.items.push_back(Item::Own(bytes));
    }

    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        self.items.push_back(Item::Shared(bytes));
    }

    pub(crate) fn push_group(&mut self, group: Arc<Group>) {
        self.items.push_back(Item::Group(group));
    }

    /// Bytes just queued on an empty outbox of which `sent` are gone already.
    pub(crate) fn skip(&mut self, sent: usize) {
        self.offset = sent;
    }

    /// Copies the unsent bytes into `scratch`, stopping after the item that reaches `most`.
    pub(crate) fn gather(
        &self,
        kind: FrameKind,
        encoder: &mut Encoder,
        most: usize,
        scratch: &mut Vec<u8>,
    ) {
        let mut skip = self.offset;
        for item in &self.items {
            let bytes = item.bytes(kind, encoder);
            scratch.extend_from_slice(bytes.get(skip..).unwrap_or_default());
            skip = 0;
            if scratch.len() >= most {
                return;
            }
        }
    }

    /// `sent` bytes of what was gathered are gone.
    pub(crate) fn advance(&mut self, mut sent: usize, kind: FrameKind, encoder: &mut Encoder) {
        while let Some(item) = self.items.front() {
            let left = item.bytes(kind, encoder).len() - self.offset;
            if sent < left {
                self.offset += sent;
                return;
            }
            sent -= left;
            self.offset = 0;
            if let Some(Item::Own(bytes)) = self.items.pop_front() {
                self.own_bytes -= bytes.len();
                self.own_items -= 1;
            }
        }
        self.items.shrink_to(0);
    }

    /// Drops everything but the item that is partly sent: a frame, once begun, has to end.
    pub(crate) fn keep_begun(&mut self) {
        self.items.truncate(usize::from(self.offset > 0));
        (self.own_bytes, self.own_items) = match self.items.front() {
            Some(Item::Own(bytes)) => (bytes.len(), 1),
            _ => (0, 0),
        };
    }
}

impl Item {
    fn bytes<'a>(&'a self, kind: FrameKind, encoder: &mut Encoder) -> &'a [u8] {
        match self {
            Self::Own(bytes) | Self::Shared(bytes) => bytes,
            Self::Group(group) => group.frames_ref(kind, encoder),
        }
    }
}
