//! Values with their unit written beside them: `"15s"`, `"64KiB"`. Owns the two small grammars;
//! a bare number is refused, because nobody can see what it means.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration written as a whole number and `us`, `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HumanDuration(pub Duration);

/// A size written as a whole number and `B`, `KB`, `MB`, `GB` (powers of 1000), `KiB`, `MiB` or
/// `GiB` (powers of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

/// A text that is no such value. Carries what would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct UnitError(&'static str);

const DURATION: &str = "a duration like \"250ms\", \"15s\", \"2m\", \"24h\"";
const SIZE: &str = "a size like \"512B\", \"64KiB\", \"10MB\"";

/// Unit and µs.
const DURATION_UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Unit and bytes.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl HumanDuration {
    /// Whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The duration itself.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl ByteSize {
    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size in bytes for this machine's buffers, saturating.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl From<HumanDuration> for Duration {
    fn from(human: HumanDuration) -> Self {
        human.0
    }
}

impl FromStr for HumanDuration {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let micros = number_and_unit(text, &DURATION_UNITS).ok_or(UnitError(DURATION))?;
        Ok(Self(Duration::from_micros(micros)))
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        number_and_unit(text, &SIZE_UNITS).map(Self).ok_or(UnitError(SIZE))
    }
}

fn number_and_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

/// Writes `amount` in the largest unit that divides it.
fn write_whole(f: &mut fmt::Formatter<'_>, amount: u64, units: &[(&str, u64)]) -> fmt::Result {
    let fits = |scale: u64| amount != 0 && amount.is_multiple_of(scale);
    let best = units.iter().filter(|(_, scale)| fits(*scale)).max_by_key(|(_, scale)| *scale);
    match best {
        Some((unit, scale)) => write!(f, "{}{unit}", amount / scale),
        None => write!(f, "{amount}{}", units.first().map_or("", |(unit, _)| unit)),
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_whole(f, u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX), &DURATION_UNITS)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_whole(f, self.0, &SIZE_UNITS)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Visitor(DURATION, |text| text.parse().ok()))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Visitor(SIZE, |text| text.parse().ok()))
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is expected, and the parser of it.
struct Visitor<T>(&'static str, fn(&str) -> Option<T>);

impl<T> de::Visitor<'_> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("15s", Some(15_000_000)),
            ("250ms", Some(250_000)),
            ("2m", Some(120_000_000)),
            ("24h", Some(86_400_000_000)),
            ("10 us", Some(10)),
            ("0s", Some(0)),
            ("15", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
            ("1 hour", None),
            ("", None),
        ];
        for (text, micros) in cases {
            let parsed = text.parse::<HumanDuration>().ok().map(HumanDuration::get);
            assert_eq!(parsed, micros.map(Duration::from_micros), "{text:?}");
        }
    }

    #[test]
    fn sizes_and_their_text() {
        for (text, bytes) in [("64KiB", 65_536), ("10MB", 10_000_000), ("512B", 512), ("0B", 0)] {
            let size = text.parse::<ByteSize>().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, text));
        }
        assert_eq!(HumanDuration::from_millis(1_500).to_string(), "1500ms");
        assert_eq!(HumanDuration::from_secs(120).to_string(), "2m");
        assert!("64".parse::<ByteSize>().is_err() && "1kb".parse::<ByteSize>().is_err());
    }
}
