//! Row W11: invalid UTF-8 is refused at the first byte that makes it so.

use super::super::error::DecodeError;
use super::super::header::{Lead, Opcode};
use super::{Peer, accepted, client_deflate, compressed, fragment, frame, raw, refused, text};

/// Text and the index of its first impossible byte; its length if it only ends too early.
const INVALID: &[(&[u8], usize)] = &[
    (b"\xCE\xBA\xED\xA0\x80edited", 3),
    (b"ok \x80", 3),
    (b"ok \xC0\x80", 3),
    (b"\xE0\x80\xAF", 1),
    (b"\xF0\x80\x80\xAF", 1),
    (b"\xF4\x90\x80\x80", 1),
    (b"\xF8\x88\x80\x80\x80", 0),
    (b"\xFF", 0),
    (b"\xED\xBF\xBF", 1),
    (b"abc\xE2\x82", 5),
    (b"\xF0\x9F\x98", 3),
];

#[test]
fn w11_invalid_text_closes_1007() {
    for (bytes, _) in INVALID {
        refused(&frame(Opcode::Text, bytes), false, DecodeError::InvalidUtf8);
        let deflated = compressed(Opcode::Text, &client_deflate(bytes, 15));
        refused(&deflated, true, DecodeError::InvalidUtf8);
        // As binary it is nobody's business.
        assert_eq!(accepted(&frame(Opcode::Binary, bytes), false).len(), 1);
    }
    assert_eq!(DecodeError::InvalidUtf8.close_code(), 1007);
}

#[test]
fn w11_refused_at_the_first_impossible_byte() {
    for (bytes, impossible_at) in INVALID {
        let mut padded = bytes.to_vec();
        padded.extend([b'.'; 90]);
        let stream = frame(Opcode::Text, &padded);
        let header_bytes = stream.len() - padded.len();
        let mut peer = Peer::client(false);
        let refused_at = stream.iter().position(|byte| peer.read(&[*byte]).is_err());
        assert_eq!(refused_at, Some(header_bytes + impossible_at), "{bytes:x?}");
    }
}

#[test]
fn w11_across_fragments() {
    for (bytes, _) in INVALID {
        for split in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(split);
            let stream =
                [fragment(false, Opcode::Text, head), fragment(true, Opcode::Continuation, tail)];
            refused(&stream.concat(), false, DecodeError::InvalidUtf8);
        }
    }
    let valid = "κόσμε €𐍈";
    for split in 0..=valid.len() {
        let (head, tail) = valid.as_bytes().split_at(split);
        let stream =
            [fragment(false, Opcode::Text, head), fragment(true, Opcode::Continuation, tail)];
        assert_eq!(accepted(&stream.concat(), false), [text(valid)]);
    }
}

#[test]
fn w11_a_fragment_is_judged_without_waiting_for_the_last() {
    let bytes = fragment(false, Opcode::Text, b"\xCE\xBA\xED\xA0");
    refused(&bytes, false, DecodeError::InvalidUtf8);
}

#[test]
fn w11_state_is_not_kept_between_messages() {
    let stream = [
        fragment(false, Opcode::Binary, b"\xE2\x82"),
        fragment(true, Opcode::Continuation, b""),
        fragment(false, Opcode::Text, b"o"),
        fragment(true, Opcode::Continuation, b"k"),
    ];
    assert_eq!(accepted(&stream.concat(), false)[1..], [text("ok")]);
}

#[test]
fn w11_compressed_fragments_are_judged_after_inflation() {
    // Compressed bytes look like bad UTF-8; split at every place they must still pass.
    let valid = "κόσμε €𐍈 ".repeat(5);
    let deflated = client_deflate(valid.as_bytes(), 15);
    for split in 0..=deflated.len() {
        let (head, tail) = deflated.split_at(split);
        let first = Lead { fin: false, rsv1: true, opcode: Opcode::Text };
        let stream = [raw(first, head), fragment(true, Opcode::Continuation, tail)];
        assert_eq!(accepted(&stream.concat(), true), [text(&valid)]);
    }
}

#[test]
fn w11_invalid_close_reason_closes_1007() {
    for (bytes, _) in INVALID {
        let payload = [&1000_u16.to_be_bytes(), *bytes].concat();
        refused(&frame(Opcode::Close, &payload), false, DecodeError::InvalidUtf8);
    }
}
