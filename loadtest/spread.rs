//! A median with its interval, and what that says of a goal. Pure.

use std::fmt;

/// Ratios of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The interval's ends.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// How surely the true median lies in it. Under 95 % there were too few pairs.
    pub confidence: f64,
    /// How many there were.
    pub count: usize,
}

/// What an interval says of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// The whole interval is within it.
    Met,
    /// The whole interval is beyond it.
    Missed,
    /// Neither, or too few pairs to say.
    Undecided,
}

/// How sure an interval has to be.
const CONFIDENCE: f64 = 0.95;

impl Spread {
    /// The median and the narrowest interval around it that holds the true one with 95 %: the
    /// `k`-th smallest and the `k`-th largest, where the binomial distribution says how sure that
    /// is. No assumption about how the values are distributed.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let (low, high) = (*values.first()?, *values.last()?);
        let median = (values[(count - 1) / 2] + values[count / 2]) / 2.0;
        let mut spread = Self { median, low, high, confidence: coverage(count, 1), count };
        for outer in 2..=count.div_ceil(2) {
            let confidence = coverage(count, outer);
            if confidence < CONFIDENCE {
                break;
            }
            (spread.low, spread.high) = (values[outer - 1], values[count - outer]);
            spread.confidence = confidence;
        }
        Some(spread)
    }

    /// Against a ratio that must not be exceeded.
    #[must_use]
    pub fn judge(&self, goal: f64) -> Judged {
        match self.confidence >= CONFIDENCE {
            true if self.high <= goal => Judged::Met,
            true if self.low > goal => Judged::Missed,
            _ => Judged::Undecided,
        }
    }
}

/// How surely the true median lies between the `outer`-th smallest and the `outer`-th largest of
/// `count` values: 1 − 2 · P(fewer than `outer` of `count` coins show heads).
fn coverage(count: usize, outer: usize) -> f64 {
    let (mut ways, mut sum) = (1.0, 0.0);
    for heads in 0..outer {
        sum += ways;
        ways *= (count - heads) as f64 / (heads + 1) as f64;
    }
    (1.0 - 2.0 * sum / 2_f64.powi(count as i32)).max(0.0)
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, low, high, confidence, count } = self;
        let percent = confidence * 100.0;
        write!(f, "{median:.3} ({percent:.1} % interval {low:.3} to {high:.3}, {count} pairs)")
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Undecided => "undecided",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(centre: f64, count: u32) -> Spread {
        let values = (0..count).map(|n| centre + 0.001 * f64::from(n)).collect();
        Spread::of(values).expect("values")
    }

    #[test]
    fn the_interval_is_the_tables() {
        // Textbook ranks: 15 values, the 4th and the 12th, 96.5 %.
        let spread = around(1.0, 15);
        assert!((spread.confidence - 0.9648).abs() < 1e-3, "{spread:?}");
        assert!((spread.low - 1.003).abs() < 1e-9 && (spread.high - 1.011).abs() < 1e-9);
        assert!((spread.median - 1.007).abs() < 1e-9);
        // 6 values: the whole range, 96.9 %.
        assert!((around(1.0, 6).confidence - 0.96875).abs() < 1e-9);
        assert!((Spread::of(vec![1.0, 2.0]).expect("values").median - 1.5).abs() < 1e-9);
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn a_goal_is_met_only_if_the_interval_is_within_it() {
        assert_eq!(around(1.0, 15).judge(1.05), Judged::Met);
        assert_eq!(around(1.1, 15).judge(1.05), Judged::Missed);
        assert_eq!(around(1.045, 15).judge(1.05), Judged::Undecided);
        // Five pairs can't say anything with 95 %.
        assert_eq!(around(1.0, 5).judge(1.05), Judged::Undecided);
    }
}
