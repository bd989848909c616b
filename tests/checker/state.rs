//! What a channel's subscriber holds after each event, as one number: the running fingerprint of a
//! book, or the fingerprint of the last value (without its times). Both sides keep one: a client from what it was sent,
//! the truth from what the bus holds.

use std::collections::HashMap;

use crate::event::{Body, Event, Level};
use crate::fingerprint::{Fingerprint, mixed};

/// The state is not known (yet, or after a gap).
pub(crate) const UNKNOWN: u64 = 0;

/// The state of one channel.
#[derive(Debug)]
pub(crate) enum State {
    /// A book, and whether it is whole.
    Book(Book),
    /// The last value; [`UNKNOWN`] before the first.
    Last(u64),
    /// A stream without state: trades.
    Stream,
}

/// Levels by price, and the sum of their fingerprints: a change costs its own levels only.
#[derive(Debug, Default)]
pub(crate) struct Book {
    levels: HashMap<u64, u64>,
    sum: u64,
    whole: bool,
}

impl State {
    /// The state a channel of this name has, before its first event.
    pub(crate) fn of(channel: &str) -> Self {
        match channel.split(':').next() {
            Some("book") => Self::Book(Book::default()),
            Some("trade") => Self::Stream,
            _ => Self::Last(UNKNOWN),
        }
    }

    /// Applies an event; gives the state after it.
    pub(crate) fn apply(&mut self, event: &Event<'_>, is_status_channel: bool) -> u64 {
        match (&mut *self, &event.body) {
            (Self::Book(book), Body::Book { bids, asks }) => {
                if event.reset {
                    book.clear();
                    book.whole = true;
                }
                book.change(bids, asks);
            }
            (Self::Book(book), Body::VenueGap { .. }) => book.whole = false,
            // Its epoch starts without a view: what was held is not the new owner's.
            (Self::Book(book), _) if event.reset => book.whole = false,
            (Self::Last(last), Body::Status { .. }) if is_status_channel => {
                *last = event.value_hash()
            }
            (Self::Last(last), body)
                if !matches!(body, Body::Status { .. } | Body::VenueGap { .. }) =>
            {
                *last = event.value_hash();
            }
            _ => {}
        }
        self.now()
    }

    /// A whole book takes the place of what was held.
    pub(crate) fn replace(&mut self, bids: &[Level<'_>], asks: &[Level<'_>]) -> u64 {
        if let Self::Book(book) = self {
            book.clear();
            book.whole = true;
            book.change(bids, asks);
        }
        self.now()
    }

    /// What is held is no longer the truth.
    pub(crate) fn forget(&mut self) {
        if let Self::Book(book) = self {
            book.whole = false;
        }
    }

    fn now(&self) -> u64 {
        match self {
            Self::Book(book) if book.whole => mixed(book.sum ^ 0x5eed).max(1),
            Self::Last(last) => *last,
            _ => UNKNOWN,
        }
    }
}

impl Book {
    fn clear(&mut self) {
        self.levels.clear();
        self.sum = 0;
    }

    fn change(&mut self, bids: &[Level<'_>], asks: &[Level<'_>]) {
        for (side, levels) in [(1, bids), (2, asks)] {
            for (price, size) in levels {
                let place = Fingerprint::new("level").text(side, price);
                let key = place.finish();
                let old = match size.as_ref() {
                    "0" => self.levels.remove(&key),
                    size => {
                        let new = place.text(3, size).finish();
                        self.sum = self.sum.wrapping_add(new);
                        self.levels.insert(key, new)
                    }
                };
                self.sum = self.sum.wrapping_sub(old.unwrap_or(0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: &'static str, size: &'static str) -> Level<'static> {
        (price.into(), size.into())
    }

    #[test]
    fn a_changed_book_equals_the_book_told_whole() {
        let mut changed = State::of("book:a:B-C");
        changed.replace(&[level("10", "1"), level("9", "2")], &[level("11", "1")]);
        let event = |bids, asks| Event {
            seq: 2,
            prev: 1,
            reset: false,
            ts: None,
            rx: None,
            vseq: None,
            body: Body::Book { bids, asks },
        };
        changed.apply(&event(vec![level("9", "0"), level("10", "3")], vec![]), false);
        let after = changed.apply(&event(vec![], vec![level("12", "4")]), false);
        let mut whole = State::of("book:a:B-C");
        let told = whole.replace(&[level("10", "3")], &[level("12", "4"), level("11", "1")]);
        assert_eq!(after, told, "order and history don't matter");
        let other = whole.replace(&[level("10", "3")], &[level("11", "4"), level("12", "1")]);
        assert_ne!(after, other, "sizes belong to their prices");
        let swapped = whole.replace(&[level("11", "1"), level("12", "4")], &[level("10", "3")]);
        assert_ne!(after, swapped, "and levels to their side");
    }
}
