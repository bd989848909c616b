//! What a client asks, as values.
//!
//! The serde attributes are how a client writes them; reading them is `strict`'s business, which
//! refuses what serde would forgive.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::codes::Code;

/// A client's own mark on a command, echoed in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(i64),
    /// A string, at most [`CommandLimits::id_bytes`] long.
    Text(String),
}

/// Where to resume a channel: the last message the client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct From {
    /// Its epoch.
    pub epoch: u64,
    /// Its seq.
    pub seq: u64,
    /// Its receive time at ingest, µs; a hint for deep resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx: Option<i64>,
}

/// One channel of a subscribe command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeItem {
    /// Channel name or pattern, as the client wrote it.
    pub channel: String,
    /// Resume here instead of starting with a snapshot.
    pub from: Option<From>,
    /// Start with up to this many past events (trades, candles).
    pub history: Option<u32>,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Command {
    /// Start channels.
    Subscribe {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// What to start.
        channels: Vec<SubscribeItem>,
    },
    /// Stop channels or patterns.
    Unsubscribe {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// What to stop.
        channels: Vec<String>,
    },
    /// Name the session's channels.
    List {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
    },
    /// Answer at once.
    Ping {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
    },
    /// A fresh token in band.
    Auth {
        /// Echoed.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        /// The JWT. Never logged.
        token: String,
    },
}

/// Bounds of one command, checked while it is read.
#[derive(Clone, Copy, Debug)]
pub struct CommandLimits {
    /// Most channels a command may name.
    pub channels: usize,
    /// Longest `id` string.
    pub id_bytes: usize,
    /// Deepest nesting of JSON or MessagePack.
    pub depth: usize,
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self { channels: 200, id_bytes: 64, depth: 32 }
    }
}

/// Why a command was refused; becomes an `error` reply, and the session lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// The command's id, if it could still be read.
    pub id: Option<Id>,
    /// Catalogue code (`BAD_REQUEST`, `LIMIT_EXCEEDED`, …).
    pub code: Code,
    /// Reason, limit and fix, for a person.
    pub message: String,
    /// Byte offset of the mistake, where known.
    pub at: Option<usize>,
}

impl Serialize for SubscribeItem {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let options = usize::from(self.from.is_some()) + usize::from(self.history.is_some());
        if options == 0 {
            return to.serialize_str(&self.channel);
        }
        let mut map = to.serialize_struct("channel", 1 + options)?;
        map.serialize_field("channel", &self.channel)?;
        if let Some(from) = &self.from {
            map.serialize_field("from", from)?;
        }
        if let Some(history) = &self.history {
            map.serialize_field("history", history)?;
        }
        map.end()
    }
}

impl Command {
    /// The client's mark on it.
    pub const fn id(&self) -> Option<&Id> {
        match self {
            Self::Subscribe { id, .. }
            | Self::Unsubscribe { id, .. }
            | Self::List { id }
            | Self::Ping { id }
            | Self::Auth { id, .. } => id.as_ref(),
        }
    }
}
