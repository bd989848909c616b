//! Any sequence of messages, however framed and split, decodes to itself; in both directions.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::decode::Role;
use super::super::deflate::Deflater;
use super::super::encode::{close_payload, deflated_frame, server_frame};
use super::super::header::{Lead, Opcode};
use super::super::limits::FRAGMENTS_MAX;
use super::{Owned, Peer, client_deflate, raw};

fn data() -> impl Strategy<Value = Owned> {
    let noise = vec(any::<u8>(), 0..700);
    let large = (any::<u8>(), 0..65_536_usize).prop_map(|(byte, bytes)| vec![byte; bytes]);
    prop_oneof![
        3 => "\\PC{0,300}".prop_map(Owned::Text),
        3 => noise.prop_map(Owned::Binary),
        1 => large.prop_map(Owned::Binary),
    ]
}

fn control() -> impl Strategy<Value = Owned> {
    let payload = || vec(any::<u8>(), 0..=125);
    prop_oneof![payload().prop_map(Owned::Ping), payload().prop_map(Owned::Pong)]
}

/// A data message and how it travels.
#[derive(Debug, Clone)]
struct Sent {
    message: Owned,
    compress: bool,
    /// Where the payload is cut into fragments.
    cuts: Vec<prop::sample::Index>,
    /// What comes after each fragment but the last.
    between: Vec<Option<Owned>>,
}

prop_compose! {
    fn sent()(
        message in data(),
        compress in any::<bool>(),
        cuts in vec(any::<prop::sample::Index>(), 0..FRAGMENTS_MAX as usize),
        between in vec(prop::option::of(control()), 32),
    ) -> Sent {
        Sent { message, compress, cuts, between }
    }
}

fn opcode_and_payload(message: &Owned) -> (Opcode, Vec<u8>) {
    match message {
        Owned::Text(text) => (Opcode::Text, text.clone().into_bytes()),
        Owned::Binary(payload) => (Opcode::Binary, payload.clone()),
        Owned::Ping(payload) => (Opcode::Ping, payload.clone()),
        Owned::Pong(payload) => (Opcode::Pong, payload.clone()),
        Owned::Close(code, reason) => {
            (Opcode::Close, code.map_or_else(Vec::new, |code| close_payload(code, reason)))
        }
    }
}

/// The client's bytes; adds what they mean to `expected`.
fn client_bytes(sent: &Sent, expected: &mut Vec<Owned>) -> Vec<u8> {
    let (opcode, plain) = opcode_and_payload(&sent.message);
    let payload = if sent.compress { client_deflate(&plain, 15) } else { plain };
    let mut cuts: Vec<usize> = sent.cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
    cuts.sort_unstable();
    let mut out = Vec::new();
    let mut start = 0;
    for (index, end) in cuts.iter().enumerate() {
        let opcode = if index == 0 { opcode } else { Opcode::Continuation };
        let lead = Lead { fin: false, rsv1: index == 0 && sent.compress, opcode };
        out.extend(raw(lead, &payload[start..*end]));
        start = *end;
        if let Some(control) = &sent.between[index] {
            let (opcode, payload) = opcode_and_payload(control);
            out.extend(raw(Lead { fin: true, rsv1: false, opcode }, &payload));
            expected.push(control.clone());
        }
    }
    let opcode = if cuts.is_empty() { opcode } else { Opcode::Continuation };
    let rsv1 = cuts.is_empty() && sent.compress;
    out.extend(raw(Lead { fin: true, rsv1, opcode }, &payload[start..]));
    expected.push(sent.message.clone());
    out
}

/// Reads `bytes` in pieces of the given sizes, over and over.
fn read_split(peer: &mut Peer, mut bytes: &[u8], sizes: &[usize]) {
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            return;
        }
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        peer.read(piece).unwrap();
        bytes = rest;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_client_sends_arrives(
        sent in vec(sent(), 0..6),
        sizes in vec(prop_oneof![1..6_usize, 1..3_000_usize], 1..20),
        code in prop::option::of(4000..4999_u16),
    ) {
        let mut expected = Vec::new();
        let mut bytes: Vec<u8> =
            sent.iter().flat_map(|sent| client_bytes(sent, &mut expected)).collect();
        let reason = code.map_or_else(String::new, |code| format!("reason {code}"));
        let close = Sent {
            message: Owned::Close(code, reason),
            compress: false,
            cuts: Vec::new(),
            between: Vec::new(),
        };
        bytes.extend(client_bytes(&close, &mut expected));
        let mut peer = Peer::client(true);
        read_split(&mut peer, &bytes, &sizes);
        prop_assert_eq!(peer.messages, expected);
        prop_assert_eq!(peer.decoder.held_bytes(), 0);
    }

    #[test]
    fn what_the_server_sends_arrives(
        messages in vec(prop_oneof![3 => data(), 1 => control()], 0..8),
        sizes in vec(1..3_000_usize, 1..20),
        level in 1..=9_u8,
    ) {
        let mut deflater = Deflater::new(level);
        let mut bytes = Vec::new();
        for message in &messages {
            match opcode_and_payload(message) {
                (opcode, payload) if opcode.is_control() => {
                    server_frame(opcode, false, &payload, &mut bytes);
                }
                (opcode, payload) => {
                    deflated_frame(opcode, &payload, &mut deflater, &mut bytes);
                }
            }
        }
        let mut peer = Peer::new(Role::Client, true);
        read_split(&mut peer, &bytes, &sizes);
        prop_assert_eq!(peer.messages, messages);
    }
}
