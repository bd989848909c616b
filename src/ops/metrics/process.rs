//! The process's own figures, read from `/proc/self` at each scrape: memory, descriptors, CPU,
//! threads, uptime. Elsewhere than on Linux only the uptime is known, and the rest is left out.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::clock::Clock;

/// Ticks per second in `/proc/self/stat`: fixed at 100 in Linux's user-space interface.
const TICKS_PER_S: f64 = 100.0;

#[derive(Debug)]
pub(super) struct ProcessCollector {
    clock: Clock,
}

impl ProcessCollector {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let descriptors = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64);
        let rss = status_number(&status, "VmRSS:").map(|kib| kib * 1024);
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory", rss),
            ("process_open_fds", "Open file descriptors", descriptors),
            ("process_threads", "Threads", status_number(&status, "Threads:")),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                ConstGauge::new(value).encode(metric)?;
            }
        }
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        if let Some(cpu_seconds) = cpu_seconds(&stat) {
            let name = "process_cpu_seconds";
            let help = "User and system CPU time";
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(cpu_seconds).encode(metric)?;
        }
        let uptime = ConstGauge::new(self.clock.monotonic().as_secs_f64());
        let name = "process_uptime_seconds";
        let metric =
            encoder.encode_descriptor(name, "Time since start", None, MetricType::Gauge)?;
        uptime.encode(metric)
    }
}

/// The number after a label in `/proc/self/status`.
fn status_number(status: &str, label: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

/// `utime + stime`, fields 14 and 15; counted after the last `)`, as the name may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 95 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("nonsense"), None);
        assert_eq!(status_number("Name:\tx\nVmRSS:\t  123 kB\n", "VmRSS:"), Some(123));
        assert_eq!(status_number("", "VmRSS:"), None);
    }
}
