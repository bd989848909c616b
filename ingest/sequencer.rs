//! Positions: the one place where they are born. One epoch for a feed, a dense seq per channel.
//!
//! Input: "the next event of this channel"; output: its position. A position is only used up when
//! the bus took the event, so that a refused record leaves no hole in the numbers: the loss itself
//! is told by the event that comes next.

use fantail_model::Position;

/// A channel's place in its feed's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotId(pub(crate) usize);

/// A position not yet used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: Position,
    pub(crate) prev: u64,
    /// The epoch's first event of the channel: always a reset.
    pub(crate) is_first: bool,
}

/// The positions of one feed.
#[derive(Debug)]
pub(crate) struct Sequencer {
    epoch: u64,
    last_seqs: Vec<u64>,
}

impl Sequencer {
    /// All channels at their start.
    pub(crate) fn with_epoch(epoch: u64) -> Self {
        Self { epoch, last_seqs: Vec::new() }
    }

    /// The epoch a new owner starts: `max(previous + 1, start time in µs)`, higher than any earlier
    /// owner's, even where clocks disagree.
    pub(crate) fn epoch_after(previous_epoch: Option<u64>, start_wall_micros: i64) -> u64 {
        let start = u64::try_from(start_wall_micros).unwrap_or(0);
        start.max(previous_epoch.map_or(1, |epoch| epoch.saturating_add(1)))
    }

    /// Starts all channels anew in another epoch.
    pub(crate) fn restart(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.last_seqs.fill(0);
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A new channel.
    pub(crate) fn open(&mut self) -> SlotId {
        self.last_seqs.push(0);
        SlotId(self.last_seqs.len() - 1)
    }

    /// The next position of a channel.
    pub(crate) fn peek(&self, slot: SlotId) -> Place {
        let prev = self.last(slot);
        let position = Position::new(self.epoch, prev + 1);
        Place { position, prev, is_first: prev == 0 }
    }

    /// The last position used; 0 before the first.
    pub(crate) fn last(&self, slot: SlotId) -> u64 {
        self.last_seqs.get(slot.0).copied().unwrap_or(0)
    }

    /// The bus took the event with the position of the last `peek`.
    pub(crate) fn commit(&mut self, slot: SlotId) {
        if let Some(last) = self.last_seqs.get_mut(slot.0) {
            *last += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_outbids_its_predecessor_and_the_clock() {
        assert_eq!(Sequencer::epoch_after(None, 1_000), 1_000);
        assert_eq!(Sequencer::epoch_after(Some(5_000), 1_000), 5_001);
        assert_eq!(Sequencer::epoch_after(Some(500), 1_000), 1_000);
        assert_eq!(Sequencer::epoch_after(None, -5), 1);
    }

    #[test]
    fn seqs_are_dense_per_channel_and_refused_events_use_none() {
        let mut sequencer = Sequencer::with_epoch(9);
        let (a, b) = (sequencer.open(), sequencer.open());
        let first = sequencer.peek(a);
        assert_eq!((first.position, first.prev, first.is_first), (Position::new(9, 1), 0, true));
        assert_eq!(sequencer.peek(a), first, "a refused event leaves the place free");
        sequencer.commit(a);
        let second = sequencer.peek(a);
        assert_eq!((second.position.seq, second.prev, second.is_first), (2, 1, false));
        assert_eq!(sequencer.peek(b).position.seq, 1);
        assert_eq!((sequencer.last(a), sequencer.last(b)), (1, 0));
    }
}
