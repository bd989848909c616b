//! What is traded, where: venue ids, canonical symbols, instruments.

use std::fmt;
use std::sync::Arc;

use crate::{Channel, Decimal};

/// Longest venue id or symbol accepted, in bytes: real ones are under 30.
const NAME_BYTES_MAX: usize = 64;

/// A venue id: one API of one exchange or DEX (`binance`, `binance-usdm`, `coinbase`).
/// Lower case letters, digits and dashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VenueId(Arc<str>);

/// A canonical symbol: `[A-Z0-9.]+` segments joined by `-`, base first (`BTC-USDT`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

/// Why a text is not a venue id or a symbol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// Not `[a-z0-9]` segments joined by `-`.
    #[error("a venue id is lower case letters and digits joined by '-'")]
    Venue,
    /// Not `[A-Z0-9.]` segments joined by `-`.
    #[error("a symbol is BASE-QUOTE: upper case letters, digits and dots joined by '-'")]
    Symbol,
}

/// Whether an instrument can be traded now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentState {
    /// Trading normally.
    Trading,
    /// Listed but halted, in auction, or in maintenance.
    Halted,
    /// Gone from the venue.
    Delisted,
}

/// One instrument of one venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// The venue it trades on.
    pub venue: VenueId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// The venue's own name for it (`BTCUSDT`, `BTC-USD`).
    pub native: String,
    /// Smallest price step, if the venue tells it.
    pub tick: Option<Decimal>,
    /// Smallest size step, if the venue tells it.
    pub lot: Option<Decimal>,
    /// Whether it trades now.
    pub state: InstrumentState,
    /// The base channels its feed publishes: what can be subscribed and what `*` expands to.
    pub channels: Vec<Channel>,
}

fn segments_ok(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text.split('-').all(|part| !part.is_empty() && part.bytes().all(&allowed))
}

impl VenueId {
    /// Checks and wraps a venue id.
    pub fn new(text: &str) -> Result<Self, SymbolError> {
        segments_ok(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit())
            .then(|| Self(text.into()))
            .ok_or(SymbolError::Venue)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Symbol {
    /// Checks and wraps a canonical symbol. A symbol has at least one `-`-joined segment; pools
    /// may have a configured name of one segment.
    pub fn new(text: &str) -> Result<Self, SymbolError> {
        segments_ok(text, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.')
            .then(|| Self(text.into()))
            .ok_or(SymbolError::Symbol)
    }

    /// `BASE-QUOTE` from its two halves.
    pub fn pair(base: &str, quote: &str) -> Result<Self, SymbolError> {
        Self::new(&format!("{base}-{quote}"))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VenueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl InstrumentState {
    /// The word used on every wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::Halted => "halted",
            Self::Delisted => "delisted",
        }
    }
}
