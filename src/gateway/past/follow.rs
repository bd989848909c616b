//! Follows one channel through its partition from a position on, as the tail would: duplicates and
//! replaced owners are dropped, holes are found by the chain. Pure: no bus, no clock.
//!
//! A follower that begins reading too late sees it at the first event of its channel and says so,
//! so that the reader can begin further back; where there is nothing further back, the hole is
//! real. What it keeps is bounded: beyond the bound the oldest events become a hole.

use std::collections::VecDeque;

use fantail_model::{Event, Position};

use crate::group::weight;

/// What an event means to the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Next,
    /// Events before this one are missing: begin further back, if there is anything.
    TooLate,
}

/// One thing read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Event(Box<Event>),
    Hole { epoch: u64, from: u64, to: Option<u64> },
}

/// One channel being read back.
#[derive(Debug)]
pub(super) struct Follower {
    from: Position,
    at: Position,
    /// Something at or before the position was seen: whatever is missing after it is really
    /// missing.
    anchored: bool,
    /// Something of the position's own epoch was seen.
    epoch_seen: bool,
    items: VecDeque<Item>,
    bytes: usize,
    bytes_max: usize,
}

impl Follower {
    pub(super) fn new(from: Position, bytes_max: usize) -> Self {
        let (anchored, epoch_seen, items) = (false, false, VecDeque::new());
        Self { from, at: from, anchored, epoch_seen, items, bytes: 0, bytes_max }
    }

    /// Begins anew, from further back.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.from, self.bytes_max);
    }

    /// Takes the channel's next event on the bus. `is_earliest`: there is nothing further back.
    pub(super) fn take(&mut self, event: Event, is_earliest: bool) -> Step {
        let place = event.position;
        self.epoch_seen |= place.epoch == self.from.epoch;
        if place <= self.at {
            // Of its own epoch, it proves that everything since is kept; what an older owner
            // sends, perhaps late, proves nothing.
            self.anchored |= place.epoch == self.from.epoch;
            return Step::Next;
        }
        let same_epoch = place.epoch == self.at.epoch;
        let continues = same_epoch && event.prev <= self.at.seq;
        if !continues && !self.anchored && !is_earliest {
            return Step::TooLate;
        }
        match same_epoch {
            true if !continues => self.hole(place.epoch, self.at.seq + 1, Some(event.prev)),
            true => {}
            false => {
                if !self.anchored {
                    self.hole(self.at.epoch, self.at.seq.saturating_add(1), None);
                }
                if event.prev > 0 {
                    self.hole(place.epoch, 1, Some(event.prev));
                }
            }
        }
        (self.anchored, self.at) = (true, place);
        self.bytes += weight(&event);
        self.items.push_back(Item::Event(Box::new(event)));
        self.shed();
        Step::Next
    }

    /// Whether it has met its channel at all, at or after its position.
    pub(super) fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Whether anything of the position's own epoch was met.
    pub(super) fn knows_epoch(&self) -> bool {
        self.epoch_seen
    }

    /// What was read, and how far.
    pub(super) fn finish(self) -> (Vec<Item>, Position) {
        (self.items.into(), self.at)
    }

    fn hole(&mut self, epoch: u64, from: u64, to: Option<u64>) {
        self.items.push_back(Item::Hole { epoch, from, to });
    }

    /// Over the bound, the oldest events are given up: a hole at the front that grows.
    fn shed(&mut self) {
        while self.bytes > self.bytes_max {
            let (mut holes, mut shed) = (Vec::new(), None);
            while let Some(item) = self.items.pop_front() {
                match item {
                    Item::Hole { .. } => holes.push(item),
                    Item::Event(event) => {
                        shed = Some(event);
                        break;
                    }
                }
            }
            let Some(event) = shed else { return };
            self.bytes -= weight(&event);
            let Position { epoch, seq } = event.position;
            match holes.last_mut() {
                Some(Item::Hole { epoch: same, to: Some(to), .. })
                    if *same == epoch && *to == event.prev =>
                {
                    *to = seq;
                }
                _ => holes.push(Item::Hole { epoch, from: event.prev + 1, to: Some(seq) }),
            }
            holes.into_iter().rev().for_each(|hole| self.items.push_front(hole));
            if !self.items.iter().any(|item| matches!(item, Item::Event(_))) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::trade;

    fn seqs(follower: Follower) -> (Vec<String>, Position) {
        let (items, at) = follower.finish();
        let text = |item: &Item| match item {
            Item::Event(event) => event.position.to_string(),
            Item::Hole { epoch, from, to } => format!("{epoch}/{from}..{to:?}"),
        };
        (items.iter().map(text).collect(), at)
    }

    fn follow(from: (u64, u64), bytes: usize, events: &[(u64, u64)]) -> Follower {
        let mut follower = Follower::new(Position::new(from.0, from.1), bytes);
        for (epoch, seq) in events {
            assert_eq!(follower.take(trade(*epoch, *seq), true), Step::Next);
        }
        follower
    }

    #[test]
    fn drops_what_is_known_and_what_replaced_owners_say() {
        let follower = follow(
            (2, 2),
            1 << 20,
            &[(2, 1), (2, 2), (2, 3), (1, 9), (2, 4), (3, 1), (2, 5), (3, 2)],
        );
        assert!(follower.knows_epoch());
        let (items, at) = seqs(follower);
        assert_eq!(items, ["2/3", "2/4", "3/1", "3/2"]);
        assert_eq!(at, Position::new(3, 2));
    }

    #[test]
    fn a_start_that_is_too_late_is_seen_and_a_real_hole_is_told() {
        let mut follower = Follower::new(Position::new(1, 5), 1 << 20);
        assert_eq!(follower.take(trade(1, 8), false), Step::TooLate);
        assert_eq!(follower.take(trade(2, 1), false), Step::TooLate);
        assert!(!follower.is_anchored());
        assert_eq!(follower.take(trade(1, 4), false), Step::Next);
        assert_eq!(follower.take(trade(1, 8), false), Step::Next, "anchored: it is a hole");
        assert_eq!(seqs(follower).0, ["1/6..Some(7)", "1/8"]);
    }

    #[test]
    fn retention_that_took_the_epochs_end_is_a_hole_without_end() {
        let (items, _) = seqs(follow((1, 5), 1 << 20, &[(2, 3), (2, 4)]));
        assert_eq!(items, ["1/6..None", "2/1..Some(2)", "2/3", "2/4"]);
    }

    #[test]
    fn the_oldest_events_beyond_the_bound_become_one_hole() {
        let events: Vec<_> = (1..=100).map(|seq| (1, seq)).collect();
        let most = 10 * weight(&trade(1, 1));
        let (items, at) = seqs(follow((1, 0), most, &events));
        assert_eq!(items.len(), 11);
        assert_eq!((items[0].as_str(), items[1].as_str()), ("1/1..Some(90)", "1/91"));
        assert_eq!(at, Position::new(1, 100));
    }
}
