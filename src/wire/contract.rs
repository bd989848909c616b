//! Tests that bind all codecs at once: golden vectors, random round trips, hostile bytes.

mod hostile;
mod random;
mod records;
mod replies;
mod samples;
mod skew;
mod vectors;

use fantail_model::Position;

use crate::client::{
    BookSnapshot, DataMessage, Encoding, EventMessage, Reply, ServerMessage, encode_batch,
    encode_event, encode_reply, encode_snapshot,
};

/// The borrowed view of a message that the gateway would encode.
fn event_message(message: &DataMessage) -> EventMessage<'_> {
    EventMessage {
        channel: &message.channel,
        ch: message.ch,
        tx: message.tx,
        event: &message.event,
        crc: message.crc,
        snapshot: message.snapshot,
        n: message.n,
    }
}

/// Encodes any server message.
fn encode_message(encoding: Encoding, message: &ServerMessage) -> Vec<u8> {
    let mut out = Vec::new();
    match message {
        ServerMessage::Data(data) => encode_event(encoding, &event_message(data), &mut out),
        ServerMessage::Batch(events) => {
            let events: Vec<_> = events.iter().map(event_message).collect();
            encode_batch(encoding, &events, &mut out);
        }
        ServerMessage::Snapshot(book) => {
            let snapshot = BookSnapshot {
                channel: &book.channel,
                ch: book.ch,
                position: book.position,
                ts: book.ts,
                rx: book.rx,
                tx: book.tx,
                vseq: book.vseq,
                levels: &book.levels,
                crc: book.crc,
            };
            encode_snapshot(encoding, &snapshot, &mut out);
        }
        ServerMessage::Reply(reply) => encode_reply(encoding, reply, &mut out),
    }
    out
}

/// What a client of this encoding reads: names or numbers of channels, epochs where they travel.
fn as_read(encoding: Encoding, message: &ServerMessage) -> ServerMessage {
    let named = |channel: &mut String, ch: &mut u32| match encoding {
        Encoding::Protobuf => channel.clear(),
        Encoding::Json | Encoding::MsgPack => *ch = 0,
    };
    let event = |data: &mut DataMessage| {
        named(&mut data.channel, &mut data.ch);
        if !data.event.reset && !data.snapshot {
            data.event.position = Position::new(0, data.event.position.seq);
        }
    };
    let mut message = message.clone();
    match &mut message {
        ServerMessage::Data(data) => event(data),
        ServerMessage::Batch(events) => events.iter_mut().for_each(event),
        ServerMessage::Snapshot(book) => named(&mut book.channel, &mut book.ch),
        ServerMessage::Reply(Reply::Gap { channel, ch, .. } | Reply::Stale { channel, ch, .. }) => {
            named(channel, ch);
        }
        ServerMessage::Reply(_) => {}
    }
    message
}
