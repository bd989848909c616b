//! One seeded market: a random-walk book, trades that happen at its touch, and what follows from
//! them (update ids, pending deltas, day figures, candles). Input: a seed and calls to step;
//! output: [`Happening`]s and deltas in ticks and lots. The same seed and the same calls give the
//! same market; it reads no clock and writes no venue frame.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::candles::Candles;
use super::catalogue::Listing;
use super::day::Day;
use super::limits;

/// A side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Bid,
    Ask,
}

/// Best levels, price and lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) update_id: i64,
    pub(super) bid: (i64, i64),
    pub(super) ask: (i64, i64),
}

/// One trade at the touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trade {
    pub(super) id: i64,
    pub(super) sequence: i64,
    pub(super) ticks: i64,
    pub(super) lots: i64,
    pub(super) buyer_is_maker: bool,
    pub(super) at_us: i64,
    /// Random halves of the maker's and the taker's order ids.
    pub(super) orders: (u64, u64),
}

/// What a step made, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    Trade(Trade),
    Touch(Touch),
}

/// The levels changed since the last delta of one speed, and the ids they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) first_id: i64,
    pub(super) last_id: i64,
    /// Side, ticks, absolute lots (0 = gone), in price order.
    pub(super) changes: Vec<(Side, i64, i64)>,
}

/// Which of the venue's depth speeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speed {
    Fast,
    Slow,
}

#[derive(Debug, Default)]
struct Pending {
    first_id: Option<i64>,
    changed: BTreeSet<(Side, i64)>,
}

pub(super) struct Market {
    pub(super) listing: Listing,
    pub(super) bids: BTreeMap<i64, i64>,
    pub(super) asks: BTreeMap<i64, i64>,
    pub(super) update_id: i64,
    pub(super) day: Day,
    pub(super) candles: Candles,
    pub(super) trades: VecDeque<Trade>,
    rng: SmallRng,
    /// -1 (sellers) .. 1 (buyers): where the next moves lean.
    pressure: f64,
    fast: Pending,
    slow: Pending,
    last_touch: Touch,
}

impl Market {
    pub(super) fn new(listing: Listing, seed: u64, now_us: i64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let update_id = rng.random_range(1_000_000_000..9_000_000_000);
        let trade_id = rng.random_range(10_000_000..900_000_000);
        let bids = ladder(&listing, &mut rng, -1);
        let asks = ladder(&listing, &mut rng, 1);
        let day = Day::invent(&listing, &mut rng, trade_id, now_us);
        let candles = Candles::new(listing.start_ticks, now_us);
        let nowhere = Touch { update_id, bid: (0, 0), ask: (0, 0) };
        let mut market = Self {
            listing,
            bids,
            asks,
            update_id,
            day,
            candles,
            trades: VecDeque::with_capacity(limits::HISTORY_LEN),
            rng,
            pressure: 0.0,
            fast: Pending::default(),
            slow: Pending::default(),
            last_touch: nowhere,
        };
        market.last_touch = market.touch();
        market
    }

    /// The best levels now. The walk never empties a side.
    pub(super) fn touch(&self) -> Touch {
        let bid = self.bids.last_key_value().map_or((0, 0), |(ticks, lots)| (*ticks, *lots));
        let ask = self.asks.first_key_value().map_or((0, 0), |(ticks, lots)| (*ticks, *lots));
        Touch { update_id: self.update_id, bid, ask }
    }

    /// One change of the book: the spread is kept narrow, the depth near its size.
    pub(super) fn step_book(&mut self, out: &mut Vec<Happening>) {
        self.lean();
        let spread = self.last_touch.ask.0 - self.last_touch.bid.0;
        let narrow = 1 + self.listing.start_ticks / 20_000;
        if spread > narrow {
            self.improve(spread);
        } else if self.rng.random_bool(0.12) {
            self.press_touch(spread);
        } else {
            self.change_depth();
        }
        self.note_touch(out);
    }

