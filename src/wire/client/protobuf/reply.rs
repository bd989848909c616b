//! Replies ⇄ their Protobuf messages.

use fantail_model::Micros;

use super::server::wrap;
use crate::client::{Ack, Details, Id, Limits, Refusal, Reply};
use crate::codes::Code;
use crate::generated as proto;
use crate::generated::server_message::Message as Wire;

/// Appends a reply.
pub(crate) fn encode(reply: &Reply, out: &mut Vec<u8>) {
    wrap(write(reply), out);
}

/// An id on its way out.
pub(super) fn id_out(id: &Option<Id>) -> Option<proto::Id> {
    let id = match id.as_ref()? {
        Id::Number(number) => proto::id::Id::Number(*number),
        Id::Text(text) => proto::id::Id::Text(text.clone()),
    };
    Some(proto::Id { id: Some(id) })
}

/// An id just read.
pub(super) fn id_in(id: Option<proto::Id>) -> Option<Id> {
    Some(match id?.id? {
        proto::id::Id::Number(number) => Id::Number(number),
        proto::id::Id::Text(text) => Id::Text(text),
    })
}

fn write(reply: &Reply) -> Wire {
    match reply {
        Reply::Welcome { session, node, protocol, time, heartbeat_ms, limits, user, expires } => {
            Wire::Welcome(proto::Welcome {
                session: session.clone(),
                node: node.clone(),
                protocol: *protocol,
                time: time.0,
                heartbeat_ms: *heartbeat_ms,
                limits: Some(limits_out(limits)),
                user: user.clone(),
                expires: expires.map(|time| time.0),
            })
        }
        Reply::Subscribed { id, channels, errors } => Wire::Subscribed(proto::Subscribed {
            id: id_out(id),
            channels: channels.iter().map(ack_out).collect(),
            errors: errors.iter().map(refusal_out).collect(),
        }),
        Reply::Unsubscribed { id, channels, errors, reason } => {
            let (channels, reason) = (channels.clone(), reason.clone());
            let errors = errors.iter().map(refusal_out).collect();
            Wire::Unsubscribed(proto::Unsubscribed { id: id_out(id), channels, errors, reason })
        }
        Reply::Subscriptions { id, channels, patterns } => {
            let (channels, patterns) = (channels.clone(), patterns.clone());
            Wire::Subscriptions(proto::Subscriptions { id: id_out(id), channels, patterns })
        }
        Reply::Pong { id, time } => Wire::Pong(proto::Pong { id: id_out(id), time: time.0 }),
        Reply::Authenticated { id, expires } => {
            let expires = expires.map(|time| time.0);
            Wire::Authenticated(proto::Authenticated { id: id_out(id), expires })
        }
        Reply::Error { id, code, message, details } => Wire::Error(proto::Error {
            id: id_out(id),
            code: code.name().into(),
            message: message.clone(),
            details: details_out(details),
        }),
        Reply::Gap { ch, epoch, from, to, reason, channel: _ } => {
            let (epoch, from, to, reason) = (*epoch, *from, *to, reason.clone());
            Wire::Gap(proto::Gap { ch: *ch, epoch, from, to, reason })
        }
        Reply::Stale { ch, reason, channel: _ } => {
            Wire::Stale(proto::Stale { ch: *ch, reason: reason.clone() })
        }
        Reply::Heartbeat { n, time } => Wire::Heartbeat(proto::Heartbeat { n: *n, time: time.0 }),
        Reply::Goodbye { code, retry_after_ms } => {
            let (code, retry_after_ms) = (code.name().into(), *retry_after_ms);
            Wire::Goodbye(proto::Goodbye { code, retry_after_ms })
        }
    }
}

fn limits_out(limits: &Limits) -> proto::Limits {
    proto::Limits {
        channels: limits.channels,
        channels_per_command: limits.channels_per_command,
        commands_per_s: limits.commands_per_s,
        commands_burst: limits.commands_burst,
        message_bytes: limits.message_bytes,
    }
}

