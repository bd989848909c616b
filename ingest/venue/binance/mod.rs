//! Binance spot: trade, bookTicker, ticker, depth@100ms and kline streams, with the documented
//! snapshot-and-buffer book.
//!
//! Limits kept: 5 messages a second from us (we send at most 2, the library's pongs come on top),
//! 1,024 streams a connection, 300 connection attempts in 5 minutes, a connection's end after 24 h.

use std::time::Duration;

use fantail_model::{Candle, CandleInterval, Symbol, VenueId};

use super::{
    BookSync, Derives, Listed, Message, PastTrade, Policy, Request, Snapshot, Unreadable, Venue,
};
use crate::config::VenueConfig;

mod messages;
mod parse;
mod sync;
#[cfg(test)]
mod tests;
mod urls;

/// Streams used of a connection's 1,024.
const STREAMS_PER_CONNECTION: usize = 1_000;

/// Binance spot as configured.
pub(crate) struct Binance {
    id: VenueId,
    ws: String,
    rest: String,
    book_depth: usize,
    candles: Vec<CandleInterval>,
}

impl Binance {
    pub(crate) fn new(config: &VenueConfig) -> Self {
        Self {
            id: config.id.clone(),
            ws: config.ws.clone().unwrap_or_else(|| urls::WS.to_owned()),
            rest: config.rest.clone().unwrap_or_else(|| urls::REST.to_owned()),
            book_depth: config.book_depth,
            candles: config.candles.clone(),
        }
    }
}

impl Venue for Binance {
    fn id(&self) -> &VenueId {
        &self.id
    }

    fn native_guess(&self, symbol: &Symbol) -> String {
        symbol.as_str().replace('-', "")
    }

    fn policy(&self) -> Policy {
        let streams = urls::streams_per_symbol(&self.candles);
        Policy {
            symbols_per_connection: (STREAMS_PER_CONNECTION / streams).max(1),
            send_every: Duration::from_millis(500),
            attempts: (300, Duration::from_secs(300)),
            renew_after: Duration::from_secs(23 * 3_600),
            overlap: true,
        }
    }

    fn ws_url(&self) -> String {
        urls::ws(&self.ws)
    }

    fn subscribe(&self, natives: &[String]) -> Vec<String> {
        urls::subscribe(natives, &self.candles)
    }

    fn resubscribe_book(&self, _native: &str) -> Vec<String> {
        Vec::new()
    }

    fn parse<'a>(&self, text: &'a str) -> Result<Message<'a>, Unreadable> {
        parse::frame(text)
    }

    fn book_sync(&self) -> Box<dyn BookSync> {
        Box::new(sync::BinanceSync::default())
    }

    fn instruments(&self) -> Request {
        urls::exchange_info(&self.rest)
    }

    fn read_instruments(&self, body: &str) -> Result<Vec<Listed>, Unreadable> {
        parse::instruments(body)
    }

    fn snapshot(&self, native: &str) -> Request {
        urls::depth(&self.rest, native, self.book_depth)
    }

    fn read_snapshot(&self, body: &str) -> Result<Snapshot, Unreadable> {
        parse::snapshot(body)
    }

    fn candles(&self, _native: &str, _length: CandleInterval) -> Option<Request> {
        None
    }

    fn read_candles(&self, _body: &str) -> Result<Vec<Candle>, Unreadable> {
        Ok(Vec::new())
    }

    fn trades(&self, native: &str) -> Request {
        urls::trades(&self.rest, native)
    }

    fn read_trades(&self, body: &str) -> Result<Vec<PastTrade>, Unreadable> {
        parse::past_trades(body)
    }

    fn derives(&self) -> Derives {
        Derives { bbo: false, candles: false }
    }
}
