//! A channel's state out of the compacted topic: at the node's start, and while it runs to mend a
//! channel that lost events.
//!
//! A snapshot is the state after its position and consumes none. At the start it is where a
//! channel begins. Later it counts only for a channel that is out of order: then it is applied at
//! its own place in the stream (events after it are applied on top, or awaited), so that nothing
//! is taken twice or left out. Decides nothing about which snapshots are young enough.

use std::time::Duration;

use fantail_model::{Body, Event, Position};

use super::channel::{ChannelState, Hole, Value};
use crate::group::Published;

/// What the compacted topic holds of one channel.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Its book or last value.
    pub(crate) value: Option<Event>,
    /// The state of its feed.
    pub(crate) state: Option<Event>,
    /// Whether every event after it will be read.
    pub(crate) young: bool,
}

/// A state that replaces what everybody holds, and what was missed before it.
#[derive(Debug)]
pub(crate) struct Mended {
    pub(crate) hole: Option<Hole>,
    /// `None` for trades, which have no state.
    pub(crate) state: Option<Published>,
}

impl ChannelState {
    /// Begins at what was kept. What has been taken already is not gone back from.
    pub(crate) fn restore(&mut self, kept: Kept) {
        let Kept { value, state, young } = kept;
        let place = |event: &Option<Event>| event.as_ref().map(|event| event.position);
        // A state before its value is history; one after a young value has the events between
        // still to come, itself among them.
        let with_state = match (place(&value), place(&state)) {
            (Some(value), Some(state)) if young => state == value,
            (Some(value), Some(state)) => state >= value,
            _ => true,
        };
        for event in value.into_iter().chain(state.filter(|_| with_state)) {
            if self.position.is_none_or(|ours| event.position >= ours) {
                self.begin_at(&event, young);
            }
        }
    }

    /// Takes over a snapshot's place and content.
    fn begin_at(&mut self, event: &Event, whole: bool) {
        self.position = Some(event.position);
        self.ring.restart(event.position);
        self.snapshots = [None, None];
        (self.ts, self.rx) = (event.ts.or(self.ts), event.rx);
        self.vseq = event.vseq.or(self.vseq);
        // A snapshot that can't be applied leaves the book out of sync, as a bad change would.
        let _ = self.keep(event);
        if let Value::Book { in_sync, .. } = &mut self.value {
            *in_sync &= whole;
        }
    }

    /// Whether a snapshot heard now would be of use.
    pub(crate) fn wants_snapshot(&self) -> bool {
        let out_of_sync = matches!(self.value, Value::Book { in_sync: false, .. });
        self.position.is_none() || out_of_sync || self.suspect.is_some()
    }

    /// Something of it was lost or unreadable.
    pub(crate) fn suspect(&mut self, reason: &'static str) {
        self.suspect = Some(reason);
    }

    /// Why events may be missing before the next one, if that is known.
    pub(crate) fn suspicion(&self) -> Option<&'static str> {
        self.suspect
    }

    /// A snapshot waits until the channel has reached it.
    pub(crate) fn awaits_snapshot(&self) -> bool {
        self.mending.is_some()
    }

    /// Takes a snapshot heard while running. One ahead of the channel waits for the events before
    /// it; for good only if they are known to be lost (see [`Self::mend_late`]).
    pub(crate) fn mend(&mut self, snapshot: Event, now: Duration) -> Option<Mended> {
        let Some(ours) = self.position else {
            self.begin_at(&snapshot, true);
            return Some(Mended { hole: None, state: self.replaced() });
        };
        if snapshot.position > ours {
            let since = self.mending.as_ref().map_or(now, |(_, since)| *since);
            self.mending = Some((snapshot, since));
            return None;
        }
        if snapshot.position == ours {
            self.suspect = None;
        }
        self.mend_book(&snapshot, ours)
    }

    /// The channel has moved: the snapshot that waited may fit now.
    pub(crate) fn mend_waiting(&mut self) -> Option<Mended> {
        let ours = self.position?;
        if !self.wants_snapshot() {
            self.mending = None;
            return None;
        }
        let (snapshot, _) = self.mending.take_if(|(snapshot, _)| snapshot.position <= ours)?;
        self.mend_book(&snapshot, ours)
    }

    /// Events before a waiting snapshot are known to be lost, and have had `wait` to come after
    /// all: begins again at the snapshot.
    pub(crate) fn mend_late(&mut self, now: Duration, wait: Duration) -> Option<Mended> {
        self.suspect?;
        let (snapshot, _) =
            self.mending.take_if(|(_, since)| now.saturating_sub(*since) >= wait)?;
        let ours = self.position.unwrap_or_default();
        let Position { epoch, seq } = snapshot.position;
        let from = if epoch == ours.epoch { ours.seq.saturating_add(1) } else { 1 };
        self.suspect = None;
        self.begin_at(&snapshot, true);
        Some(Mended { hole: Some(Hole { epoch, from, to: seq }), state: self.replaced() })
    }

    /// Rebuilds a book that is out of sync from a snapshot at or before its place.
    fn mend_book(&mut self, snapshot: &Event, ours: Position) -> Option<Mended> {
        let Value::Book { book, in_sync: in_sync @ false } = &mut self.value else { return None };
        let Body::Book(view) = &snapshot.body else { return None };
        let reaches = self.ring.floor().is_some_and(|floor| floor <= snapshot.position);
        let is_here = snapshot.position == ours;
        if snapshot.position.epoch != ours.epoch || !(is_here || reaches) {
            return None;
        }
        book.replace(view).ok()?;
        for group in self.ring.after(snapshot.position) {
            for published in &group.events {
                match &published.event.body {
                    Body::Book(change) if published.event.reset => book.replace(change).ok()?,
                    Body::Book(change) => book.amend(change).ok()?,
                    // The venue itself lost something since: its owner brings the next state.
                    Body::VenueGap(_) => return None,
                    _ => {}
                }
            }
        }
        *in_sync = true;
        self.snapshots = [None, None];
        Some(Mended { hole: None, state: self.replaced() })
    }

    /// The present state as an event that replaces what clients hold, at the channel's own place.
    fn replaced(&self) -> Option<Published> {
        let position = self.position?;
        let (prev, reset) = (position.seq.saturating_sub(1), true);
        let (event, crc) = match &self.value {
            Value::Book { book, in_sync: true } => {
                let (ts, rx, vseq) = (self.ts, self.rx, self.vseq);
                let body = Body::Book(book.view());
                (Event { position, prev, reset, ts, rx, vseq, body }, Some(book.checksum()))
            }
            Value::Last(Some(event)) => (self.at_head(event, true), None),
            _ => return None,
        };
        Some(Published { event, crc, n: None })
    }
}
