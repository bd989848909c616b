//! REST bodies from seeded markets. Input: a [`Call`]; output: an [`Answer`] as the venue words it.

use super::super::binance::frames as binance;
use super::super::candles::INTERVALS;
use super::super::coinbase::frames as coinbase;
use super::super::market::Market;
use super::super::rest::{Answer, Call};
use super::Engine;
use super::stage::Stage;

impl Engine {
    pub(super) fn answer(&self, call: &Call) -> Answer {
        let now_us = self.shell.now_us();
        match call {
            Call::Ping => Answer::ok("{}".to_owned()),
            Call::Time => Answer::ok(format!(r#"{{"serverTime":{}}}"#, now_us / 1_000)),
            Call::ExchangeInfo { symbols } => self.exchange_info(symbols, now_us),
            Call::Ticker24h { symbols } => self.tickers(symbols, now_us),
            Call::Depth { symbol, limit } => {
                on(&self.binance, symbol, |market| binance::depth_body(market, *limit))
            }
            Call::Klines { symbol, interval, limit } => self.klines(symbol, interval, *limit),
            Call::Trades { symbol, limit, aggregated } => on(&self.binance, symbol, |market| {
                let skip = market.trades.len().saturating_sub(*limit);
                let row = |trade| binance::trade_row(&market.listing, trade, *aggregated);
                array(market.trades.iter().skip(skip).map(row))
            }),
            Call::Products => Answer::ok(array(self.coinbase.iter().map(|s| product(&s.market)))),
            Call::Product { id } => on_product(&self.coinbase, id, product),
            Call::Book { id, level } => {
                let limit = if *level == 1 { 1 } else { usize::MAX };
                on_product(&self.coinbase, id, |market| coinbase::book_body(market, limit, now_us))
            }
            Call::Candles { id, granularity_s } => self.candles(id, *granularity_s),
            Call::Matches { id, limit } => on_product(&self.coinbase, id, |market| {
                let row = |trade| coinbase::trade_row(&market.listing, trade);
                array(market.trades.iter().rev().take(*limit).map(row))
            }),
        }
    }

    fn exchange_info(&self, symbols: &[String], now_us: i64) -> Answer {
        let Some(markets) = self.named(symbols) else { return Answer::invalid_symbol() };
        let rows: Vec<String> = markets
            .iter()
            .map(|market| {
                let l = &market.listing;
                binance::symbol_info(&l.native, &l.base, l.quote, l.price_decimals, l.lot_decimals)
            })
            .collect();
        Answer::ok(binance::exchange_info(&rows, now_us))
    }

    fn tickers(&self, symbols: &[String], now_us: i64) -> Answer {
        let Some(markets) = self.named(symbols) else { return Answer::invalid_symbol() };
        match (markets.as_slice(), symbols.len()) {
            ([market], 1) => Answer::ok(binance::ticker_row(market, now_us)),
            _ => Answer::ok(array(markets.iter().map(|m| binance::ticker_row(m, now_us)))),
        }
    }

    /// The named markets, all when none is named; none at all when one is unknown.
    fn named(&self, symbols: &[String]) -> Option<Vec<&Market>> {
        if symbols.is_empty() {
            return Some(self.binance.iter().map(|stage| &stage.market).collect());
        }
        symbols.iter().map(|symbol| find(&self.binance, symbol)).collect()
    }

    fn klines(&self, symbol: &str, interval: &str, limit: usize) -> Answer {
        let Some(at) = INTERVALS.iter().position(|(name, _)| *name == interval) else {
            return Answer { status: 400, body: binance::error(-1120, "Invalid interval.") };
        };
        on(&self.binance, symbol, |market| {
            let candles = market.candles.last(at, limit);
            array(candles.iter().map(|candle| binance::kline_row(&market.listing, at, candle)))
        })
    }

    /// Newest first, at most 300, as the venue does.
    fn candles(&self, id: &str, granularity_s: i64) -> Answer {
        let Some(at) =
            INTERVALS.iter().position(|(_, us)| *us == granularity_s.saturating_mul(1_000_000))
        else {
            return Answer {
                status: 400,
                body: r#"{"message":"Unsupported granularity"}"#.to_owned(),
            };
        };
        on_product(&self.coinbase, id, |market| {
            let candles = market.candles.last(at, 300);
            array(candles.iter().rev().map(|candle| coinbase::candle_row(&market.listing, candle)))
        })
    }
}

fn find<'a>(stages: &'a [Stage], native: &str) -> Option<&'a Market> {
    stages.iter().map(|stage| &stage.market).find(|market| market.listing.native == native)
}

fn on(stages: &[Stage], symbol: &str, body: impl Fn(&Market) -> String) -> Answer {
    find(stages, symbol).map_or_else(Answer::invalid_symbol, |market| Answer::ok(body(market)))
}

fn on_product(stages: &[Stage], id: &str, body: impl Fn(&Market) -> String) -> Answer {
    find(stages, id).map_or_else(Answer::not_found, |market| Answer::ok(body(market)))
}

fn product(market: &Market) -> String {
    let l = &market.listing;
    coinbase::product(&l.native, &l.base, l.quote, l.price_decimals, l.lot_decimals)
}

fn array(rows: impl Iterator<Item = String>) -> String {
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}
