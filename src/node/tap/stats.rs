//! Rates, lag and gaps, a line each second and a summary.

use fantail_model::Micros;
use fantail_ops::clock::Clock;
use fantail_wire::client::ServerMessage;
use hdrhistogram::Histogram;

use super::follow::Follower;

/// Longest lag told apart, µs.
const LAG_MICROS_MAX: u64 = 60_000_000;

/// Figures of a run.
pub(super) struct Stats {
    clock: Clock,
    started: std::time::Duration,
    second: Count,
    total: Count,
    lag_second: Histogram<u64>,
    lag_total: Histogram<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    messages: u64,
    events: u64,
    bytes: u64,
}

impl Stats {
    pub(super) fn new(clock: Clock) -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LAG_MICROS_MAX, 3);
        let started = clock.monotonic();
        let (second, total) = (Count::default(), Count::default());
        let (lag_second, lag_total) = (histogram()?, histogram()?);
        Ok(Self { clock, started, second, total, lag_second, lag_total })
    }

    /// Data messages so far, each event of a batch counted.
    pub(super) fn events(&self) -> u64 {
        self.total.events
    }

    /// Counts one message. Lag is from receive time at ingest to here, live events only.
    pub(super) fn take(&mut self, message: &ServerMessage, bytes: usize, now: i64) {
        let (events, rx): (u64, Option<Micros>) = match message {
            ServerMessage::Data(data) => (1, (!data.snapshot).then_some(data.event.rx)),
            ServerMessage::Batch(batch) => {
                (batch.len() as u64, batch.last().map(|data| data.event.rx))
            }
            ServerMessage::Snapshot(_) => (1, None),
            ServerMessage::Reply(_) => (0, None),
        };
        for count in [&mut self.second, &mut self.total] {
            count.messages += 1;
            count.events += events;
            count.bytes += bytes as u64;
        }
        if let Some(rx) = rx {
            let lag = u64::try_from(now - rx.0).unwrap_or(0).clamp(1, LAG_MICROS_MAX);
            self.lag_second.saturating_record(lag);
            self.lag_total.saturating_record(lag);
        }
    }

    /// The last second.
    pub(super) fn line(&mut self, follower: &Follower) -> String {
        let count = std::mem::take(&mut self.second);
        let text = format!(
            "{:>7} events/s {:>8.1} kB/s  lag {}  {}",
            count.events,
            count.bytes as f64 / 1_000.0,
            lag(&self.lag_second),
            losses(follower)
        );
        self.lag_second.reset();
        text
    }

    /// The whole run.
    pub(super) fn summary(&self, follower: &Follower) -> String {
        let seconds = (self.clock.monotonic() - self.started).as_secs_f64().max(0.001);
        format!(
            "in {seconds:.1} s: {} events ({:.0}/s) in {} messages, {} bytes; lag {}; {}",
            self.total.events,
            self.total.events as f64 / seconds,
            self.total.messages,
            self.total.bytes,
            lag(&self.lag_total),
            losses(follower)
        )
    }
}

fn lag(histogram: &Histogram<u64>) -> String {
    if histogram.is_empty() {
        return "-".into();
    }
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
    format!(
        "p50 {:.2} p90 {:.2} p99 {:.2} max {:.2} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        histogram.max() as f64 / 1_000.0
    )
}

fn losses(follower: &Follower) -> String {
    format!(
        "holes {} gaps {} venue gaps {} resumed {}",
        follower.holes, follower.gaps, follower.venue_gaps, follower.resumed
    )
}
