//! Decimals and levels as serde sees them: text where people read, number pairs where they don't.
//!
//! Printing goes through a stack buffer, because it is most of an encoder's work.

use std::fmt;

use fantail_model::{Decimal, Level};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Sign, 65 digits and a point are the longest canonical text: 67 bytes.
const TEXT_BYTES: usize = 72;
/// Levels reserved before the first is read: a usual delta; more grow as they come.
const LEVELS_RESERVED: usize = 64;

/// A decimal on its way out or just read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) Decimal);

/// Levels on their way out: `[[price, size], …]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels<'a>(pub(crate) &'a [Level]);

/// Levels just read.
#[derive(Debug)]
pub(crate) struct LevelList(pub(crate) Vec<Level>);

/// One level, either way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelPair(pub(crate) Level);

/// The canonical text of a decimal, without an allocation.
pub(crate) struct Text {
    bytes: [u8; TEXT_BYTES],
    start: usize,
}

impl Text {
    /// Prints a decimal.
    pub(crate) fn of(value: Decimal) -> Self {
        let mut text = Self { bytes: [b'0'; TEXT_BYTES], start: TEXT_BYTES };
        let scale = value.exponent().unsigned_abs() as usize;
        let magnitude = value.mantissa().unsigned_abs();
        let mut written = 0;
        match u64::try_from(magnitude) {
            Ok(mut rest) => {
                while rest != 0 || written <= scale {
                    text.digit((rest % 10) as u8, written, scale);
                    rest /= 10;
                    written += 1;
                }
            }
            Err(_) => {
                let mut rest = magnitude;
                while rest != 0 || written <= scale {
                    text.digit((rest % 10) as u8, written, scale);
                    rest /= 10;
                    written += 1;
                }
            }
        }
        if value.is_negative() {
            text.push(b'-');
        }
        text
    }

    /// As a string.
    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII was written.
        std::str::from_utf8(&self.bytes[self.start..]).unwrap_or_default()
    }

    fn digit(&mut self, digit: u8, written: usize, scale: usize) {
        if written == scale && scale > 0 {
            self.push(b'.');
        }
        self.push(b'0' + digit);
    }

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(self.0.mantissa()) {
            Ok(mantissa) if !to.is_human_readable() => (mantissa, self.0.exponent()).serialize(to),
            _ => to.serialize_str(Text::of(self.0).as_str()),
        }
    }
}

impl Serialize for LevelPair {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (Number(self.0.price), Number(self.0.size)).serialize(to)
    }
}

impl Serialize for Levels<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut seq = to.serialize_seq(Some(self.0.len()))?;
        for level in self.0 {
            seq.serialize_element(&LevelPair(*level))?;
        }
        seq.end()
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NumberVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for LevelPair {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (price, size) = <(Number, Number)>::deserialize(from)?;
        Ok(Self(Level { price: price.0, size: size.0 }))
    }
}

impl<'de> Deserialize<'de> for LevelList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(LevelsVisitor).map(Self)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal string or [mantissa, exponent]")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Decimal, E> {
        Decimal::parse(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Decimal, A::Error> {
        let mantissa: i64 = seq.next_element()?.ok_or(A::Error::invalid_length(0, &self))?;
        let exponent: i32 = seq.next_element()?.ok_or(A::Error::invalid_length(1, &self))?;
        if seq.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::invalid_length(3, &self));
        }
        Decimal::new(i128::from(mantissa), exponent).map_err(A::Error::custom)
    }
}

struct LevelsVisitor;

impl<'de> Visitor<'de> for LevelsVisitor {
    type Value = Vec<Level>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [price, size]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Level>, A::Error> {
        let reserved = seq.size_hint().unwrap_or(0).min(LEVELS_RESERVED);
        let mut levels = Vec::with_capacity(reserved);
        while let Some(LevelPair(level)) = seq.next_element()? {
            levels.push(level);
        }
        Ok(levels)
    }
}
