//! Rows W07–W10 and W13: nothing a peer sends makes us hold more, or work more, than allowed.

use std::mem::size_of;

use super::super::decode::Decoder;
use super::super::error::DecodeError;
use super::super::header::{Lead, Opcode};
use super::super::limits::{FRAGMENTS_MAX, MESSAGE_BYTES_MAX};
use super::{
    Owned, Peer, accepted, client_deflate, compressed, fragment, frame, noise, raw, refused, text,
};

const LIMIT: usize = MESSAGE_BYTES_MAX as usize;
const TOO_BIG: DecodeError = DecodeError::TooBig { limit: MESSAGE_BYTES_MAX };

#[test]
fn w07_a_declared_gigabyte_is_refused_from_the_header_alone() {
    // Two bytes and the length: not even the mask is waited for.
    let header = [&[0x82, 0xFF][..], &(1_u64 << 30).to_be_bytes()].concat();
    refused(&header, false, TOO_BIG);
    let mut peer = Peer::client(false);
    assert_eq!(peer.read(&header), Err(TOO_BIG));
    assert_eq!(peer.decoder.held_bytes(), 0);
}

#[test]
fn w07_memory_follows_bytes_received_not_declared() {
    let mut peer = Peer::client(false);
    peer.read(&frame(Opcode::Binary, &[1; LIMIT])[..24]).unwrap();
    assert!((10..100).contains(&peer.decoder.held_bytes()));
}

#[test]
fn w07_an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 104, "{}", size_of::<Decoder>());
    // And after a message in pieces it is as small again.
    let mut peer = Peer::client(false);
    for piece in frame(Opcode::Binary, &[1; 50_000]).chunks(1000) {
        peer.read(piece).unwrap();
    }
    assert_eq!((peer.messages.len(), peer.decoder.held_bytes()), (1, 0));
}

#[test]
fn w08_the_limit_passes_and_one_more_byte_closes_1009() {
    let halves = |bytes: usize| {
        let (head, tail) = (&noise(bytes)[..LIMIT / 2], &noise(bytes)[LIMIT / 2..]);
        [fragment(false, Opcode::Binary, head), fragment(true, Opcode::Continuation, tail)].concat()
    };
    let message = [Owned::Binary(noise(LIMIT))];
    let deflated = |payload: &[u8]| compressed(Opcode::Binary, &client_deflate(payload, 15));
    assert_eq!(accepted(&frame(Opcode::Binary, &noise(LIMIT)), false), message);
    assert_eq!(accepted(&halves(LIMIT), false), message);
    assert_eq!(accepted(&deflated(&noise(LIMIT)), true), message);
    assert_eq!(accepted(&deflated(&[0; LIMIT]), true), [Owned::Binary(vec![0; LIMIT])]);

    refused(&frame(Opcode::Binary, &noise(LIMIT + 1)), false, TOO_BIG);
    refused(&halves(LIMIT + 1), false, TOO_BIG);
    refused(&deflated(&noise(LIMIT + 1)), true, TOO_BIG);
    refused(&deflated(&[0; LIMIT + 1]), true, TOO_BIG);
    assert_eq!(TOO_BIG.close_code(), 1009);
    assert_eq!(TOO_BIG.reason(), "message exceeds 65536 bytes");
}

#[test]
fn w08_the_sum_is_refused_at_the_header_that_exceeds_it() {
    let mut bytes = fragment(false, Opcode::Binary, &noise(LIMIT));
    bytes.extend(&fragment(false, Opcode::Continuation, b"x")[..2]);
    refused(&bytes, false, TOO_BIG);
}

#[test]
fn w09_endless_fragments_close_1008() {
    let too_many = DecodeError::TooManyFragments { limit: FRAGMENTS_MAX };
    for payload in [&b""[..], b"x"] {
        let mut peer = Peer::client(false);
        peer.read(&fragment(false, Opcode::Binary, payload)).unwrap();
        for count in 1..=1_000_000_u32 {
            let result = peer.read(&fragment(false, Opcode::Continuation, payload));
            if count == FRAGMENTS_MAX {
                assert_eq!(result, Err(too_many));
                break;
            }
            assert_eq!(result, Ok(()));
            assert!(peer.decoder.held_bytes() <= LIMIT);
        }
        assert_eq!((peer.messages.len(), peer.decoder.held_bytes()), (0, 0));
    }
    assert_eq!(too_many.close_code(), 1008);

    let mut bytes = fragment(false, Opcode::Text, b"a");
    for _ in 2..FRAGMENTS_MAX {
        bytes.extend(fragment(false, Opcode::Continuation, b""));
    }
    bytes.extend(fragment(true, Opcode::Continuation, b"b"));
    assert_eq!(accepted(&bytes, false), [text("ab")]);
}

#[test]
fn w09_an_unfinished_message_never_holds_more_than_the_limit() {
    let mut peer = Peer::client(false);
    for piece in fragment(false, Opcode::Binary, &noise(LIMIT)).chunks(11) {
        peer.read(piece).unwrap();
        assert!(peer.decoder.held_bytes() <= LIMIT);
    }
}

#[test]
fn w10_one_byte_reads_are_not_quadratic() {
    let words = "€ in pieces ".repeat(LIMIT / 14);
    let mut peer = Peer::client(false);
    let mut growths = 0;
    for byte in frame(Opcode::Text, words.as_bytes()) {
        let before = peer.decoder.held_bytes();
        peer.read(&[byte]).unwrap();
        growths += usize::from(peer.decoder.held_bytes() > before);
    }
    assert_eq!(peer.messages, [text(&words)]);
    // Bytes are stored once and never parsed again; the storage doubles.
    assert!(growths <= 17, "{growths}");
}

#[test]
fn w13_deflate_bombs_stop_at_the_limit() {
    // 64 KiB that would become 64 MiB.
    let bomb = client_deflate(&vec![0; 66_000_000], 15);
    assert!((60_000..LIMIT).contains(&bomb.len()), "{}", bomb.len());
    for _ in 0..100 {
        let mut peer = Peer::client(true);
        assert_eq!(peer.read(&compressed(Opcode::Binary, &bomb)), Err(TOO_BIG));
        assert!(peer.inflater.held_bytes() <= LIMIT + 1, "{}", peer.inflater.held_bytes());
        assert_eq!(peer.decoder.held_bytes(), 0);
    }
    // The same in fragments, and with the weight behind a final block.
    let first = Lead { fin: false, rsv1: true, opcode: Opcode::Binary };
    let (head, tail) = bomb.split_at(bomb.len() / 2);
    refused(&[raw(first, head), frame(Opcode::Continuation, tail)].concat(), true, TOO_BIG);
    refused(&compressed(Opcode::Binary, &[&[0x03, 0x00], &bomb[..]].concat()), true, TOO_BIG);
}

#[test]
fn w13_a_bomb_inside_a_message_is_only_data() {
    let bomb = client_deflate(&vec![0; 10_000_000], 15);
    let nested = compressed(Opcode::Binary, &client_deflate(&bomb, 15));
    assert_eq!(accepted(&nested, true), [Owned::Binary(bomb)]);
}

#[test]
fn w13_final_blocks_are_counted() {
    let blocks = |count: usize| compressed(Opcode::Binary, &[0x03, 0x00].repeat(count));
    assert_eq!(accepted(&blocks(64), true), [Owned::Binary(Vec::new())]);
    refused(&blocks(65), true, DecodeError::InvalidDeflate);
    refused(&blocks(30_000), true, DecodeError::InvalidDeflate);
}
