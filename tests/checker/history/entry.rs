//! What a history remembers.

use crate::place::Place;

/// What the state in a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A whole book, by its running fingerprint.
    Book,
    /// The last value or the feed's state, by its fingerprint.
    Value,
}

/// One thing that happened to a client. Channels are numbered per history, in the order named;
/// times are microseconds of the wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// From here on, `channel` stands for this name.
    Name {
        /// Its number.
        channel: u32,
        /// Its full name.
        name: String,
    },
    /// A session began.
    Open {
        /// When.
        at: u64,
        /// At which node.
        node: String,
    },
    /// A channel was asked for, from a place or from now.
    Subscribe {
        /// The channel.
        channel: u32,
        /// The last place the client has.
        from: Option<Place>,
    },
    /// The server acknowledged it.
    Acknowledged {
        /// The channel.
        channel: u32,
        /// What the first event continues.
        place: Option<Place>,
        /// The missed events follow.
        resumed: bool,
    },
    /// The server refused it.
    Refused {
        /// The channel.
        channel: u32,
        /// A name of codes.toml.
        code: String,
    },
    /// The state at a place.
    Snapshot {
        /// The channel.
        channel: u32,
        /// `None`: a book that is not in sync yet.
        place: Option<Place>,
        /// Its fingerprint.
        state: u64,
        /// What that is of.
        shown: Shown,
        /// It replaces what the client holds.
        reset: bool,
        /// When it came.
        at: u64,
    },
    /// An event, or several merged into one.
    Event {
        /// The channel.
        channel: u32,
        /// Its place.
        place: Place,
        /// The seq it continues.
        prev: u64,
        /// For how many events it stands.
        n: u32,
        /// Fingerprint of its content.
        hash: u64,
        /// The client's state after it; 0 where it has none.
        state: u64,
        /// When it came.
        at: u64,
    },
    /// The server said that it can't deliver a range.
    Gap {
        /// The channel.
        channel: u32,
        /// Its epoch.
        epoch: u64,
        /// First seq missing.
        from: u64,
        /// Last seq missing, where the server knows.
        to: Option<u64>,
        /// Why.
        reason: String,
        /// When it came.
        at: u64,
    },
    /// A message that can't be read, or of a channel that was not asked for.
    Strange {
        /// What is wrong with it.
        why: String,
        /// When it came.
        at: u64,
    },
    /// The client stops reading on purpose: from here it may be told to be slow.
    Slow {
        /// When.
        at: u64,
    },
    /// The session ended.
    Closed {
        /// When.
        at: u64,
        /// The close code; 0 where the connection just ended.
        code: u16,
        /// Why.
        reason: String,
    },
    /// The run is over for this client.
    End {
        /// When.
        at: u64,
        /// It was connected, subscribed to everything and reading, for long enough to be level.
        healthy: bool,
    },
}
