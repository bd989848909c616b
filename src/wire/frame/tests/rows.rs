//! Rows W01–W06, W12 and W19: what a frame must look like and when it may come.

use super::super::decode::Role;
use super::super::error::DecodeError;
use super::super::header::{Lead, Opcode};
use super::super::{close, encode};
use super::{MASK, Owned, Peer, accepted, compressed, decode, fragment, frame, raw, refused, text};

#[test]
fn w01_unmasked_client_frame_closes_1002() {
    // Refused at the second byte, before anything else of the frame is there.
    for bytes in [&b"\x81\x05Hello"[..], b"\x81\x05", b"\x89\x00", b"\x88\x02\x03\xe8"] {
        refused(bytes, false, DecodeError::Unmasked);
    }
    assert_eq!(DecodeError::Unmasked.close_code(), 1002);
    assert_eq!(DecodeError::Unmasked.reason(), "client frames must be masked");
}

#[test]
fn w01_masked_server_frame_is_refused_by_a_client() {
    let mut peer = Peer::new(Role::Client, false);
    assert_eq!(peer.read(&frame(Opcode::Text, b"x")), Err(DecodeError::Masked));
    let mut peer = Peer::new(Role::Client, false);
    assert_eq!(peer.read(b"\x81\x05Hello"), Ok(()));
    assert_eq!(peer.messages, [text("Hello")]);
}

#[test]
fn w02_reserved_bits_close_1002() {
    for rsv in [0x10, 0x20, 0x30, 0x50, 0x60, 0x70] {
        for opcode in [0, 1, 2, 8, 9, 10] {
            refused(&[0x80 | rsv | opcode], false, DecodeError::ReservedBits);
            refused(&[0x80 | rsv | opcode], true, DecodeError::ReservedBits);
        }
    }
    refused(&[0xC1], false, DecodeError::ReservedBits);
    refused(&[0xC2], false, DecodeError::ReservedBits);
    assert_eq!(DecodeError::ReservedBits.close_code(), 1002);
}

#[test]
fn w02_rsv1_on_a_continuation_closes_1002() {
    let mut bytes = fragment(false, Opcode::Text, b"a");
    bytes.push(0xC0);
    refused(&bytes, true, DecodeError::ReservedBits);
}

#[test]
fn w03_reserved_opcodes_close_1002() {
    for opcode in (3..=7).chain(11..=15) {
        refused(&[0x80 | opcode], false, DecodeError::ReservedOpcode);
        refused(&[opcode], true, DecodeError::ReservedOpcode);
    }
    assert_eq!(DecodeError::ReservedOpcode.close_code(), 1002);
}

#[test]
fn w04_bad_control_frames_close_1002() {
    for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
        let byte = opcode as u8;
        refused(&[0x80 | byte, 0x80 | 126], false, DecodeError::ControlTooLong);
        refused(&[0x80 | byte, 0x80 | 127], false, DecodeError::ControlTooLong);
        refused(&[byte], false, DecodeError::ControlFragmented);
        refused(&[0xC0 | byte], true, DecodeError::ReservedBits);
    }
    let full = [7; 125];
    assert_eq!(accepted(&frame(Opcode::Ping, &full), false), [Owned::Ping(full.to_vec())]);
    for error in [DecodeError::ControlTooLong, DecodeError::ControlFragmented] {
        assert_eq!(error.close_code(), 1002);
    }
}

#[test]
fn w04_control_frames_come_between_fragments() {
    let bytes = [
        fragment(false, Opcode::Text, "κό".as_bytes()),
        frame(Opcode::Ping, b"one"),
        fragment(false, Opcode::Continuation, b""),
        frame(Opcode::Pong, b""),
        fragment(true, Opcode::Continuation, "σμε".as_bytes()),
    ];
    let expected = [Owned::Ping(b"one".to_vec()), Owned::Pong(Vec::new()), text("κόσμε")];
    assert_eq!(accepted(&bytes.concat(), false), expected);
}

#[test]
fn w05_misplaced_fragments_close_1002() {
    for fin in [0x00, 0x80] {
        refused(&[fin], false, DecodeError::UnexpectedContinuation);
    }
    // Nothing to continue after a message that was complete, however it ended.
    let mut ended = fragment(false, Opcode::Binary, b"a");
    ended.extend(fragment(true, Opcode::Continuation, b"b"));
    ended.push(0x80);
    let (messages, result) = decode(&ended, false);
    assert_eq!(messages, [Owned::Binary(b"ab".to_vec())]);
    assert_eq!(result, Err(DecodeError::UnexpectedContinuation));

    for opcode in [0x01, 0x02, 0x81, 0x82] {
        let mut bytes = fragment(false, Opcode::Text, b"a");
        bytes.push(opcode);
        refused(&bytes, false, DecodeError::UnfinishedMessage);
    }
    for error in [DecodeError::UnexpectedContinuation, DecodeError::UnfinishedMessage] {
        assert_eq!(error.close_code(), 1002);
    }
}

