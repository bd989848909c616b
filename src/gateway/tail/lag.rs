//! One shard's mailbox, and what waits when it is full.
//!
//! The tail never blocks: messages a full mailbox refuses queue here, in order, so seeds sit at
//! the shard's own place in the stream. The queue is bounded by estimated bytes; beyond it the
//! backlog is given up and the shard is told `Lost`, whose sessions then resume.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::limits;
use crate::link::ToShard;
use crate::strain::Strain;

/// Estimated bytes of a message that is no batch.
const SMALL_BYTES: usize = 512;

/// A shard as the tail sees it.
pub(crate) struct Lag {
    sender: mpsc::Sender<ToShard>,
    /// What may be asked of it.
    pub(crate) strain: Arc<Strain>,
    waiting: VecDeque<(ToShard, usize)>,
    bytes: usize,
}

impl Lag {
    pub(crate) fn new((sender, strain): (mpsc::Sender<ToShard>, Arc<Strain>)) -> Self {
        Self { sender, strain, waiting: VecDeque::new(), bytes: 0 }
    }

    /// True once the shard has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.sender.is_closed()
    }

    /// True while something waits for room.
    pub(crate) fn is_lagging(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends, or queues behind what already waits. `weight` is the message's estimated bytes.
    pub(crate) fn push(&mut self, message: ToShard, weight: usize) {
        let message = if self.waiting.is_empty() {
            match self.sender.try_send(message) {
                // A closed mailbox belongs to a shard that ended: nothing to do.
                Ok(()) | Err(TrySendError::Closed(_)) => return,
                Err(TrySendError::Full(message)) => message,
            }
        } else {
            message
        };
        let weight = weight + SMALL_BYTES;
        self.bytes += weight;
        self.waiting.push_back((message, weight));
        if self.bytes > limits::SHARD_LAG_BYTES_MAX {
            self.give_up();
        }
    }

    /// Moves what waits into the mailbox as far as there is room.
    pub(crate) fn push_on(&mut self) {
        while let Some((message, weight)) = self.waiting.pop_front() {
            match self.sender.try_send(message) {
                Ok(()) | Err(TrySendError::Closed(_)) => self.bytes -= weight,
                Err(TrySendError::Full(message)) => {
                    self.waiting.push_front((message, weight));
                    return;
                }
            }
        }
    }

    /// Drops the waiting batches and seeds. New channels stay: the shard's directory must be
    /// whole. Seeds are answers to sessions that `Lost` ends.
    fn give_up(&mut self) {
        tracing::warn!(bytes = self.bytes, "a shard lags too far; its sessions have to resume");
        for (message, _) in &self.waiting {
            if let ToShard::Seeds(seeds) = message {
                self.strain.repay(seeds.lent_bytes);
            }
        }
        self.waiting.retain(|(message, _)| matches!(message, ToShard::Channel(_)));
        self.waiting.push_back((ToShard::Lost, SMALL_BYTES));
        self.bytes = self.waiting.iter().map(|(_, weight)| weight).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stale() -> ToShard {
        ToShard::Stale { channels: [].into(), reason: "test" }
    }

    #[test]
    fn a_full_mailbox_queues_in_order_and_is_given_up_at_the_bound() {
        let (sender, mut receiver) = mpsc::channel(1);
        let strain = Arc::new(Strain::new(std::time::Duration::from_secs(10)));
        let mut lag = Lag::new((sender, strain));
        lag.push(stale(), 0);
        lag.push(stale(), 1);
        assert!(lag.is_lagging());
        assert!(matches!(receiver.try_recv(), Ok(ToShard::Stale { .. })));
        lag.push_on();
        assert!(!lag.is_lagging());
        lag.push(stale(), limits::SHARD_LAG_BYTES_MAX);
        assert!(matches!(receiver.try_recv(), Ok(ToShard::Stale { .. })));
        lag.push_on();
        assert!(matches!(receiver.try_recv(), Ok(ToShard::Lost)));
        assert!(!lag.is_lagging());
    }
}
