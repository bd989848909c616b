//! One market on the stage of its venue: moves it by ticks and publishes what it did in the
//! venue's frames and at the venue's speeds. Input: a [`Pace`]; output: messages at the desk.

use super::super::binance::frames as binance;
use super::super::candles::INTERVALS;
use super::super::coinbase::{control::key, frames as coinbase};
use super::super::desk::Desk;
use super::super::limits;
use super::super::market::{Happening, Market, Speed};

/// Ticks between two messages of a kind.
const EVERY_50_MS: u64 = 5;
const EVERY_100_MS: u64 = 10;
const EVERY_1_S: u64 = 100;
const EVERY_2_S: u64 = 200;
const EVERY_5_S: u64 = 500;

/// How much happens in one tick.
pub(super) struct Pace {
    pub(super) trades: f64,
    pub(super) updates: f64,
    pub(super) tick: u64,
    pub(super) now_us: i64,
}

/// Stream names of a symbol, made once.
struct Keys {
    trade: String,
    agg_trade: String,
    book_ticker: String,
    ticker: String,
    depth_fast: String,
    depth_slow: String,
    klines: Vec<String>,
    level2: String,
    matches: String,
    ticker_pair: String,
    ticker_batch: String,
    heartbeat: String,
}

impl Keys {
    fn new(native: &str) -> Self {
        let lower = native.to_ascii_lowercase();
        Self {
            trade: format!("{lower}@trade"),
            agg_trade: format!("{lower}@aggTrade"),
            book_ticker: format!("{lower}@bookTicker"),
            ticker: format!("{lower}@ticker"),
            depth_fast: format!("{lower}@depth@100ms"),
            depth_slow: format!("{lower}@depth"),
            klines: INTERVALS.iter().map(|(name, _)| format!("{lower}@kline_{name}")).collect(),
            level2: key("level2_batch", native),
            matches: key("matches", native),
            ticker_pair: key("ticker", native),
            ticker_batch: key("ticker_batch", native),
            heartbeat: key("heartbeat", native),
        }
    }
}

pub(super) struct Stage {
    pub(super) market: Market,
    pub(super) frozen_until: u64,
    pub(super) skip_next: bool,
    keys: Keys,
    /// Spreads the periodic messages of many markets over time.
    phase: u64,
    trade_credit: f64,
    update_credit: f64,
    happenings: Vec<Happening>,
}

impl Stage {
    pub(super) fn new(market: Market, phase: u64) -> Self {
        let keys = Keys::new(&market.listing.native);
        Self {
            market,
            frozen_until: 0,
            skip_next: false,
            keys,
            phase,
            trade_credit: 0.0,
            update_credit: 0.0,
            happenings: Vec::new(),
        }
    }

    /// One tick in Binance's frames.
    pub(super) fn play_binance(&mut self, pace: &Pace, desk: &mut Desk) {
        if pace.tick <= self.frozen_until {
            return;
        }
        self.strike_binance(pace, desk);
        let at = pace.tick + self.phase;
        if at.is_multiple_of(EVERY_100_MS) {
            self.flush_binance(Speed::Fast, pace.now_us, desk);
        }
        if at.is_multiple_of(EVERY_1_S) {
            self.flush_binance(Speed::Slow, pace.now_us, desk);
            if desk.wants(&self.keys.ticker) {
                desk.publish_stream(&self.keys.ticker, &binance::ticker(&self.market, pace.now_us));
            }
            self.publish_klines(at, pace.now_us, desk);
        }
    }

    /// Trades and changes of the moment, in Binance's frames.
    pub(super) fn strike_binance(&mut self, pace: &Pace, desk: &mut Desk) {
        if pace.tick <= self.frozen_until {
            return;
        }
        self.advance(pace);
        let listing = &self.market.listing;
        for happening in self.happenings.drain(..) {
            match happening {
                Happening::Trade(trade) => {
                    if desk.wants(&self.keys.trade) {
                        desk.publish_stream(
                            &self.keys.trade,
                            &binance::trade(listing, &trade, pace.now_us),
                        );
                    }
                    if desk.wants(&self.keys.agg_trade) {
                        let text = binance::agg_trade(listing, &trade, pace.now_us);
                        desk.publish_stream(&self.keys.agg_trade, &text);
                    }
                }
                Happening::Touch(touch) if desk.wants(&self.keys.book_ticker) => {
                    desk.publish_stream(
                        &self.keys.book_ticker,
                        &binance::book_ticker(listing, &touch),
                    );
                }
                Happening::Touch(_) => {}
            }
        }
    }