#[test]
fn w06_bad_lengths_are_refused_before_allocating() {
    let too_big = DecodeError::TooBig { limit: 65_536 };
    let long = |length: u64| [&[0x82, 0xFF][..], &length.to_be_bytes()].concat();
    let short = |length: u16| [&[0x82, 0xFE][..], &length.to_be_bytes()].concat();
    let cases = [
        (long(1 << 63), DecodeError::LengthEncoding),
        (long(u64::MAX), DecodeError::LengthEncoding),
        (long((1 << 63) - 1), too_big),
        (long(1 << 32), too_big),
        (long(65_537), too_big),
        (long(65_535), DecodeError::LengthEncoding),
        (long(0), DecodeError::LengthEncoding),
        (short(125), DecodeError::LengthEncoding),
        (short(0), DecodeError::LengthEncoding),
    ];
    for (bytes, expected) in cases {
        refused(&bytes, false, expected);
        let mut peer = Peer::client(false);
        assert_eq!(peer.read(&bytes), Err(expected));
        assert_eq!(peer.decoder.held_bytes() + peer.inflater.held_bytes(), 0);
    }
    assert_eq!(DecodeError::LengthEncoding.close_code(), 1002);
    assert_eq!(too_big.close_code(), 1009);
}

#[test]
fn w12_close_codes() {
    let payload = |code: u16| encode::close_payload(code, "why");
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let messages = accepted(&frame(Opcode::Close, &payload(code)), false);
        assert_eq!(messages, [Owned::Close(Some(code), "why".to_owned())]);
    }
    let unassigned = [1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    for code in (0..1000).chain(unassigned) {
        refused(&frame(Opcode::Close, &payload(code)), false, DecodeError::CloseFrame);
    }
    refused(&frame(Opcode::Close, b"\x03"), false, DecodeError::CloseFrame);
    assert_eq!(DecodeError::CloseFrame.close_code(), 1002);
    let empty = accepted(&frame(Opcode::Close, b""), false);
    assert_eq!(empty, [Owned::Close(None, String::new())]);
    // What we answer never depends on what we were sent.
    assert_eq!(close::ANSWER, 1000);
}

#[test]
fn w12_data_after_close_is_ignored() {
    let mut bytes = frame(Opcode::Close, &encode::close_payload(1000, ""));
    bytes.extend(frame(Opcode::Text, b"late"));
    bytes.extend([0xFF; 100]);
    assert_eq!(accepted(&bytes, false), [Owned::Close(Some(1000), String::new())]);
    // So is a message the close frame interrupted.
    let mut bytes = fragment(false, Opcode::Text, b"half");
    bytes.extend(frame(Opcode::Close, b""));
    bytes.extend(fragment(true, Opcode::Continuation, b""));
    assert_eq!(accepted(&bytes, false), [Owned::Close(None, String::new())]);
}

#[test]
fn w12_data_after_an_error_is_ignored() {
    let mut peer = Peer::client(false);
    assert_eq!(peer.read(&[0xFF]), Err(DecodeError::ReservedBits));
    assert!(peer.decoder.is_finished());
    assert_eq!(peer.read(&frame(Opcode::Text, b"late")), Ok(()));
    assert_eq!(peer.messages, []);
}

#[test]
fn w19_odd_but_legal_frames() {
    for mask in [[0; 4], [0xFF; 4], [0, 0, 0, 1], MASK] {
        let mut bytes = Vec::new();
        encode::client_frame(Opcode::Text, false, b"a\0b", mask, &mut bytes);
        encode::client_frame(Opcode::Binary, false, &[0xFF; 70], mask, &mut bytes);
        let expected = [text("a\0b"), Owned::Binary(vec![0xFF; 70])];
        assert_eq!(accepted(&bytes, false), expected, "mask {mask:x?}");
    }
    let first = Lead { fin: false, rsv1: false, opcode: Opcode::Text };
    let nothing = [raw(first, b""), fragment(true, Opcode::Continuation, b"")].concat();
    assert_eq!(accepted(&nothing, false), [text("")]);
    assert_eq!(accepted(&compressed(Opcode::Text, b"\0"), true), [text("")]);
}
