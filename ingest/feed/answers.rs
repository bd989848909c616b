//! What a venue answered by REST, handed to the market it is about.

use fantail_model::Micros;

use super::Feed;
use crate::rest::{Answer, Content, Purpose, RestError};

impl Feed {
    pub(super) fn answer(&mut self, answer: Answer) {
        let Answer { purpose, rx, result } = answer;
        if let Err(error) = &result {
            self.metrics.rest_failures.inc();
            if let Some(retry_after) = error.retry_after {
                self.rest.hold(retry_after);
            }
        }
        match purpose {
            Purpose::Instruments => self.instruments(result),
            Purpose::Snapshot { market } => self.snapshot(market, rx, result),
            Purpose::Trades { market } => self.past_trades(market, rx, result),
            Purpose::Candles { market, builder } => {
                if let Ok(Content::Candles(candles)) = result
                    && let Some(newest) = candles.into_iter().next()
                {
                    self.with_market(market, |market, outlet| market.seed(builder, newest, outlet));
                }
            }
        }
    }

    fn snapshot(&mut self, index: usize, rx: Micros, result: Result<Content, RestError>) {
        if let Some(market) = self.markets.get_mut(index) {
            market.ask.returned();
        }
        match result {
            Ok(Content::Snapshot(snapshot)) => {
                self.with_market(index, |market, outlet| market.snapshot(snapshot, rx, outlet));
            }
            Ok(_) => {}
            Err(error) => {
                let symbol = self.markets.get(index).map(|market| &market.instrument.symbol);
                tracing::warn!(venue = %self.venue.id(), ?symbol, %error, "no book snapshot");
                let reason = error.to_string();
                self.with_market(index, |market, out| market.snapshot_failed(&reason, out));
            }
        }
        self.ask_for_book(index);
    }

    /// Without an answer the hole is told like any other, by the first trade after it.
    fn past_trades(&mut self, index: usize, rx: Micros, result: Result<Content, RestError>) {
        let trades = match result {
            Ok(Content::Trades(trades)) => trades,
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::warn!(venue = %self.venue.id(), %error, "no trades of the past");
                Vec::new()
            }
        };
        self.with_market(index, |market, outlet| market.past_trades(trades, rx, outlet));
    }
}
