//! Whole frames as bytes: the server's, unmasked and shared by all sockets, and the client's.
//!
//! Input is a payload; output is appended to a `Vec` the caller owns (often one buffer of several
//! frames). Fragmenting is left out: we never need it.

use super::close;
use super::deflate::Deflater;
use super::header::{Lead, Opcode, apply_mask};
use super::limits::{CLOSE_REASON_BYTES_MAX, CONTROL_BYTES_MAX};

/// Appends a complete unmasked frame. `rsv1` says that `payload` is already compressed.
pub fn server_frame(opcode: Opcode, rsv1: bool, payload: &[u8], out: &mut Vec<u8>) {
    Lead { fin: true, rsv1, opcode }.write(payload.len(), None, out);
    out.extend_from_slice(payload);
}

/// Appends `payload` as a compressed frame if that pays, else as a plain one; says which it was.
///
/// For public channel data only: what shares a deflate stream with a secret leaks it.
pub fn deflated_frame(
    opcode: Opcode,
    payload: &[u8],
    deflater: &mut Deflater,
    out: &mut Vec<u8>,
) -> bool {
    match deflater.deflate(payload) {
        Some(compressed) => {
            server_frame(opcode, true, compressed, out);
            true
        }
        None => {
            server_frame(opcode, false, payload, out);
            false
        }
    }
}

/// Appends an unmasked ping; a payload beyond 125 bytes is cut.
pub fn ping_frame(payload: &[u8], out: &mut Vec<u8>) {
    server_frame(Opcode::Ping, false, control_payload(payload), out);
}

/// Appends an unmasked pong; a payload beyond 125 bytes (no ping had one) is cut.
pub fn pong_frame(payload: &[u8], out: &mut Vec<u8>) {
    server_frame(Opcode::Pong, false, control_payload(payload), out);
}

/// Appends an unmasked close frame.
///
/// A reason beyond 123 bytes is cut between characters. A code a server must not send becomes
/// 1011: the mistake is ours, and the client must not see an illegal frame for it.
pub fn close_frame(code: u16, reason: &str, out: &mut Vec<u8>) {
    let code = if close::sendable(code) { code } else { close::INTERNAL };
    server_frame(Opcode::Close, false, &close_payload(code, reason), out);
}

/// The payload of a close frame: code, then reason, cut between characters to 123 bytes.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
    let mut payload = Vec::with_capacity(CONTROL_BYTES_MAX);
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(reason.as_bytes());
    payload
}

/// Appends a complete masked frame, as a client sends it.
pub fn client_frame(opcode: Opcode, rsv1: bool, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    client_fragment(Lead { fin: true, rsv1, opcode }, payload, mask, out);
}

/// Appends one masked frame of any kind, a fragment for example.
pub fn client_fragment(lead: Lead, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    lead.write(payload.len(), Some(mask), out);
    let payload_at = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[payload_at..], mask, 0);
}

fn control_payload(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::{client_frame, close_frame, ping_frame, pong_frame, server_frame};
    use crate::frame::header::Opcode;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn examples_of_rfc_6455() {
        let text = written(|out| server_frame(Opcode::Text, false, b"Hello", out));
        assert_eq!(text, b"\x81\x05Hello");
        let masked = written(|out| {
            client_frame(Opcode::Text, false, b"Hello", [0x37, 0xFA, 0x21, 0x3D], out);
        });
        assert_eq!(masked, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        let binary = written(|out| server_frame(Opcode::Binary, false, &[7; 256], out));
        assert_eq!(binary[..4], [0x82, 0x7E, 0x01, 0x00]);
        let large = written(|out| server_frame(Opcode::Binary, false, &[7; 65_536], out));
        assert_eq!(large[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(large.len(), 10 + 65_536);
        assert_eq!(written(|out| ping_frame(b"hi", out)), b"\x89\x02hi");
    }

    #[test]
    fn control_payloads_are_cut_to_fit() {
        let pong = written(|out| pong_frame(&[1; 300], out));
        assert_eq!((pong[1], pong.len()), (125, 127));
        let close = written(|out| close_frame(4401, &"é".repeat(100), out));
        assert_eq!((close[1], close.len()), (2 + 122, 2 + 2 + 122));
        assert!(std::str::from_utf8(&close[4..]).is_ok());
    }

    #[test]
    fn an_unsendable_code_becomes_internal() {
        for code in [0, 1005, 1006, 1010, 1015, 2999, 5000] {
            let close = written(|out| close_frame(code, "x", out));
            assert_eq!(close[2..4], 1011_u16.to_be_bytes());
        }
    }
}
