//! Coinbase's level2_batch as a pure machine. The channel has no sequence and no checksum, so loss
//! can't be seen in it; what can be seen is used instead.
//!
//! 1. Subscribe; the venue sends `snapshot`: that is the book. Updates before it are in it.
//! 2. Each `l2update` is applied as it comes.
//! 3. A crossed book is wrong: leave the product's channel, join again, back to 1.
//! 4. So is a book whose top was equal to none of the tickers' best prices for 5 s. The book comes
//!    in batches and lags the ticker, so each ticker has until then to be caught up with, and only
//!    a later ticker that disagrees too is evidence: a quiet ticker proves nothing.
//! 5. A snapshot that doesn't come within 10 s is asked for again.

use std::collections::VecDeque;
use std::time::Duration;

use fantail_model::Decimal;

use crate::limits;
use crate::venue::{BookSync, Delta, Snapshot, Step};

/// One symbol's synchroniser.
#[derive(Debug, Default)]
pub(super) struct CoinbaseSync {
    phase: Phase,
    /// A book was live on an earlier connection: what came between is lost.
    had_book: bool,
    book_top: Option<(Decimal, Decimal)>,
    /// Tops of tickers the book has not shown yet, oldest first.
    unmatched: VecDeque<(Decimal, Decimal)>,
    /// When the first of them came.
    disagrees_since: Option<Duration>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Offline,
    Waiting {
        asked_at: Duration,
    },
    Live,
}

impl BookSync for CoinbaseSync {
    fn connected(&mut self, now: Duration, steps: &mut Vec<Step>) {
        if self.had_book {
            steps.push(Step::Gap("reconnect"));
        }
        *self = Self { phase: Phase::Waiting { asked_at: now }, ..Self::default() };
    }

    fn disconnected(&mut self) {
        self.had_book |= self.is_live();
        self.phase = Phase::Offline;
    }

    fn delta(&mut self, delta: Delta, steps: &mut Vec<Step>) {
        if self.is_live() {
            steps.push(Step::Apply(delta)); // 2
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot, steps: &mut Vec<Step>) {
        if matches!(self.phase, Phase::Offline) {
            return;
        }
        self.phase = Phase::Live;
        self.agree();
        steps.push(Step::Replace(snapshot)); // 1
    }

    fn restart(&mut self, reason: &'static str, now: Duration, steps: &mut Vec<Step>) {
        if self.is_live() {
            steps.push(Step::Gap(reason)); // 3
            self.ask(now, steps);
        }
    }

    fn ticker_top(&mut self, top: (Decimal, Decimal), now: Duration, steps: &mut Vec<Step>) {
        if !self.is_live() {
            return;
        }
        if self.book_top == Some(top) {
            self.agree();
            return;
        }
        let since = *self.disagrees_since.get_or_insert(now);
        if now.saturating_sub(since) >= limits::DISAGREE_MAX {
            steps.push(Step::Gap("ticker_disagrees")); // 4
            self.ask(now, steps);
            return;
        }
        if self.unmatched.len() >= limits::TICKER_TOPS_KEPT {
            self.unmatched.pop_front();
        }
        self.unmatched.push_back(top);
    }

    fn book_top(&mut self, top: (Decimal, Decimal)) {
        self.book_top = Some(top);
        if self.unmatched.contains(&top) {
            self.agree();
        }
    }

    fn tick(&mut self, now: Duration, steps: &mut Vec<Step>) {
        if let Phase::Waiting { asked_at } = self.phase
            && now.saturating_sub(asked_at) >= limits::SNAPSHOT_WAIT
        {
            self.ask(now, steps); // 5
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }
}

impl CoinbaseSync {
    fn ask(&mut self, now: Duration, steps: &mut Vec<Step>) {
        self.phase = Phase::Waiting { asked_at: now };
        self.agree();
        self.book_top = None;
        steps.push(Step::Resubscribe);
    }

    fn agree(&mut self) {
        self.unmatched.clear();
        self.disagrees_since = None;
    }
}
