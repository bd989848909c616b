//! UTF-8 checked as it arrives: fails at the first byte that can't belong to any valid text.
//!
//! Holds only what the unfinished code point at the end of the input allows next (three bytes);
//! whole code points are checked by simdutf8. It doesn't keep text, and leaves it to the check of
//! the whole text to notice that the last code point is unfinished.

/// A byte was seen that makes the text invalid, whatever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid;

/// What may follow the bytes seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utf8 {
    /// Continuation bytes the current code point still needs.
    missing: u8,
    /// Range of the next one: narrower than 80..=BF right after E0, ED, F0 and F4, which is what
    /// excludes overlong forms, surrogates and code points above 10FFFF.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Nothing seen yet.
    pub(crate) const fn new() -> Self {
        Self { missing: 0, low: 0x80, high: 0xBF }
    }

    /// Takes the next bytes of the text.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Invalid> {
        while self.missing > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
            self.step(byte)?;
            bytes = rest;
        }
        let Err(error) = simdutf8::compat::from_utf8(bytes) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(Invalid);
        }
        // Only a code point cut off by the end of the input is left: at most three bytes.
        bytes[error.valid_up_to()..].iter().try_for_each(|&byte| self.step(byte))
    }

    /// One byte through the table of RFC 3629 §4.
    fn step(&mut self, byte: u8) -> Result<(), Invalid> {
        if self.missing > 0 {
            if byte < self.low || byte > self.high {
                return Err(Invalid);
            }
            *self = Self { missing: self.missing - 1, low: 0x80, high: 0xBF };
            return Ok(());
        }
        let (missing, low, high) = match byte {
            0x00..=0x7F => (0, 0x80, 0xBF),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xED => (2, 0x80, 0x9F),
            0xE1..=0xEF => (2, 0x80, 0xBF),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F),
            _ => return Err(Invalid),
        };
        *self = Self { missing, low, high };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Utf8;

    /// Index of the byte at which `text`, fed byte by byte, is refused; its length if only the
    /// end is; `None` if it is valid.
    fn refused_at(text: &[u8]) -> Option<usize> {
        let mut utf8 = Utf8::new();
        for (index, byte) in text.iter().enumerate() {
            if utf8.feed(&[*byte]).is_err() {
                return Some(index);
            }
        }
        (utf8.missing > 0).then_some(text.len())
    }

    #[test]
    fn refuses_at_the_first_impossible_byte() {
        let cases: &[(&[u8], Option<usize>)] = &[
            (b"plain\0text", None),
            ("κόσμε €𐍈\u{10FFFF}\u{FFFF}".as_bytes(), None),
            (b"a\x80", Some(1)),
            (b"\xC0\xAF", Some(0)),
            (b"\xC3\x28", Some(1)),
            (b"\xE0\x80\x80", Some(1)),
            (b"\xED\xA0\x80", Some(1)),
            (b"\xF0\x80\x80\x80", Some(1)),
            (b"\xF4\x90\x80\x80", Some(1)),
            (b"\xF5", Some(0)),
            (b"\xE2\x82", Some(2)),
            (b"\xF0\x9F\x98", Some(3)),
            (b"\xE2\x82\x41", Some(2)),
        ];
        for (text, expected) in cases {
            assert_eq!(refused_at(text), *expected, "{text:x?}");
        }
    }

    #[test]
    fn agrees_with_std_at_every_split() {
        let valid = "aé€😀z".as_bytes();
        for broken in 0..valid.len() {
            for change in [0x00, 0x01, 0x20, 0x40, 0x80] {
                let mut text = valid.to_vec();
                text[broken] ^= change;
                for split in 0..=text.len() {
                    let mut utf8 = Utf8::new();
                    let (head, tail) = text.split_at(split);
                    let fed = utf8.feed(head).and_then(|()| utf8.feed(tail));
                    let valid = fed.is_ok() && utf8.missing == 0;
                    assert_eq!(valid, std::str::from_utf8(&text).is_ok(), "{text:x?}");
                }
            }
        }
    }
}
