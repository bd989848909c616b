//! Which partitions of events are consumed, when only those somebody wants are.
//!
//! Owns each such partition's phase, the latest snapshots a sleeping channel begins at, and the
//! commands and questions that wait for a partition. A partition asleep is not assigned and its
//! channels hold nothing; one that is wanted is read from its snapshots on, as at a start, and is
//! live once it has reached the end it had then. How that is done is `partitions`'. Feed states (status
//! events) are always consumed, because every answer about a channel tells them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use fantail_bus::Delivered;
use fantail_model::Kind;
use fantail_wire::record;

use super::layout::{Layout, Place};
use super::requests::Waiting;
use super::warm::Ends;
use crate::query::Asked;
use crate::variant::{base_index, base_number};

/// How far a partition is on its way to be consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nobody wants it.
    Asleep,
    /// Wanted; the bus is to be asked where to begin.
    Wanted,
    /// The bus has been asked.
    Asked,
    /// Its channels are being opened at their snapshots.
    Opening,
    /// Read, up to the end it had when it was asked for.
    CatchingUp,
    /// Everything that was said is known.
    Live,
}

#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) place: Place,
    pub(super) phase: Phase,
    /// When somebody last wanted it.
    pub(super) used: Duration,
    /// When the bus may be asked (again).
    pub(super) ask_at: Duration,
    /// The bus was asked in vain, and that has been said.
    pub(super) is_failing: bool,
}

impl Tracked {
    pub(super) fn asleep(place: Place) -> Self {
        let (used, ask_at) = (Duration::ZERO, Duration::ZERO);
        Self { place, phase: Phase::Asleep, used, ask_at, is_failing: false }
    }
}

/// The latest snapshots of a channel: its value, the state of its feed.
#[derive(Debug, Default)]
pub(super) struct Shelved {
    value: Option<Delivered>,
    state: Option<Delivered>,
}

/// A partition whose channels are being opened.
#[derive(Debug)]
pub(super) struct Opening {
    /// Its place in `tracked`.
    pub(super) at: usize,
    /// Everything since then will be read, µs.
    pub(super) time: i64,
    /// Where reading begins, and the end that has to be reached.
    pub(super) bounds: (u64, u64),
    /// Channels left to be opened.
    pub(super) channels: Vec<u32>,
}

/// Partitions that come and go; none of them where everything is consumed.
#[derive(Default)]
pub(crate) struct Interest {
    pub(super) tracked: Vec<Tracked>,
    /// How long a partition nobody wants is still read.
    pub(super) linger: Duration,
    /// Places in `tracked`.
    pub(super) by_place: HashMap<Place, usize>,
    /// The partition of each base channel, as a place in `tracked`.
    pub(super) of_channel: Vec<Option<usize>>,
    /// Partitions whose channels are being opened, in turn.
    pub(super) opening: VecDeque<Opening>,
    /// Partitions that catch up.
    pub(super) ends: Ends,
    pub(super) shelf: HashMap<Box<str>, Shelved>,
    /// Commands that wait for a partition.
    pub(super) waiting: Vec<Waiting>,
    /// Questions that do.
    pub(super) questions: Vec<Asked>,
    /// A partition has become live since they were looked at.
    pub(super) has_news: bool,
}

impl Interest {
    /// Everything asleep; or nothing tracked at all, where everything is consumed.
    pub(super) fn new(layout: &Layout, linger: Option<Duration>) -> Self {
        let comes_and_goes = |place: &Place| place.topic != record::topic(Kind::Status);
        let tracked: Vec<Tracked> = layout
            .event_places()
            .filter(|place| linger.is_some() && comes_and_goes(place))
            .map(Tracked::asleep)
            .collect();
        let by_place = tracked.iter().enumerate().map(|(at, t)| (t.place, at)).collect();
        Self { tracked, by_place, linger: linger.unwrap_or_default(), ..Self::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        !self.tracked.is_empty()
    }

    /// Whether a partition is consumed only while somebody wants it.
    pub(super) fn tracks(&self, place: Place) -> bool {
        self.by_place.contains_key(&place)
    }

    /// Whether no partition is being caught up with.
    pub(super) fn is_level(&self) -> bool {
        self.ends.are_reached()
    }

    /// Whether channels are being opened: the next step is due at once.
    pub(super) fn is_opening(&self) -> bool {
        !self.opening.is_empty()
    }

    /// Everything before `next` of a partition is past.
    pub(super) fn passed(&mut self, place: Place, next: u64) {
        self.ends.passed(place, next);
    }

    /// The partition of a channel, if it comes and goes.
    pub(super) fn of(&self, ch: u32) -> Option<usize> {
        self.of_channel.get(base_index(ch)).copied().flatten()
    }

    fn phase(&self, ch: u32) -> Phase {
        self.of(ch).map_or(Phase::Live, |at| self.tracked[at].phase)
    }

    /// Whether a channel can be told: all that was said in its partition is known.
    pub(super) fn is_live(&self, ch: u32) -> bool {
        self.phase(ch) == Phase::Live
    }

    /// Whether a channel's events are read.
    pub(super) fn is_read(&self, ch: u32) -> bool {
        matches!(self.phase(ch), Phase::CatchingUp | Phase::Live)
    }

    /// Base channels of a partition.
    pub(super) fn channels_of(&self, at: usize) -> impl Iterator<Item = u32> {
        let places = self.of_channel.iter().enumerate();
        places.filter(move |(_, of)| **of == Some(at)).filter_map(|(index, _)| base_number(index))
    }

    /// How many partitions are consumed.
    pub(super) fn consumed(&self) -> usize {
        let is_consumed = |t: &&Tracked| matches!(t.phase, Phase::CatchingUp | Phase::Live);
        self.tracked.iter().filter(is_consumed).count()
    }

    /// Somebody wants a channel.
    pub(super) fn want(&mut self, ch: u32, now: Duration) {
        let Some(at) = self.of(ch) else { return };
        let tracked = &mut self.tracked[at];
        tracked.used = now;
        if tracked.phase == Phase::Asleep {
            tracked.phase = Phase::Wanted;
        }
    }

    /// Keeps a snapshot; without a value it is forgotten.
    pub(super) fn shelve(&mut self, key: &str, snapshot: Delivered) {
        let name = record::snapshot_channel(key);
        let is_state = key.len() > name.len();
        if snapshot.record.value.is_none() {
            if let Some(shelved) = self.shelf.get_mut(name) {
                *(if is_state { &mut shelved.state } else { &mut shelved.value }) = None;
            }
            return;
        }
        let shelved = match self.shelf.get_mut(name) {
            Some(shelved) => shelved,
            None => self.shelf.entry(name.into()).or_default(),
        };
        *(if is_state { &mut shelved.state } else { &mut shelved.value }) = Some(snapshot);
    }
}

impl Shelved {
    pub(super) fn records(&self) -> impl Iterator<Item = &Delivered> {
        self.value.iter().chain(&self.state)
    }
}
