//! The shard's recent batches, kept only while some session is behind.
//!
//! A session that could not be written stores the number of the next batch it is due; resume,
//! backlog and degradation are one mechanism: a cursor that is behind. A cursor older than the
//! log has lost its place, and the session ends as too slow.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::group::Batch;

/// Recent batches, numbered without holes.
#[derive(Debug)]
pub(crate) struct Log {
    /// Each with the weight of everything ever pushed up to and with it.
    batches: VecDeque<(Arc<Batch>, u64)>,
    /// Number of the oldest kept batch.
    base: u64,
    bytes: usize,
    pushed: u64,
    bytes_max: usize,
}

impl Log {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { batches: VecDeque::new(), base: 0, bytes: 0, pushed: 0, bytes_max }
    }

    /// The number the next batch will get.
    pub(crate) fn next(&self) -> u64 {
        self.base + self.batches.len() as u64
    }

    /// Estimated bytes kept, and the most there may be.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        (self.bytes, self.bytes_max)
    }

    /// Estimated bytes between a cursor and the stream.
    pub(crate) fn distance(&self, cursor: u64) -> usize {
        let at = usize::try_from(cursor.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let Some((batch, pushed)) = self.batches.get(at) else { return 0 };
        usize::try_from(self.pushed - pushed).unwrap_or(usize::MAX).saturating_add(batch.weight)
    }

    /// Whether a cursor's batch is gone, or further behind than one session may be.
    pub(crate) fn has_lost(&self, cursor: u64, session_bytes_max: usize) -> bool {
        cursor < self.base || self.distance(cursor) > session_bytes_max
    }

    /// Appends a batch, drops the oldest beyond the bound, returns the batch's number.
    pub(crate) fn push(&mut self, batch: Arc<Batch>) -> u64 {
        self.bytes += batch.weight;
        self.pushed += batch.weight as u64;
        self.batches.push_back((batch, self.pushed));
        while self.bytes > self.bytes_max && self.batches.len() > 1 {
            self.pop();
        }
        self.next() - 1
    }

    /// Batch by number.
    pub(crate) fn get(&self, number: u64) -> Option<&Arc<Batch>> {
        let at = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.batches.get(at).map(|(batch, _)| batch)
    }

    /// Forgets every batch: nobody is behind. Numbers go on.
    pub(crate) fn clear(&mut self) {
        self.base = self.next();
        self.batches.clear();
        self.bytes = 0;
    }

    fn pop(&mut self) {
        if let Some((batch, _)) = self.batches.pop_front() {
            self.bytes -= batch.weight;
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_over_evictions_and_clears() {
        let mut log = Log::new(10);
        let batch = || Arc::new(Batch { groups: Vec::new(), weight: 4 });
        assert_eq!((0..5).map(|_| log.push(batch())).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(log.has_lost(2, 100) && !log.has_lost(3, 100));
        assert_eq!([3, 4, 5].map(|cursor| log.distance(cursor)), [8, 4, 0]);
        assert!(log.has_lost(3, 7) && !log.has_lost(3, 8));
        assert!(log.get(2).is_none() && log.get(3).is_some() && log.get(5).is_none());
        log.clear();
        assert_eq!((log.distance(5), log.next(), log.push(batch())), (0, 5, 5));
    }
}
