//! What a client subscribes to: `<kind>:<venue>:<symbol>[:<parameter>][@<interval>]`.
//!
//! Owns the grammar, both directions. Decides nothing about permission ([`crate::Pattern`]) or
//! about what is served (the gateway).

use std::fmt;
use std::str::FromStr;

use crate::{Symbol, VenueId};

/// Longest channel name read, in bytes.
const NAME_BYTES_MAX: usize = 160;
/// Slowest conflation a name may ask for.
const INTERVAL_MILLIS_MAX: u32 = 3_600_000;

/// What kind of facts a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Each trade.
    Trade,
    /// Best bid and ask.
    Bbo,
    /// 24-hour statistics.
    Ticker,
    /// The order book.
    Book,
    /// Candles of one interval.
    Candle,
    /// Perpetual funding.
    Funding,
    /// Feed state of a venue, or of one symbol of it.
    Status,
    /// Best bid and ask over all venues.
    Cbbo,
}

/// Length of a candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandleInterval {
    /// One second.
    S1,
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// A quarter of an hour.
    M15,
    /// One hour.
    H1,
    /// Four hours.
    H4,
    /// One day, UTC.
    D1,
}

/// The optional fourth segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parameter {
    /// Top n of a book.
    Depth(u16),
    /// Length of a candle.
    Candle(CandleInterval),
}

/// Conflation interval in milliseconds, written `250ms` or `5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(u32);

/// A concrete channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    /// What it carries.
    pub kind: Kind,
    /// The venue; `None` only for `cbbo`.
    pub venue: Option<VenueId>,
    /// The symbol; `None` only for a venue's `status`.
    pub symbol: Option<Symbol>,
    /// Book depth or candle length.
    pub parameter: Option<Parameter>,
    /// Conflation.
    pub interval: Option<Interval>,
}

/// Why a name is not a channel, in words for the one who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {suggestion}")]
pub struct ChannelError {
    /// What is wrong.
    pub reason: &'static str,
    /// What to write instead.
    pub suggestion: &'static str,
}

const FORM: &str = "write <kind>:<venue>:<SYMBOL>[:<parameter>][@<interval>], \
                    e.g. book:binance:BTC-USDT or ticker:coinbase:ETH-USD@250ms";

pub(crate) const fn error(reason: &'static str, suggestion: &'static str) -> ChannelError {
    ChannelError { reason, suggestion }
}

impl Kind {
    /// Every kind, in the grammar's order.
    pub const ALL: [Kind; 8] = [
        Kind::Trade,
        Kind::Bbo,
        Kind::Ticker,
        Kind::Book,
        Kind::Candle,
        Kind::Funding,
        Kind::Status,
        Kind::Cbbo,
    ];

    /// The word used in names and topics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Bbo => "bbo",
            Self::Ticker => "ticker",
            Self::Book => "book",
            Self::Candle => "candle",
            Self::Funding => "funding",
            Self::Status => "status",
            Self::Cbbo => "cbbo",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl CandleInterval {
    /// Every length, shortest first.
    pub const ALL: [CandleInterval; 7] =
        [Self::S1, Self::M1, Self::M5, Self::M15, Self::H1, Self::H4, Self::D1];

    /// As written in names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S1 => "1s",
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::D1 => "1d",
        }
    }

    /// Length in microseconds.
    pub const fn micros(self) -> i64 {
        1_000_000
            * match self {
                Self::S1 => 1,
                Self::M1 => 60,
                Self::M5 => 300,
                Self::M15 => 900,
                Self::H1 => 3_600,
                Self::H4 => 14_400,
                Self::D1 => 86_400,
            }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.as_str() == word)
    }
}

impl Parameter {
    /// Book depths a server may keep as top-n channels.
    pub const DEPTHS: [u16; 5] = [5, 10, 20, 50, 100];
}

impl Interval {
    /// From milliseconds; `None` for 0 or above an hour.
    pub fn from_millis(millis: u32) -> Option<Self> {
        (1..=INTERVAL_MILLIS_MAX).contains(&millis).then_some(Self(millis))
    }

    /// In milliseconds.
    pub const fn millis(self) -> u32 {
        self.0
    }

    /// Reads `250ms` or `5s`, in the one canonical way of writing it.
    pub fn parse(text: &str) -> Option<Self> {
        let (figures, unit) = match text.strip_suffix("ms") {
            Some(figures) => (figures, 1),
            None => (text.strip_suffix('s')?, 1_000),
        };
        if figures.is_empty() || !figures.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let interval = Self::from_millis(figures.parse::<u32>().ok()?.checked_mul(unit)?)?;
        (interval.to_string() == text).then_some(interval)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            millis if millis % 1_000 == 0 => write!(f, "{}s", millis / 1_000),
            millis => write!(f, "{millis}ms"),
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(levels) => write!(f, "{levels}"),
            Self::Candle(interval) => f.write_str(interval.as_str()),
        }
    }
}

