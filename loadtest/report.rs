//! What a run found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::chain::Losses;
use crate::cli::PlanArgs;
use crate::host;
use crate::plan::Plan;
use crate::swarm::{BUSY_MAX, Figures};

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The plan's name.
    pub plan: String,
    /// Sockets at the start.
    pub sockets: usize,
    /// Seconds measured.
    pub seconds: f64,
    /// Events received, over all sockets.
    pub deliveries: u64,
    /// Bytes received, frames included.
    pub bytes: u64,
    /// Sockets the server closed.
    pub closed: u64,
    /// Sockets that did not read on purpose.
    pub stalled: usize,
    /// What was missing, repeated or told missing.
    pub losses: Losses,
    /// From receive time at ingest to here, µs.
    pub from_ingest: Latency,
    /// From the gateway's tail to here, µs.
    pub from_tail: Latency,
    /// Share of the time the generator was busy.
    pub generator_busy: f64,
    /// Whole-core busy µs per delivery, idle baseline subtracted.
    pub core_micros: Option<f64>,
    /// CPU µs per delivery of the server's threads, by name.
    pub thread_micros: BTreeMap<String, f64>,
    /// The server's resident memory, kB.
    pub memory_kb: Option<u64>,
}

/// Quantiles in µs.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Latency {
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
}

/// What the machine had spent at one moment.
pub(crate) struct Busy {
    core: Option<f64>,
    threads: BTreeMap<String, f64>,
}

impl Busy {
    pub(crate) fn now(pid: Option<u32>, core: Option<usize>) -> Self {
        let threads = pid.map(host::thread_seconds).unwrap_or_default();
        Self { core: core.and_then(host::core_busy_seconds), threads }
    }
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: histogram.max() }
    }
}

impl Report {
    pub(crate) fn of(
        plan: &Plan,
        args: &PlanArgs,
        elapsed: Duration,
        figures: &Figures<'_>,
        (idle, before, after): (f64, Busy, Busy),
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        let each = |spent: f64| spent * 1e6 / (figures.deliveries.max(1) as f64);
        let core = before.core.zip(after.core).map(|(a, b)| each(b - a - idle * seconds));
        let spent = |(name, end): (&String, &f64)| {
            let start = before.threads.get(name).copied().unwrap_or(0.0);
            (name.clone(), each(end - start))
        };
        Self {
            plan: plan.name.clone(),
            sockets: plan.sockets,
            seconds,
            deliveries: figures.deliveries,
            bytes: figures.bytes,
            closed: figures.closed,
            stalled: 0,
            losses: figures.losses,
            from_ingest: Latency::of(figures.from_ingest),
            from_tail: Latency::of(figures.from_tail),
            generator_busy: 0.0,
            core_micros: core,
            thread_micros: after.threads.iter().map(spent).collect(),
            memory_kb: args.pid.and_then(|pid| host::status_field(pid, "VmRSS")),
        }
    }

    pub(crate) fn with_generator(self, generator_busy: f64, stalled: usize) -> Self {
        Self { generator_busy, stalled, ..self }
    }

    /// Nothing was lost in silence, repeated or reordered, and the generator kept up.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.losses.holes == 0 && self.losses.repeats == 0 && self.generator_busy < BUSY_MAX
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |micros: u64| micros as f64 / 1_000.0;
        let (p50, p90, p99) = (ms(self.p50), ms(self.p90), ms(self.p99));
        let (p999, max) = (ms(self.p999), ms(self.max));
        write!(f, "p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2} ms")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.deliveries as f64 / self.seconds;
        writeln!(f, "{}", self.plan)?;
        writeln!(
            f,
            "  {} sockets ({} stalled, {} closed) in {:.1} s: {} deliveries ({per_second:.0}/s), {:.0} B each",
            self.sockets,
            self.stalled,
            self.closed,
            self.seconds,
            self.deliveries,
            self.bytes as f64 / self.deliveries.max(1) as f64
        )?;
        let Losses { holes, repeats, gaps } = self.losses;
        writeln!(f, "  lost {holes}, repeated or reordered {repeats}, told gaps {gaps}")?;
        writeln!(f, "  from ingest  {}", self.from_ingest)?;
        writeln!(f, "  from tail    {}", self.from_tail)?;
        if let Some(core) = self.core_micros {
            writeln!(f, "  server core  {core:.3} µs busy per delivery, idle baseline subtracted")?;
        }
        for (name, micros) in self.thread_micros.iter().filter(|(_, micros)| **micros > 0.000_5) {
            writeln!(f, "  thread {name:<18} {micros:.3} µs CPU per delivery")?;
        }
        if let Some(memory) = self.memory_kb {
            writeln!(f, "  server memory {memory} kB")?;
        }
        let verdict =
            if self.generator_busy < BUSY_MAX { "" } else { ": VOID, it was the bottleneck" };
        write!(f, "  generator busy {:.0} %{verdict}", self.generator_busy * 100.0)
    }
}
