//! How values are spread: counts by size with one writer, gathered when they are scraped.
//!
//! A histogram of the metrics library takes a lock for each value; a shard that observes once per
//! group and flush must not. Recording is a search in a fixed list and two plain stores.
//!
//! The list is of **cells**, cut wherever a classic bucket (doubling) or a native one (of
//! `NATIVE_SCHEMA`) ends, so each cell lies in one bucket of either kind: one read of the counts
//! gives both, and they agree with each other and with the total even while values are recorded.

use std::collections::BTreeSet;
use std::fmt;

use fantail_ops::limits::NATIVE_SCHEMA;
use prometheus_client::encoding::{
    EncodeMetric, MetricEncoder, NativeHistogram, NativeHistogramBuckets, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::DEFAULT_NATIVE_HISTOGRAM_ZERO_THRESHOLD;

use super::Counter;
use crate::limits::SPREAD_DOUBLINGS;

/// Classic buckets below the last, which holds everything beyond them.
const BUCKETS: usize = 19;

/// Which whole numbers are counted together, and in which buckets they are shown.
#[derive(Debug)]
struct Cell {
    /// The largest of them.
    upper: u64,
    /// Number of the native bucket: its upper bound is `2^(native / 2^schema)`.
    native: i32,
    /// Number of the classic bucket.
    classic: usize,
}

/// Counts of values by size.
#[derive(Debug)]
pub(crate) struct Spread {
    /// Upper bound of the first classic bucket.
    unit: u64,
    /// Values are shown divided by this (µs to seconds).
    per: u64,
    cells: Vec<Cell>,
    counts: Vec<Counter>,
    zeros: Counter,
    sum: Counter,
}

impl Spread {
    pub(crate) fn new(unit: u64, per: u64) -> Self {
        let cells = cells(unit, per);
        let counts = cells.iter().map(|_| Counter::default()).collect();
        Self { unit, per, cells, counts, zeros: Counter::default(), sum: Counter::default() }
    }

    /// Counts one value.
    pub(crate) fn record(&self, value: u64) {
        let at = self.cells.partition_point(|cell| cell.upper < value);
        // Zero has a bucket of its own among the native ones.
        let count = if value == 0 { &self.zeros } else { &self.counts[at] };
        count.add(1);
        self.sum.add(value);
    }
}

/// The cells in ascending order; the last ends where numbers do.
fn cells(unit: u64, per: u64) -> Vec<Cell> {
    let end = 1_u64 << SPREAD_DOUBLINGS;
    // The native bucket of the smallest value, 1, and those up to the end.
    let first = native_of(1, per, i32::MIN);
    let native = (first..).map(|number| native_upper(number, per)).take_while(|upper| *upper < end);
    let mut uppers: BTreeSet<u64> = native.collect();
    uppers.extend((0..BUCKETS).map(|doublings| unit << doublings));
    uppers.insert(u64::MAX);
    let mut native = first;
    uppers
        .into_iter()
        .map(|upper| {
            native = native_of(upper.min(end), per, native);
            let doublings = upper.div_ceil(unit).checked_next_power_of_two();
            let classic = doublings.map_or(BUCKETS, |count| count.trailing_zeros() as usize);
            Cell { upper, native, classic: classic.min(BUCKETS) }
        })
        .collect()
}

/// The largest whole number of a native bucket.
fn native_upper(number: i32, per: u64) -> u64 {
    let exponent = f64::from(number) / f64::from(1_u32 << NATIVE_SCHEMA);
    (exponent.exp2() * per as f64) as u64
}

/// The native bucket of a number, not below `floor`.
fn native_of(value: u64, per: u64, floor: i32) -> i32 {
    // The logarithm may be a hair off; the bound itself decides.
    let steps = f64::from(1_u32 << NATIVE_SCHEMA);
    let near = ((value as f64 / per as f64).log2() * steps).floor() as i32 - 1;
    let mut number = near.max(floor);
    while native_upper(number, per) < value {
        number += 1;
    }
    number
}

/// Several shards' spreads as one histogram.
pub(super) struct Gathered {
    buckets: Vec<(f64, u64)>,
    sum: f64,
    count: u64,
    zeros: u64,
    /// Runs of native buckets: the gap before each, and its length.
    spans: Vec<(i32, u32)>,
    /// Each native bucket's count less the one's before it.
    deltas: Vec<i64>,
}

impl Gathered {
    /// Of spreads that were made alike.
    pub(super) fn new<'a>(spreads: impl Iterator<Item = &'a Spread>) -> Self {
        let (mut native, mut buckets) = (Vec::<(i32, u64)>::new(), Vec::new());
        let (mut sum, mut zeros, mut per) = (0, 0, 1.0);
        let mut cells: Vec<(i32, usize, u64)> = Vec::new();
        for spread in spreads {
            if cells.is_empty() {
                per = spread.per as f64;
                cells = spread.cells.iter().map(|cell| (cell.native, cell.classic, 0)).collect();
                buckets = (0..BUCKETS).map(|at| ((spread.unit << at) as f64 / per, 0)).collect();
            }
            for (cell, count) in cells.iter_mut().zip(&spread.counts) {
                cell.2 += count.get();
            }
            zeros += spread.zeros.get();
            sum += spread.sum.get();
        }
        buckets.push((f64::INFINITY, 0));
        buckets[0].1 = zeros;
        for (number, classic, count) in cells {
            buckets[classic].1 += count;
            match native.last_mut() {
                Some(last) if last.0 == number => last.1 += count,
                _ => native.push((number, count)),
            }
        }
        let count = buckets.iter().map(|(_, count)| count).sum();
        let (spans, deltas) = sparse(native.into_iter().filter(|(_, count)| *count > 0));
        Self { buckets, sum: sum as f64 / per, count, zeros, spans, deltas }
    }
}

