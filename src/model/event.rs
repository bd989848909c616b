//! One normalised fact of a market, with its place and its times.
//!
//! An [`Event`] does not name its channel: records and publications carry that beside it, so the
//! hot path never parses or clones a name.

use crate::{Decimal, Micros, Position};

/// A fact in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place, given at ingest.
    pub position: Position,
    /// The seq it continues; on base channels `position.seq - 1`.
    pub prev: u64,
    /// True when what a client holds is to be replaced, not amended: an epoch's first event, a
    /// resynced book.
    pub reset: bool,
    /// Venue time, where the venue gives one.
    pub ts: Option<Micros>,
    /// Receive time at ingest.
    pub rx: Micros,
    /// The venue's own update id, where it has one.
    pub vseq: Option<u64>,
    /// The fact itself.
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A trade.
    Trade(Trade),
    /// Best bid and ask.
    Bbo(Bbo),
    /// 24-hour statistics.
    Ticker(Ticker),
    /// A change of a book's view; with `reset` the whole view.
    Book(BookChange),
    /// A candle, open or final.
    Candle(Candle),
    /// Mark, index and rate of a perpetual.
    Funding(Funding),
    /// The state of a feed or of this channel.
    Status(Status),
    /// The venue's own loss.
    VenueGap(VenueGap),
}

/// Who took liquidity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

/// A price and the size resting there; size zero removes the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price in quote units per base unit.
    pub price: Decimal,
    /// Size in base units.
    pub size: Decimal,
}

/// One trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The venue's id of it.
    pub id: String,
    /// Price.
    pub price: Decimal,
    /// Size in base units.
    pub size: Decimal,
    /// Taker side.
    pub side: Side,
}

/// Best bid and ask; a side without orders is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bbo {
    /// Highest bid.
    pub bid: Option<Level>,
    /// Lowest ask.
    pub ask: Option<Level>,
}

/// Rolling 24-hour statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticker {
    /// Last price.
    pub last: Decimal,
    /// Price 24 hours ago.
    pub open: Option<Decimal>,
    /// Highest price.
    pub high: Option<Decimal>,
    /// Lowest price.
    pub low: Option<Decimal>,
    /// Volume in base units.
    pub volume: Option<Decimal>,
}

/// Levels with their new absolute sizes, best price first on each side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookChange {
    /// Bids, highest first.
    pub bids: Vec<Level>,
    /// Asks, lowest first.
    pub asks: Vec<Level>,
}

/// Open, high, low, close and volume of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candle {
    /// Start of the bucket.
    pub start: Micros,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Volume in base units.
    pub volume: Decimal,
    /// No further change will come.
    pub is_final: bool,
    /// The bucket was not seen whole.
    pub partial: bool,
}

/// Perpetual funding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funding {
    /// Mark price.
    pub mark: Decimal,
    /// Index price.
    pub index: Option<Decimal>,
    /// Funding rate of the venue's period.
    pub rate: Decimal,
    /// When it is next paid.
    pub next: Option<Micros>,
}

/// How well a feed, or one channel of it, is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Current.
    Live,
    /// Connected, but what we hold may be old.
    Stale,
    /// Rebuilding from a new snapshot.
    Resync,
    /// No connection.
    Down,
    /// Another line of the same venue took over.
    FailedOver,
    /// Current, but late.
    Lag,
}

/// A change of state, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The new state.
    pub state: State,
    /// Why, in words a trader can act on; empty when nothing needs saying.
    pub reason: String,
}

/// Events of the venue that never reached us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueGap {
    /// Why: `reconnect`, `sequence`, `overload`, `number_range` …
    pub reason: String,
}

impl Side {
    /// The word used on every wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

impl State {
    /// The word used on every wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Resync => "resync",
            Self::Down => "down",
            Self::FailedOver => "failed_over",
            Self::Lag => "lag",
        }
    }
}
