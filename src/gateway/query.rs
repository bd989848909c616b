//! Questions REST asks the tail, and its answers: the mailbox between them.
//!
//! Owns the words and the asking side. Input: a query. Output: what the tail's store held when it
//! got there, with the state and position it belongs to. It decides nothing about permission
//! (REST asks [`crate::auth`] first) and formats nothing.

use fantail_bus::Waker;
use fantail_model::{
    BookChange, Channel, Event, Instrument, Micros, Position, State, Symbol, VenueId,
};
use tokio::sync::{mpsc, oneshot};

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Every instrument known.
    Instruments,
    /// The best levels of a book.
    Book {
        /// A `book` channel.
        channel: Channel,
        /// Levels a side; 0 means all that is kept.
        depth: usize,
    },
    /// The last events of a channel: trades or candles.
    Recent {
        /// The channel.
        channel: Channel,
        /// Most events to answer; newest last.
        limit: usize,
    },
    /// The state of every feed.
    Status,
}

/// What the tail knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Each instrument with the state of its feed.
    Instruments(Vec<(Instrument, State)>),
    /// A book.
    Book(BookAnswer),
    /// The last events, newest last.
    Recent {
        /// The events.
        events: Vec<Event>,
        /// State and position of the channel.
        meta: Meta,
    },
    /// Each feed's state.
    Status(Vec<StatusAnswer>),
    /// The channel exists on no feed of this node.
    Unknown,
    /// Too many questions wait for partitions this node is only beginning to read.
    Later,
}

/// A book as it was when the tail was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookAnswer {
    /// Levels, best first.
    pub view: BookChange,
    /// State and position of the channel.
    pub meta: Meta,
}

/// What every answer about a channel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// State of the channel's feed.
    pub state: State,
    /// Position of its last event; `None` before the first.
    pub position: Option<Position>,
    /// Venue time of the last event.
    pub ts: Option<Micros>,
    /// Receive time of the last event.
    pub rx: Option<Micros>,
}

/// The state of a feed, or of one symbol of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusAnswer {
    /// The venue.
    pub venue: VenueId,
    /// The symbol; `None` for the venue as a whole.
    pub symbol: Option<Symbol>,
    /// Its state.
    pub state: State,
    /// Why, in words; empty when nothing needs saying.
    pub reason: String,
    /// Since when.
    pub since: Micros,
}

/// A query with the place its answer goes to.
pub(crate) type Asked = (Query, oneshot::Sender<Answer>);

/// The tail no longer answers: the process is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tail no longer answers")]
pub struct TailGone;

/// The asking side. Cloning shares the mailbox. Asking wakes the tail.
#[derive(Debug, Clone)]
pub struct TailQueries {
    sender: mpsc::Sender<Asked>,
    waker: Waker,
}

impl TailQueries {
    /// A mailbox of `capacity` queries; the tail consumes the receiver.
    #[must_use]
    pub fn new(capacity: usize, waker: Waker) -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self { sender, waker }, receiver)
    }

    /// Asks and waits: for room in the mailbox, then for the answer. Callers bound the time.
    ///
    /// # Errors
    /// When the tail has ended.
    pub async fn ask(&self, query: Query) -> Result<Answer, TailGone> {
        let (answer_to, answer) = oneshot::channel();
        self.sender.send((query, answer_to)).await.map_err(|_| TailGone)?;
        self.waker.wake();
        answer.await.map_err(|_| TailGone)
    }
}
