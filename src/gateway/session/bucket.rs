//! A token bucket: a sustained rate and a burst.

use std::time::Duration;

/// Tokens, in millionths, so that a refill needs no float.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    micro_tokens: u64,
    rate_per_s: u32,
    burst: u32,
    at: Duration,
}

const MICRO: u64 = 1_000_000;

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate_per_s: u32, burst: u32, now: Duration) -> Self {
        let burst = burst.max(1);
        Self { micro_tokens: u64::from(burst) * MICRO, rate_per_s, burst, at: now }
    }

    /// Takes one token; false when there is none.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.at).as_micros();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let refill = elapsed.saturating_mul(u64::from(self.rate_per_s));
        self.micro_tokens =
            self.micro_tokens.saturating_add(refill).min(u64::from(self.burst) * MICRO);
        self.at = now;
        match self.micro_tokens.checked_sub(MICRO) {
            Some(left) => {
                self.micro_tokens = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_rate() {
        let mut bucket = Bucket::new(20, 50, Duration::ZERO);
        assert_eq!((0..100).filter(|_| bucket.take(Duration::ZERO)).count(), 50);
        let later = Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| bucket.take(later)).count(), 10);
        let much_later = Duration::from_secs(3_600);
        assert_eq!((0..100).filter(|_| bucket.take(much_later)).count(), 50);
    }
}
