//! What was written about venues → what it means. Owns defaults, bounds and the words for what is
//! wrong; every mistake is pushed, none ends the reading.

use std::collections::BTreeSet;
use std::time::Duration;

use fantail_model::{CandleInterval, Symbol, VenueId};
use fantail_ops::config::{HumanDuration, Problems};
use fantail_wire::record::RecordFormat;
use serde::Deserialize;

use crate::limits;

/// The `venues` table as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawVenues {
    /// Binance spot.
    pub binance: RawVenue,
    /// Coinbase Exchange.
    pub coinbase: RawVenue,
}

/// One venue's table as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawVenue {
    /// Whether to run it; a venue without symbols doesn't run anyway.
    pub enabled: bool,
    /// Canonical symbols, `BTC-USDT`.
    pub symbols: Vec<String>,
    /// WebSocket address instead of the venue's own, e.g. a simulator's.
    pub ws: Option<String>,
    /// REST address instead of the venue's own.
    pub rest: Option<String>,
    /// Book levels a side; 0 for all the venue gives.
    pub book_depth: u32,
    /// Candle lengths: 1s 1m 5m 15m 1h 4h 1d.
    pub candles: Vec<String>,
    /// Silence after which a symbol is called stale.
    pub stale_after: HumanDuration,
    /// REST weight (or requests) spent per minute at most.
    pub rest_weight_per_minute: Option<u32>,
    /// Groups its symbols are divided into, each owned by one ingest worker.
    pub groups: u32,
    /// Whether workers that don't own it keep a line open all the same, to take over at once.
    pub standby: bool,
}

/// What ingest runs.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// How records are written.
    pub format: RecordFormat,
    /// The venues to run.
    pub venues: Vec<VenueConfig>,
}

/// A venue ingest knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueKind {
    /// Binance spot.
    Binance,
    /// Coinbase Exchange.
    Coinbase,
}

/// One venue, checked.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// Which one.
    pub kind: VenueKind,
    /// Its id in channel names.
    pub id: VenueId,
    /// Canonical symbols, each once.
    pub symbols: Vec<Symbol>,
    /// WebSocket address instead of the venue's own.
    pub ws: Option<String>,
    /// REST address instead of the venue's own.
    pub rest: Option<String>,
    /// Book levels a side; 0 for all.
    pub book_depth: usize,
    /// Candle lengths.
    pub candles: Vec<CandleInterval>,
    /// Silence after which a symbol is called stale.
    pub stale_after: Duration,
    /// REST weight spent per minute at most.
    pub rest_weight_per_minute: u32,
    /// Groups its symbols are divided into; at least 1.
    pub groups: u32,
    /// Whether workers that don't own it keep a line open.
    pub standby: bool,
}

impl Default for RawVenue {
    fn default() -> Self {
        Self {
            enabled: true,
            symbols: Vec::new(),
            ws: None,
            rest: None,
            book_depth: 1_000,
            candles: vec!["1m".to_owned()],
            stale_after: HumanDuration::from_secs(5),
            rest_weight_per_minute: None,
            groups: 1,
            standby: false,
        }
    }
}

impl VenueKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Coinbase => "coinbase",
        }
    }

    /// Half of what the venue allows: 6,000 weight a minute at Binance, 8 requests a second at
    /// Coinbase. The other half is for whoever shares the address.
    const fn weight_per_minute(self) -> u32 {
        match self {
            Self::Binance => 3_000,
            Self::Coinbase => 240,
        }
    }
}

impl IngestConfig {
    /// Checks what was written; mistakes go to `problems`, under `venues.<venue>.<key>`.
    #[must_use]
    pub fn from_raw(raw: &RawVenues, problems: &mut Problems) -> Self {
        let written = [(VenueKind::Binance, &raw.binance), (VenueKind::Coinbase, &raw.coinbase)];
        let venues = written
            .into_iter()
            .filter(|(_, raw)| raw.enabled)
            .filter_map(|(kind, raw)| Reader { kind, problems }.venue(raw))
            .filter(|venue| !venue.symbols.is_empty())
            .collect();
        Self { format: RecordFormat::Protobuf, venues }
    }
}

impl IngestConfig {
    /// How many parts of the work different workers can own; at least 1.
    #[must_use]
    pub fn units(&self) -> u32 {
        u32::try_from(crate::unit::units(self).len()).unwrap_or(u32::MAX).max(1)
    }
}