fn ack_out(ack: &Ack) -> proto::Ack {
    proto::Ack {
        channel: ack.channel.clone(),
        ch: ack.ch,
        epoch: ack.epoch,
        seq: ack.seq,
        resumed: ack.resumed,
    }
}

fn refusal_out(refusal: &Refusal) -> proto::Refusal {
    proto::Refusal {
        channel: refusal.channel.clone(),
        code: refusal.code.name().into(),
        message: refusal.message.clone(),
    }
}

fn details_out(details: &Details) -> Option<proto::Details> {
    let Details { at, limit, used } = *details;
    (!details.is_empty()).then_some(proto::Details { at, limit, used })
}

/// A reply just read.
pub(crate) fn read(message: Wire) -> Result<Reply, String> {
    Ok(match message {
        Wire::Welcome(it) => welcome_in(it)?,
        Wire::Subscribed(it) => Reply::Subscribed {
            id: id_in(it.id),
            channels: it.channels.into_iter().map(ack_in).collect(),
            errors: refusals_in(it.errors)?,
        },
        Wire::Unsubscribed(it) => Reply::Unsubscribed {
            id: id_in(it.id),
            channels: it.channels,
            errors: refusals_in(it.errors)?,
            reason: it.reason,
        },
        Wire::Subscriptions(it) => {
            Reply::Subscriptions { id: id_in(it.id), channels: it.channels, patterns: it.patterns }
        }
        Wire::Pong(it) => Reply::Pong { id: id_in(it.id), time: Micros(it.time) },
        Wire::Authenticated(it) => {
            Reply::Authenticated { id: id_in(it.id), expires: it.expires.map(Micros) }
        }
        Wire::Error(it) => {
            let (id, code) = (id_in(it.id), code_in(&it.code)?);
            let proto::Details { at, limit, used } = it.details.unwrap_or_default();
            Reply::Error { id, code, message: it.message, details: Details { at, limit, used } }
        }
        Wire::Gap(proto::Gap { ch, epoch, from, to, reason }) => {
            Reply::Gap { channel: String::new(), ch, epoch, from, to, reason }
        }
        Wire::Stale(proto::Stale { ch, reason }) => {
            Reply::Stale { channel: String::new(), ch, reason }
        }
        Wire::Heartbeat(it) => Reply::Heartbeat { n: it.n, time: Micros(it.time) },
        Wire::Goodbye(it) => {
            Reply::Goodbye { code: code_in(&it.code)?, retry_after_ms: it.retry_after_ms }
        }
        Wire::Event(_) | Wire::Batch(_) | Wire::Snapshot(_) => return Err("not a reply".into()),
    })
}

fn welcome_in(welcome: proto::Welcome) -> Result<Reply, String> {
    let limits = welcome.limits.ok_or("`limits` is missing")?;
    Ok(Reply::Welcome {
        session: welcome.session,
        node: welcome.node,
        protocol: welcome.protocol,
        time: Micros(welcome.time),
        heartbeat_ms: welcome.heartbeat_ms,
        limits: Limits {
            channels: limits.channels,
            channels_per_command: limits.channels_per_command,
            commands_per_s: limits.commands_per_s,
            commands_burst: limits.commands_burst,
            message_bytes: limits.message_bytes,
        },
        user: welcome.user,
        expires: welcome.expires.map(Micros),
    })
}

fn ack_in(ack: proto::Ack) -> Ack {
    let proto::Ack { channel, ch, epoch, seq, resumed } = ack;
    Ack { channel, ch, epoch, seq, resumed }
}

fn refusals_in(refusals: Vec<proto::Refusal>) -> Result<Vec<Refusal>, String> {
    let read = |it: proto::Refusal| {
        let code = code_in(&it.code)?;
        Ok(Refusal { channel: it.channel, code, message: it.message })
    };
    refusals.into_iter().map(read).collect()
}

fn code_in(name: &str) -> Result<Code, String> {
    Code::from_name(name).ok_or_else(|| format!("`{name}` is no name of codes.toml"))
}
