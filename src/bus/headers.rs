//! A record's headers: a few named byte strings packed in one shared buffer.
//!
//! Packed, because a record is cloned once per consumer: one atomic increment instead of a vector
//! and a buffer per header. Knows no header's meaning.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::limits;

/// Named byte strings, in the order they were given. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Per header: name length (1 byte), value length (2 bytes, big endian), name, value. Only
    /// ever written by [`Headers::from_pairs`], so reading needs no error path.
    packed: Bytes,
}

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn none() -> Self {
        Self { packed: Bytes::new() }
    }

    /// Packs `pairs` with a single allocation.
    ///
    /// # Errors
    /// [`HeadersError`] when there are too many, or a name or value is too long.
    pub fn from_pairs(pairs: &[(&str, &[u8])]) -> Result<Self, HeadersError> {
        if pairs.len() > limits::HEADERS_MAX {
            return Err(HeadersError::TooMany(pairs.len()));
        }
        let bytes = pairs.iter().map(|(name, value)| 3 + name.len() + value.len()).sum();
        let mut packed = BytesMut::with_capacity(bytes);
        for (name, value) in pairs {
            let name_len = u8::try_from(name.len()).ok();
            let name_len = name_len.filter(|&n| usize::from(n) <= limits::HEADER_NAME_BYTES_MAX);
            let value_len = u16::try_from(value.len()).ok();
            let value_len = value_len.filter(|&n| usize::from(n) <= limits::HEADER_VALUE_BYTES_MAX);
            packed.put_u8(name_len.ok_or_else(|| HeadersError::Name((*name).to_owned()))?);
            packed.put_u16(value_len.ok_or_else(|| HeadersError::Value((*name).to_owned()))?);
            packed.put_slice(name.as_bytes());
            packed.put_slice(value);
        }
        Ok(Self { packed: packed.freeze() })
    }

    /// The first value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The first value of that name as the 8 big-endian bytes of a number.
    #[must_use]
    pub fn get_u64(&self, name: &str) -> Option<u64> {
        Some(u64::from_be_bytes(self.get(name)?.try_into().ok()?))
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &self.packed[..];
        std::iter::from_fn(move || {
            let ([name_len, hi, lo], tail) = rest.split_first_chunk::<3>()?;
            let (name, tail) = tail.split_at_checked(usize::from(*name_len))?;
            let (value, tail) =
                tail.split_at_checked(usize::from(u16::from_be_bytes([*hi, *lo])))?;
            rest = tail;
            Some((std::str::from_utf8(name).ok()?, value))
        })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Bytes they take.
    #[must_use]
    pub fn packed_bytes(&self) -> usize {
        self.packed.len()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Headers that can't be carried: our own caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// More than [`limits::HEADERS_MAX`].
    #[error("{0} headers are more than a record carries")]
    TooMany(usize),
    /// A name longer than [`limits::HEADER_NAME_BYTES_MAX`].
    #[error("header name {0:?} is too long")]
    Name(String),
    /// A value longer than [`limits::HEADER_VALUE_BYTES_MAX`].
    #[error("the value of header {0:?} is too long")]
    Value(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_packed() {
        let headers =
            Headers::from_pairs(&[("seq", &9_u64.to_be_bytes()), ("note", b"x"), ("note", b"y")])
                .unwrap();
        assert_eq!(headers.get_u64("seq"), Some(9));
        assert_eq!(headers.get("note"), Some(&b"x"[..]), "the first of a name");
        assert_eq!(headers.get_u64("note"), None, "not eight bytes");
        assert_eq!(headers.get("other"), None);
        assert_eq!(headers.iter().count(), 3);
        assert!(Headers::none().is_empty() && Headers::none().iter().next().is_none());
    }

    #[test]
    fn refuses_what_is_too_much() {
        let many = vec![("a", &b""[..]); limits::HEADERS_MAX + 1];
        assert_eq!(Headers::from_pairs(&many), Err(HeadersError::TooMany(many.len())));
        for length in [limits::HEADER_NAME_BYTES_MAX + 1, 300] {
            let name = "n".repeat(length);
            let refused = Headers::from_pairs(&[(&name, b"")]);
            assert_eq!(refused, Err(HeadersError::Name(name.clone())));
        }
        for length in [limits::HEADER_VALUE_BYTES_MAX + 1, 70_000] {
            let refused = Headers::from_pairs(&[("v", &vec![0; length])]);
            assert_eq!(refused, Err(HeadersError::Value("v".to_owned())));
        }
    }
}
