//! How values are spread: power-of-two buckets with one writer, gathered when they are scraped.
//!
//! A histogram of the metrics library takes a lock and a search per value; a shard that observes
//! once per group and flush must not. Recording is a few instructions and two plain stores.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::Counter;

/// Buckets below the last, which holds everything beyond them.
const BUCKETS: usize = 19;

/// Counts of values by size, from `unit`, doubling.
#[derive(Debug)]
pub(crate) struct Spread {
    /// Upper bound of the first bucket.
    unit: u64,
    counts: [Counter; BUCKETS + 1],
    sum: Counter,
}

impl Spread {
    pub(crate) fn new(unit: u64) -> Self {
        Self { unit, counts: Default::default(), sum: Counter::default() }
    }

    /// Counts one value.
    pub(crate) fn record(&self, value: u64) {
        let doublings = value.div_ceil(self.unit).max(1).next_power_of_two().trailing_zeros();
        self.counts[(doublings as usize).min(BUCKETS)].add(1);
        self.sum.add(value);
    }
}

/// Several shards' spreads as one histogram; values are divided by `per` (µs to seconds).
pub(super) struct Gathered {
    buckets: Vec<(f64, u64)>,
    sum: f64,
    count: u64,
}

impl Gathered {
    pub(super) fn new<'a>(spreads: impl Iterator<Item = &'a Spread>, per: f64) -> Self {
        let (mut buckets, mut sum) = (vec![(f64::MAX, 0); BUCKETS + 1], 0);
        for spread in spreads {
            for (at, (bucket, count)) in buckets.iter_mut().zip(&spread.counts).enumerate() {
                let bound = (spread.unit << at) as f64 / per;
                *bucket = (if at == BUCKETS { f64::MAX } else { bound }, bucket.1 + count.get());
            }
            sum += spread.sum.get();
        }
        let count = buckets.iter().map(|(_, count)| count).sum();
        Self { buckets, sum: sum as f64 / per, count }
    }
}

impl EncodeMetric for Gathered {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_histogram::<NoLabelSet>(self.sum, self.count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_below_their_bound_and_shards_add_up() {
        let (one, two) = (Spread::new(50), Spread::new(50));
        for value in [0, 50, 51, 100, 101, u64::from(u32::MAX)] {
            one.record(value);
        }
        two.record(50);
        let all = Gathered::new([&one, &two].into_iter(), 1e6);
        let counts: Vec<u64> = all.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts[..4], [3, 2, 1, 0]);
        assert_eq!((counts[BUCKETS], all.count), (1, 7));
        assert_eq!(all.buckets[1].0, 1e-4);
        assert_eq!(all.buckets[BUCKETS].0, f64::MAX);
    }
}
