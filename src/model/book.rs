//! An order book, and the exact delta of its view.
//!
//! A [`Book`] holds every level the venue has told, and a view of the best `depth` a side. Each
//! change returns what it did *to the view*: a level pushed out leaves as size zero, a level that
//! moves up comes in with its size, and what happens beyond the view is silence. Applying those
//! deltas to a book without a depth gives the view again: that is what a client does.
//!
//! Decides nothing about sequence numbers; that is the venue's `sync`.

use std::collections::BTreeMap;

use crate::{BookChange, Decimal, Level, checksum};

/// Most levels a side may hold: five times the deepest book seen in the field. More means a venue
/// or a parser gone wrong, and memory must not follow.
const LEVELS_MAX: usize = 250_000;

/// A side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Bids: the highest price is best.
    Bid,
    /// Asks: the lowest price is best.
    Ask,
}

/// Why a change was refused. The book is then as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A price that is zero or negative.
    #[error("price {0} is not positive")]
    Price(Decimal),
    /// A negative size.
    #[error("size {0} is negative")]
    Size(Decimal),
    /// More levels than a book may hold.
    #[error("more than {LEVELS_MAX} levels on one side")]
    TooManyLevels,
}

/// An order book with a view.
#[derive(Clone, Debug)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
}

/// One side: the levels inside the view and the levels beyond it, both ascending by price.
#[derive(Clone, Debug)]
struct Ladder {
    side: Side,
    depth: usize,
    inside: BTreeMap<Decimal, Decimal>,
    outside: BTreeMap<Decimal, Decimal>,
}

impl Book {
    /// An empty book whose view is the best `depth` levels a side; 0 means all.
    pub fn new(depth: usize) -> Self {
        Self { bids: Ladder::new(Side::Bid, depth), asks: Ladder::new(Side::Ask, depth) }
    }

    /// Applies absolute sizes and returns the change of the view (best first, each level once).
    pub fn apply(&mut self, change: &BookChange) -> Result<BookChange, BookError> {
        check(change)?;
        self.bids.check_room(&change.bids)?;
        self.asks.check_room(&change.asks)?;
        let bids = self.bids.apply(&change.bids);
        let asks = self.asks.apply(&change.asks);
        Ok(BookChange { bids, asks })
    }

    /// Applies absolute sizes as [`Book::apply`] does, for who need not know what that did to the view.
    pub fn amend(&mut self, change: &BookChange) -> Result<(), BookError> {
        check(change)?;
        self.bids.check_room(&change.bids)?;
        self.asks.check_room(&change.asks)?;
        self.bids.amend(&change.bids);
        self.asks.amend(&change.asks);
        Ok(())
    }

    /// Replaces everything; the new view is [`Book::view`].
    pub fn replace(&mut self, levels: &BookChange) -> Result<(), BookError> {
        check(levels)?;
        if levels.bids.len().max(levels.asks.len()) > LEVELS_MAX {
            return Err(BookError::TooManyLevels);
        }
        self.clear();
        self.bids.amend(&levels.bids);
        self.asks.amend(&levels.asks);
        Ok(())
    }

    /// Forgets every level.
    pub fn clear(&mut self) {
        for ladder in [&mut self.bids, &mut self.asks] {
            ladder.inside.clear();
            ladder.outside.clear();
        }
    }

    /// The view, best first.
    pub fn view(&self) -> BookChange {
        BookChange {
            bids: self.bids.best_first().collect(),
            asks: self.asks.best_first().collect(),
        }
    }

    /// The best `levels` of the view, best first.
    pub fn top(&self, levels: usize) -> BookChange {
        BookChange {
            bids: self.bids.best_first().take(levels).collect(),
            asks: self.asks.best_first().take(levels).collect(),
        }
    }

    /// Size resting at a price of the view; zero where there is no level.
    pub fn size_at(&self, side: Side, price: Decimal) -> Decimal {
        let ladder = match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        };
        ladder.inside.get(&price).copied().unwrap_or(Decimal::ZERO)
    }

    /// Highest bid.
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.best_first().next()
    }

    /// Lowest ask.
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.best_first().next()
    }

    /// True when a bid stands above an ask. Locked (equal) is allowed.
    pub fn is_crossed(&self) -> bool {
        matches!((self.best_bid(), self.best_ask()), (Some(b), Some(a)) if b.price > a.price)
    }

    /// CRC32 of the top ten ([`checksum`]).
    pub fn checksum(&self) -> u32 {
        checksum(self.bids.best_first(), self.asks.best_first())
    }

    /// Levels in the view: bids, asks.
    pub fn view_len(&self) -> (usize, usize) {
        (self.bids.inside.len(), self.asks.inside.len())
    }
}

