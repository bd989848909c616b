//! REST answers from a recording: listings as recorded where they were, books as played so far.
//! Input: a [`Call`]; output: an answer, at once or when the recorded one's moment comes.

use tokio::sync::oneshot;

use super::super::binance::frames as binance;
use super::super::coinbase::frames as coinbase;
use super::super::limits;
use super::super::rest::{Answer, Call};
use super::script::Instrument;
use super::stock::Stock;

impl Stock {
    /// Answers, or holds the call. Returns the symbol whose book was just asked for.
    pub(super) fn answer(
        &mut self,
        call: Call,
        reply: oneshot::Sender<Answer>,
        now_us: i64,
    ) -> Option<usize> {
        if let Call::Depth { symbol, limit } = call {
            return self.depth(&symbol, limit, reply);
        }
        // The caller may have given up.
        let _ = reply.send(self.immediate(&call, now_us));
        None
    }

    fn depth(
        &mut self,
        symbol: &str,
        limit: usize,
        reply: oneshot::Sender<Answer>,
    ) -> Option<usize> {
        let at = self.script.symbols.iter().position(|listed| listed.native == symbol);
        let Some(at) = at else {
            let _ = reply.send(Answer::invalid_symbol());
            return None;
        };
        let stock = &mut self.symbols[at];
        if !self.script.symbols[at].has_snapshot {
            let body = binance::error(-1121, "No snapshot of this symbol was recorded.");
            let _ = reply.send(Answer { status: 400, body });
            return None;
        }
        match &stock.book {
            None => {
                stock.waiting.retain(|held| !held.is_closed());
                if stock.waiting.len() < limits::REST_HELD_MAX {
                    stock.waiting.push(reply);
                }
            }
            Some(book) => {
                let body = match stock.owed.take() {
                    Some(recorded) => recorded.to_string(),
                    None => book.depth_body(limit),
                };
                let _ = reply.send(Answer::ok(body));
            }
        }
        Some(at)
    }

    fn immediate(&self, call: &Call, now_us: i64) -> Answer {
        match call {
            Call::Ping => Answer::ok("{}".to_owned()),
            Call::Time => Answer::ok(format!(r#"{{"serverTime":{}}}"#, now_us / 1_000)),
            Call::ExchangeInfo { symbols } => self.exchange_info(symbols, now_us),
            Call::Klines { symbol, .. } | Call::Trades { symbol, .. } => {
                if self.script.symbols.iter().any(|listed| listed.native == *symbol) {
                    Answer::ok("[]".to_owned())
                } else {
                    Answer::invalid_symbol()
                }
            }
            Call::Products => {
                let rows: Vec<String> = self.script.products.iter().map(product).collect();
                Answer::ok(format!("[{}]", rows.join(",")))
            }
            Call::Product { id } => {
                self.product(id, |stock, at| product(&stock.script.products[at]))
            }
            Call::Candles { id, .. } | Call::Matches { id, .. } => {
                self.product(id, |_, _| "[]".to_owned())
            }
            Call::Book { id, level } => {
                let limit = if *level == 1 { 1 } else { usize::MAX };
                self.product(id, |stock, at| {
                    let product = &stock.products[at];
                    match &product.book {
                        Some(book) => book.product_body(product.sequence, limit),
                        None => r#"{"bids":[],"asks":[],"sequence":0}"#.to_owned(),
                    }
                })
            }
            // Recordings rarely hold it, and a made-up day would be no recording.
            Call::Ticker24h { .. } => Answer::ok("[]".to_owned()),
            Call::Depth { .. } => Answer::invalid_symbol(),
        }
    }

    fn exchange_info(&self, symbols: &[String], now_us: i64) -> Answer {
        let all = &self.script.symbols;
        let rows: Option<Vec<String>> = if symbols.is_empty() {
            Some(all.iter().map(symbol).collect())
        } else {
            let find = |name: &String| all.iter().find(|listed| listed.native == *name).map(symbol);
            symbols.iter().map(find).collect()
        };
        match rows {
            Some(rows) => Answer::ok(binance::exchange_info(&rows, now_us)),
            None => Answer::invalid_symbol(),
        }
    }

    fn product(&self, id: &str, body: impl Fn(&Self, usize) -> String) -> Answer {
        match self.script.products.iter().position(|product| product.native == id) {
            Some(at) => Answer::ok(body(self, at)),
            None => Answer::not_found(),
        }
    }
}

fn symbol(of: &Instrument) -> String {
    of.listing.clone().unwrap_or_else(|| {
        binance::symbol_info(&of.native, &of.base, &of.quote, of.price_decimals, of.lot_decimals)
    })
}

fn product(of: &Instrument) -> String {
    of.listing.clone().unwrap_or_else(|| {
        coinbase::product(&of.native, &of.base, &of.quote, of.price_decimals, of.lot_decimals)
    })
}
