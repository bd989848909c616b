//! What a channel said before its recovery ring begins, read back from the bus.
//!
//! Owns the answer's shape and how it is cut to one client's needs: the events after its position
//! and before the ring, in order, and the exact ranges nobody can deliver any more. The reading
//! itself is `reader`'s, on a thread of its own; whether anything is missing is `follow`'s.

mod follow;
pub(crate) mod reader;

use std::sync::Arc;

use fantail_model::Position;

use crate::group::{Group, Published};

/// One step of the past, in order.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    /// Events.
    Events(Arc<Group>),
    /// Events that are gone; without `to` up to the unknown end of the epoch.
    Hole { epoch: u64, from: u64, to: Option<u64> },
}

/// Why there is nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The pieces are all there is.
    Read,
    /// The bus keeps everything since before the epoch began and knows none of it: the position
    /// was never told by this deployment.
    Foreign,
    /// The bus could not be read in time.
    Failed,
    /// It was not looked for, nor is the ring to be: whoever asked could not be sent it in time.
    Cut,
}

/// What a channel said after a position.
#[derive(Debug)]
pub(crate) struct Past {
    /// Asked from here.
    pub(crate) from: Position,
    /// Read up to here.
    pub(crate) reached: Position,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) verdict: Verdict,
}

impl Past {
    /// Nothing was or can be read.
    pub(crate) fn failed(from: Position) -> Self {
        Self { from, reached: from, pieces: Vec::new(), verdict: Verdict::Failed }
    }

    /// Nothing is to be told but the head.
    pub(crate) fn cut(from: Position) -> Self {
        Self { verdict: Verdict::Cut, ..Self::failed(from) }
    }

    /// Whether it was read for this position, or for one before it in the same epoch.
    pub(crate) fn serves(&self, from: Position) -> bool {
        self.from.epoch == from.epoch && self.from.seq <= from.seq
    }

    /// Whether it tells everything between a position and `to`, holes included.
    pub(crate) fn covers(&self, from: Position, to: Position) -> bool {
        self.verdict == Verdict::Read && self.serves(from) && self.reached >= to
    }

    /// The pieces after `from`, up to and with `to`.
    pub(crate) fn between(&self, from: Position, to: Position) -> Vec<Piece> {
        self.pieces.iter().filter_map(|piece| cut(piece, from, to)).collect()
    }
}

/// The part of a piece after `from` and up to `to`.
fn cut(piece: &Piece, from: Position, to: Position) -> Option<Piece> {
    match piece {
        Piece::Events(group) => {
            let within = |p: &&Published| p.event.position > from && p.event.position <= to;
            let count = group.events.iter().filter(within).count();
            if count == group.events.len() {
                return Some(piece.clone());
            }
            let events: Vec<_> = group.events.iter().filter(within).cloned().collect();
            let rest = || Arc::new(Group::new(Arc::clone(&group.info), group.tx, events));
            (count > 0).then(|| Piece::Events(rest()))
        }
        Piece::Hole { epoch, from: first, to: last } => {
            let first = if *epoch == from.epoch {
                (*first).max(from.seq.saturating_add(1))
            } else {
                *first
            };
            let is_before = *epoch < from.epoch || last.is_some_and(|last| last < first);
            let is_after = Position::new(*epoch, first) > to;
            let last = match *last {
                Some(last) if *epoch == to.epoch => Some(last.min(to.seq)),
                None if *epoch == to.epoch => Some(to.seq),
                last => last,
            };
            let hole = Piece::Hole { epoch: *epoch, from: first, to: last };
            (!is_before && !is_after).then_some(hole)
        }
    }
}

#[cfg(test)]
mod tests;
