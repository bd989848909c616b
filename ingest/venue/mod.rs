//! The door to a venue: what the rest of ingest may ask of one, and the words both sides use.
//!
//! A venue is five small files: `mod` (this trait), `urls` (where and how to ask), `messages` (the
//! wire structs, each beside the payload it reads), `parse` (bytes → [`Message`]) and `sync` (the
//! venue's own procedure for a right book). Venues don't import one another, do no I/O and read no
//! clock.

use std::borrow::Cow;
use std::time::Duration;

use fantail_model::{
    Bbo, BookChange, Candle, CandleInterval, Decimal, DecimalError, InstrumentState, Kind, Micros,
    Symbol, Ticker, Trade, VenueId,
};

pub(crate) mod binance;
pub(crate) mod coinbase;

/// What a feed needs to know of a venue.
pub(crate) trait Venue: Send + Sync + 'static {
    /// Its id in channel names.
    fn id(&self) -> &VenueId;
    /// The native name of a symbol, before the venue has listed its instruments.
    fn native_guess(&self, symbol: &Symbol) -> String;
    /// How its connections are to be treated.
    fn policy(&self) -> Policy;
    /// Where its WebSocket is.
    fn ws_url(&self) -> String;
    /// The messages that subscribe to everything of these symbols.
    fn subscribe(&self, natives: &[String]) -> Vec<String>;
    /// The messages that make the venue send one symbol's book anew; none if REST does that.
    fn resubscribe_book(&self, native: &str) -> Vec<String>;
    /// Reads one frame.
    fn parse<'a>(&self, text: &'a str) -> Result<Message<'a>, Unreadable>;
    /// A new synchroniser for one symbol's book.
    fn book_sync(&self) -> Box<dyn BookSync>;
    /// How to ask for all instruments.
    fn instruments(&self) -> Request;
    /// Reads that answer.
    fn read_instruments(&self, body: &str) -> Result<Vec<Listed>, Unreadable>;
    /// How to ask for a book; never called where [`Venue::resubscribe_book`] does it.
    fn snapshot(&self, native: &str) -> Request;
    /// Reads that answer.
    fn read_snapshot(&self, body: &str) -> Result<Snapshot, Unreadable>;
    /// How to ask for the newest candles; `None` where the stream has candles of its own.
    fn candles(&self, native: &str, length: CandleInterval) -> Option<Request>;
    /// Reads that answer, newest first.
    fn read_candles(&self, body: &str) -> Result<Vec<Candle>, Unreadable>;
    /// How to ask for the newest trades.
    fn trades(&self, native: &str) -> Request;
    /// Reads that answer, oldest first.
    fn read_trades(&self, body: &str) -> Result<Vec<PastTrade>, Unreadable>;
    /// What the stream has and what must be made here.
    fn derives(&self) -> Derives;
}

/// What the venue's stream lacks and the feed makes from what it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Derives {
    /// Best bid and ask are the book's top.
    pub(crate) bbo: bool,
    /// Candles are built from trades.
    pub(crate) candles: bool,
}

/// How a venue's connections are to be treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// Symbols subscribed on one connection.
    pub(crate) symbols_per_connection: usize,
    /// Time between two messages sent.
    pub(crate) send_every: Duration,
    /// Connection attempts allowed, and within which time.
    pub(crate) attempts: (u32, Duration),
    /// When to replace a connection before the venue cuts it.
    pub(crate) renew_after: Duration,
    /// Whether the new one may run beside the old one: every event has an id to tell it is known.
    pub(crate) overlap: bool,
}

/// A REST request and what it costs of the venue's budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) weight: u32,
}

/// An instrument as the venue lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) symbol: Symbol,
    pub(crate) native: String,
    pub(crate) tick: Option<Decimal>,
    pub(crate) lot: Option<Decimal>,
    pub(crate) state: InstrumentState,
}

/// What one frame says.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every message is a fact, and lives briefly")]
pub(crate) enum Message<'a> {
    /// A fact about one symbol.
    Fact {
        /// Its native name.
        native: Cow<'a, str>,
        /// The fact.
        fact: Fact,
    },
    /// A request of ours was taken.
    Acknowledged,
    /// A request of ours was refused.
    Refused(String),
    /// The venue is about to close this connection.
    Leaving,
    /// Nothing we know; venues add messages at any time.
    Unknown,
}

