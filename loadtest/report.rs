//! What a run found, for people and for programs, and whether it counts.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::chain::Losses;
use crate::latency::Counts;
use crate::limits::{BUSY_MAX, OFFERED_SHARE_MIN};
use crate::machine::{Cost, Held, Memory};
use crate::plan::Plan;
use crate::worker::Found;

/// One run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// The plan's name.
    pub plan: String,
    /// What the server is meant to be started with.
    pub server: Vec<String>,
    /// Sockets of the plan.
    pub sockets: usize,
    /// Sockets that read slowly on purpose, at the end.
    pub slow: usize,
    /// Seconds measured.
    pub seconds: f64,
    /// Messages with a place received, over all sockets.
    pub deliveries: u64,
    /// Of those, by slow readers.
    pub slow_deliveries: u64,
    /// What the plan's rate offers its sockets; 0 if it has none, or sockets that leave or lag.
    pub offered: u64,
    /// Bytes from the kernel, frames included.
    pub wire_bytes: u64,
    /// Bytes of the messages, inflated.
    pub message_bytes: u64,
    /// What was missing, repeated, late or told missing.
    pub losses: Losses,
    /// Messages that could not be read.
    pub unreadable: u64,
    /// Messages decoded in full to check the scan.
    pub sampled: u64,
    /// Of those, the ones it had read wrongly.
    pub mismatches: u64,
    /// Sockets the server ended, by close code; 0 where it gave none.
    pub closed: BTreeMap<u16, u64>,
    /// Of those, slow ones.
    pub slow_closed: u64,
    /// Connections made again.
    pub reconnects: u64,
    /// Reconnections refused and tried again.
    pub refused: u64,
    /// The first thing the server refused, if any.
    pub refusal: Option<String>,
    /// From leaving to being subscribed again, µs.
    pub back: Latency,
    /// From the venue's own time to here, µs, where it gave one; Binance gives milliseconds, cut off,
    /// so that it seems half a millisecond later on average.
    pub from_venue: Latency,
    /// From receive time at ingest to here, µs.
    pub from_ingest: Latency,
    /// From the gateway's tail to here, µs.
    pub from_tail: Latency,
    /// What the server cost.
    pub cost: Cost,
    /// What it holds.
    pub memory: Memory,
    /// What it holds when the measurement begins and ends.
    pub held: [Held; 2],
    /// What its own counters grew by, by name; empty without an admin address.
    pub counters: BTreeMap<String, f64>,
    /// Share of the time the busiest poll thread was busy.
    pub generator_busy: f64,
    /// The time axis.
    pub rows: Vec<Row>,
}

/// Quantiles in µs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Latency {
    /// How many were timed.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p999: u64,
    /// Worst.
    pub max: u64,
    /// The whole curve: (quantile, µs).
    pub curve: Vec<(f64, u64)>,
}

/// One stretch of time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Row {
    /// Its end, s since the measurement began.
    pub second: f64,
    /// Deliveries timed in it, a second.
    pub per_second: f64,
    /// Median, µs.
    pub p50: u64,
    /// 99 %, µs.
    pub p99: u64,
    /// Worst, µs.
    pub max: u64,
}

/// Whether a run counts, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All that came was in place.
    Clean,
    /// Something was lost in silence, repeated, late or unreadable.
    Broken,
    /// The generator was the bottleneck: figures say nothing of the server.
    Void,
    /// Clearly less came than the plan's rate, though in place: the source or the server did not
    /// keep up, and the run says nothing of that rate.
    Short,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        // Steps get finer towards 1, where it matters: twice the nines every four points.
        let last = (histogram.len().max(1) as f64).log2().ceil() * 4.0;
        let quantiles = (0..=last as u32).map(|step| 1.0 - 0.5_f64.powf(f64::from(step) / 4.0));
        Self {
            count: histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max(),
            curve: quantiles.map(|quantile| (quantile, at(quantile))).collect(),
        }
    }
}

