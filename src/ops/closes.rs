//! The last session closes and why: what an operator asks for first when "clients drop".
//!
//! Owns a bounded ring. Input: one entry per closed session, from any thread. Output: a copy,
//! newest first. It counts nothing (the gateway's metrics do) and keeps nothing on disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::limits;

/// One closed session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloseEntry {
    /// When, wall clock, µs since 1970.
    pub time_micros: i64,
    /// The session's id.
    pub session: String,
    /// Whose it was, if authenticated.
    pub user: Option<String>,
    /// The client's address.
    pub peer: String,
    /// The WebSocket close code; 1006 if the socket just went away.
    pub code: u16,
    /// The code's name in the catalogue.
    pub name: String,
    /// Why, for a person.
    pub reason: String,
    /// Bytes sent to it in its life.
    pub bytes_sent: u64,
    /// How long it lived.
    pub duration_ms: u64,
}

/// The ring of closes. Cloning shares it.
#[derive(Debug, Clone)]
pub struct CloseLog {
    /// A lock, because every shard writes and the admin listener reads; held for one push, or
    /// one copy of at most [`limits::CLOSES_MAX`] entries per request.
    ring: Arc<Mutex<VecDeque<CloseEntry>>>,
    capacity: usize,
}

impl Default for CloseLog {
    fn default() -> Self {
        Self::new(limits::CLOSES_MAX)
    }
}

impl CloseLog {
    /// A ring of `capacity` entries, at most [`limits::CLOSES_MAX`].
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { ring: Arc::default(), capacity: capacity.clamp(1, limits::CLOSES_MAX) }
    }

    /// Remembers a close; the oldest is forgotten. Long texts are cut.
    pub fn push(&self, mut entry: CloseEntry) {
        for text in [&mut entry.session, &mut entry.peer, &mut entry.name, &mut entry.reason] {
            cut(text);
        }
        entry.user.as_mut().into_iter().for_each(cut);
        let mut ring = self.ring();
        if ring.len() == self.capacity {
            ring.pop_front();
        }
        ring.push_back(entry);
    }

    /// All remembered closes, newest first.
    #[must_use]
    pub fn latest(&self) -> Vec<CloseEntry> {
        self.ring().iter().rev().cloned().collect()
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<CloseEntry>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(text: &mut String) {
    if text.len() > limits::CLOSE_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(limits::CLOSE_TEXT_BYTES_MAX));
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: i64, reason: &str) -> CloseEntry {
        CloseEntry {
            time_micros: n,
            session: format!("s{n}"),
            user: Some("u".repeat(1_000)),
            peer: "127.0.0.1:1".to_owned(),
            code: 4409,
            name: "SLOW_CONSUMER".to_owned(),
            reason: reason.to_owned(),
            bytes_sent: 1,
            duration_ms: 2,
        }
    }

    #[test]
    fn keeps_the_newest() {
        let closes = CloseLog::new(3);
        (0..5).for_each(|n| closes.push(entry(n, "slow")));
        let times: Vec<_> = closes.latest().iter().map(|close| close.time_micros).collect();
        assert_eq!(times, [4, 3, 2]);
    }

    #[test]
    fn cuts_long_texts_between_characters() {
        let closes = CloseLog::default();
        closes.push(entry(0, &"é".repeat(1_000)));
        let close = closes.latest().remove(0);
        assert!(close.reason.len() <= limits::CLOSE_TEXT_BYTES_MAX);
        assert_eq!(close.user.unwrap().len(), limits::CLOSE_TEXT_BYTES_MAX);
    }
}
