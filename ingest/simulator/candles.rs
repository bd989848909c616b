//! Candles of one seeded market, in every interval Binance streams that Fantail asks for.
//! Input: trades and the time; output: current and closed candles in ticks and lots. What lies
//! before the start is invented, per interval, from the interval and the open time alone.

use std::collections::VecDeque;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::limits;
use super::market::Trade;

/// Name and length of each interval.
pub(super) const INTERVALS: [(&str, i64); 7] = [
    ("1s", 1_000_000),
    ("1m", 60_000_000),
    ("5m", 300_000_000),
    ("15m", 900_000_000),
    ("1h", 3_600_000_000),
    ("4h", 14_400_000_000),
    ("1d", 86_400_000_000),
];

/// One bucket; prices in ticks, sizes in lots, turnover in ticks x lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candle {
    pub(super) open_us: i64,
    pub(super) open: i64,
    pub(super) high: i64,
    pub(super) low: i64,
    pub(super) close: i64,
    pub(super) lots: i128,
    pub(super) turnover: i128,
    pub(super) taker_lots: i128,
    pub(super) taker_turnover: i128,
    /// -1 while no trade fell into the bucket.
    pub(super) first_trade_id: i64,
    pub(super) last_trade_id: i64,
    pub(super) count: i64,
}

impl Candle {
    fn empty(open_us: i64, ticks: i64) -> Self {
        Self {
            open_us,
            open: ticks,
            high: ticks,
            low: ticks,
            close: ticks,
            lots: 0,
            turnover: 0,
            taker_lots: 0,
            taker_turnover: 0,
            first_trade_id: -1,
            last_trade_id: -1,
            count: 0,
        }
    }

    fn take(&mut self, trade: &Trade) {
        if self.count == 0 {
            (self.open, self.high, self.low) = (trade.ticks, trade.ticks, trade.ticks);
            self.first_trade_id = trade.id;
        }
        self.high = self.high.max(trade.ticks);
        self.low = self.low.min(trade.ticks);
        self.close = trade.ticks;
        let (lots, turnover) =
            (i128::from(trade.lots), i128::from(trade.lots) * i128::from(trade.ticks));
        self.lots += lots;
        self.turnover += turnover;
        if !trade.buyer_is_maker {
            self.taker_lots += lots;
            self.taker_turnover += turnover;
        }
        self.last_trade_id = trade.id;
        self.count += 1;
    }
}

/// The running and the closed candles of all intervals, in the order of [`INTERVALS`].
pub(super) struct Candles {
    current: [Candle; INTERVALS.len()],
    closed: [VecDeque<Candle>; INTERVALS.len()],
    start_ticks: i64,
}

impl Candles {
    pub(super) fn new(start_ticks: i64, now_us: i64) -> Self {
        let current =
            std::array::from_fn(|at| Candle::empty(bucket(now_us, INTERVALS[at].1), start_ticks));
        Self { current, closed: std::array::from_fn(|_| VecDeque::new()), start_ticks }
    }

    pub(super) fn take(&mut self, trade: &Trade) {
        for at in 0..INTERVALS.len() {
            self.roll_one(at, trade.at_us);
            self.current[at].take(trade);
        }
    }

    /// Closes what `now_us` has passed; returns interval index and candle of each that closed.
    pub(super) fn roll(&mut self, now_us: i64) -> Vec<(usize, Candle)> {
        (0..INTERVALS.len())
            .filter_map(|at| self.roll_one(at, now_us).map(|candle| (at, candle)))
            .collect()
    }

    pub(super) fn current(&self, at: usize) -> Candle {
        self.current[at]
    }

    /// The last `limit` candles, oldest first, the running one last.
    pub(super) fn last(&self, at: usize, limit: usize) -> Vec<Candle> {
        let closed = &self.closed[at];
        let mut all = vec![self.current[at]];
        all.extend(closed.iter().rev().copied());
        let length_us = INTERVALS[at].1;
        let mut next = all.last().map_or(self.start_ticks, |candle| candle.open);
        while all.len() < limit {
            let open_us = all.last().map_or(0, |candle| candle.open_us) - length_us;
            let candle = invented(open_us, next);
            next = candle.open;
            all.push(candle);
        }
        all.truncate(limit);
        all.reverse();
        all
    }

    fn roll_one(&mut self, at: usize, now_us: i64) -> Option<Candle> {
        let open_us = bucket(now_us, INTERVALS[at].1);
        if open_us <= self.current[at].open_us {
            return None;
        }
        let done = self.current[at];
        self.current[at] = Candle::empty(open_us, done.close);
        let closed = &mut self.closed[at];
        if closed.len() == limits::HISTORY_LEN {
            closed.pop_front();
        }
        closed.push_back(done);
        Some(done)
    }
}

fn bucket(now_us: i64, length_us: i64) -> i64 {
    now_us - now_us.rem_euclid(length_us)
}

/// A candle from before the start that closes at `close`.
fn invented(open_us: i64, close: i64) -> Candle {
    let mut rng = SmallRng::seed_from_u64(open_us.unsigned_abs() ^ close.unsigned_abs());
    let reach = (close / 500).max(1);
    let open = (close + rng.random_range(-reach..=reach)).max(1);
    let mut candle = Candle::empty(open_us, open);
    candle.close = close;
    candle.high = open.max(close) + rng.random_range(0..=reach);
    candle.low = (open.min(close) - rng.random_range(0..=reach)).max(1);
    candle.count = rng.random_range(10..500);
    candle.lots = i128::from(candle.count) * rng.random_range(50..5_000);
    candle.turnover = candle.lots * i128::from(i64::midpoint(open, close));
    candle.taker_lots = candle.lots / 2;
    candle.taker_turnover = candle.turnover / 2;
    (candle.first_trade_id, candle.last_trade_id) = (1, candle.count);
    candle
}
