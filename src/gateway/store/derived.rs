//! Channels the tail derives once per node: top-n books and `@interval` conflation.
//!
//! A derived channel takes its parent's positions: `seq` is the parent's last, `prev` the parent's
//! at the previous emission, so the chain proves continuity without being dense. Facts about the
//! feed pass through at once; values wait for the window's end (aligned to wall-clock multiples of
//! the interval) or, without an interval, for the end of the tail's cycle.

use std::collections::BTreeSet;
use std::sync::Arc;

use fantail_model::{
    Body, Book, BookChange, BookSide, Decimal, Event, Kind, Level, Micros, Position, checksum,
};

use crate::group::{ChannelInfo, Published};
use crate::seed::Snapshot;
use crate::store::channel::{ChannelState, Value};

/// What waits for the next emission.
#[derive(Debug)]
enum Pending {
    /// Last-value channels: the latest value.
    Last(Option<Box<Event>>),
    /// Full books: prices that were touched.
    Touched { bids: BTreeSet<Decimal>, asks: BTreeSet<Decimal> },
    /// Top-n books: the view as it was last emitted.
    Top(BookChange),
    /// Trades, none dropped, each with its own seq.
    Trades(Vec<Published>),
}

/// One derived channel.
#[derive(Debug)]
pub(crate) struct Derived {
    pub(crate) info: Arc<ChannelInfo>,
    /// Bit per shard that wants it.
    pub(crate) interest: u64,
    depth: usize,
    interval_micros: Option<i64>,
    pending: Pending,
    /// Events of the parent since the last emission.
    count: u32,
    /// The next emission replaces what clients hold.
    reset: bool,
    /// The parent's position at the last emission.
    emitted: Position,
    /// The parent's position at the last event that waits.
    waiting: Position,
    /// Times and venue id of the last event taken.
    last: Option<(Option<Micros>, Micros, Option<u64>)>,
    /// End of the running window, µs; `None` while nothing waits.
    due: Option<i64>,
    /// Snapshots made at a position of the parent.
    pub(super) snapshots: Option<(Option<Position>, Vec<Arc<Snapshot>>)>,
}

impl Derived {
    /// Starts at the parent's present state.
    pub(crate) fn new(info: Arc<ChannelInfo>, parent: &ChannelState) -> Self {
        let channel = &info.channel;
        let depth = channel.depth().map_or(usize::MAX, usize::from);
        let pending = match (channel.kind, channel.depth(), &parent.value) {
            (Kind::Trade, ..) => Pending::Trades(Vec::new()),
            (Kind::Book, Some(_), Value::Book { book, .. }) => Pending::Top(book.top(depth)),
            (Kind::Book, ..) => Pending::Touched { bids: BTreeSet::new(), asks: BTreeSet::new() },
            _ => Pending::Last(None),
        };
        Self {
            interest: 0,
            depth,
            interval_micros: channel.interval.map(|i| i64::from(i.millis()) * 1_000),
            pending,
            count: 0,
            reset: false,
            emitted: parent.position().unwrap_or_default(),
            waiting: Position::default(),
            last: None,
            due: None,
            snapshots: None,
            info,
        }
    }

    /// End of the running window, µs of wall clock.
    pub(crate) fn due(&self) -> Option<i64> {
        self.due
    }

    /// Takes one event of the parent, which has applied it already. What must not wait is
    /// emitted into `out`.
    pub(crate) fn take(
        &mut self,
        published: &Published,
        parent: &ChannelState,
        now: Micros,
        out: &mut Vec<Published>,
    ) {
        let event = &published.event;
        let begins_epoch = event.position.epoch != self.waiting.max(self.emitted).epoch;
        match (&mut self.pending, &event.body) {
            (Pending::Trades(trades), body) => {
                trades.push(published.clone());
                if !matches!(body, Body::Trade(_)) {
                    self.emit_values(parent, event.position, out);
                    return;
                }
            }
            (_, Body::Status(_) | Body::VenueGap(_)) => {
                // What waits of an epoch that is over is told at its end, not in the new one.
                let before = match begins_epoch {
                    true => self.waiting,
                    false => Position::new(event.position.epoch, event.prev),
                };
                self.emit_values(parent, before, out);
                self.pass(event, out);
                return;
            }
            (Pending::Last(last), _) => *last = Some(Box::new(event.clone())),
            (Pending::Touched { bids, asks }, Body::Book(change)) => {
                self.reset |= event.reset;
                bids.extend(change.bids.iter().map(|level| level.price));
                asks.extend(change.asks.iter().map(|level| level.price));
            }
            (Pending::Top(_), Body::Book(_)) => self.reset |= event.reset,
            (Pending::Touched { .. } | Pending::Top(_), _) => return,
        }
        self.reset |= event.position.epoch != self.emitted.epoch;
        (self.waiting, self.count) = (event.position, self.count.saturating_add(1));
        self.last = Some((event.ts, event.rx, event.vseq));
        let window = self.interval_micros.unwrap_or(0);
        self.due.get_or_insert(if window == 0 { 0 } else { (now.0 / window + 1) * window });
    }

