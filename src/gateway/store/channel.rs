//! One channel as the tail keeps it: position, state, book or last value, ring.
//!
//! Applies each event once. An event of a lower epoch, or one it already has, is refused: that is
//! the fence between an old feed owner and a new one.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use fantail_model::{Body, Book, BookChange, Event, Kind, Micros, Position, State};

use crate::group::{ChannelInfo, Published};
use crate::limits;
use crate::seed::{Snapshot, SnapshotBody};
use crate::store::derived::Derived;
use crate::store::ring::Ring;

/// Book checksums are due when `seq` is a multiple of this.
const CHECKSUM_EVERY: u64 = 16;

/// What a channel holds besides its ring.
#[derive(Debug)]
pub(crate) enum Value {
    /// Books: the view, and whether it is the whole truth.
    Book { book: Book, in_sync: bool },
    /// Last-value channels: the latest event.
    Last(Option<Event>),
    /// Trades: nothing but the ring.
    Stream,
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// From an owner that was replaced.
    LowerEpoch,
    /// Already here.
    Duplicate,
    /// A book change that is no book change; the book is out of sync from here.
    BadBook,
}

/// Events that were given positions and did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) epoch: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// One channel.
#[derive(Debug)]
pub(crate) struct ChannelState {
    pub(crate) info: Arc<ChannelInfo>,
    pub(crate) value: Value,
    pub(crate) ring: Ring,
    /// Bit per shard that wants it.
    pub(crate) interest: u64,
    pub(super) position: Option<Position>,
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) since: Micros,
    /// Nobody speaks for it: why, and since when. Its next sign of life ends that.
    pub(super) silent: Option<(&'static str, Micros)>,
    pub(super) ts: Option<Micros>,
    pub(super) rx: Micros,
    pub(super) vseq: Option<u64>,
    pub(super) last_status: Option<Event>,
    /// Ended epochs with their last seq, oldest first.
    ended: Vec<Position>,
    /// Something of it was lost or unreadable, and its next event or snapshot will tell what: why.
    pub(super) suspect: Option<&'static str>,
    /// A snapshot that may mend it, ahead of it, and since when.
    pub(super) mending: Option<(Event, Duration)>,
    /// Seeds of the present state: plain, and with `reset` for sessions that lost their place.
    pub(super) snapshots: [Option<Vec<Arc<Snapshot>>>; 2],
    /// Channels derived from this one, while somebody wants them.
    pub(crate) derived: Vec<Derived>,
}

impl ChannelState {
    pub(crate) fn new(info: Arc<ChannelInfo>) -> Self {
        let value = match info.channel.kind {
            Kind::Book => Value::Book { book: Book::new(0), in_sync: false },
            Kind::Trade => Value::Stream,
            _ => Value::Last(None),
        };
        Self {
            info,
            value,
            ring: Ring::default(),
            interest: 0,
            position: None,
            state: State::Down,
            reason: "no event yet".into(),
            since: Micros::default(),
            silent: None,
            ts: None,
            rx: Micros::default(),
            vseq: None,
            last_status: None,
            ended: Vec::new(),
            suspect: None,
            mending: None,
            snapshots: [None, None],
            derived: Vec::new(),
        }
    }

    /// Back to the beginning: no value, no place, no ring, nothing derived.
    pub(crate) fn forget(&mut self) {
        *self = Self { silent: self.silent, ..Self::new(Arc::clone(&self.info)) };
    }

