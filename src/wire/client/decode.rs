//! Bytes of a message → values, in any encoding.
//!
//! Commands come from strangers and are read strictly (`strict`); messages come from a server one
//! chose and are read so that an older client survives a newer server.

use super::serde_form::incoming::{BatchIn, EventIn, Head, Type};
use super::serde_form::{from_json, from_msgpack};
use super::{Command, CommandError, CommandLimits, DataMessage, Encoding, Reply, ServerMessage};
use super::{protobuf, strict};

/// Why a server's message could not be read: the server's fault, or it is newer than this client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the server's message: {reason}")]
pub struct MessageError {
    /// What is wrong with it.
    pub reason: String,
}

/// Reads a client's command, strictly: what is not understood whole is refused.
pub fn decode_command(
    encoding: Encoding,
    bytes: &[u8],
    limits: &CommandLimits,
) -> Result<Command, CommandError> {
    match encoding {
        Encoding::Json => strict::json::command(bytes, limits),
        Encoding::MsgPack => strict::msgpack::command(bytes, limits),
        Encoding::Protobuf => protobuf::command::decode(bytes, limits),
    }
}

/// Reads a server's message, as a client does. Ignores fields it does not know.
pub fn decode_message(encoding: Encoding, bytes: &[u8]) -> Result<ServerMessage, MessageError> {
    let message = match encoding {
        Encoding::Json => message(&Json(bytes)),
        Encoding::MsgPack => message(&MsgPack(bytes)),
        Encoding::Protobuf => protobuf::server::decode(bytes),
    };
    message.map_err(|reason| MessageError { reason })
}

/// A self-describing message that can be read more than once.
trait Form {
    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, String>;
}

struct Json<'a>(&'a [u8]);
struct MsgPack<'a>(&'a [u8]);

impl Form for Json<'_> {
    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        from_json(self.0)
    }
}

impl Form for MsgPack<'_> {
    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        from_msgpack(self.0)
    }
}

fn message(form: &impl Form) -> Result<ServerMessage, String> {
    match form.read::<Head>()?.kind {
        Type::Batch => form.read().and_then(batch).map(ServerMessage::Batch),
        Type::Snapshot => form.read::<EventIn>()?.into_snapshot().map(ServerMessage::Snapshot),
        Type::Reply => form.read::<Reply>().map(ServerMessage::Reply),
        Type::Instrument | Type::FeedHeartbeat => Err("a bus record, not a message".into()),
        _ => form.read::<EventIn>()?.into_data(None).map(ServerMessage::Data),
    }
}

fn batch(batch: BatchIn) -> Result<Vec<DataMessage>, String> {
    let channel = batch.channel;
    batch.events.into_iter().map(|event| event.into_data(Some(&channel))).collect()
}