    /// Emits what waits, if its window is over.
    pub(crate) fn emit(&mut self, parent: &ChannelState, now: Micros, out: &mut Vec<Published>) {
        if self.due.is_some_and(|due| due <= now.0)
            && let Some(head) = parent.position()
        {
            self.emit_values(parent, head, out);
        }
    }

    /// Emits the waiting values as the state at `head`.
    fn emit_values(&mut self, parent: &ChannelState, head: Position, out: &mut Vec<Published>) {
        self.due = None;
        if let Pending::Trades(trades) = &mut self.pending {
            if let Some(last) = trades.last() {
                self.emitted = last.event.position;
            }
            out.append(trades);
            self.count = 0;
            return;
        }
        let (Some((ts, rx, vseq)), true) = (self.last, self.count > 0) else { return };
        let reset = self.reset;
        let Some(body) = self.body(parent, reset) else { return };
        let same_epoch = head.epoch == self.emitted.epoch;
        let prev = if same_epoch { self.emitted.seq } else { 0 };
        let crc = self.checksum(parent);
        let event = Event { position: head, prev, reset, ts, rx, vseq, body };
        out.push(Published { event, crc, n: Some(self.count) });
        (self.emitted, self.count, self.reset) = (head, 0, false);
    }

    /// The value to emit; `None` when nothing changed in this channel's view.
    fn body(&mut self, parent: &ChannelState, reset: bool) -> Option<Body> {
        let book = match &parent.value {
            Value::Book { book, in_sync: true } => Some(book),
            _ => None,
        };
        match &mut self.pending {
            Pending::Last(last) => last.take().map(|event| event.body),
            Pending::Trades(_) => None,
            Pending::Touched { bids, asks } => {
                let (bids, asks) = (std::mem::take(bids), std::mem::take(asks));
                let book = book?;
                let change = if reset {
                    book.view()
                } else {
                    BookChange {
                        bids: sizes(book, BookSide::Bid, bids.into_iter().rev()),
                        asks: sizes(book, BookSide::Ask, asks.into_iter()),
                    }
                };
                Some(Body::Book(change))
            }
            Pending::Top(view) => {
                let top = book?.top(self.depth);
                let change = if reset { top.clone() } else { difference(view, &top) };
                let changed = reset || !(change.bids.is_empty() && change.asks.is_empty());
                *view = top;
                changed.then_some(Body::Book(change))
            }
        }
    }

    /// A fact about the feed, told at once under this channel's chain.
    fn pass(&mut self, event: &Event, out: &mut Vec<Published>) {
        let same_epoch = event.position.epoch == self.emitted.epoch;
        let prev = if same_epoch { self.emitted.seq } else { 0 };
        let reset = event.reset || !same_epoch;
        let event = Event { prev, reset, ..event.clone() };
        self.emitted = event.position;
        out.push(Published { event, crc: None, n: Some(1) });
    }

    /// Levels of this channel's view.
    pub(crate) fn levels(&self, book: &Book) -> BookChange {
        book.top(self.depth)
    }

    /// Checksum of this channel's view, on books in sync.
    pub(crate) fn checksum(&self, parent: &ChannelState) -> Option<u32> {
        let Value::Book { book, in_sync: true } = &parent.value else { return None };
        const CHECKSUM_LEVELS: usize = 10;
        let top = book.top(self.depth.min(CHECKSUM_LEVELS));
        Some(checksum(top.bids.into_iter(), top.asks.into_iter()))
    }
}

fn sizes(book: &Book, side: BookSide, prices: impl Iterator<Item = Decimal>) -> Vec<Level> {
    prices.map(|price| Level { price, size: book.size_at(side, price) }).collect()
}

/// What turns one view into another: both best first.
fn difference(old: &BookChange, new: &BookChange) -> BookChange {
    let side = |old: &[Level], new: &[Level], bids: bool| {
        let mut change: Vec<Level> =
            new.iter().filter(|level| !old.contains(level)).copied().collect();
        let gone = old.iter().filter(|level| !new.iter().any(|n| n.price == level.price));
        change.extend(gone.map(|level| Level { price: level.price, size: Decimal::ZERO }));
        change.sort_by(|a, b| if bids { b.price.cmp(&a.price) } else { a.price.cmp(&b.price) });
        change
    };
    BookChange { bids: side(&old.bids, &new.bids, true), asks: side(&old.asks, &new.asks, false) }
}