impl Report {
    pub(crate) fn of(plan: &Plan, counts: &Counts, cost: Cost, memory: Memory) -> Self {
        let stretch = counts.rows.stretch.as_secs_f64();
        let row = |(at, histogram): (usize, &Histogram<u64>)| Row {
            second: (at + 1) as f64 * stretch,
            per_second: histogram.len() as f64 / stretch,
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
        };
        Self {
            plan: plan.name.clone(),
            server: plan.server.clone(),
            sockets: plan.sockets(),
            deliveries: counts.deliveries,
            slow_deliveries: counts.slow_deliveries,
            wire_bytes: counts.wire_bytes,
            message_bytes: counts.message_bytes,
            losses: counts.losses,
            unreadable: counts.unreadable,
            sampled: counts.sampled,
            mismatches: counts.mismatches,
            closed: counts.closed.clone(),
            slow_closed: counts.slow_closed,
            reconnects: counts.reconnects,
            refused: counts.refused,
            back: Latency::of(&counts.back),
            from_venue: Latency::of(&counts.from_venue),
            from_ingest: Latency::of(&counts.from_ingest),
            from_tail: Latency::of(&counts.from_tail),
            cost,
            memory,
            rows: counts.rows.done.iter().enumerate().map(row).collect(),
            ..Self::default()
        }
    }

    /// Adds what only the threads know. How busy one was is the larger of two answers: the
    /// scheduler's (on a core, or waiting for one) and its own (not waiting for news).
    pub(crate) fn with_threads(mut self, plan: &Plan, found: &[Found]) -> Self {
        for part in found {
            let elapsed = part.elapsed.as_secs_f64().max(1e-9);
            let own = part.counts.handled_micros as f64 / 1e6 / elapsed;
            self.generator_busy = self.generator_busy.max(own);
            self.seconds = self.seconds.max(elapsed);
            self.slow += part.slow;
            self.refusal = self.refusal.or_else(|| part.refusal.clone());
        }
        if plan.storm.is_none() && plan.groups.iter().all(|group| group.slow.is_none()) {
            self.offered = (plan.rate * self.seconds * plan.sockets() as f64) as u64;
        }
        let told = self.cost.generator.values().copied().fold(0.0, f64::max);
        self.generator_busy = self.generator_busy.max(told);
        self
    }

    /// Whether the run counts. What is broken stays broken in a run that is void.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if !self.losses.is_clean() || self.unreadable > 0 || self.mismatches > 0 {
            Verdict::Broken
        } else if self.generator_busy > BUSY_MAX {
            Verdict::Void
        } else if (self.deliveries as f64) < self.offered as f64 * OFFERED_SHARE_MIN {
            Verdict::Short
        } else {
            Verdict::Clean
        }
    }

    /// True if the run counts and nothing was wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdict() == Verdict::Clean
    }
}

impl Verdict {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Broken => 2,
            Self::Void => 3,
            Self::Short => 4,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean: every message in its place",
            Self::Broken => "BROKEN: messages lost in silence, repeated, late or unreadable",
            Self::Void => "VOID: the load generator was the bottleneck",
            Self::Short => "SHORT: less came than the plan's rate, see deliveries",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_judged() {
        let report = |change: fn(&mut Report)| {
            let mut report = Report { offered: 10, deliveries: 10, ..Report::default() };
            change(&mut report);
            report.verdict()
        };
        assert_eq!(report(|_| ()), Verdict::Clean);
        assert_eq!(report(|it| it.losses.gaps = 1), Verdict::Clean);
        assert_eq!(report(|it| it.losses.holes = 1), Verdict::Broken);
        assert_eq!(report(|it| it.losses.duplicates = 1), Verdict::Broken);
        assert_eq!(report(|it| it.losses.reordered = 1), Verdict::Broken);
        assert_eq!(report(|it| it.mismatches = 1), Verdict::Broken);
        assert_eq!(report(|it| it.generator_busy = 0.96), Verdict::Void);
        assert_eq!(report(|it| it.deliveries = 0), Verdict::Short);
        assert_eq!(report(|it| it.deliveries = 8), Verdict::Short);
        assert_eq!(report(|it| (it.offered, it.deliveries) = (0, 0)), Verdict::Clean);
    }

    #[test]
    fn a_curve_rises_to_the_worst() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 3).expect("constants");
        (1..=1_000_u64).for_each(|value| histogram.saturating_record(value));
        let latency = Latency::of(&histogram);
        assert_eq!((latency.count, latency.p50, latency.max), (1_000, 500, 1_000));
        assert!(latency.curve.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1));
        assert!(latency.curve.last().is_some_and(|last| last.1 >= 999));
    }
}
