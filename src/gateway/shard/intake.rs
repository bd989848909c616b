//! What reaches a shard from outside its sockets: the tail's mailbox in its order, and new sockets.
//!
//! A message that was taken too early is held here and comes first next time, so that a running
//! flush may look what is next without changing the order. It decides nothing.

use tokio::sync::mpsc;

use crate::link::ToShard;
use crate::listener::Arrival;

/// Both queues of a shard.
pub(super) struct Intake {
    pub(super) mail: Mail,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
}

/// The mailbox, and what was taken out of it too early.
pub(super) struct Mail {
    mailbox: mpsc::Receiver<ToShard>,
    held: Option<ToShard>,
}

impl Intake {
    pub(super) fn new(mailbox: mpsc::Receiver<ToShard>, arrivals: mpsc::Receiver<Arrival>) -> Self {
        Self { mail: Mail { mailbox, held: None }, arrivals }
    }
}

impl Mail {
    /// The next message, waiting for it. Dropping the wait loses nothing.
    pub(super) async fn recv(&mut self) -> Option<ToShard> {
        match self.held.take() {
            Some(held) => Some(held),
            None => self.mailbox.recv().await,
        }
    }

    /// The next message, if there is one.
    pub(super) fn try_next(&mut self) -> Option<ToShard> {
        self.held.take().or_else(|| self.mailbox.try_recv().ok())
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_none() && self.mailbox.is_empty()
    }

    /// It comes first next time.
    pub(super) fn hold(&mut self, message: ToShard) {
        self.held = Some(message);
    }
}
