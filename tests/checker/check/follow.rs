//! One client and channel: where it stands, and whether what comes next may come.
//!
//! The rules are the protocol's: in an epoch, each event once and in order, `prev ≤ last < seq`;
//! what can't be delivered is told by a gap with its exact range, or replaced by a state marked
//! `reset`; after a resume the first event continues the client's place.

use super::missing::Missing;
use super::verdict::Property;
use crate::history::Shown;
use crate::place::Place;
use crate::state::UNKNOWN;
use crate::truth::{ChannelTruth, Truth};

/// A violation as it is found.
pub(super) type Found = (Property, Place, String);

/// What one entry led to.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) found: Vec<Found>,
    /// A state marked `reset` took the place of events.
    pub(super) jumped: bool,
    /// Deliveries older than what the dump still holds.
    pub(super) unverifiable: u64,
    /// Windows that told a joiner nothing new.
    pub(super) windows_again: u64,
}

/// An event as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub(super) place: Place,
    pub(super) prev: u64,
    pub(super) n: u32,
    pub(super) hash: u64,
    pub(super) state: u64,
}

/// The state machine.
#[derive(Debug)]
pub(super) struct Follow {
    name: String,
    /// Made by the gateway out of its parent: states and chains are checked, single events not.
    derived: bool,
    /// Only part of the parent's book: its state is nobody else's.
    partial: bool,
    place: Option<Place>,
    /// Asked for in this session.
    subscribed: bool,
    /// Where this session began.
    resumed_at: Option<Place>,
    /// The last range told to be missing, and whether that was honest.
    gap: Option<(Place, Place, bool)>,
    missing: Missing,
}

impl Told {
    fn tell(&mut self, property: Property, place: Place, detail: impl Into<String>) {
        self.found.push((property, place, detail.into()));
    }
}