/// One fact, before it has a position.
#[derive(Debug, PartialEq)]
pub(crate) enum Fact {
    /// A trade; `number` is its id as a number, consecutive per symbol.
    Trade {
        number: u64,
        trade: Trade,
        ts: Option<Micros>,
        /// Told only to say where the venue stands; it happened before we listened.
        earlier: bool,
    },
    /// Best bid and ask.
    Bbo { bbo: Bbo, vseq: Option<u64>, ts: Option<Micros> },
    /// Statistics, with the best prices if the message has them.
    Ticker { ticker: Ticker, ts: Option<Micros>, top: Option<(Decimal, Decimal)> },
    /// A change of the book.
    Delta(Delta),
    /// The whole book.
    Snapshot(Snapshot),
    /// A candle.
    Candle { length: CandleInterval, candle: Candle, ts: Option<Micros> },
    /// A sign of life.
    Alive,
}

/// A trade told by REST.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PastTrade {
    /// Its id as a number, consecutive per symbol.
    pub(crate) number: u64,
    pub(crate) trade: Trade,
    pub(crate) ts: Option<Micros>,
}

/// A change of a book: absolute sizes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delta {
    /// First and last update id, where the venue numbers updates.
    pub(crate) ids: Option<(u64, u64)>,
    pub(crate) change: BookChange,
    pub(crate) ts: Option<Micros>,
    /// When we received it.
    pub(crate) rx: Micros,
}

/// A whole book.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    /// The last update it contains.
    pub(crate) last_id: Option<u64>,
    pub(crate) levels: BookChange,
    pub(crate) ts: Option<Micros>,
}

/// A frame or answer that could not be read: the venue's fault (or ours, if it is new). The
/// connection goes on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: {detail}")]
pub(crate) struct Unreadable {
    pub(crate) fault: BadInput,
    /// What it was about, as far as it could be told.
    pub(crate) about: Option<(String, Kind)>,
    pub(crate) detail: String,
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadInput {
    /// Not the form we know.
    #[error("malformed")]
    Malformed,
    /// A number that no exact decimal holds.
    #[error("number out of range")]
    NumberRange,
}

/// What a book needs done, decided by a venue's [`BookSync`].
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Ask for a snapshot by REST.
    Fetch,
    /// Ask for the book anew on the connection.
    Resubscribe,
    /// Events are lost; what is held is not the book any more.
    Gap(&'static str),
    /// The snapshot is the book.
    Replace(Snapshot),
    /// The delta is next.
    Apply(Delta),
}

/// A venue's procedure for a right book, as a pure machine: facts in, [`Step`]s out. `now` is
/// monotonic time.
pub(crate) trait BookSync: Send {
    /// A connection is subscribed. What was held before it is not continued.
    fn connected(&mut self, now: Duration, steps: &mut Vec<Step>);
    /// The connection is gone.
    fn disconnected(&mut self);
    /// A change came.
    fn delta(&mut self, delta: Delta, steps: &mut Vec<Step>);
    /// A whole book came.
    fn snapshot(&mut self, snapshot: Snapshot, steps: &mut Vec<Step>);
    /// What is held turned out wrong: a crossed book, a number that can't be held, an unreadable
    /// change.
    fn restart(&mut self, reason: &'static str, now: Duration, steps: &mut Vec<Step>);
    /// The ticker said which prices are best.
    fn ticker_top(&mut self, _top: (Decimal, Decimal), _now: Duration, _steps: &mut Vec<Step>) {}
    /// The book's best prices changed.
    fn book_top(&mut self, _top: (Decimal, Decimal)) {}
    /// Time passed.
    fn tick(&mut self, now: Duration, steps: &mut Vec<Step>);
    /// Whether the book is right now.
    fn is_live(&self) -> bool;
}

impl Unreadable {
    pub(crate) fn malformed(detail: impl ToString) -> Self {
        Self { fault: BadInput::Malformed, about: None, detail: detail.to_string() }
    }

    /// Says what the message was about.
    pub(crate) fn about(mut self, native: &str, kind: Kind) -> Self {
        self.about.get_or_insert_with(|| (native.to_owned(), kind));
        self
    }
}

impl From<DecimalError> for Unreadable {
    fn from(error: DecimalError) -> Self {
        let fault = match error {
            DecimalError::Syntax => BadInput::Malformed,
            DecimalError::Range => BadInput::NumberRange,
        };
        Self { fault, about: None, detail: error.to_string() }
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::malformed(error)
    }
}