fn check(change: &BookChange) -> Result<(), BookError> {
    for level in change.bids.iter().chain(&change.asks) {
        if level.price.is_negative() || level.price.is_zero() {
            return Err(BookError::Price(level.price));
        }
        if level.size.is_negative() {
            return Err(BookError::Size(level.size));
        }
    }
    Ok(())
}

impl Ladder {
    fn new(side: Side, depth: usize) -> Self {
        let depth = if depth == 0 { usize::MAX } else { depth };
        Self { side, depth, inside: BTreeMap::new(), outside: BTreeMap::new() }
    }

    fn check_room(&self, levels: &[Level]) -> Result<(), BookError> {
        let most = self.inside.len() + self.outside.len() + levels.len();
        if most > LEVELS_MAX { Err(BookError::TooManyLevels) } else { Ok(()) }
    }

    /// Applies levels in order; returns each level of the view that ends up different, once.
    fn apply(&mut self, levels: &[Level]) -> Vec<Level> {
        let mut touched: Vec<(Decimal, Option<Decimal>)> = Vec::with_capacity(levels.len() + 2);
        for level in levels {
            self.set(*level, &mut touched);
        }
        // The first touch remembers what the view held before; a stable sort keeps it first.
        touched.sort_by_key(|touch| touch.0);
        touched.dedup_by_key(|touch| touch.0);
        let changed = touched.into_iter().filter_map(|(price, before)| {
            let now = self.inside.get(&price).copied();
            (now != before).then(|| Level { price, size: now.unwrap_or(Decimal::ZERO) })
        });
        match self.side {
            Side::Bid => changed.rev().collect(),
            Side::Ask => changed.collect(),
        }
    }

    /// Applies levels in order.
    fn amend(&mut self, levels: &[Level]) {
        if self.depth < usize::MAX {
            drop(self.apply(levels));
            return;
        }
        // Everything is in view: nothing moves between inside and outside.
        for level in levels {
            match level.size.is_zero() {
                true => self.inside.remove(&level.price),
                false => self.inside.insert(level.price, level.size),
            };
        }
    }

    fn set(&mut self, level: Level, touched: &mut Vec<(Decimal, Option<Decimal>)>) {
        if !self.reaches(level.price) {
            match level.size.is_zero() {
                true => self.outside.remove(&level.price),
                false => self.outside.insert(level.price, level.size),
            };
            return;
        }
        touched.push((level.price, self.inside.get(&level.price).copied()));
        if level.size.is_zero() {
            if self.inside.remove(&level.price).is_some() {
                self.refill(touched);
            }
            return;
        }
        self.inside.insert(level.price, level.size);
        if self.inside.len() > self.depth
            && let Some((price, size)) = self.pop_worst_inside()
        {
            // The pushed-out level may be the very one just inserted: then nothing was seen.
            let before = (price != level.price).then_some(size);
            touched.push((price, before));
            self.outside.insert(price, size);
        }
    }

    /// A place came free in the view: the best level beyond it moves in.
    fn refill(&mut self, touched: &mut Vec<(Decimal, Option<Decimal>)>) {
        let moved = match self.side {
            Side::Bid => self.outside.pop_last(),
            Side::Ask => self.outside.pop_first(),
        };
        if let Some((price, size)) = moved {
            touched.push((price, None));
            self.inside.insert(price, size);
        }
    }

    /// Whether a level at this price belongs to the view as it stands.
    fn reaches(&self, price: Decimal) -> bool {
        if self.inside.len() < self.depth {
            // Never full with levels waiting outside: refill keeps the view topped up.
            return true;
        }
        match self.side {
            Side::Bid => self.inside.first_key_value().is_some_and(|(worst, _)| price >= *worst),
            Side::Ask => self.inside.last_key_value().is_some_and(|(worst, _)| price <= *worst),
        }
    }

    fn pop_worst_inside(&mut self) -> Option<(Decimal, Decimal)> {
        match self.side {
            Side::Bid => self.inside.pop_first(),
            Side::Ask => self.inside.pop_last(),
        }
    }

    fn best_first(&self) -> impl Iterator<Item = Level> {
        let level = |(price, size): (&Decimal, &Decimal)| Level { price: *price, size: *size };
        let (mut up, mut down) = match self.side {
            Side::Ask => (Some(self.inside.iter().map(level)), None),
            Side::Bid => (None, Some(self.inside.iter().rev().map(level))),
        };
        std::iter::from_fn(move || {
            up.as_mut().and_then(Iterator::next).or_else(|| down.as_mut().and_then(Iterator::next))
        })
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
