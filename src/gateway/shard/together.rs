//! The sends of a chunk in one call: the flush through io_uring.
//!
//! Input: a part of the plan. Each socket is owed one send, and the call ends when all of them have
//! their results; so nothing is under way between two calls, and the order in a session is that of
//! `send(2)`. What a result means is decided where it is for `send(2)`: in `socket` and `flush`.
//! A ring that fails is given up for good, and sockets are written by `send(2)` from then on.

use std::io;
use std::os::fd::AsFd;

use super::Shard;
use super::flush::Owed;
#[cfg(not(target_os = "linux"))]
pub(super) use super::no_ring::Ring;
#[cfg(target_os = "linux")]
pub(super) use super::ring::Ring;
use crate::config::Flush;
use crate::limits;

/// The sends of the next call. Buffers are kept between calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    owed: Vec<Owed>,
    results: Vec<io::Result<usize>>,
}

impl Calls {
    /// A socket's send leaves with the next call; one for each socket and chunk.
    pub(super) fn add(&mut self, owed: Owed) {
        self.owed.push(owed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }
}

/// The ring a shard writes through, if it is to have one and may.
///
/// # Errors
/// It must have one and may not.
pub(super) fn ring(flush: Flush, shard: usize) -> io::Result<Option<Ring>> {
    if flush == Flush::Send {
        return Ok(None);
    }
    match Ring::new(limits::FLUSH_CHUNK) {
        Err(error) if flush == Flush::Auto => {
            tracing::info!(shard, %error, "no io_uring here: sockets are written by send(2)");
            Ok(None)
        }
        made => made.map(Some),
    }
}

impl Shard {
    /// Makes the call for whatever was added to it.
    pub(super) fn send_together(&mut self) {
        if self.calls.is_empty() {
            return;
        }
        let mut calls = std::mem::take(&mut self.calls);
        let Calls { owed, results } = &mut calls;
        if let Some(ring) = &mut self.ring {
            let (plan, hot, scratch) = (&self.plan, &self.hot, &self.scratch);
            let sends = owed.iter().map(|owed| {
                let socket = hot.get(owed.slot).and_then(|hot| hot.socket.as_ref());
                (socket.map(AsFd::as_fd), owed.bytes(plan, scratch))
            });
            if let Err(error) = ring.send(sends, results) {
                tracing::error!(shard = self.number, %error, "io_uring failed: back to send(2)");
                self.ring = None;
                self.metrics.set_flush_path(false);
            }
        }
        for (at, owed) in owed.iter().enumerate() {
            let Some(hot) = self.hot.get_mut(owed.slot) else { continue };
            let bytes = owed.bytes(&self.plan, &self.scratch);
            let told = results.get(at).and_then(|result| hot.written(result, bytes.len()));
            let outcome = told.unwrap_or_else(|| hot.write(bytes));
            self.settle_owed(owed, outcome);
        }
        owed.clear();
        results.clear();
        self.calls = calls;
    }
}
