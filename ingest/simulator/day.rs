//! The figures of a market's last 24 hours, begun with invented ones and carried on by trades.
//! Input: trades; output: counted integers. The window does not roll: a demo is shorter than a day.

use rand::Rng;
use rand::rngs::SmallRng;

use super::catalogue::Listing;
use super::market::Trade;

const DAY_US: i64 = 86_400_000_000;

/// Prices in ticks, sizes in lots, turnover in ticks x lots.
#[derive(Debug, Clone)]
pub(super) struct Day {
    pub(super) open: i64,
    pub(super) high: i64,
    pub(super) low: i64,
    pub(super) last: i64,
    pub(super) last_lots: i64,
    pub(super) lots: i128,
    pub(super) turnover: i128,
    pub(super) first_trade_id: i64,
    pub(super) last_trade_id: i64,
    pub(super) open_us: i64,
    /// Whether the last trade's buyer was its maker.
    pub(super) buyer_is_maker: bool,
    pub(super) last_at_us: i64,
}

impl Day {
    /// A plausible day before the start.
    pub(super) fn invent(
        listing: &Listing,
        rng: &mut SmallRng,
        trade_id: i64,
        now_us: i64,
    ) -> Self {
        let start = listing.start_ticks;
        let open = start + start * rng.random_range(-300..=300i64) / 10_000;
        let count = rng.random_range(100_000..2_000_000i64).min(trade_id - 1);
        let lots = i128::from(listing.usual_lots) * i128::from(count) / 3;
        Self {
            open,
            high: start.max(open) + start / 100,
            low: start.min(open) - start / 100,
            last: start,
            last_lots: (listing.usual_lots / 4).max(1),
            lots,
            turnover: lots * i128::from((start + open) / 2),
            first_trade_id: trade_id - count,
            last_trade_id: trade_id,
            open_us: now_us - DAY_US,
            buyer_is_maker: false,
            last_at_us: now_us,
        }
    }

    pub(super) fn next_trade_id(&self) -> i64 {
        self.last_trade_id + 1
    }

    pub(super) fn take(&mut self, trade: &Trade) {
        self.high = self.high.max(trade.ticks);
        self.low = self.low.min(trade.ticks);
        self.last = trade.ticks;
        self.last_lots = trade.lots;
        self.lots += i128::from(trade.lots);
        self.turnover += i128::from(trade.lots) * i128::from(trade.ticks);
        self.last_trade_id = trade.id;
        self.buyer_is_maker = trade.buyer_is_maker;
        self.last_at_us = trade.at_us;
    }

    pub(super) fn count(&self) -> i64 {
        self.last_trade_id - self.first_trade_id
    }
}
