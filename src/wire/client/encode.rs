//! Values → bytes of a message, in any encoding.
//!
//! Appends to the caller's buffer, so one allocation serves many messages. Decides nothing about
//! frames or compression.

use super::serde_form::event::{BatchForm, EventForm, SnapshotForm};
use super::serde_form::{to_json, to_msgpack};
use super::{BookSnapshot, Command, Encoding, EventMessage, Reply, protobuf};

/// Appends one event message.
pub fn encode_event(encoding: Encoding, message: &EventMessage<'_>, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => to_json(&EventForm::of(message), out),
        Encoding::MsgPack => to_msgpack(&EventForm::of(message), out),
        Encoding::Protobuf => protobuf::server::event(message, out),
    }
}

/// Appends one `batch` of events, all of the channel of the first; nothing for no events.
pub fn encode_batch(encoding: Encoding, events: &[EventMessage<'_>], out: &mut Vec<u8>) {
    if events.is_empty() {
        return;
    }
    match encoding {
        Encoding::Json => to_json(&BatchForm(events), out),
        Encoding::MsgPack => to_msgpack(&BatchForm(events), out),
        Encoding::Protobuf => protobuf::server::batch(events, out),
    }
}

/// Appends one book snapshot.
pub fn encode_snapshot(encoding: Encoding, snapshot: &BookSnapshot<'_>, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => to_json(&SnapshotForm(snapshot), out),
        Encoding::MsgPack => to_msgpack(&SnapshotForm(snapshot), out),
        Encoding::Protobuf => protobuf::server::snapshot(snapshot, out),
    }
}

/// Appends one reply.
pub fn encode_reply(encoding: Encoding, reply: &Reply, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => to_json(reply, out),
        Encoding::MsgPack => to_msgpack(reply, out),
        Encoding::Protobuf => protobuf::reply::encode(reply, out),
    }
}

/// Appends one command, as a client sends it.
pub fn encode_command(encoding: Encoding, command: &Command, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => to_json(command, out),
        Encoding::MsgPack => to_msgpack(command, out),
        Encoding::Protobuf => protobuf::command::encode(command, out),
    }
}
