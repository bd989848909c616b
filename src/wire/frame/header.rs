//! A frame's header: opcodes, the 2–14 header bytes in both directions, and masking.
//!
//! Decides what a header alone can decide about the encoding (reserved bits and opcodes, minimal
//! lengths, control frame sizes). Whether a frame may come *now* is the decoder's business.

use super::error::DecodeError;
use super::limits::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX};

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// More of the message begun by an earlier frame.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The end of the connection.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    /// Control frames may come between the fragments of a message and are never fragmented.
    pub const fn is_control(self) -> bool {
        self as u8 >= 8
    }

    fn from_bits(bits: u8) -> Result<Self, DecodeError> {
        Ok(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return Err(DecodeError::ReservedOpcode),
        })
    }
}

/// The first byte of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lead {
    /// The last frame of its message.
    pub fin: bool,
    /// With permessage-deflate: the message is compressed.
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: Opcode,
}

impl Lead {
    pub(crate) fn parse(byte: u8) -> Result<Self, DecodeError> {
        if byte & 0x30 != 0 {
            return Err(DecodeError::ReservedBits);
        }
        let lead = Self {
            fin: byte & 0x80 != 0,
            rsv1: byte & 0x40 != 0,
            opcode: Opcode::from_bits(byte & 0x0F)?,
        };
        if lead.opcode.is_control() && !lead.fin {
            return Err(DecodeError::ControlFragmented);
        }
        if lead.rsv1 && (lead.opcode.is_control() || lead.opcode == Opcode::Continuation) {
            return Err(DecodeError::ReservedBits);
        }
        Ok(lead)
    }

    /// Appends the header of a frame of `payload_bytes` bytes, in the shortest form.
    pub fn write(self, payload_bytes: usize, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
        out.push(u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode as u8);
        let mask_bit = u8::from(mask.is_some()) << 7;
        if payload_bytes <= CONTROL_BYTES_MAX {
            out.push(mask_bit | payload_bytes as u8);
        } else if let Ok(short) = u16::try_from(payload_bytes) {
            out.push(mask_bit | 126);
            out.extend_from_slice(&short.to_be_bytes());
        } else {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
        if let Some(mask) = mask {
            out.extend_from_slice(&mask);
        }
    }
}

/// Where the length ends in a header with this second byte, in bytes.
pub(crate) const fn length_end(second: u8) -> usize {
    match second & 0x7F {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// How long a header with this second byte is.
pub(crate) const fn header_bytes(second: u8) -> usize {
    length_end(second) + if second & 0x80 != 0 { 4 } else { 0 }
}

/// The payload's length, once [`length_end`] bytes are there.
pub(crate) fn length(header: &[u8; HEADER_BYTES_MAX]) -> Result<u64, DecodeError> {
    let [_, second, a, b, c, d, e, f, g, h, ..] = *header;
    let (length, minimum) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes([a, b])), CONTROL_BYTES_MAX as u64 + 1),
        127 => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from(u16::MAX) + 1),
        short => (u64::from(short), 0),
    };
    if length < minimum || length >> 63 != 0 {
        return Err(DecodeError::LengthEncoding);
    }
    Ok(length)
}

/// The mask, once [`header_bytes`] bytes are there; zero, which changes nothing, if there is none.
pub(crate) fn mask(header: &[u8; HEADER_BYTES_MAX]) -> [u8; 4] {
    match header[length_end(header[1])..] {
        [a, b, c, d, ..] if header[1] & 0x80 != 0 => [a, b, c, d],
        _ => [0; 4],
    }
}

/// XORs `payload` with `mask`, `phase` bytes into the frame. Its own inverse.
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4], phase: u8) {
    if mask == [0; 4] {
        return;
    }
    let [a, b, c, d] =
        u32::from_le_bytes(mask).rotate_right(8 * u32::from(phase % 4)).to_le_bytes();
    let key = [a, b, c, d, a, b, c, d];
    let word = u64::from_le_bytes(key);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        HEADER_BYTES_MAX, Lead, Opcode, apply_mask, header_bytes, length, mask as mask_of,
    };

    #[test]
    fn headers_round_trip_at_the_length_boundaries() {
        let lead = Lead { fin: true, rsv1: true, opcode: Opcode::Binary };
        for (bytes, expected) in
            [(0, 2), (1, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10), (1 << 40, 10)]
        {
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut out = Vec::new();
                lead.write(bytes, mask, &mut out);
                assert_eq!(out.len(), expected + mask.map_or(0, |m| m.len()));
                assert_eq!(header_bytes(out[1]), out.len());
                assert_eq!(Lead::parse(out[0]), Ok(lead));
                let mut header = [0xEE; HEADER_BYTES_MAX];
                header[..out.len()].copy_from_slice(&out);
                assert_eq!(length(&header), Ok(bytes as u64));
                assert_eq!(mask_of(&header), mask.unwrap_or([0; 4]));
            }
        }
    }

    #[test]
    fn masking_in_pieces_equals_masking_at_once() {
        let mask = [0x37, 0xFA, 0x21, 0x3D];
        let plain: Vec<u8> = (0..=99).collect();
        let expected: Vec<u8> =
            plain.iter().enumerate().map(|(index, byte)| byte ^ mask[index % 4]).collect();
        for split in 0..plain.len() {
            let mut pieces = plain.clone();
            let (head, tail) = pieces.split_at_mut(split);
            apply_mask(head, mask, 0);
            apply_mask(tail, mask, (split % 4) as u8);
            assert_eq!(pieces, expected, "split at {split}");
        }
    }
}
