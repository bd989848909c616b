//! Candles made from trades, where the venue's stream has none.
//!
//! Input: trades in order, a REST candle as seed, the passing of time. Output: candles, open and
//! final. A bucket that began before we listened, or in which trades were lost, says `partial`.
//! Buckets without a trade make no candle. Venue time decides; our clock only closes a bucket in
//! which nothing more happens.

use fantail_model::{Candle, CandleInterval, Micros, Trade};

use crate::limits;

/// Builds the candles of one length.
#[derive(Debug)]
pub(crate) struct CandleBuilder {
    length: CandleInterval,
    open: Option<Candle>,
    /// Since when, in venue time, no trade was missed.
    whole_since: Option<Micros>,
    /// Start of the last bucket closed: trades before its end come too late.
    closed: Option<Micros>,
    /// Receive time minus venue time of the last trade.
    lead: i64,
}

impl CandleBuilder {
    pub(crate) fn new(length: CandleInterval) -> Self {
        Self { length, open: None, whole_since: None, closed: None, lead: 0 }
    }

    pub(crate) fn length(&self) -> CandleInterval {
        self.length
    }

    /// Trades were lost, or may have been.
    pub(crate) fn lost(&mut self) {
        self.whole_since = None;
        if let Some(open) = &mut self.open {
            open.partial = true;
        }
    }

    /// Nothing is missing after this moment of venue time.
    pub(crate) fn listening_since(&mut self, ts: Micros) {
        self.whole_since.get_or_insert(ts);
    }

    /// A trade: closes the bucket before it, if it is the first of a new one.
    pub(crate) fn trade(&mut self, trade: &Trade, ts: Micros, rx: Micros) -> Vec<Candle> {
        self.lead = rx.since(ts);
        let since = *self.whole_since.get_or_insert(ts);
        let start = self.bucket(ts);
        if self.closed.is_some_and(|closed| start <= closed) {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(2);
        if self.open.as_ref().is_some_and(|open| open.start < start) {
            out.extend(self.close());
        }
        match &mut self.open {
            Some(open) if open.start == start => add(open, trade),
            Some(_) => return out, // older than the open bucket
            None => self.open = Some(first(trade, start, since >= start)),
        }
        out.extend(self.open.clone());
        out
    }

    /// A REST candle: fills what was missed of the open bucket. Its volume may overlap with trades
    /// already counted, so the larger one stands; the candle stays `partial`.
    pub(crate) fn seed(&mut self, seed: Candle) -> Option<Candle> {
        let start = self.bucket(seed.start);
        if start != seed.start || self.closed.is_some_and(|closed| start <= closed) {
            return None;
        }
        match &mut self.open {
            Some(open) if open.start == start && open.partial => {
                open.open = seed.open;
                open.high = open.high.max(seed.high);
                open.low = open.low.min(seed.low);
                open.volume = open.volume.max(seed.volume);
            }
            Some(_) => return None,
            None => self.open = Some(Candle { partial: true, is_final: false, ..seed }),
        }
        self.open.clone()
    }

    /// Closes the open bucket once its time is over for good.
    pub(crate) fn tick(&mut self, now: Micros) -> Option<Candle> {
        let end = self.open.as_ref()?.start.0.saturating_add(self.length.micros());
        let venue_now = now.0.saturating_sub(self.lead);
        if venue_now < end.saturating_add(limits::CANDLE_GRACE_MICROS) {
            return None;
        }
        self.close()
    }

    fn close(&mut self) -> Option<Candle> {
        let candle = self.open.take()?;
        self.closed = Some(candle.start);
        Some(Candle { is_final: true, ..candle })
    }

    fn bucket(&self, ts: Micros) -> Micros {
        Micros(ts.0.saturating_sub(ts.0.rem_euclid(self.length.micros())))
    }
}

fn first(trade: &Trade, start: Micros, partial: bool) -> Candle {
    let price = trade.price;
    let (open, high, low, close) = (price, price, price, price);
    Candle { start, open, high, low, close, volume: trade.size, is_final: false, partial }
}

fn add(candle: &mut Candle, trade: &Trade) {
    candle.high = candle.high.max(trade.price);
    candle.low = candle.low.min(trade.price);
    candle.close = trade.price;
    match candle.volume.checked_add(trade.size) {
        Some(volume) => candle.volume = volume,
        // The sum needs more digits than there are: the volume is not whole from here on.
        None => candle.partial = true,
    }
}

#[cfg(test)]
mod tests {
    use fantail_model::{Decimal, Side};

    use super::*;

    fn trade(price: &str, size: &str) -> Trade {
        let number = |text| Decimal::parse(text).unwrap();
        Trade { id: String::new(), price: number(price), size: number(size), side: Side::Buy }
    }

    fn show(candle: &Candle) -> String {
        let Candle { start, open, high, low, close, volume, is_final, partial } = candle;
        let flags =
            format!("{}{}", if *is_final { "F" } else { "" }, if *partial { "P" } else { "" });
        format!("{} {open} {high} {low} {close} {volume} {flags}", start.0 / 1_000_000)
    }

    fn feed(builder: &mut CandleBuilder, second: i64, price: &str, size: &str) -> Vec<String> {
        let ts = Micros(second * 1_000_000);
        builder.trade(&trade(price, size), ts, ts).iter().map(show).collect()
    }

    #[test]
    fn trades_become_candles() {
        let mut builder = CandleBuilder::new(CandleInterval::M1);
        assert_eq!(feed(&mut builder, 70, "10", "1"), ["60 10 10 10 10 1 P"]);
        assert_eq!(feed(&mut builder, 80, "12", "0.5"), ["60 10 12 10 12 1.5 P"]);
        let next = feed(&mut builder, 121, "9", "2");
        assert_eq!(next, ["60 10 12 10 12 1.5 FP", "120 9 9 9 9 2 "]);
        assert!(feed(&mut builder, 100, "99", "1").is_empty(), "too late");
        assert_eq!(builder.tick(Micros(181_000_000)), None, "grace");
        assert_eq!(show(&builder.tick(Micros(182_000_000)).unwrap()), "120 9 9 9 9 2 F");
        assert!(feed(&mut builder, 179, "1", "1").is_empty(), "closed for good");
    }

    #[test]
    fn a_loss_makes_the_bucket_partial_and_a_seed_fills_it() {
        let mut builder = CandleBuilder::new(CandleInterval::M1);
        builder.listening_since(Micros(1));
        assert_eq!(feed(&mut builder, 60, "10", "1"), ["60 10 10 10 10 1 "]);
        builder.lost();
        assert_eq!(feed(&mut builder, 90, "11", "1"), ["60 10 11 10 11 2 P"]);
        let number = |text| Decimal::parse(text).unwrap();
        let seed = Candle {
            start: Micros(60_000_000),
            open: number("10"),
            high: number("15"),
            low: number("8"),
            close: number("11"),
            volume: number("7"),
            is_final: false,
            partial: true,
        };
        assert_eq!(show(&builder.seed(seed.clone()).unwrap()), "60 10 15 8 11 7 P");
        let closed = feed(&mut builder, 120, "11", "1");
        assert_eq!(closed, ["60 10 15 8 11 7 FP", "120 11 11 11 11 1 "]);
        assert_eq!(builder.seed(seed), None, "closed for good");
    }
}
