//! Tests of the frame codec as a whole, and what they share: a peer's bytes and decoding them.
//!
//! `wNN_` names a row of the fault catalogue.

mod compression;
mod distances;
mod fuzz;
mod offers;
mod round_trip;
mod rows;
mod rows_limits;
mod rows_text;

use flate2::{Compress, Compression, FlushCompress};

use super::decode::{Decoder, Message, Role};
use super::encode::client_fragment;
use super::error::DecodeError;
use super::header::{Lead, Opcode};
use super::inflate::Inflater;
use super::limits::Limits;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A message that outlives the decoder's buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Message<'_>> for Owned {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.to_owned()),
            Message::Binary(payload) => Self::Binary(payload.to_vec()),
            Message::Ping(payload) => Self::Ping(payload.to_vec()),
            Message::Pong(payload) => Self::Pong(payload.to_vec()),
            Message::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }
}

fn text(text: &str) -> Owned {
    Owned::Text(text.to_owned())
}

/// A connection's incoming side with everything it said so far.
struct Peer {
    decoder: Decoder,
    inflater: Inflater,
    messages: Vec<Owned>,
}

impl Peer {
    fn new(role: Role, deflate: bool) -> Self {
        let decoder = Decoder::new(role, Limits::default(), deflate);
        Self { decoder, inflater: Inflater::new(), messages: Vec::new() }
    }

    fn client(deflate: bool) -> Self {
        Self::new(Role::Server, deflate)
    }

    /// Feeds one read's worth of bytes.
    fn read(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut bytes = bytes.to_vec();
        let mut at = 0;
        while at < bytes.len() {
            let step = self.decoder.feed(&mut bytes[at..], &mut self.inflater)?;
            assert!(step.consumed > 0, "no progress");
            at += step.consumed;
            self.messages.extend(step.message.map(Owned::from));
        }
        Ok(())
    }
}

/// Decodes a client's bytes in reads of several sizes, which must make no difference.
fn decode(bytes: &[u8], deflate: bool) -> (Vec<Owned>, Result<(), DecodeError>) {
    let outcomes = [bytes.len().max(1), 1, 2, 7].map(|read_bytes| {
        let mut peer = Peer::client(deflate);
        let result = bytes.chunks(read_bytes).try_for_each(|piece| peer.read(piece));
        if result.is_err() || peer.decoder.is_finished() {
            assert_eq!(peer.decoder.held_bytes(), 0);
        }
        (peer.messages, result)
    });
    let [whole, rest @ ..] = outcomes;
    for other in rest {
        assert_eq!(whole, other);
    }
    whole
}

/// A valid message, then `bytes`: the first must be delivered, the second refused as `expected`.
fn refused(bytes: &[u8], deflate: bool, expected: DecodeError) {
    let mut stream = frame(Opcode::Text, b"before");
    stream.extend_from_slice(bytes);
    let (messages, result) = decode(&stream, deflate);
    assert_eq!((messages, result), (vec![text("before")], Err(expected)), "{bytes:x?}");
}

/// Nothing wrong with it; the messages.
fn accepted(bytes: &[u8], deflate: bool) -> Vec<Owned> {
    let (messages, result) = decode(bytes, deflate);
    assert_eq!(result, Ok(()));
    messages
}

/// A masked frame with FIN.
fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    fragment(true, opcode, payload)
}

fn fragment(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    raw(Lead { fin, rsv1: false, opcode }, payload)
}

/// A masked frame with FIN and RSV1.
fn compressed(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    raw(Lead { fin: true, rsv1: true, opcode }, payload)
}

fn raw(lead: Lead, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    client_fragment(lead, payload, MASK, &mut out);
    out
}

/// What a client's compressor makes of a message.
fn client_deflate(payload: &[u8], window_bits: u8) -> Vec<u8> {
    let mut stream = Compress::new_with_window_bits(Compression::new(6), false, window_bits);
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 8 + 64);
    stream.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
    assert!(out.len() < out.capacity() && out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out.truncate(out.len() - 4);
    out
}

/// Bytes no compressor can shrink.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(next).collect()
}