/// Filled buckets, ascending, as a native histogram writes them down.
fn sparse(filled: impl Iterator<Item = (i32, u64)>) -> (Vec<(i32, u32)>, Vec<i64>) {
    let (mut spans, mut deltas) = (Vec::<(i32, u32)>::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (number, count) in filled {
        match spans.last_mut() {
            Some((_, length)) if number == next => *length += 1,
            _ => spans.push((number - next, 1)),
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        (next, before) = (number + 1, count);
    }
    (spans, deltas)
}

impl EncodeMetric for Gathered {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let native = NativeHistogram {
            schema: i32::from(NATIVE_SCHEMA),
            zero_threshold: DEFAULT_NATIVE_HISTOGRAM_ZERO_THRESHOLD,
            zero_count: self.zeros,
            negative: NativeHistogramBuckets { spans: &[], deltas: &[] },
            positive: NativeHistogramBuckets { spans: &self.spans, deltas: &self.deltas },
            created: None,
        };
        let (sum, count) = (self.sum, self.count);
        encoder.encode_histogram_with_native::<NoLabelSet>(sum, count, &self.buckets, None, native)
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
        let (one, two) = (Spread::new(50, 1_000_000), Spread::new(50, 1_000_000));
        for value in [0, 50, 51, 100, 101, u64::from(u32::MAX), u64::MAX >> 8] {
            one.record(value);
        }
        two.record(50);
        let all = Gathered::new([&one, &two].into_iter());
        let counts: Vec<u64> = all.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts[..4], [3, 2, 1, 0]);
        assert_eq!((counts[BUCKETS], all.count, all.zeros), (2, 8, 1));
        assert_eq!(all.buckets[1].0, 1e-4);
        assert_eq!(all.buckets[BUCKETS].0, f64::INFINITY);
    }

    /// (number, count) of the filled native buckets.
    fn written_out(all: &Gathered) -> Vec<(i32, i64)> {
        let (mut number, mut count, mut deltas) = (0, 0, all.deltas.iter());
        let mut filled = Vec::new();
        for (gap, length) in &all.spans {
            number += gap;
            for _ in 0..*length {
                count += deltas.next().unwrap();
                filled.push((number, count));
                number += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        filled
    }

    #[test]
    fn every_value_is_inside_its_native_bucket() {
        for (unit, per) in [(50, 1_000_000_u64), (1, 1)] {
            let mut value = 1_u64;
            while value < 1 << SPREAD_DOUBLINGS {
                let spread = Spread::new(unit, per);
                spread.record(value);
                let filled = written_out(&Gathered::new([&spread].into_iter()));
                let [(number, 1)] = filled[..] else { panic!("{filled:?}") };
                let shown = value as f64 / per as f64;
                let bound = |number: i32| (f64::from(number) / 16.0).exp2();
                assert!(shown <= bound(number) * (1.0 + 1e-12), "{value} is above {number}");
                assert!(shown > bound(number - 1), "{value} is below {number}");
                value += 1 + value / 97;
            }
        }
    }

    #[test]
    fn buckets_of_both_kinds_count_the_same_values() {
        let spread = Spread::new(50, 1_000_000);
        let (mut value, mut recorded) = (1_u64, 0);
        while value < 1 << 40 {
            spread.record(value);
            recorded += 1;
            value += 1 + value / 13;
        }
        let all = Gathered::new([&spread].into_iter());
        let filled = written_out(&all);
        assert_eq!(filled.iter().map(|(_, count)| count).sum::<i64>(), recorded);
        assert_eq!(all.count, recorded as u64);
        assert!(filled.is_sorted_by(|one, two| one.0 < two.0));
    }

    #[test]
    fn nothing_recorded_is_an_empty_histogram() {
        let all = Gathered::new([&Spread::new(1, 1)].into_iter());
        assert_eq!((all.count, all.spans.len(), all.deltas.len()), (0, 0, 0));
    }
}
