//! Numbers and texts of a history: LEB128, zigzag, length-prefixed UTF-8.

use std::io::{self, Read, Write};

use crate::limits;

/// Identifies the file and its format.
pub(super) const MAGIC: &[u8; 8] = b"FTHIST1\n";

pub(super) fn put(out: &mut impl Write, mut number: u64) -> io::Result<()> {
    while number >= 0x80 {
        out.write_all(&[number as u8 | 0x80])?;
        number >>= 7;
    }
    out.write_all(&[number as u8])
}

/// A difference, small in either direction.
pub(super) fn put_signed(out: &mut impl Write, number: i64) -> io::Result<()> {
    put(out, ((number << 1) ^ (number >> 63)).cast_unsigned())
}

pub(super) fn put_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut end = text.len().min(limits::TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    put(out, end as u64)?;
    out.write_all(&text.as_bytes()[..end])
}

pub(super) fn get(from: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(from)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a number of more than 64 bits"))
}

pub(super) fn get_signed(from: &mut impl Read) -> io::Result<i64> {
    let number = get(from)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

pub(super) fn get_text(from: &mut impl Read) -> io::Result<String> {
    let length = usize::try_from(get(from)?).unwrap_or(usize::MAX);
    if length > limits::TEXT_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a text longer than any written"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a text that is not UTF-8"))
}

pub(super) fn take<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
