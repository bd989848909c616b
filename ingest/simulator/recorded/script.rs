//! What is played: the entries of all files in playing order, and what the recording says about
//! its instruments. Input: parsed lines from [`super::lines`]; output: a [`Script`]. Recorded text
//! is kept as it is; only names and places inside it are noted.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::decimal_text::significant_places;
use super::super::limits;
use super::super::{Symbol, Venue};
use super::taplog::Memory;

/// One recorded message and when it came.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Entry {
    pub(in crate::simulator) at_us: i64,
    pub(in crate::simulator) what: What,
}

#[derive(Debug, Clone)]
pub(in crate::simulator) enum What {
    /// A Binance combined frame; `data` is the payload's place in `text`.
    Stream { stream: usize, text: Utf8Bytes, data: Range<usize> },
    /// A Binance REST depth answer.
    Depth { symbol: usize, body: Utf8Bytes },
    /// A Coinbase message.
    Feed { product: usize, kind: Kind, text: Utf8Bytes },
}

/// What a Coinbase message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum Kind {
    Snapshot,
    Update,
    Match,
    LastMatch,
    Ticker,
    Heartbeat,
}

/// A recorded Binance stream: `btcusdt@depth@100ms` of the symbol at an index.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct StreamName {
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) symbol: usize,
}

impl StreamName {
    /// `depth@100ms` of `btcusdt@depth@100ms`.
    pub(in crate::simulator) fn suffix(&self) -> &str {
        self.name.split_once('@').map_or("", |(_, suffix)| suffix)
    }
}

/// One instrument of the recording.
#[derive(Debug, Clone)]
pub(in crate::simulator) struct Instrument {
    pub(in crate::simulator) native: String,
    pub(in crate::simulator) base: String,
    pub(in crate::simulator) quote: String,
    /// The venue's own listing object, where recorded.
    pub(in crate::simulator) listing: Option<String>,
    pub(in crate::simulator) price_decimals: u32,
    pub(in crate::simulator) lot_decimals: u32,
    pub(in crate::simulator) has_snapshot: bool,
    probes: u32,
}

#[derive(Debug, Default)]
pub(in crate::simulator) struct Script {
    pub(in crate::simulator) entries: Vec<Entry>,
    pub(in crate::simulator) streams: Vec<StreamName>,
    pub(in crate::simulator) symbols: Vec<Instrument>,
    pub(in crate::simulator) products: Vec<Instrument>,
    pub(super) tap: Memory,
    stream_ids: HashMap<String, usize>,
    ids: HashMap<(Venue, String), usize>,
}

impl Script {
    pub(in crate::simulator) fn all_symbols(&self) -> Vec<Symbol> {
        let symbol = |venue: Venue, of: &Instrument| Symbol {
            venue,
            native: of.native.clone(),
            canonical: format!("{}-{}", of.base, of.quote),
        };
        let binance = self.symbols.iter().map(|of| symbol(Venue::Binance, of));
        binance.chain(self.products.iter().map(|of| symbol(Venue::Coinbase, of))).collect()
    }

    /// Whether a stream of this name was recorded.
    pub(in crate::simulator) fn has_stream(&self, name: &str) -> bool {
        self.stream_ids.contains_key(name)
    }

    /// The index of an instrument, listed at its first mention.
    pub(super) fn instrument(&mut self, venue: Venue, native: &str) -> usize {
        if let Some(id) = self.ids.get(&(venue, native.to_owned())) {
            return *id;
        }
        let (base, quote) = split_name(venue, native);
        let list = match venue {
            Venue::Binance => &mut self.symbols,
            Venue::Coinbase => &mut self.products,
        };
        list.push(Instrument {
            native: native.to_owned(),
            base,
            quote,
            listing: None,
            price_decimals: 0,
            lot_decimals: 0,
            has_snapshot: false,
            probes: 0,
        });
        self.ids.insert((venue, native.to_owned()), list.len() - 1);
        list.len() - 1
    }

    /// Notes base and quote where the recording says them.
    pub(super) fn name(&mut self, venue: Venue, native: &str, base: &str, quote: &str) {
        let id = self.instrument(venue, native);
        let instrument = match venue {
            Venue::Binance => &mut self.symbols[id],
            Venue::Coinbase => &mut self.products[id],
        };
        if instrument.base != base {
            (instrument.base, instrument.quote) = (base.to_owned(), quote.to_owned());
        }
    }