struct Reader<'a> {
    kind: VenueKind,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn venue(mut self, raw: &RawVenue) -> Option<VenueConfig> {
        let id = VenueId::new(self.kind.as_str()).ok()?;
        let weight = raw.rest_weight_per_minute.unwrap_or(self.kind.weight_per_minute());
        if !(300..=100_000).contains(&weight) && self.kind == VenueKind::Binance {
            let fix = "write 300 to 100000: one deep snapshot costs 250";
            self.wrong("rest_weight_per_minute", weight, "is out of range", fix);
        }
        if raw.book_depth > limits::BOOK_DEPTH_MAX {
            let fix = "write at most 100000, or 0 for all the venue gives";
            self.wrong("book_depth", raw.book_depth, "is too deep", fix);
        }
        if !(1..=limits::GROUPS_MAX).contains(&raw.groups) {
            let fix = "write 1 to 64: about as many as there are ingest workers";
            self.wrong("groups", raw.groups, "is out of range", fix);
        }
        let stale_after = raw.stale_after.get();
        if stale_after < Duration::from_secs(1) || stale_after > Duration::from_secs(3_600) {
            self.wrong("stale_after", raw.stale_after, "is out of range", "write 1s to 1h");
        }
        Some(VenueConfig {
            kind: self.kind,
            id,
            symbols: self.symbols(raw),
            ws: self.url("ws", raw.ws.as_deref(), ["ws://", "wss://"]),
            rest: self.url("rest", raw.rest.as_deref(), ["http://", "https://"]),
            book_depth: usize::try_from(raw.book_depth).unwrap_or(usize::MAX),
            candles: self.candles(raw),
            stale_after,
            rest_weight_per_minute: weight,
            groups: raw.groups.clamp(1, limits::GROUPS_MAX),
            standby: raw.standby,
        })
    }

    fn symbols(&mut self, raw: &RawVenue) -> Vec<Symbol> {
        if raw.symbols.len() > limits::SYMBOLS_MAX {
            let fix = "write at most 1000 symbols";
            self.wrong("symbols", raw.symbols.len(), "are too many", fix);
        }
        let mut seen = BTreeSet::new();
        let mut symbols = Vec::new();
        for (index, text) in raw.symbols.iter().enumerate() {
            let key = format!("symbols.{index}");
            match Symbol::new(text) {
                Ok(symbol) if !text.contains('-') => {
                    let fix = "write BASE-QUOTE, e.g. BTC-USDT";
                    self.wrong(&key, &symbol, "names no quote", fix);
                }
                Ok(symbol) if seen.insert(symbol.clone()) => symbols.push(symbol),
                Ok(symbol) => self.wrong(&key, &symbol, "is written twice", "write it once"),
                Err(error) => {
                    self.wrong(&key, text, &error.to_string(), "write BASE-QUOTE, e.g. BTC-USDT");
                }
            }
        }
        symbols
    }

    fn candles(&mut self, raw: &RawVenue) -> Vec<CandleInterval> {
        let mut lengths = BTreeSet::new();
        for (index, text) in raw.candles.iter().enumerate() {
            match CandleInterval::parse(text) {
                Some(length) => {
                    lengths.insert(length);
                }
                None => {
                    let fix = "write 1s, 1m, 5m, 15m, 1h, 4h or 1d";
                    self.wrong(&format!("candles.{index}"), text, "is no candle length", fix);
                }
            }
        }
        lengths.into_iter().collect()
    }

    fn url(&mut self, key: &str, text: Option<&str>, schemes: [&str; 2]) -> Option<String> {
        let text = text?.trim_end_matches('/');
        let host = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        if host.is_none_or(str::is_empty) || text.parse::<http::Uri>().is_err() {
            let fix = format!("write {}host:port or {}host", schemes[0], schemes[1]);
            self.wrong(key, text, "is no address", &fix);
        }
        Some(text.to_owned())
    }

    fn wrong(&mut self, key: &str, value: impl std::fmt::Display, reason: &str, fix: &str) {
        let key = format!("venues.{}.{key}", self.kind.as_str());
        self.problems.push(key, value, reason, fix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(binance: RawVenue) -> (IngestConfig, Vec<String>) {
        let mut problems = Problems::default();
        let raw = RawVenues { binance, ..RawVenues::default() };
        let config = IngestConfig::from_raw(&raw, &mut problems);
        let keys = problems.list().iter().map(|problem| problem.key.clone()).collect();
        (config, keys)
    }

    #[test]
    fn all_mistakes_are_told() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let raw = RawVenue {
            symbols: words(&["BTC-USDT", "btc-usdt", "BTC-USDT", "BTCUSDT"]),
            candles: words(&["1m", "2m"]),
            ws: Some("localhost".to_owned()),
            stale_after: HumanDuration::from_millis(1),
            book_depth: 1_000_000,
            ..RawVenue::default()
        };
        let (_, keys) = read(raw);
        let expected =
            ["book_depth", "stale_after", "symbols.1", "symbols.2", "symbols.3", "ws", "candles.1"];
        assert_eq!(keys, expected.map(|key| format!("venues.binance.{key}")));
    }

    #[test]
    fn a_venue_without_symbols_does_not_run() {
        let (config, keys) = read(RawVenue::default());
        assert!(config.venues.is_empty() && keys.is_empty());
        let raw = RawVenue {
            symbols: vec!["BTC-USDT".to_owned()],
            ws: Some("ws://127.0.0.1:9".to_owned()),
            ..RawVenue::default()
        };
        let (config, keys) = read(raw);
        assert!(keys.is_empty(), "{keys:?}");
        assert_eq!(config.venues[0].symbols.len(), 1);
        assert_eq!(config.venues[0].candles, [CandleInterval::M1]);
    }
}
