//! A report as text: one line a figure, units beside it, what is not known left out.

use std::fmt;

use crate::chain::Losses;
use crate::limits::BUSY_MAX;
use crate::report::{Latency, Report};

/// Threads that cost less per delivery are not worth a line, µs.
const WORTH_A_LINE: f64 = 0.000_5;

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
        writeln!(f, "{}", self.plan)?;
        for (name, value) in lines(self) {
            writeln!(f, "  {name:<16} {value}")?;
        }
        write!(f, "  {:<16} {}", "verdict", self.verdict())
    }
}

/// Every figure with its name; the page shows the same.
pub(crate) fn lines(report: &Report) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    let each = |bytes: u64| bytes as f64 / report.deliveries.max(1) as f64;
    line(
        "sockets",
        format!("{}, {} slow on purpose, {:.1} s", report.sockets, report.slow, report.seconds),
    );
    let per_second = report.deliveries as f64 / report.seconds.max(1e-9);
    let offered = match report.offered {
        0 => String::new(),
        offered => format!(" of {offered} offered"),
    };
    line("deliveries", format!("{}{offered}, {per_second:.0}/s", report.deliveries));
    if report.slow_deliveries > 0 {
        line("by slow readers", report.slow_deliveries.to_string());
    }
    let (wire, messages) = (report.wire_bytes, report.message_bytes);
    let bytes = match report.deliveries {
        0 => format!("{wire} on the wire, {messages} as messages, in all"),
        _ => format!("{:.0} each on the wire, {:.0} as messages", each(wire), each(messages)),
    };
    line("bytes", bytes);
    let Losses { holes, lost, duplicates, reordered, gaps } = report.losses;
    line(
        "sequence",
        format!(
            "lost {lost} in {holes} holes, repeated {duplicates}, reordered {reordered}, told gaps {gaps}"
        ),
    );
    line(
        "readings",
        format!(
            "unreadable {}, decoded in full {}, of those scanned wrongly {}",
            report.unreadable, report.sampled, report.mismatches
        ),
    );
    sockets_that_went(report, &mut line);
    if report.from_venue.count > 0 {
        line("from the venue", report.from_venue.to_string());
    }
    if report.from_ingest.count > 0 {
        line("from ingest", report.from_ingest.to_string());
        line("from tail", report.from_tail.to_string());
    }
    cost(report, &mut line);
    memory(report, &mut line);
    counters(report, &mut line);
    let told = if report.generator_busy > BUSY_MAX { ": it was the bottleneck" } else { "" };
    line("generator busy", format!("{:.0} %{told}", report.generator_busy * 100.0));
    lines
}

fn sockets_that_went(report: &Report, line: &mut dyn FnMut(&str, String)) {
    if !report.closed.is_empty() {
        let code = |(code, count): (&u16, &u64)| match code {
            0 => format!("{count} without a code"),
            code => format!("{count} with {code}"),
        };
        let codes: Vec<String> = report.closed.iter().map(code).collect();
        line("closed", format!("{} ({} slow ones)", codes.join(", "), report.slow_closed));
    }
    if report.reconnects + report.refused > 0 {
        line("came back", format!("{}, refused first {}", report.reconnects, report.refused));
        line("time to be back", report.back.to_string());
    }
    if let Some(refusal) = &report.refusal {
        line("refused", refusal.clone());
    }
}

fn cost(report: &Report, line: &mut dyn FnMut(&str, String)) {
    let cost = &report.cost;
    let each = |micros: Option<f64>| {
        micros.map_or_else(String::new, |micros| format!("{micros:.3} µs per delivery, "))
    };
    if let (Some(busy), Some(idle)) = (cost.cores_busy, cost.cores_idle_baseline) {
        let (busy, idle, each) = (busy * 100.0, idle * 100.0, each(cost.core_micros));
        line("server cores", format!("{each}{busy:.1} % busy, {idle:.1} % before (subtracted)"));
        if cost.is_disturbed() {
            line("", "DISTURBED: these cores were busy before, the figure says nothing".into());
        }
    }
    if let Some(busy) = cost.process_busy {
        let (busy, each) = (busy * 100.0, each(cost.process_micros));
        line("server process", format!("{each}{busy:.1} % of a core, all its threads"));
    }
    // Another kind of server has no such threads.
    if let Some(micros) = cost.fan_out_micros.filter(|micros| *micros > WORTH_A_LINE) {
        line("  tail + shards", format!("{micros:.3} µs CPU per delivery"));
    }
    for (name, micros) in cost.thread_micros.iter().filter(|(_, micros)| **micros > WORTH_A_LINE) {
        line(&format!("  {name}"), format!("{micros:.3} µs CPU per delivery"));
    }
    if let (Some(waits), Some(preemptions)) = (cost.waits, cost.preemptions) {
        line("switches", format!("{waits:.5} waiting, {preemptions:.5} preempted, per delivery"));
    }
}

/// What the server counted itself, as far as it explains the figures above.
fn counters(report: &Report, line: &mut dyn FnMut(&str, String)) {
    let count = |name: &str| report.counters.get(name).copied();
    if let (Some(deliveries), Some(writes)) = (count("gateway_deliveries"), count("gateway_writes"))
    {
        let each = deliveries / writes.max(1.0);
        line("server's count", format!("{deliveries:.0} deliveries, {each:.2} in each send"));
    }
    for (name, text) in [
        ("gateway_conflated_events", "merged into later ones"),
        ("gateway_writes_blocked", "sends a socket did not take whole"),
        ("gateway_sessions_restarted", "sessions restarted after losing their place"),
        ("gateway_resumes", "channels resumed"),
        ("gateway_resumes_cut", "resumes cut to a gap and the head"),
        ("gateway_reads_back", "positions read back from the bus"),
        ("gateway_sessions_let_go", "sessions let go because the shard was too late"),
        ("gateway_frames_compressed", "frames sent compressed"),
    ] {
        if let Some(value) = count(name).filter(|value| *value > 0.0) {
            line("", format!("{value:.0} {text}"));
        }
    }
    for (name, value) in &report.counters {
        if let Some(code) = name.strip_prefix("gateway_sessions_closed code=")
            && *value > 0.0
        {
            line("", format!("{value:.0} sessions closed with {}", code.trim_matches('"')));
        }
    }
}

fn memory(report: &Report, line: &mut dyn FnMut(&str, String)) {
    let memory = &report.memory;
    let mut one = |name: &str, all: Option<u64>, each: Option<f64>| {
        if let (Some(all), Some(each)) = (all, each) {
            line(name, format!("{all} kB, {each:.2} kB more per socket"));
        }
    };
    one("server memory", memory.server_kb, memory.server_kb_per_socket);
    one("kernel slabs", memory.slab_kb, memory.slab_kb_per_socket);
    one("our memory", memory.ours_kb, memory.ours_kb_per_socket);
    let [start, end] = report.held;
    if let (Some(start), Some(end)) = (start.kernel_kb, end.kernel_kb) {
        line("kernel queues", format!("{end:.0} kB of the server's sockets, {start:.0} before"));
    }
}
