//! Coinbase Exchange: matches, ticker, level2_batch and heartbeat, without a key.
//!
//! Its book has no sequence: a lost update can't be seen as such. The book is taken anew when it
//! is crossed, or when its top disagrees with the ticker for 5 s (`sync`). Best bid and ask are the
//! book's top; candles are built from trades and seeded by REST.
//!
//! Limits kept: a subscription within 5 s of connecting, 100 messages a second, 8 REST requests a
//! second.

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

/// Coinbase Exchange as configured.
pub(crate) struct Coinbase {
    id: VenueId,
    ws: String,
    rest: String,
}

impl Coinbase {
    pub(crate) fn new(config: &VenueConfig) -> Self {
        Self {
            id: config.id.clone(),
            ws: config.ws.clone().unwrap_or_else(|| urls::WS.to_owned()),
            rest: config.rest.clone().unwrap_or_else(|| urls::REST.to_owned()),
        }
    }
}

impl Venue for Coinbase {
    fn id(&self) -> &VenueId {
        &self.id
    }

    fn native_guess(&self, symbol: &Symbol) -> String {
        symbol.as_str().to_owned()
    }

    fn policy(&self) -> Policy {
        Policy {
            symbols_per_connection: 50,
            send_every: Duration::from_millis(50),
            attempts: (60, Duration::from_secs(60)),
            renew_after: Duration::from_secs(23 * 3_600),
            // Book updates have no ids: two connections could not be told apart.
            overlap: false,
        }
    }

    fn ws_url(&self) -> String {
        self.ws.clone()
    }

    fn subscribe(&self, natives: &[String]) -> Vec<String> {
        vec![urls::subscribe(natives)]
    }

    fn resubscribe_book(&self, native: &str) -> Vec<String> {
        urls::resubscribe_book(native)
    }

    fn parse<'a>(&self, text: &'a str) -> Result<Message<'a>, Unreadable> {
        parse::frame(text)
    }

    fn book_sync(&self) -> Box<dyn BookSync> {
        Box::new(sync::CoinbaseSync::default())
    }

    fn instruments(&self) -> Request {
        urls::products(&self.rest)
    }

    fn read_instruments(&self, body: &str) -> Result<Vec<Listed>, Unreadable> {
        parse::instruments(body)
    }

    fn snapshot(&self, native: &str) -> Request {
        // Never asked for: resubscribing brings the book.
        Request { url: format!("{}/products/{native}/book?level=2", self.rest), weight: 1 }
    }

    fn read_snapshot(&self, _body: &str) -> Result<Snapshot, Unreadable> {
        Err(Unreadable::malformed("books come on the connection"))
    }

    fn candles(&self, native: &str, length: CandleInterval) -> Option<Request> {
        urls::candles(&self.rest, native, length)
    }

    fn read_candles(&self, body: &str) -> Result<Vec<Candle>, Unreadable> {
        parse::candles(body)
    }

    fn trades(&self, native: &str) -> Request {
        urls::trades(&self.rest, native)
    }

    fn read_trades(&self, body: &str) -> Result<Vec<PastTrade>, Unreadable> {
        parse::past_trades(body)
    }

    fn derives(&self) -> Derives {
        Derives { bbo: true, candles: true }
    }
}
