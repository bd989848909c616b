//! One symbol's book: the venue's [`BookSync`] decides what is next, the model's [`Book`] holds it,
//! and what comes out is what a client must be told, in order.
//!
//! Pure: no positions, no bus, no I/O. A change that crosses the book or can't be held is not told
//! as a book; the loss is, and the book is taken anew.

use std::collections::VecDeque;
use std::time::Duration;

use fantail_model::{Book, BookChange, Decimal, Level, Micros};

use crate::venue::{BookSync, Delta, Snapshot, Step};

/// What follows from a fact about the book.
#[derive(Debug, PartialEq)]
pub(crate) enum BookOutcome {
    /// A snapshot is needed by REST.
    Fetch,
    /// The book is needed anew on the connection.
    Resubscribe,
    /// Events are lost, for this reason.
    Gap(&'static str),
    /// A new whole view; what it holds is [`KeptBook::view`] at this moment.
    Reset { view: BookChange, vseq: Option<u64>, ts: Option<Micros>, rx: Micros },
    /// A change of the view.
    Change { change: BookChange, vseq: Option<u64>, ts: Option<Micros>, rx: Micros },
}

/// One symbol's book.
pub(crate) struct KeptBook {
    sync: Box<dyn BookSync>,
    book: Book,
    steps: VecDeque<Step>,
    made: Vec<Step>,
}

impl KeptBook {
    pub(crate) fn new(sync: Box<dyn BookSync>, depth: usize) -> Self {
        Self { sync, book: Book::new(depth), steps: VecDeque::new(), made: Vec::new() }
    }

    /// Whether what is held is the venue's book.
    pub(crate) fn is_live(&self) -> bool {
        self.sync.is_live()
    }

    /// The whole view.
    pub(crate) fn view(&self) -> BookChange {
        self.book.view()
    }

    /// Best bid and ask.
    pub(crate) fn best(&self) -> (Option<Level>, Option<Level>) {
        (self.book.best_bid(), self.book.best_ask())
    }

    pub(crate) fn connected(&mut self, now: Duration, out: &mut Vec<BookOutcome>) {
        self.sync.connected(now, &mut self.made);
        self.carry_out(now, Micros::default(), out);
    }

    pub(crate) fn disconnected(&mut self) {
        self.sync.disconnected();
    }

    pub(crate) fn delta(&mut self, delta: Delta, now: Duration, out: &mut Vec<BookOutcome>) {
        let rx = delta.rx;
        self.sync.delta(delta, &mut self.made);
        self.carry_out(now, rx, out);
    }

    pub(crate) fn snapshot(
        &mut self,
        snapshot: Snapshot,
        rx: Micros,
        now: Duration,
        out: &mut Vec<BookOutcome>,
    ) {
        self.sync.snapshot(snapshot, &mut self.made);
        self.carry_out(now, rx, out);
    }

    pub(crate) fn restart(
        &mut self,
        reason: &'static str,
        now: Duration,
        out: &mut Vec<BookOutcome>,
    ) {
        self.sync.restart(reason, now, &mut self.made);
        self.carry_out(now, Micros::default(), out);
    }

    pub(crate) fn ticker_top(
        &mut self,
        top: (Decimal, Decimal),
        now: Duration,
        out: &mut Vec<BookOutcome>,
    ) {
        self.sync.ticker_top(top, now, &mut self.made);
        self.carry_out(now, Micros::default(), out);
    }

    pub(crate) fn tick(&mut self, now: Duration, out: &mut Vec<BookOutcome>) {
        self.sync.tick(now, &mut self.made);
        self.carry_out(now, Micros::default(), out);
    }

    /// `rx` is when what caused the steps was received.
    fn carry_out(&mut self, now: Duration, rx: Micros, out: &mut Vec<BookOutcome>) {
        self.steps.extend(self.made.drain(..));
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Fetch => out.push(BookOutcome::Fetch),
                Step::Resubscribe => out.push(BookOutcome::Resubscribe),
                Step::Gap(reason) => out.push(BookOutcome::Gap(reason)),
                Step::Replace(snapshot) => match self.replace(&snapshot) {
                    Ok(()) => {
                        let (vseq, ts) = (snapshot.last_id, snapshot.ts);
                        out.push(BookOutcome::Reset { view: self.view(), vseq, ts, rx });
                    }
                    Err(reason) => self.fail(reason, now),
                },
                Step::Apply(delta) => match self.apply(&delta) {
                    Ok(change) => {
                        let (vseq, ts) = (delta.ids.map(|ids| ids.1), delta.ts);
                        out.push(BookOutcome::Change { change, vseq, ts, rx: delta.rx });
                    }
                    Err(reason) => self.fail(reason, now),
                },
            }
        }
    }

    fn replace(&mut self, snapshot: &Snapshot) -> Result<(), &'static str> {
        self.book.replace(&snapshot.levels).map_err(|_| "bad_level")?;
        self.check()
    }

    fn apply(&mut self, delta: &Delta) -> Result<BookChange, &'static str> {
        let change = self.book.apply(&delta.change).map_err(|_| "bad_level")?;
        self.check()?;
        Ok(change)
    }

    fn check(&mut self) -> Result<(), &'static str> {
        if self.book.is_crossed() {
            return Err("crossed");
        }
        if let (Some(bid), Some(ask)) = (self.book.best_bid(), self.book.best_ask()) {
            self.sync.book_top((bid.price, ask.price));
        }
        Ok(())
    }

    /// What is held is wrong. Changes that were to follow are again only known to have come.
    fn fail(&mut self, reason: &'static str, now: Duration) {
        let rest = std::mem::take(&mut self.steps);
        self.sync.restart(reason, now, &mut self.made);
        for step in rest {
            if let Step::Apply(delta) = step {
                self.sync.delta(delta, &mut self.made);
            }
        }
        self.steps.extend(self.made.drain(..));
    }
}