    /// One tick in Coinbase's frames. Heartbeats go on while the product is frozen: the connection
    /// lives, only the market does not.
    pub(super) fn play_coinbase(&mut self, pace: &Pace, desk: &mut Desk) {
        let at = pace.tick + self.phase;
        if at.is_multiple_of(EVERY_1_S) && desk.wants(&self.keys.heartbeat) {
            let (sequence, last) = (self.market.update_id, self.market.day.last_trade_id);
            let text =
                coinbase::heartbeat(&self.market.listing.native, sequence, last, pace.now_us);
            desk.publish_pair(&self.keys.heartbeat, &text);
        }
        if pace.tick <= self.frozen_until {
            return;
        }
        self.strike_coinbase(pace, desk);
        if at.is_multiple_of(EVERY_5_S) && desk.wants(&self.keys.ticker_batch) {
            desk.publish_pair(&self.keys.ticker_batch, &coinbase::ticker(&self.market));
        }
        if at.is_multiple_of(EVERY_50_MS) {
            self.flush_coinbase(pace.now_us, desk, None);
        }
        // No candle stream here, but REST serves them.
        if at.is_multiple_of(EVERY_1_S) {
            self.market.candles.roll(pace.now_us);
        }
    }

    /// Trades and changes of the moment, in Coinbase's frames.
    pub(super) fn strike_coinbase(&mut self, pace: &Pace, desk: &mut Desk) {
        if pace.tick <= self.frozen_until {
            return;
        }
        self.advance(pace);
        let mut traded = false;
        for happening in self.happenings.drain(..) {
            let Happening::Trade(trade) = happening else { continue };
            traded = true;
            if desk.wants(&self.keys.matches) {
                let text = coinbase::matched(&self.market.listing, &trade, "match");
                desk.publish_pair(&self.keys.matches, &text);
            }
        }
        if traded && desk.wants(&self.keys.ticker_pair) {
            desk.publish_pair(&self.keys.ticker_pair, &coinbase::ticker(&self.market));
        }
    }

    /// Sends the changes since the last batch to all holders but a new one, who gets a snapshot.
    pub(super) fn flush_coinbase(&mut self, now_us: i64, desk: &mut Desk, but: Option<u64>) {
        if self.skip_next && but.is_none() {
            // No sequence shows the loss: only a wrong top can, so the top changes unseen.
            self.market.lift_touch(&mut self.happenings);
            self.happenings.clear();
        }
        let Some(delta) = self.market.take_delta(Speed::Fast) else { return };
        self.market.take_delta(Speed::Slow);
        if self.skip_next && but.is_none() {
            self.skip_next = false;
            return;
        }
        if !desk.wants(&self.keys.level2) {
            return;
        }
        let text = coinbase::l2update(&self.market.listing, &delta, now_us);
        desk.publish_pair_but(&self.keys.level2, &text, but);
    }

    fn flush_binance(&mut self, speed: Speed, now_us: i64, desk: &mut Desk) {
        let Some(delta) = self.market.take_delta(speed) else { return };
        let stream = match speed {
            Speed::Fast => &self.keys.depth_fast,
            Speed::Slow => &self.keys.depth_slow,
        };
        if !desk.wants(stream) {
            return;
        }
        if std::mem::take(&mut self.skip_next) {
            return;
        }
        desk.publish_stream(stream, &binance::depth_update(&self.market.listing, &delta, now_us));
    }

    /// Closed candles first, then the running ones: 1s each second, the others each two.
    fn publish_klines(&mut self, at: u64, now_us: i64, desk: &mut Desk) {
        for (interval, candle) in self.market.candles.roll(now_us) {
            if let Some(stream) = self.keys.klines.get(interval).filter(|stream| desk.wants(stream))
            {
                let text = binance::kline(&self.market.listing, interval, &candle, true, now_us);
                desk.publish_stream(stream, &text);
            }
        }
        for (interval, stream) in self.keys.klines.iter().enumerate() {
            let due = interval == 0 || at.is_multiple_of(EVERY_2_S);
            if due && desk.wants(stream) {
                let candle = self.market.candles.current(interval);
                let text = binance::kline(&self.market.listing, interval, &candle, false, now_us);
                desk.publish_stream(stream, &text);
            }
        }
    }

    /// Trades and book changes of one tick, mixed.
    fn advance(&mut self, pace: &Pace) {
        self.trade_credit += pace.trades;
        self.update_credit += pace.updates;
        let trades = whole(&mut self.trade_credit);
        let updates = whole(&mut self.update_credit);
        for step in 0..trades.max(updates) {
            if step < updates {
                self.market.step_book(&mut self.happenings);
            }
            if step < trades {
                self.market.step_trade(pace.now_us, &mut self.happenings);
            }
        }
    }
}

/// Takes the whole steps out of a credit; what is beyond the bound is lost, not saved up.
fn whole(credit: &mut f64) -> u32 {
    let steps = credit.floor().min(f64::from(limits::STEPS_PER_TICK_MAX));
    *credit = credit.fract();
    // Between 0 and the bound: the cast is exact.
    steps as u32
}