/// A name cut at its colons and its `@`, shared by channels and patterns.
pub(crate) struct Parts<'a> {
    pub(crate) kind: Kind,
    pub(crate) venue: Option<&'a str>,
    pub(crate) symbol: Option<&'a str>,
    pub(crate) parameter: Option<Parameter>,
    pub(crate) interval: Option<Interval>,
}

impl<'a> Parts<'a> {
    pub(crate) fn cut(text: &'a str) -> Result<Self, ChannelError> {
        if text.len() > NAME_BYTES_MAX {
            return Err(error("the name is longer than 160 bytes", FORM));
        }
        let (path, interval) = match text.split_once('@') {
            Some((path, word)) => {
                let interval = Interval::parse(word).ok_or(error(
                    "the conflation interval is not understood",
                    "write @250ms or @5s",
                ))?;
                (path, Some(interval))
            }
            None => (text, None),
        };
        let mut words = path.split(':');
        let kind = words.next().and_then(Kind::parse).ok_or(error(
            "unknown kind",
            "kinds are trade, bbo, ticker, book, candle, funding, status, cbbo, all lower case",
        ))?;
        let venue = if kind == Kind::Cbbo { None } else { words.next() };
        let symbol = words.next();
        let parameter = words.next().map(|word| parse_parameter(kind, word)).transpose()?;
        if words.next().is_some() {
            return Err(error("too many segments", FORM));
        }
        let parts = Self { kind, venue, symbol, parameter, interval };
        parts.check()?;
        Ok(parts)
    }

    fn check(&self) -> Result<(), ChannelError> {
        if self.venue.is_none() && self.kind != Kind::Cbbo {
            return Err(error("the venue is missing", FORM));
        }
        if self.symbol.is_none() && self.kind != Kind::Status {
            return Err(error("the symbol is missing", FORM));
        }
        if self.kind == Kind::Candle && self.parameter.is_none() {
            return Err(error(
                "a candle channel names its length",
                "write candle:<venue>:<SYMBOL>:1m (1s 1m 5m 15m 1h 4h 1d)",
            ));
        }
        Ok(())
    }
}

fn parse_parameter(kind: Kind, word: &str) -> Result<Parameter, ChannelError> {
    match kind {
        Kind::Book => Parameter::DEPTHS
            .into_iter()
            .find(|depth| depth.to_string() == word)
            .map(Parameter::Depth)
            .ok_or(error("unknown book depth", "depths are 5, 10, 20, 50, 100; none = full")),
        Kind::Candle => CandleInterval::parse(word)
            .map(Parameter::Candle)
            .ok_or(error("unknown candle length", "lengths are 1s 1m 5m 15m 1h 4h 1d")),
        _ => Err(error("this kind takes no parameter", FORM)),
    }
}

impl Channel {
    /// A channel of one symbol, without parameter and interval.
    pub fn new(kind: Kind, venue: VenueId, symbol: Symbol) -> Self {
        Self { kind, venue: Some(venue), symbol: Some(symbol), parameter: None, interval: None }
    }

    /// `candle:<venue>:<symbol>:<length>`.
    pub fn candle(venue: VenueId, symbol: Symbol, length: CandleInterval) -> Self {
        let parameter = Some(Parameter::Candle(length));
        Self { parameter, ..Self::new(Kind::Candle, venue, symbol) }
    }

    /// `status:<venue>` or `status:<venue>:<symbol>`.
    pub fn status(venue: VenueId, symbol: Option<Symbol>) -> Self {
        Self { kind: Kind::Status, venue: Some(venue), symbol, parameter: None, interval: None }
    }

    /// The channel a derived one is made from; itself for a base channel.
    pub fn base(&self) -> Self {
        let parameter = self.parameter.filter(|p| !matches!(p, Parameter::Depth(_)));
        Self { parameter, interval: None, ..self.clone() }
    }

    /// Levels of a top-n book.
    pub fn depth(&self) -> Option<u16> {
        match self.parameter {
            Some(Parameter::Depth(levels)) => Some(levels),
            _ => None,
        }
    }

    /// True for channels the gateway derives from a parent: top-n and `@interval`.
    pub fn is_derived(&self) -> bool {
        self.interval.is_some() || matches!(self.parameter, Some(Parameter::Depth(_)))
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Parts::cut(text)?;
        let venue = parts.venue.map(VenueId::new).transpose().map_err(|_| {
            error("the venue is not understood", "a venue is lower case, e.g. binance, coinbase")
        })?;
        let symbol = parts.symbol.map(Symbol::new).transpose().map_err(|_| {
            error("the symbol is not understood", "a symbol is BASE-QUOTE in upper case: BTC-USDT")
        })?;
        let (kind, parameter, interval) = (parts.kind, parts.parameter, parts.interval);
        Ok(Self { kind, venue, symbol, parameter, interval })
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let Some(venue) = &self.venue {
            write!(f, ":{venue}")?;
        }
        if let Some(symbol) = &self.symbol {
            write!(f, ":{symbol}")?;
        }
        if let Some(parameter) = &self.parameter {
            write!(f, ":{parameter}")?;
        }
        if let Some(interval) = &self.interval {
            write!(f, "@{interval}")?;
        }
        Ok(())
    }
}
