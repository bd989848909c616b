//! `ClientMessage` ⇄ commands.
//!
//! Unknown fields are skipped by prost and by decision: refusing them applies to JSON and
//! MessagePack. An absent or unknown `op` is refused.

use prost::Message;

use super::reply::{id_in, id_out};
use super::write;
use crate::client::strict::fault;
use crate::client::{Command, CommandError, CommandLimits, From, Id, SubscribeItem};
use crate::generated as proto;
use crate::generated::client_message::Op;

/// Appends a command.
pub(crate) fn encode(command: &Command, out: &mut Vec<u8>) {
    let op = match command {
        Command::Subscribe { channels, .. } => {
            Op::Subscribe(proto::Subscribe { channels: channels.iter().map(item_out).collect() })
        }
        Command::Unsubscribe { channels, .. } => {
            Op::Unsubscribe(proto::Unsubscribe { channels: channels.clone() })
        }
        Command::List { .. } => Op::List(proto::List {}),
        Command::Ping { .. } => Op::Ping(proto::Ping {}),
        Command::Auth { token, .. } => Op::Auth(proto::Auth { token: token.clone() }),
    };
    write(&proto::ClientMessage { id: id_out(&command.id().cloned()), op: Some(op) }, out);
}

/// Reads a command.
pub(crate) fn decode(bytes: &[u8], limits: &CommandLimits) -> Result<Command, CommandError> {
    let refuse = |error: prost::DecodeError| {
        let reason = format!("not a ClientMessage of client.proto: {error}");
        fault::bad(None, reason).into_error(None)
    };
    let message = proto::ClientMessage::decode(bytes).map_err(refuse)?;
    let id = id_in(message.id);
    if let Some(Id::Text(text)) = &id
        && text.len() > limits.id_bytes
    {
        return Err(fault::long_id(None, limits).into_error(None));
    }
    let count = match &message.op {
        Some(Op::Subscribe(it)) => it.channels.len(),
        Some(Op::Unsubscribe(it)) => it.channels.len(),
        _ => 0,
    };
    if count > limits.channels {
        return Err(fault::many_channels(None, limits).into_error(id));
    }
    Ok(match message.op {
        Some(Op::Subscribe(it)) => {
            Command::Subscribe { id, channels: it.channels.into_iter().map(item_in).collect() }
        }
        Some(Op::Unsubscribe(it)) => Command::Unsubscribe { id, channels: it.channels },
        Some(Op::List(_)) => Command::List { id },
        Some(Op::Ping(_)) => Command::Ping { id },
        Some(Op::Auth(it)) => Command::Auth { id, token: it.token },
        None => return Err(fault::no_op(None).into_error(id)),
    })
}

fn item_out(item: &SubscribeItem) -> proto::SubscribeItem {
    proto::SubscribeItem {
        channel: item.channel.clone(),
        from: item.from.map(|From { epoch, seq, rx }| proto::From { epoch, seq, rx }),
        history: item.history,
    }
}

fn item_in(item: proto::SubscribeItem) -> SubscribeItem {
    let from = item.from.map(|proto::From { epoch, seq, rx }| From { epoch, seq, rx });
    SubscribeItem { channel: item.channel, from, history: item.history }
}
