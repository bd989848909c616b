//! `ServerMessage`: data both ways, and the way in to replies.

use fantail_model::{Micros, Position};
use prost::Message;

use super::{event_in, event_out, levels_in, levels_out, reply, write};
use crate::client::{BookSnapshot, DataMessage, EventMessage, ServerMessage, SnapshotMessage};
use crate::generated as proto;
use crate::generated::server_message::Message as Wire;

/// Appends a message of one kind.
pub(super) fn wrap(message: Wire, out: &mut Vec<u8>) {
    write(&proto::ServerMessage { message: Some(message) }, out);
}

/// Appends an event.
pub(crate) fn event(message: &EventMessage<'_>, out: &mut Vec<u8>) {
    wrap(Wire::Event(data_out(message, message.ch)), out);
}

/// Appends a batch; its events carry no `ch` of their own.
pub(crate) fn batch(events: &[EventMessage<'_>], out: &mut Vec<u8>) {
    let ch = events.first().map_or(0, |first| first.ch);
    let events = events.iter().map(|message| data_out(message, 0)).collect();
    wrap(Wire::Batch(proto::Batch { ch, events }), out);
}

/// Appends a whole book.
pub(crate) fn snapshot(book: &BookSnapshot<'_>, out: &mut Vec<u8>) {
    let message = proto::Snapshot {
        ch: book.ch,
        epoch: book.position.map(|position| position.epoch),
        seq: book.position.map(|position| position.seq),
        ts: book.ts.map(|ts| ts.0),
        rx: book.rx.0,
        tx: book.tx.0,
        vseq: book.vseq,
        bids: levels_out(&book.levels.bids),
        asks: levels_out(&book.levels.asks),
        crc: book.crc,
    };
    wrap(Wire::Snapshot(message), out);
}

/// Reads any server message.
pub(crate) fn decode(bytes: &[u8]) -> Result<ServerMessage, String> {
    let message = proto::ServerMessage::decode(bytes).map_err(|error| error.to_string())?;
    Ok(match message.message.ok_or("a kind of message this client does not know")? {
        Wire::Event(event) => ServerMessage::Data(data_in(event, None)?),
        Wire::Batch(batch) => {
            let ch = batch.ch;
            let events = batch.events.into_iter().map(|event| data_in(event, Some(ch)));
            ServerMessage::Batch(events.collect::<Result<_, _>>()?)
        }
        Wire::Snapshot(book) => ServerMessage::Snapshot(snapshot_in(book)?),
        other => ServerMessage::Reply(reply::read(other)?),
    })
}

fn data_out(message: &EventMessage<'_>, ch: u32) -> proto::Event {
    proto::Event {
        ch,
        snapshot: message.snapshot,
        tx: message.tx.0,
        crc: message.crc,
        n: message.n,
        ..event_out(message.event, message.event.reset || message.snapshot)
    }
}

fn data_in(event: proto::Event, ch: Option<u32>) -> Result<DataMessage, String> {
    Ok(DataMessage {
        channel: String::new(),
        ch: ch.unwrap_or(event.ch),
        tx: Micros(event.tx),
        crc: event.crc,
        snapshot: event.snapshot,
        n: event.n,
        event: event_in(event)?,
    })
}

fn snapshot_in(book: proto::Snapshot) -> Result<SnapshotMessage, String> {
    let position = match (book.epoch, book.seq) {
        (Some(epoch), Some(seq)) => Some(Position::new(epoch, seq)),
        (None, None) => None,
        _ => return Err("a snapshot has both `epoch` and `seq`, or neither".into()),
    };
    Ok(SnapshotMessage {
        channel: String::new(),
        ch: book.ch,
        position,
        ts: book.ts.map(Micros),
        rx: Micros(book.rx),
        tx: Micros(book.tx),
        vseq: book.vseq,
        levels: levels_in(book.bids, book.asks)?,
        crc: book.crc,
    })
}
