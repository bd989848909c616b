//! Owners heard again after they were silent here.
//!
//! A sign of life says that its owner lives, not that this node has read what it said meanwhile:
//! behind a pause or a cut, the partition of the signs may be read before those of the channels,
//! and their last values would be told as the present. So a channel stays stale until its
//! partition is read up to the end it had once the owner was heard. The end is the scout's answer;
//! where reading stands, the consumer's.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer};

use super::Tail;
use super::layout::Place;
use crate::limits;
use crate::scout::Question;

/// Channels that are stale although their owner is heard, by partition.
#[derive(Debug, Default)]
pub(super) struct Returning {
    places: HashMap<Place, Behind>,
    /// Questions so far: an answer to an older one came too early.
    asked: u64,
    /// When the bus may be asked again.
    ask_at: Duration,
}

/// A partition that may not have been read up to the present.
#[derive(Debug, Default)]
struct Behind {
    channels: HashSet<u32>,
    end: End,
}

/// The end a partition had after the latest sign of life that counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Unasked,
    /// By the question of this number.
    Asked(u64),
    Known(u64),
}

impl Returning {
    /// A channel's owner is heard again.
    fn expect(&mut self, place: Place, ch: u32) {
        let behind = self.places.entry(place).or_default();
        if behind.channels.insert(ch) {
            // An end told before this owner was heard may lie before what it said.
            behind.end = End::Unasked;
        }
    }

    /// Channels whose owner is silent again.
    pub(super) fn forget(&mut self, channels: &[u32]) {
        self.places.retain(|_, behind| {
            for ch in channels {
                behind.channels.remove(ch);
            }
            !behind.channels.is_empty()
        });
    }
}

impl Tail {
    /// Channels whose owner is heard again: they are stale until they are read up to now.
    pub(super) fn await_level(&mut self, channels: &[u32]) {
        for &ch in channels {
            let Some(state) = self.store.channel(ch) else { continue };
            let place = self.layout.place(state.info.channel.kind, &state.info.name);
            self.returning.expect(place, ch);
        }
        self.ask_ends();
    }

    /// Asks where the partitions end; what the scout has no room for is asked at a later tick.
    pub(super) fn ask_ends(&mut self) {
        if self.clock.monotonic() < self.returning.ask_at {
            return;
        }
        for (&place, behind) in &mut self.returning.places {
            let number = self.returning.asked;
            if behind.end == End::Unasked && self.scout.ask(Question::End { place, number }) {
                behind.end = End::Asked(number);
                self.returning.asked += 1;
            }
        }
    }

    /// The scout's answer. An end the bus did not tell is asked for again a little later.
    pub(super) fn take_end(
        &mut self,
        (place, number): (Place, u64),
        found: Result<u64, ConsumeError>,
    ) {
        let Some(behind) = self.returning.places.get_mut(&place) else { return };
        if behind.end != End::Asked(number) {
            return;
        }
        match found {
            Ok(end) => behind.end = End::Known(end),
            Err(error) => {
                behind.end = End::Unasked;
                self.returning.ask_at = self.clock.monotonic() + limits::LOAD_RETRY;
                self.count_bus_error(&error);
            }
        }
    }

    /// Channels that have been read up to the present are stale no longer.
    pub(super) fn settle_returning(&mut self, consumer: &dyn Consumer) {
        let store = &mut self.store;
        self.returning.places.retain(|place, behind| {
            let End::Known(end) = behind.end else { return true };
            // A partition that is not read is read up to its end before anybody is told of it.
            let next = consumer.next_offset(&place.topic_name(), place.partition);
            if next.is_some_and(|next| next < end) {
                return true;
            }
            for ch in behind.channels.drain() {
                if let Some(channel) = store.channel_mut(ch) {
                    channel.mark_heard();
                }
            }
            false
        });
    }
}