impl Follow {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            derived: name.contains('@'),
            partial: name.starts_with("book:") && name.split(':').count() > 3,
            place: None,
            subscribed: false,
            resumed_at: None,
            gap: None,
            missing: Missing::default(),
        }
    }

    /// A session began.
    pub(super) fn open(&mut self) {
        (self.subscribed, self.resumed_at, self.gap) = (false, None, None);
    }

    /// The client asked, from the place it has.
    pub(super) fn subscribe(&mut self, from: Option<Place>) {
        (self.subscribed, self.resumed_at) = (true, from);
        self.place = from;
    }

    /// The server answered. With a place of its own, the client is owed an account from there,
    /// whatever the answer says; without one, the answer is where it begins.
    pub(super) fn acknowledged(&mut self, place: Option<Place>, _resumed: bool) {
        if self.resumed_at.is_none() {
            self.place = place;
        }
    }

    /// A delivery.
    pub(super) fn event(&mut self, truth: &Truth, came: Came, told: &mut Told) {
        if !self.subscribed {
            return told.tell(Property::Phantom, came.place, "a channel that was not asked for");
        }
        let Some(truth) = truth.channel(&self.name) else {
            return told.tell(Property::Phantom, came.place, "the bus holds no such channel");
        };
        self.content(truth, came, told);
        self.order(truth, came, told);
    }

    fn content(&self, truth: &ChannelTruth, came: Came, told: &mut Told) {
        let Came { place, hash, state, .. } = came;
        let Some(fact) = truth.fact(place) else {
            return absent(truth, place, told);
        };
        let book = self.name.starts_with("book:");
        let alone = came.n <= 1 && !self.derived;
        let merged = !book && state == fact.state;
        if !(hash == fact.hash || !alone && (book || merged)) {
            let why = format!("differs from the record at offset {}", fact.offset);
            told.tell(Property::Inconsistent, place, why);
        } else if book && !self.partial && differ(state, fact.state) {
            told.tell(Property::SnapshotMismatch, place, "the client's book differs after it");
        }
    }

    fn order(&mut self, truth: &ChannelTruth, came: Came, told: &mut Told) {
        let place = came.place;
        let Some(last) = self.place else {
            self.place = Some(place);
            return;
        };
        if self.gap.is_some_and(|(from, to, _)| from <= place && place <= to) {
            return told.tell(Property::FalseGap, place, "came after it was told to be missing");
        }
        if place <= last {
            return self.backwards(place, last, told);
        }
        if place.epoch == last.epoch {
            self.onward(truth, came, last, told);
        } else if !self.derived && came.n <= 1 {
            self.remainder(truth, last, place.epoch, told);
            self.jump(truth, Place::new(place.epoch, 0), place.seq - 1, told);
        }
        self.place = Some(place);
    }

    /// What came lies at or before what the client has.
    fn backwards(&mut self, place: Place, last: Place, told: &mut Told) {
        if self.derived && place == last {
            // Windows are shared: one that ends where a joiner was seeded tells it nothing new, and
            // clients leave it aside by the protocol's own rule, `last < seq`.
            told.windows_again += 1;
            return;
        }
        let was_missing = self.missing.close(place);
        let resumed = self.resumed_at.is_some_and(|from| place <= from);
        if !was_missing && (place == last || resumed) {
            let when = if resumed { "across a resume" } else { "in one session" };
            return told.tell(Property::Duplicate, place, format!("came again {when}"));
        }
        told.tell(Property::Nonmonotonic, place, format!("came after seq {}", last.seq));
    }

    /// The next event of the same epoch.
    fn onward(&mut self, truth: &ChannelTruth, came: Came, last: Place, told: &mut Told) {
        if came.prev > last.seq {
            return self.jump(truth, last, came.prev, told);
        }
        if self.derived {
            return;
        }
        // On a base channel a message stands for exactly `n` events; one that says it continues
        // what it does not is a hole with a good story.
        let stands_for = u64::from(came.n.max(1));
        let covered = came.place.seq.saturating_sub(stands_for);
        if covered > last.seq {
            self.jump(truth, last, covered, told);
        }
    }

    /// Everything after `last` up to `to`, in the same epoch, did not come and was not told.
    fn jump(&mut self, truth: &ChannelTruth, last: Place, to: u64, told: &mut Told) {
        // What the log itself lost is the log's finding, not this client's.
        if to <= last.seq || truth.count(last.epoch, last.seq + 1, to) == 0 {
            return;
        }
        let from = last.seq + 1;
        self.missing.open(last.epoch, from, to);
        let place = Place::new(last.epoch, from);
        told.tell(
            Property::Skip,
            place,
            format!("{from} to {to} neither came nor were told missing"),
        );
    }

    /// The end of the client's epoch, and epochs in between, before a new one begins.
    fn remainder(&mut self, truth: &ChannelTruth, last: Place, epoch: u64, told: &mut Told) {
        if let Some(end) = truth.last_of(last.epoch) {
            self.jump(truth, last, end, told);
        }
        let between: Vec<Place> = truth.between(last.epoch, epoch).collect();
        for end in between {
            self.jump(truth, Place::new(end.epoch, 0), end.seq, told);
        }
    }

    /// A state instead of events.
    pub(super) fn snapshot(
        &mut self,
        truth: &Truth,
        place: Option<Place>,
        (state, shown): (u64, Shown),
        reset: bool,
        told: &mut Told,
    ) {
        let Some(place) = place else { return };
        if !self.subscribed {
            return told.tell(Property::Phantom, place, "a channel that was not asked for");
        }
        let Some(truth) = truth.channel(&self.name) else {
            return told.tell(Property::Phantom, place, "the bus holds no such channel");
        };
        self.shown(truth, place, state, shown, told);
        let last = match self.place {
            Some(last) if place > last => last,
            Some(last) if place < last => {
                let why = format!("a state older than the client's seq {}", last.seq);
                return told.tell(Property::Nonmonotonic, place, why);
            }
            Some(_) => return,
            None => place,
        };
        if reset {
            told.jumped = place != last;
        } else if place.epoch == last.epoch {
            self.jump(truth, last, place.seq, told);
        } else if let Some(end) = truth.last_of(last.epoch) {
            // A new epoch's state replaces what came before it in that epoch; the old epoch's
            // remainder is still owed.
            self.jump(truth, last, end, told);
        }
        self.place = Some(place);
    }

    fn shown(&self, truth: &ChannelTruth, place: Place, state: u64, shown: Shown, told: &mut Told) {
        let Some(fact) = truth.fact(place) else {
            return absent(truth, place, told);
        };
        let wrong = match shown {
            Shown::Book => !self.partial && differ(state, fact.state),
            Shown::Value => differ(state, fact.state) && differ(state, truth.status(place)),
        };
        if wrong {
            told.tell(Property::SnapshotMismatch, place, "not the state the bus has at that place");
        }
    }

    /// A range told to be missing.
    pub(super) fn gap(
        &mut self,
        truth: &Truth,
        (epoch, from, to): (u64, u64, Option<u64>),
        told: &mut Told,
    ) {
        let Some(truth) = truth.channel(&self.name) else { return };
        let end = to.or(truth.last_of(epoch)).unwrap_or(from.saturating_sub(1));
        let place = Place::new(epoch, from);
        if let Some(last) = self.place {
            if place <= last {
                told.tell(Property::FalseGap, place, format!("the client has up to {}", last.seq));
            } else if epoch == last.epoch {
                self.jump(truth, last, from - 1, told);
            } else {
                self.remainder(truth, last, epoch, told);
                self.jump(truth, Place::new(epoch, 0), from - 1, told);
            }
        }
        let honest = self.is_honest(truth, place, end, told);
        let end = Place::new(epoch, end);
        self.gap = Some((place, end, honest));
        self.place = self.place.max(Some(end));
    }

    /// A gap is honest where the log, or retention, has lost some of it; and where it goes on from
    /// an honest one, because what follows is a state that replaces everything before it.
    fn is_honest(&self, truth: &ChannelTruth, from: Place, to: u64, told: &mut Told) -> bool {
        let below = truth.floor.is_some_and(|floor| from < floor);
        let continues = self.gap.is_some_and(|(_, end, honest)| honest && self.place == Some(end));
        let wanted = to.saturating_add(1).saturating_sub(from.seq);
        let there = truth.count(from.epoch, from.seq, to);
        let rolled_back = truth.was_rolled_back(Place { seq: to, ..from });
        if below || continues || wanted == 0 || there < wanted && rolled_back {
            return true;
        }
        if there == wanted {
            let why = format!("{} to {to} can all be read from the bus", from.seq);
            told.tell(Property::FalseGap, from, why);
        } else if truth.last_of(from.epoch).is_none_or(|last| to > last) {
            told.tell(Property::FalseGap, from, format!("up to {to}, which never was"));
        } else {
            return true;
        }
        false
    }

    /// The run is over and the client is healthy: it must be level with the bus.
    pub(super) fn end(&mut self, truth: &Truth, told: &mut Told) {
        let Some(high) = truth.channel(&self.name).and_then(ChannelTruth::high) else { return };
        // A derived channel says nothing when nothing of its view changed.
        if self.derived || self.partial || self.place >= Some(high) {
            return;
        }
        let has = self.place.unwrap_or_default();
        let why = format!("the client stopped at epoch {} seq {}", has.epoch, has.seq);
        told.tell(Property::Unseen, high, why);
    }

    /// What never came and was never told.
    pub(super) fn lost(&mut self, told: &mut Told) {
        for (epoch, from, to) in self.missing.ranges() {
            let why = format!("{from} to {to} never came");
            told.tell(Property::Lost, Place::new(*epoch, *from), why);
        }
        if self.missing.beyond > 0 {
            let why = format!("{} more events in further ranges", self.missing.beyond);
            told.tell(Property::Lost, Place::default(), why);
        }
    }
}

/// A place the truth does not have.
fn absent(truth: &ChannelTruth, place: Place, told: &mut Told) {
    if truth.floor.is_some_and(|floor| place < floor) {
        told.unverifiable += 1;
    } else if !truth.was_rolled_back(place) {
        told.tell(Property::Phantom, place, "the bus holds no such event");
    }
}

/// Two states that are both known and not the same.
fn differ(a: u64, b: u64) -> bool {
    a != b && a != UNKNOWN && b != UNKNOWN
}
