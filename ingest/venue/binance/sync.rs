//! Binance's own procedure for a right book, as a pure machine.
//!
//! 1. Open the diff stream and buffer its events; note the first event's `U`.
//! 2. Ask for the depth snapshot.
//! 3. If its `lastUpdateId` is below the first `U`, it is too old: ask again.
//! 4. Drop buffered events with `u` ≤ `lastUpdateId`.
//! 5. The first kept event must have `U` ≤ `lastUpdateId` + 1 ≤ `u`.
//! 6. The snapshot is the book; its update id is `lastUpdateId`.
//! 7. For each event: `u` below the book's id → known already, ignore; `U` above the book's id
//!    plus 1 → events are missing, start again; else apply, and `u` is the book's id.
//!
//! The venue's text bridges with `lastUpdateId` in [`U`; `u`]; an event whose `U` is
//! `lastUpdateId` + 1 continues the snapshot just as well and is seen in practice.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits;
use crate::venue::{BookSync, Delta, Snapshot, Step};

/// One symbol's synchroniser.
#[derive(Debug, Default)]
pub(super) struct BinanceSync {
    phase: Phase,
    /// A book was live on an earlier connection: what came between is lost.
    had_book: bool,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Offline,
    /// Steps 1 to 3. `since` is when waiting for the first event began, `None` once asked.
    Waiting { buffer: Buffer, since: Option<Duration> },
    /// Step 7, with the book's update id.
    Live { last_id: u64 },
}

#[derive(Debug, Default)]
struct Buffer {
    deltas: VecDeque<Delta>,
    levels: usize,
}

impl BookSync for BinanceSync {
    fn connected(&mut self, now: Duration, steps: &mut Vec<Step>) {
        if self.had_book {
            steps.push(Step::Gap("reconnect"));
        }
        self.had_book = false;
        self.phase = Phase::Waiting { buffer: Buffer::default(), since: Some(now) };
    }

    fn disconnected(&mut self) {
        self.had_book |= self.is_live();
        self.phase = Phase::Offline;
    }

    fn delta(&mut self, delta: Delta, steps: &mut Vec<Step>) {
        match &mut self.phase {
            Phase::Offline => {}
            Phase::Waiting { buffer, since } => {
                buffer.push(delta); // 1
                if since.take().is_some() {
                    steps.push(Step::Fetch); // 2
                }
            }
            Phase::Live { .. } => self.follow(delta, steps),
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot, steps: &mut Vec<Step>) {
        let Phase::Waiting { buffer, .. } = &mut self.phase else { return };
        let Some(last_id) = snapshot.last_id else { return };
        if buffer.first_id().is_some_and(|first| last_id + 1 < first) {
            steps.push(Step::Fetch); // 3
            return;
        }
        let deltas = std::mem::take(&mut buffer.deltas);
        self.phase = Phase::Live { last_id }; // 6
        steps.push(Step::Replace(snapshot));
        for delta in deltas {
            if self.is_live() {
                self.follow(delta, steps); // 4, 5 and 7 are one rule
            } else {
                self.delta(delta, steps);
            }
        }
    }

    fn restart(&mut self, reason: &'static str, _now: Duration, steps: &mut Vec<Step>) {
        if self.is_live() {
            steps.push(Step::Gap(reason));
            self.wait_for_snapshot(None, steps);
        } else if let Phase::Waiting { buffer, .. } = &mut self.phase {
            // An event that can't be held is missing from the buffer: only a newer snapshot will do.
            *buffer = Buffer::default();
        }
    }

    fn tick(&mut self, now: Duration, steps: &mut Vec<Step>) {
        if let Phase::Waiting { since, .. } = &mut self.phase
            && since.is_some_and(|since| now.saturating_sub(since) >= limits::FIRST_DELTA_WAIT)
        {
            *since = None;
            steps.push(Step::Fetch); // 2, of a quiet market
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }
}

impl BinanceSync {
    fn follow(&mut self, delta: Delta, steps: &mut Vec<Step>) {
        let (Phase::Live { last_id }, Some((first, last))) = (&mut self.phase, delta.ids) else {
            return;
        };
        if last <= *last_id {
            return; // 4, 7: known already
        }
        if first > *last_id + 1 {
            steps.push(Step::Gap("sequence")); // 5, 7: events are missing
            self.wait_for_snapshot(Some(delta), steps);
            return;
        }
        *last_id = last;
        steps.push(Step::Apply(delta));
    }

    fn wait_for_snapshot(&mut self, first: Option<Delta>, steps: &mut Vec<Step>) {
        let mut buffer = Buffer::default();
        if let Some(delta) = first {
            buffer.push(delta);
        }
        self.phase = Phase::Waiting { buffer, since: None };
        steps.push(Step::Fetch);
    }
}

impl Buffer {
    /// Keeps an event. One that doesn't follow the last, or has no room, makes the buffer start
    /// anew with it: by rule 3 an older snapshot will then be asked for again.
    fn push(&mut self, delta: Delta) {
        let Some((first, _)) = delta.ids else { return };
        let follows = self.last_id().is_none_or(|last| first <= last + 1);
        let size = delta.change.bids.len() + delta.change.asks.len();
        let has_room = self.deltas.len() < limits::BUFFERED_DELTAS_MAX
            && self.levels + size <= limits::BUFFERED_LEVELS_MAX;
        if !follows || !has_room {
            *self = Self::default();
        }
        self.levels += size;
        self.deltas.push_back(delta);
    }

    fn first_id(&self) -> Option<u64> {
        self.deltas.front().and_then(|delta| delta.ids).map(|ids| ids.0)
    }

    fn last_id(&self) -> Option<u64> {
        self.deltas.back().and_then(|delta| delta.ids).map(|ids| ids.1)
    }
}
