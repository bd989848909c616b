//! One channel of the truth: its epochs, and in each the facts by seq.

use crate::check::Property;
use crate::event::{Body, Event};
use crate::place::Place;
use crate::state::{State, UNKNOWN};

/// One event that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    pub(crate) seq: u64,
    /// Fingerprint of its content.
    pub(crate) hash: u64,
    /// State of the channel after it; 0 where it is not known.
    pub(crate) state: u64,
    pub(crate) offset: i64,
}

/// Everything about one channel.
#[derive(Debug)]
pub(crate) struct ChannelTruth {
    epochs: Vec<(u64, Vec<Fact>)>,
    /// Fingerprints of feed states, in order.
    statuses: Vec<(Place, u64)>,
    state: State,
    is_status: bool,
    /// Records behind the fence.
    pub(crate) fenced: u64,
    /// Records written twice.
    pub(crate) repeated: u64,
    /// Epochs whose end the log lost on purpose.
    pub(crate) rolled_back: Vec<u64>,
    /// First place that retention left.
    pub(crate) floor: Option<Place>,
}

/// A finding about the log: what, where, and how it shows.
type Found = (Property, Place, String);

impl ChannelTruth {
    pub(super) fn new(name: &str) -> Self {
        Self {
            epochs: Vec::new(),
            statuses: Vec::new(),
            state: State::of(name),
            is_status: name.starts_with("status:"),
            fenced: 0,
            repeated: 0,
            rolled_back: Vec::new(),
            floor: None,
        }
    }

    /// Takes the next record of the partition.
    pub(super) fn take(&mut self, place: Place, event: &Event<'_>, offset: i64) -> Option<Found> {
        let last = self.high();
        let hash = event.hash();
        let mut found = None;
        match last {
            Some(last) if place.epoch < last.epoch => {
                self.fenced += 1;
                return None;
            }
            Some(last) if place.epoch == last.epoch && place.seq <= last.seq => {
                return self.again(place, hash, offset);
            }
            Some(last) if place.epoch == last.epoch => {
                if place.seq != last.seq + 1 || event.prev != last.seq {
                    let why = format!("follows seq {}, says prev {}", last.seq, event.prev);
                    found = Some((Property::LogHole, place, format!("offset {offset}: {why}")));
                    self.state.forget();
                }
            }
            _ => {
                if place.seq != 1 || event.prev != 0 || !event.reset {
                    let why = format!("an epoch's first record, prev {}", event.prev);
                    found = Some((Property::LogHole, place, format!("offset {offset}: {why}")));
                }
                self.state.forget();
                self.epochs.push((place.epoch, Vec::new()));
            }
        }
        let state = self.state.apply(event, self.is_status);
        if matches!(event.body, Body::Status { .. }) {
            self.statuses.push((place, event.value_hash()));
        }
        if let Some((_, facts)) = self.epochs.last_mut() {
            facts.push(Fact { seq: place.seq, hash, state, offset });
        }
        found
    }

    /// A second record with a place that is taken: harmless when it says the same.
    fn again(&mut self, place: Place, hash: u64, offset: i64) -> Option<Found> {
        let first = self.fact(place);
        if first.is_some_and(|fact| fact.hash == hash) {
            self.repeated += 1;
            return None;
        }
        let first = first.map_or(-1, |fact| fact.offset);
        let why = format!("offset {offset} says otherwise than offset {first}: two owners");
        Some((Property::Interleaved, place, why))
    }

    /// Whether this is the newest place that counts.
    pub(super) fn is_last(&self, place: Place) -> bool {
        self.high() == Some(place)
    }

    /// The event at a place.
    pub(crate) fn fact(&self, place: Place) -> Option<&Fact> {
        let facts = self.epoch(place.epoch)?;
        let guess = usize::try_from(place.seq.checked_sub(1)?).ok()?;
        match facts.get(guess) {
            Some(fact) if fact.seq == place.seq => Some(fact),
            // The log has a hole before it.
            _ => {
                let at = facts.binary_search_by_key(&place.seq, |fact| fact.seq).ok()?;
                facts.get(at)
            }
        }
    }

    /// How many events lie in a range of an epoch.
    pub(crate) fn count(&self, epoch: u64, from: u64, to: u64) -> u64 {
        let Some(facts) = self.epoch(epoch) else { return 0 };
        let below = |seq: u64| facts.partition_point(|fact| fact.seq < seq);
        (below(to.saturating_add(1)).saturating_sub(below(from))) as u64
    }

    /// Last seq of an epoch.
    pub(crate) fn last_of(&self, epoch: u64) -> Option<u64> {
        self.epoch(epoch)?.last().map(|fact| fact.seq)
    }

    /// Epochs strictly between two, with their last seqs.
    pub(crate) fn between(&self, low: u64, high: u64) -> impl Iterator<Item = Place> {
        let inside = move |(epoch, _): &&(u64, Vec<Fact>)| *epoch > low && *epoch < high;
        let place = |(epoch, facts): &(u64, Vec<Fact>)| {
            Place::new(*epoch, facts.last().map_or(0, |fact| fact.seq))
        };
        self.epochs.iter().filter(inside).map(place)
    }

    /// The newest place.
    pub(crate) fn high(&self) -> Option<Place> {
        let (epoch, facts) = self.epochs.last()?;
        Some(Place::new(*epoch, facts.last()?.seq))
    }

    /// The feed's state told last, at a place.
    pub(crate) fn status(&self, place: Place) -> u64 {
        let after = self.statuses.partition_point(|(at, _)| *at <= place);
        after.checked_sub(1).map_or(UNKNOWN, |at| self.statuses[at].1)
    }

    /// Whether the log once held more of this epoch than it does now.
    pub(crate) fn was_rolled_back(&self, place: Place) -> bool {
        self.rolled_back.contains(&place.epoch)
            && self.last_of(place.epoch).is_none_or(|last| place.seq > last)
    }

    pub(super) fn facts(&self) -> u64 {
        self.epochs.iter().map(|(_, facts)| facts.len() as u64).sum()
    }

    pub(super) fn epochs(&self) -> u64 {
        self.epochs.len() as u64
    }

    fn epoch(&self, epoch: u64) -> Option<&[Fact]> {
        let at = self.epochs.binary_search_by_key(&epoch, |(epoch, _)| *epoch).ok()?;
        Some(&self.epochs[at].1)
    }
}