    /// One trade at the touch; it takes lots from the level it hits.
    pub(super) fn step_trade(&mut self, now_us: i64, out: &mut Vec<Happening>) {
        self.lean();
        let buyer_takes = self.rng.random_bool((0.5 + self.pressure * 0.3).clamp(0.05, 0.95));
        let touch = self.touch();
        let (side, (ticks, resting)) =
            if buyer_takes { (Side::Ask, touch.ask) } else { (Side::Bid, touch.bid) };
        let wanted = (self.sample_lots() / 3).max(1);
        let lots = if self.rng.random_bool(0.15) { resting } else { wanted.min(resting) };
        if lots <= 0 || (lots == resting && self.side(side).len() <= limits::LEVELS_LOW / 2) {
            return;
        }
        self.set_level(side, ticks, resting - lots);
        let trade = Trade {
            id: self.day.next_trade_id(),
            sequence: self.update_id,
            ticks,
            lots,
            buyer_is_maker: !buyer_takes,
            at_us: now_us,
            orders: (self.rng.random(), self.rng.random()),
        };
        self.day.take(&trade);
        self.candles.take(&trade);
        if self.trades.len() == limits::HISTORY_LEN {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
        out.push(Happening::Trade(trade));
        self.note_touch(out);
    }

    /// The changes since the last call for this speed; none when nothing changed.
    pub(super) fn take_delta(&mut self, speed: Speed) -> Option<Delta> {
        let pending = match speed {
            Speed::Fast => std::mem::take(&mut self.fast),
            Speed::Slow => std::mem::take(&mut self.slow),
        };
        let first_id = pending.first_id?;
        let lots_of = |side: Side, ticks: i64| match side {
            Side::Bid => self.bids.get(&ticks).copied().unwrap_or(0),
            Side::Ask => self.asks.get(&ticks).copied().unwrap_or(0),
        };
        let changes = pending
            .changed
            .iter()
            .map(|(side, ticks)| (*side, *ticks, lots_of(*side, *ticks)))
            .collect();
        Some(Delta { first_id, last_id: self.update_id, changes })
    }

    /// Removes a visible level of the touch next: a skipped delta then leaves a wrong top behind.
    pub(super) fn lift_touch(&mut self, out: &mut Vec<Happening>) {
        let side = if self.rng.random_bool(0.5) { Side::Bid } else { Side::Ask };
        let touch = self.touch();
        let ticks = if side == Side::Bid { touch.bid.0 } else { touch.ask.0 };
        self.set_level(side, ticks, 0);
        self.note_touch(out);
    }

    /// Buyers or sellers gain by chance, and against a price that has gone far.
    fn lean(&mut self) {
        let start = self.listing.start_ticks;
        let away =
            f64::from(i32::try_from((self.last_touch.bid.0 - start) * 10_000 / start).unwrap_or(0));
        let push = self.rng.random_range(-0.15..0.15);
        self.pressure = (self.pressure * 0.985 + push - away * 0.0002).clamp(-1.0, 1.0);
    }

    /// Puts a new best level inside a wide spread.
    fn improve(&mut self, spread: i64) {
        let buyers = self.rng.random_bool((0.5 + self.pressure * 0.4).clamp(0.05, 0.95));
        let step = self.rng.random_range(1..spread);
        let lots = self.sample_lots();
        if buyers {
            self.set_level(Side::Bid, self.last_touch.bid.0 + step, lots);
        } else {
            self.set_level(Side::Ask, self.last_touch.ask.0 - step, lots);
        }
    }

    /// Moves the price: the pressed side's best level goes, or the other side steps forward.
    fn press_touch(&mut self, spread: i64) {
        let up = self.rng.random_bool((0.5 + self.pressure * 0.45).clamp(0.02, 0.98));
        let lots = self.sample_lots();
        let (pressed, gone, pressing, ahead) = if up {
            (Side::Ask, self.last_touch.ask.0, Side::Bid, self.last_touch.bid.0 + 1)
        } else {
            (Side::Bid, self.last_touch.bid.0, Side::Ask, self.last_touch.ask.0 - 1)
        };
        if spread > 1 && self.rng.random_bool(0.5) {
            self.set_level(pressing, ahead, lots);
        } else if self.side(pressed).len() > limits::LEVELS_LOW / 2 {
            self.set_level(pressed, gone, 0);
        }
    }

    /// Changes a level at a distance that is mostly small.
    fn change_depth(&mut self) {
        let side = if self.rng.random_bool(0.5) { Side::Bid } else { Side::Ask };
        let far: f64 = -self.rng.random_range(1e-9..1.0f64).ln() * 25.0;
        // A sampled distance, not a price: cutting the fraction is meant.
        let distance = far as i64 * self.listing.gap_ticks
            + self.rng.random_range(0..self.listing.gap_ticks.max(1));
        let wanted = match side {
            Side::Bid => self.last_touch.bid.0 - distance,
            Side::Ask => self.last_touch.ask.0 + distance,
        };
        if wanted < 1 {
            return;
        }
        let count = self.side(side).len();
        let lots = self.sample_lots();
        let existing = match side {
            Side::Bid => self.bids.range(..=wanted).next_back().map(|(ticks, _)| *ticks),
            Side::Ask => self.asks.range(wanted..).next().map(|(ticks, _)| *ticks),
        };
        let delete = count > limits::LEVELS_HIGH
            || (count > limits::LEVELS_LOW && distance > 0 && self.rng.random_bool(0.25));
        match existing {
            Some(ticks) if delete => self.set_level(side, ticks, 0),
            Some(ticks) if count >= limits::LEVELS_LOW && self.rng.random_bool(0.6) => {
                self.set_level(side, ticks, lots);
            }
            _ => self.set_level(side, wanted, lots),
        }
    }

    fn side(&self, side: Side) -> &BTreeMap<i64, i64> {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The only door to the levels: every change takes one update id and enters both deltas.
    fn set_level(&mut self, side: Side, ticks: i64, lots: i64) {
        let levels = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        if lots > 0 {
            levels.insert(ticks, lots);
        } else {
            levels.remove(&ticks);
        }
        self.update_id += 1;
        for pending in [&mut self.fast, &mut self.slow] {
            pending.first_id.get_or_insert(self.update_id);
            pending.changed.insert((side, ticks));
        }
    }

    fn note_touch(&mut self, out: &mut Vec<Happening>) {
        let touch = self.touch();
        if (touch.bid, touch.ask) != (self.last_touch.bid, self.last_touch.ask) {
            out.push(Happening::Touch(touch));
        }
        self.last_touch = touch;
    }

    fn sample_lots(&mut self) -> i64 {
        sample_lots(self.listing.usual_lots, &mut self.rng)
    }
}

/// Sizes are mostly small and sometimes large.
fn sample_lots(usual: i64, rng: &mut SmallRng) -> i64 {
    let spread = rng.random_range(1..=usual.max(1));
    if rng.random_bool(0.1) { spread.saturating_mul(8) } else { spread }
}

fn ladder(listing: &Listing, rng: &mut SmallRng, direction: i64) -> BTreeMap<i64, i64> {
    let mut levels = BTreeMap::new();
    let mut ticks = listing.start_ticks + i64::from(direction > 0);
    for _ in 0..limits::LEVELS_START {
        if ticks < 1 {
            break;
        }
        levels.insert(ticks, sample_lots(listing.usual_lots, rng));
        ticks += direction * rng.random_range(1..=listing.gap_ticks.max(1));
    }
    levels
}