    /// Whether some shard wants it or something derived from it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.interest != 0 || self.derived.iter().any(|derived| derived.interest != 0)
    }

    /// Takes one event. `hole` in the answer says that events before it never came.
    pub(crate) fn apply(&mut self, event: Event) -> Result<(Published, bool), Refused> {
        let hole = self.admit(&event)?;
        let new_epoch = self.position.is_some_and(|ours| ours.epoch != event.position.epoch);
        self.position = Some(event.position);
        self.snapshots = [None, None];
        self.suspect = None;
        (self.ts, self.rx) = (event.ts.or(self.ts), event.rx);
        if event.vseq.is_some() {
            self.vseq = event.vseq;
        }
        if let Value::Book { in_sync, .. } = &mut self.value {
            // Only a whole view makes it whole again (`keep`).
            *in_sync &= !(hole || new_epoch || event.reset);
        }
        self.keep(&event)?;
        let crc = self.due_checksum(&event);
        Ok((Published { event, crc, n: None }, hole))
    }

    /// What is missing before an event that would be taken.
    pub(crate) fn hole_before(&self, event: &Event) -> Option<Hole> {
        let ours = self.position?;
        let from = match event.position.epoch.cmp(&ours.epoch) {
            Ordering::Less => return None,
            Ordering::Equal if event.position.seq <= ours.seq => return None,
            Ordering::Equal => ours.seq.saturating_add(1),
            Ordering::Greater => 1,
        };
        let (epoch, to) = (event.position.epoch, event.prev);
        (to >= from).then_some(Hole { epoch, from, to })
    }

    /// Checks the event's place against ours.
    fn admit(&mut self, event: &Event) -> Result<bool, Refused> {
        let Some(ours) = self.position else { return Ok(false) };
        if event.position.epoch < ours.epoch {
            return Err(Refused::LowerEpoch);
        }
        if event.position.epoch == ours.epoch {
            if event.position.seq <= ours.seq {
                return Err(Refused::Duplicate);
            }
            return Ok(event.prev > ours.seq);
        }
        if self.ended.len() == limits::EPOCHS_KEPT {
            self.ended.remove(0);
        }
        self.ended.push(ours);
        Ok(event.prev != 0)
    }

    pub(super) fn keep(&mut self, event: &Event) -> Result<(), Refused> {
        let is_value = !matches!(event.body, Body::Status(_) | Body::VenueGap(_));
        if is_value && self.last_status.is_none() && self.state != State::Live {
            // A feed that starts well says nothing inside its channels: its values speak.
            (self.state, self.since) = (State::Live, event.rx);
            self.reason.clear();
        }
        match (&mut self.value, &event.body) {
            (_, Body::Status(status)) => {
                (self.state, self.since) = (status.state, event.rx);
                self.reason.clone_from(&status.reason);
                self.last_status = Some(event.clone());
                if let Value::Last(last) = &mut self.value
                    && self.info.channel.kind == Kind::Status
                {
                    *last = Some(event.clone());
                }
            }
            (Value::Book { in_sync, .. }, Body::VenueGap(_)) => *in_sync = false,
            (Value::Book { book, in_sync }, Body::Book(change)) => {
                let applied = match (event.reset, *in_sync) {
                    (true, _) => book.replace(change),
                    (false, true) => book.amend(change),
                    (false, false) => Ok(()),
                };
                *in_sync = (*in_sync || event.reset) && applied.is_ok();
                applied.map_err(|_| Refused::BadBook)?;
            }
            (Value::Last(last), body) if !matches!(body, Body::VenueGap(_)) => {
                *last = Some(event.clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn due_checksum(&self, event: &Event) -> Option<u32> {
        match (&self.value, &event.body) {
            (Value::Book { book, in_sync: true }, Body::Book(_))
                if event.position.seq.is_multiple_of(CHECKSUM_EVERY) =>
            {
                Some(book.checksum())
            }
            _ => None,
        }
    }

    /// Appends a group of this channel's events to its ring.
    pub(crate) fn remember(&mut self, group: Arc<crate::group::Group>, bytes_max: usize) {
        let weight = group.weight();
        self.ring.push(group, weight, bytes_max);
    }

    /// Position of the last event.
    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Epochs this node saw end after `epoch` and before `head`, with their last seq.
    pub(crate) fn ended_between(&self, epoch: u64, head: u64) -> Vec<Position> {
        let between = |end: &&Position| end.epoch > epoch && end.epoch < head;
        self.ended.iter().filter(between).copied().collect()
    }

    /// Last seq of an epoch this node saw end.
    pub(crate) fn ended(&self, epoch: u64) -> Option<u64> {
        self.ended.iter().find(|end| end.epoch == epoch).map(|end| end.seq)
    }

    /// State of the channel's feed, why, and since when.
    pub(crate) fn state(&self) -> (State, &str, Micros) {
        match self.silent {
            Some((reason, since)) => (State::Stale, reason, since),
            None => (self.state, &self.reason, self.since),
        }
    }

    /// Nobody speaks for it any more.
    pub(crate) fn mark_silent(&mut self, reason: &'static str, now: Micros) {
        self.silent = Some((reason, now));
    }

    /// Its owner was heard again: by a heartbeat, or by an event that is not an old one.
    pub(crate) fn mark_heard(&mut self) {
        self.silent = None;
    }

    /// Why nobody speaks for it, if nobody does.
    pub(crate) fn silent(&self) -> Option<&'static str> {
        self.silent.map(|(reason, _)| reason)
    }

    /// Venue and receive time of the last event.
    pub(crate) fn times(&self) -> (Option<Micros>, Option<Micros>) {
        (self.ts, self.position.map(|_| self.rx))
    }

    /// The state as messages, shared by everyone seeded before the next event. With `reset` it
    /// says that it replaces what the client holds, however its chain stands.
    pub(crate) fn snapshots(&mut self, now: Micros, reset: bool) -> Vec<Arc<Snapshot>> {
        if let Some(snapshots) = &self.snapshots[usize::from(reset)] {
            return snapshots.clone();
        }
        let view = match &self.value {
            Value::Book { book, in_sync: true } => Some((book.view(), book.checksum())),
            _ => None,
        };
        let snapshots = self.states(&self.info, view, now, reset);
        self.snapshots[usize::from(reset)] = Some(snapshots.clone());
        snapshots
    }

    /// The state under a name: a book's `view` with its checksum (`None`: not in sync), or the
    /// last value; then the feed's state, unless it is live.
    pub(super) fn states(
        &self,
        info: &Arc<ChannelInfo>,
        view: Option<(BookChange, u32)>,
        now: Micros,
        reset: bool,
    ) -> Vec<Arc<Snapshot>> {
        let mut bodies = Vec::new();
        match &self.value {
            Value::Book { .. } => bodies.push(self.book_state(view, reset)),
            Value::Last(Some(event)) => bodies.push(SnapshotBody::Last(self.at_head(event, reset))),
            Value::Last(None) | Value::Stream => {}
        }
        if let Some(status) = &self.last_status
            && self.state != State::Live
            && self.info.channel.kind != Kind::Status
        {
            // Without a state that replaces what the client holds, this says that it is void.
            let replaces = reset && !matches!(bodies.last(), Some(SnapshotBody::Last(_)));
            bodies.push(SnapshotBody::Last(self.at_head(status, replaces)));
        }
        let snapshot = |body| Arc::new(Snapshot::new(Arc::clone(info), now, body));
        bodies.into_iter().map(snapshot).collect()
    }

    fn book_state(&self, view: Option<(BookChange, u32)>, reset: bool) -> SnapshotBody {
        let (ts, rx, vseq) = (self.ts, self.rx, self.vseq);
        match (view, self.position) {
            (Some((levels, _)), Some(position)) if reset => {
                let (prev, body) = (position.seq.saturating_sub(1), Body::Book(levels));
                SnapshotBody::Last(Event { position, prev, reset, ts, rx, vseq, body })
            }
            (Some((levels, crc)), position) => {
                SnapshotBody::Book { position, ts, rx, vseq, levels, crc }
            }
            (None, _) => {
                let levels = BookChange::default();
                SnapshotBody::Book { position: None, ts, rx, vseq, levels, crc: 0 }
            }
        }
    }

    /// An older event told as the state at the channel's head.
    pub(super) fn at_head(&self, event: &Event, reset: bool) -> Event {
        let position = self.position.unwrap_or(event.position);
        Event { position, prev: position.seq.saturating_sub(1), reset, ..event.clone() }
    }
}
