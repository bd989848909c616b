//! The two mailboxes between a shard and the tail, and the words in them.
//!
//! The order of the mailbox *is* the ordering argument: whatever the tail did in its cycle (a new
//! channel, a batch, the seed made after it) reaches the shard in that order.

use std::sync::Arc;

use fantail_bus::Waker;
use fantail_wire::client::From;
use tokio::sync::mpsc;

use crate::group::{Batch, ChannelInfo};
use crate::seed::{Seeds, SessionKey};

/// From the tail to one shard.
#[derive(Debug, Clone)]
pub(crate) enum ToShard {
    /// A channel exists now.
    Channel(Arc<ChannelInfo>),
    /// Publications.
    Batch(Arc<Batch>),
    /// The start of a subscriber's channels.
    Seeds(Arc<Seeds>),
    /// Channels nobody speaks for any more.
    Stale { channels: Arc<[u32]>, reason: &'static str },
    /// Events that will never come, at their place in the stream.
    Missed { missed: Arc<[Missed]>, reason: &'static str },
    /// The shard lagged until its backlog was given up: its sessions have to resume.
    Lost,
}

/// Events of one channel this node cannot deliver: `from..=to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) ch: u32,
    pub(crate) epoch: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// One channel a subscriber asks for.
#[derive(Debug, Clone)]
pub(crate) struct WantItem {
    pub(crate) ch: u32,
    pub(crate) from: Option<From>,
    pub(crate) history: Option<u32>,
    /// The session holds it already: only the position is asked.
    pub(crate) repeat: bool,
    /// The session lost its place: the state is to say that it replaces everything.
    pub(crate) reset: bool,
}

/// From a shard to the tail.
#[derive(Debug)]
pub(crate) enum ToTail {
    /// Seed these channels; from then on the shard is interested in them.
    Want { shard: usize, session: SessionKey, token: u64, items: Vec<WantItem> },
    /// Nobody of this shard is subscribed to it any more.
    Leave { shard: usize, ch: u32 },
}

/// A shard's end of the mailbox to the tail. Sending wakes the tail.
#[derive(Clone)]
pub(crate) struct TailLink {
    sender: mpsc::Sender<ToTail>,
    waker: Waker,
}

impl TailLink {
    pub(crate) fn new(sender: mpsc::Sender<ToTail>, waker: Waker) -> Self {
        Self { sender, waker }
    }

    /// Hands a request over; gives it back when the mailbox is full or the tail is gone.
    pub(crate) fn send(&self, request: ToTail) -> Result<(), ToTail> {
        self.sender.try_send(request).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back) => back,
        })?;
        self.waker.wake();
        Ok(())
    }
}
