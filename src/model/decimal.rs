//! Exact decimal numbers: an integer mantissa and a count of decimals.
//!
//! Owns parsing from venue text and printing to client text without loss. Always canonical (no
//! trailing zeros, `scale` 0 for zero), so equality is bitwise. No float, no rounding: what does
//! not fit is an error that the caller counts.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Most decimals a number may carry; a venue that sends more is refused, never rounded.
const SCALE_MAX: u32 = 64;
/// Longest text read as a number: sign, 39 digits of an i128, 64 decimals, point and exponent.
const TEXT_BYTES_MAX: usize = 128;

/// `mantissa × 10^-scale`, canonical.
///
/// Packed to 24 bytes where an aligned i128 would make it 32: books and histories are made of these.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(Rust, packed(8))]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

/// Why a text or a pair of numbers is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form `[-+]digits[.digits][e[-+]digits]`.
    #[error("not a decimal number")]
    Syntax,
    /// The digits need more than an i128, or more than 64 decimals.
    #[error("number out of range: at most 38 digits and 64 decimals")]
    Range,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// `mantissa × 10^exponent`, made canonical.
    pub fn new(mantissa: i128, exponent: i32) -> Result<Self, DecimalError> {
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        if exponent >= 0 {
            let factor = pow10(exponent.unsigned_abs()).ok_or(DecimalError::Range)?;
            let mantissa = mantissa.checked_mul(factor).ok_or(DecimalError::Range)?;
            return Ok(Self { mantissa, scale: 0 });
        }
        let (mut mantissa, mut scale) = (mantissa, exponent.unsigned_abs());
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        match u8::try_from(scale) {
            Ok(scale) if u32::from(scale) <= SCALE_MAX => Ok(Self { mantissa, scale }),
            _ => Err(DecimalError::Range),
        }
    }

    /// Reads venue text such as `67012.01000000`, `-0.5`, `1e-8`. ASCII only.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let bytes = text.as_bytes();
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(DecimalError::Range);
        }
        let (number, exponent) = match bytes.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&bytes[..at], parse_exponent(&bytes[at + 1..])?),
            None => (bytes, 0),
        };
        let (negative, number) = match number.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, number),
        };
        let (whole, fraction) = match number.iter().position(|&b| b == b'.') {
            Some(at) => (&number[..at], &number[at + 1..]),
            None => (number, &number[number.len()..]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(DecimalError::Syntax);
        }
        let trimmed = fraction.iter().rposition(|&b| b != b'0').map_or(0, |last| last + 1);
        if fraction[trimmed..].iter().any(|b| !b.is_ascii_digit()) {
            return Err(DecimalError::Syntax);
        }
        let fraction = &fraction[..trimmed];
        let magnitude = digits(digits(0, whole)?, fraction)?;
        let mantissa = if negative { -magnitude } else { magnitude };
        Self::new(mantissa, exponent - fraction.len() as i32)
    }

    /// The integer part of the pair.
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The power of ten, never positive.
    pub const fn exponent(self) -> i32 {
        -(self.scale as i32)
    }

    /// True for zero, which removes a book level.
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// True below zero.
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Exact sum, `None` when it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let sum = self.scaled_to(scale)?.checked_add(other.scaled_to(scale)?)?;
        Self::new(sum, -i32::from(scale)).ok()
    }

    /// Exact difference, `None` when it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self { mantissa: other.mantissa.checked_neg()?, scale: other.scale })
    }

    /// Exact product, `None` when it does not fit.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = self.mantissa.checked_mul(other.mantissa)?;
        Self::new(product, self.exponent() + other.exponent()).ok()
    }

    /// The digits without sign, point and leading zeros: what checksums are made of.
    pub fn push_digits(self, out: &mut String) {
        use fmt::Write;
        let _ = write!(out, "{}", self.mantissa.unsigned_abs());
    }

    fn scaled_to(self, scale: u8) -> Option<i128> {
        self.mantissa.checked_mul(pow10(u32::from(scale.checked_sub(self.scale)?))?)
    }
}

fn pow10(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

fn digits(start: i128, text: &[u8]) -> Result<i128, DecimalError> {
    text.iter().try_fold(start, |value, byte| {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Syntax);
        }
        value
            .checked_mul(10)
            .and_then(|v| v.checked_add(i128::from(byte - b'0')))
            .ok_or(DecimalError::Range)
    })
}

fn parse_exponent(text: &[u8]) -> Result<i32, DecimalError> {
    let (negative, figures) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if figures.is_empty() {
        return Err(DecimalError::Syntax);
    }
    let value = i32::try_from(digits(0, figures)?).map_err(|_| DecimalError::Range)?;
    if value > 1_000 {
        return Err(DecimalError::Range);
    }
    Ok(if negative { -value } else { value })
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.mantissa, other.mantissa);
        if self.scale == other.scale {
            return mine.cmp(&theirs);
        }
        let signs = mine.signum().cmp(&theirs.signum());
        if signs != Ordering::Equal {
            return signs;
        }
        // Only the side with fewer decimals is scaled up; if that overflows, it is the larger.
        let overflowed = if mine > 0 { Ordering::Greater } else { Ordering::Less };
        if self.scale < other.scale {
            self.scaled_to(other.scale).map_or(overflowed, |mine| mine.cmp(&theirs))
        } else {
            other.scaled_to(self.scale).map_or(overflowed.reverse(), |theirs| mine.cmp(&theirs))
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.mantissa());
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        let figures = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = figures.split_at(figures.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