    /// Takes a combined frame's stream name; learns ticks from the first messages.
    pub(super) fn stream(&mut self, name: &str, data: &RawValue) -> usize {
        let id = match self.stream_ids.get(name) {
            Some(id) => *id,
            None => {
                let native = name.split('@').next().unwrap_or_default().to_ascii_uppercase();
                let symbol = self.instrument(Venue::Binance, &native);
                self.streams.push(StreamName { name: name.to_owned(), symbol });
                self.stream_ids.insert(name.to_owned(), self.streams.len() - 1);
                self.streams.len() - 1
            }
        };
        let symbol = self.streams[id].symbol;
        probe(&mut self.symbols[symbol], data.get());
        id
    }

    pub(super) fn depth(&mut self, native: &str, body: &str) -> usize {
        let symbol = self.instrument(Venue::Binance, native);
        let instrument = &mut self.symbols[symbol];
        instrument.has_snapshot = true;
        probe(instrument, body);
        symbol
    }

    pub(super) fn product(&mut self, id: &str, kind: Kind, text: &str) -> usize {
        let product = self.instrument(Venue::Coinbase, id);
        let instrument = &mut self.products[product];
        instrument.has_snapshot |= kind == Kind::Snapshot;
        if matches!(kind, Kind::Snapshot | Kind::Update) {
            probe(instrument, text);
        }
        product
    }

    /// Notes the venue's own listing of instruments that are played.
    pub(super) fn listings(&mut self, venue: Venue, listings: &HashMap<String, String>) {
        let list = match venue {
            Venue::Binance => &mut self.symbols,
            Venue::Coinbase => &mut self.products,
        };
        for instrument in list {
            let Some(listing) = listings.get(&instrument.native) else { continue };
            instrument.listing = Some(listing.clone());
            let Ok(value) = serde_json::from_str::<serde_json::Value>(listing) else { continue };
            let (base, quote) = match venue {
                Venue::Binance => (&value["baseAsset"], &value["quoteAsset"]),
                Venue::Coinbase => (&value["base_currency"], &value["quote_currency"]),
            };
            if let (Some(base), Some(quote)) = (base.as_str(), quote.as_str()) {
                (instrument.base, instrument.quote) = (base.to_owned(), quote.to_owned());
            }
        }
    }
}

/// Learns tick and lot size from levels `["price","size"]` (and `"p":`/`"q":` of trades).
fn probe(instrument: &mut Instrument, text: &str) {
    if instrument.probes >= limits::PROBE_MESSAGES {
        return;
    }
    instrument.probes += 1;
    let mut note = |price: &str, size: &str| {
        instrument.price_decimals = instrument.price_decimals.max(significant_places(price));
        instrument.lot_decimals = instrument.lot_decimals.max(significant_places(size));
    };
    for level in text.split('[').skip(1) {
        let mut parts = level.split('"').skip(1).step_by(2);
        match (parts.next(), parts.next(), parts.next()) {
            (Some("buy" | "sell"), Some(price), Some(size)) => note(price, size),
            (Some(price), Some(size), _) if is_decimal(price) && is_decimal(size) => {
                note(price, size)
            }
            _ => {}
        }
    }
    let after = |key: &str| text.split_once(key).and_then(|(_, rest)| rest.split('"').next());
    if let (Some(price), Some(size)) = (after("\"p\":\""), after("\"q\":\"")) {
        note(price, size);
    }
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Quote currencies by which a joined name is split when the recording lists nothing.
const QUOTES: [&str; 24] = [
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "BTC", "ETH", "BNB", "EUR", "GBP",
    "BRL", "TRY", "AUD", "RUB", "JPY", "MXN", "PLN", "ARS", "ZAR", "UAH", "XRP", "USD",
];

fn split_name(venue: Venue, native: &str) -> (String, String) {
    let split = match venue {
        Venue::Coinbase => native.split_once('-'),
        Venue::Binance => QUOTES
            .iter()
            .find_map(|quote| native.strip_suffix(quote).map(|base| (base, *quote)))
            .filter(|(base, _)| !base.is_empty()),
    };
    let (base, quote) = split.unwrap_or((native, ""));
    (base.to_owned(), quote.to_owned())
}
