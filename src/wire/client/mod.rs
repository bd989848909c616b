//! The native client protocol, version 1: its messages as values, and one codec per encoding.
//!
//! Data messages are borrowed views of model values, encoded once per (channel, encoding) and
//! shared by every subscriber; replies belong to one session. JSON and MessagePack share one
//! serde description; Protobuf follows `schemas/client.proto`. `schemas/vectors/` binds them all.

mod command;
mod data;
mod decode;
mod encode;
mod limits;
mod message;
pub(crate) mod protobuf;
mod reply;
pub(crate) mod serde_form;
mod strict;

pub use command::{Command, CommandError, CommandLimits, From, Id, SubscribeItem};
pub use data::{BookSnapshot, EventMessage};
pub use decode::{MessageError, decode_command, decode_message};
pub use encode::{encode_batch, encode_command, encode_event, encode_reply, encode_snapshot};
pub use message::{DataMessage, ServerMessage, SnapshotMessage};
pub use reply::{Ack, Details, Limits, Refusal, Reply};

/// How messages are written on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-8 JSON in text frames.
    Json,
    /// MessagePack maps with JSON's keys, in binary frames.
    MsgPack,
    /// `schemas/client.proto` in binary frames.
    Protobuf,
}

impl Encoding {
    /// Every encoding, in index order.
    pub const ALL: [Encoding; 3] = [Self::Json, Self::MsgPack, Self::Protobuf];

    /// The WebSocket subprotocol that selects it.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "fantail.v1.json",
            Self::MsgPack => "fantail.v1.msgpack",
            Self::Protobuf => "fantail.v1.protobuf",
        }
    }

    /// From a subprotocol name.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.subprotocol() == name)
    }

    /// Label in metrics and on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
            Self::Protobuf => "protobuf",
        }
    }

    /// Whether messages travel in text frames.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Json)
    }
}
