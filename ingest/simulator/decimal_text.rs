//! Integer ticks and lots to the decimal text venues print. Input: an integer and its decimal
//! count; output: text. It parses nothing and rounds only what a venue itself cuts.

/// `value` (counted in 10^-`decimals`) printed with exactly `places` digits after the point;
/// digits beyond `places` are cut off.
pub(super) fn fixed(value: i128, decimals: u32, places: u32) -> String {
    let value = if places >= decimals {
        value.saturating_mul(10i128.saturating_pow(places - decimals))
    } else {
        value / 10i128.saturating_pow(decimals - places)
    };
    let unit = 10i128.saturating_pow(places);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) =
        (value.unsigned_abs() / unit.unsigned_abs(), value.unsigned_abs() % unit.unsigned_abs());
    if places == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{part:0width$}", width = places as usize)
}

/// The same without trailing zeros, as Coinbase prints prices and sizes of matches.
pub(super) fn trimmed(value: i128, decimals: u32) -> String {
    let text = fixed(value, decimals, decimals);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Digits after the point that say something: `"61837.64000000"` has two.
pub(super) fn significant_places(text: &str) -> u32 {
    match text.split_once('.') {
        Some((_, part)) => u32::try_from(part.trim_end_matches('0').len()).unwrap_or(18).min(18),
        None => 0,
    }
}

/// One unit of the last of `decimals` digits, printed with `places`: a tick or lot size.
pub(super) fn unit(decimals: u32, places: u32) -> String {
    fixed(1, decimals, places)
}

/// Whether a decimal text is zero: `"0"`, `"0.00000000"`.
pub(super) fn is_zero(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'0' || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_cuts() {
        assert_eq!(fixed(6_183_764, 2, 8), "61837.64000000");
        assert_eq!(fixed(-5, 2, 3), "-0.050");
        assert_eq!(fixed(123_456, 4, 2), "12.34");
        assert_eq!(fixed(7, 0, 0), "7");
        assert_eq!(trimmed(1_500, 2), "15");
        assert_eq!(trimmed(1_655, 2), "16.55");
        assert_eq!(significant_places("61837.64000000"), 2);
        assert_eq!(unit(2, 8), "0.01000000");
        assert!(is_zero("0.00000000") && !is_zero("0.1") && !is_zero(""));
    }
}
