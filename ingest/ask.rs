//! When a symbol's book is to be asked for: at once the first time, later with growing, jittered
//! pauses, so that a book that goes wrong again and again costs neither us nor the venue much.
//!
//! Pure but for the jitter. Decides when, never how.

use std::time::Duration;

use rand::Rng;

use crate::limits;

/// One symbol's wish for its book.
#[derive(Debug, Default)]
pub(crate) struct BookAsk {
    due: Option<Duration>,
    under_way: bool,
    attempts: u32,
    live_since: Option<Duration>,
}

impl BookAsk {
    /// The book is needed.
    pub(crate) fn wanted(&mut self, now: Duration) {
        let pause = match self.attempts {
            0 => Duration::ZERO,
            tries => {
                let doubled = limits::BACKOFF_MIN * 2_u32.saturating_pow((tries - 1).min(8));
                let most = doubled.min(limits::BACKOFF_MAX);
                rand::rng().random_range(most / 2..=most)
            }
        };
        self.due = Some(now + pause);
    }

    /// The request failed.
    pub(crate) fn again(&mut self, now: Duration) {
        self.wanted(now);
    }

    /// True once, when it is time to ask.
    pub(crate) fn take_due(&mut self, now: Duration) -> bool {
        if self.under_way || self.due.is_none_or(|due| now < due) {
            return false;
        }
        self.due = None;
        self.attempts = self.attempts.saturating_add(1);
        true
    }

    /// A request is under way until [`BookAsk::returned`].
    pub(crate) fn started(&mut self) {
        self.under_way = true;
    }

    /// Its answer, good or bad, is here.
    pub(crate) fn returned(&mut self) {
        self.under_way = false;
    }

    /// The book is right.
    pub(crate) fn answered(&mut self, now: Duration) {
        self.due = None;
        self.live_since = Some(now);
    }

    /// The book was right and is not any more.
    pub(crate) fn lost(&mut self, now: Duration) {
        let lived =
            self.live_since.take().map_or(Duration::ZERO, |since| now.saturating_sub(since));
        if lived >= limits::HEALTHY_AFTER {
            self.attempts = 0;
        }
    }

    /// Nothing is wanted while there is no connection.
    pub(crate) fn cancel(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_is_at_once_and_repeated_ones_wait() {
        let second = Duration::from_secs(1);
        let mut ask = BookAsk::default();
        assert!(!ask.take_due(Duration::ZERO));
        ask.wanted(Duration::ZERO);
        assert!(ask.take_due(Duration::ZERO));
        ask.started();
        ask.wanted(Duration::ZERO);
        assert!(!ask.take_due(9 * second), "one at a time");
        ask.returned();
        assert!(ask.take_due(second));
        ask.answered(second);
        ask.lost(2 * second);
        ask.wanted(2 * second);
        assert!(!ask.take_due(2 * second), "it failed soon after: wait");
        assert!(ask.take_due(4 * second));
        ask.answered(4 * second);
        ask.lost(60 * second);
        ask.wanted(60 * second);
        assert!(ask.take_due(60 * second), "it was healthy: at once");
        ask.wanted(60 * second);
        ask.cancel();
        assert!(!ask.take_due(600 * second));
    }
}
