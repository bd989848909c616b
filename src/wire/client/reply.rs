//! Messages that belong to one session: welcome, acknowledgements, errors, notices.
//!
//! The serde attributes are their JSON and MessagePack form: keys in this order, absent rather
//! than null, empty `errors` absent too.

use fantail_model::Micros;
use serde::{Deserialize, Serialize};

use super::Id;
use super::serde_form::{micros, micros_option};
use crate::codes::Code;

/// A session's limits, told in `welcome` and by `GET /v1/session`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most channels a session may hold.
    pub channels: u32,
    /// Most channels a command may name.
    pub channels_per_command: u32,
    /// Sustained commands per second.
    pub commands_per_s: u32,
    /// Commands allowed in a burst.
    pub commands_burst: u32,
    /// Longest message a client may send, in bytes.
    pub message_bytes: u32,
}

/// One acknowledged channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Channel name.
    pub channel: String,
    /// The node's number of it.
    pub ch: u32,
    /// Current epoch; `None` before the channel's first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// What the first event continues; `None` before the channel's first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// True when the missed events follow, without a snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
}

/// One channel that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Channel name or pattern as the client wrote it.
    pub channel: String,
    /// Catalogue code.
    pub code: Code,
    /// Reason, limit and fix.
    pub message: String,
}

/// Machine-readable part of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Byte offset of the mistake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The limit that was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How much was used or asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
}

/// A message to one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Reply {
    /// The first message of a session.
    Welcome {
        /// Session id.
        session: String,
        /// Node name.
        node: String,
        /// Protocol version: 1.
        protocol: u32,
        /// Server time.
        #[serde(with = "micros")]
        time: Micros,
        /// Interval of server pings.
        heartbeat_ms: u32,
        /// What this session may do.
        limits: Limits,
        /// `sub` of the credentials, or the key's user, or `anonymous`.
        user: String,
        /// When the credentials end.
        #[serde(with = "micros_option", default, skip_serializing_if = "Option::is_none")]
        expires: Option<Micros>,
    },
    /// Answer to subscribe.
    Subscribed {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// What runs now.
        channels: Vec<Ack>,
        /// What was refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<Refusal>,
    },
    /// Answer to unsubscribe, or the server's own notice with a reason.
    Unsubscribed {
        /// Echoed; absent on a notice.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// What was stopped.
        channels: Vec<String>,
        /// What was refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<Refusal>,
        /// Why the server stopped them.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Answer to list.
    Subscriptions {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// Concrete channels.
        channels: Vec<String>,
        /// Wildcard patterns that go on expanding.
        patterns: Vec<String>,
    },
    /// Answer to ping.
    Pong {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// Server time.
        #[serde(with = "micros")]
        time: Micros,
    },
    /// Answer to auth.
    Authenticated {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// When the new credentials end.
        #[serde(with = "micros_option", default, skip_serializing_if = "Option::is_none")]
        expires: Option<Micros>,
    },
    /// A refused command, or a notice that concerns the session.
    Error {
        /// Echoed, if it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// Catalogue code.
        code: Code,
        /// Reason, limit and fix.
        message: String,
        /// Machine-readable part.
        #[serde(default, skip_serializing_if = "Details::is_empty")]
        details: Details,
    },
    /// Events that had a position but cannot be delivered: `from..=to` are missing.
    Gap {
        /// Channel name.
        channel: String,
        /// Its number.
        #[serde(skip)]
        ch: u32,
        /// Epoch of the range.
        epoch: u64,
        /// First missing seq.
        from: u64,
        /// Last missing seq; `None` when this node cannot know it (an epoch it never saw end).
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
        /// Why.
        reason: String,
    },
    /// No feed owner speaks for the channel any more (unpositioned).
    Stale {
        /// Channel name.
        channel: String,
        /// Its number.
        #[serde(skip)]
        ch: u32,
        /// Why (`ingest_silent`).
        reason: String,
    },
    /// Alive.
    Heartbeat {
        /// Counts up.
        n: u64,
        /// Server time.
        #[serde(with = "micros")]
        time: Micros,
    },
    /// A planned close follows.
    Goodbye {
        /// Name of the close code's row.
        code: Code,
        /// When to come back.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

impl Details {
    /// True when there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
