//! From what /proc says before and after to what a delivery cost.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use fantail_ops::clock::Clock;
use mio::{Events, Poll};
use serde::{Deserialize, Serialize};

use crate::host::{self, Spent};
use crate::limits::{BASELINE, BASELINE_BUSY_MAX};
use crate::swarm::SwarmConfig;

/// The machine at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    at: Duration,
    /// Idle seconds of each of the server's cores.
    cores: Vec<Option<f64>>,
    server: BTreeMap<String, Spent>,
    switches: Option<(u64, u64)>,
    ours: BTreeMap<String, Spent>,
}

/// What the server cost. Figures per delivery are in µs, and unknown where nothing was delivered.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Busy time of the server's whole cores, softirq included, idle baseline subtracted.
    pub core_micros: Option<f64>,
    /// How busy those cores were, 1 = one core, baseline included.
    pub cores_busy: Option<f64>,
    /// How busy they were before the run.
    pub cores_idle_baseline: Option<f64>,
    /// CPU of the whole process, 1 = one core.
    pub process_busy: Option<f64>,
    /// CPU of the whole process: in `demo` its simulator and ingest are in it.
    pub process_micros: Option<f64>,
    /// CPU of its threads by name; `shard-*` and `tail` are the fan-out.
    pub thread_micros: BTreeMap<String, f64>,
    /// Of those, `shard-*` and `tail` together.
    pub fan_out_micros: Option<f64>,
    /// Context switches per delivery, by waiting.
    pub waits: Option<f64>,
    /// Context switches per delivery, put off the core.
    pub preemptions: Option<f64>,
    /// Each of our poll threads: share of the time it was on a core or waiting for one.
    pub generator: BTreeMap<String, f64>,
}

/// What the server holds at one moment, kB.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Held {
    /// Resident memory of its process.
    pub server_kb: Option<u64>,
    /// The kernel's, in the queues of its sockets.
    pub kernel_kb: Option<f64>,
}

/// Memory, in kB.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Memory {
    /// The server's resident memory.
    pub server_kb: Option<u64>,
    /// The whole kernel's slabs: both ends of every loopback socket.
    pub slab_kb: Option<u64>,
    /// This program's resident memory.
    pub ours_kb: Option<u64>,
    /// What each socket added to the first.
    pub server_kb_per_socket: Option<f64>,
    /// What each socket added to the second.
    pub slab_kb_per_socket: Option<f64>,
    /// What each socket added to the third.
    pub ours_kb_per_socket: Option<f64>,
}

impl Held {
    pub(crate) fn now(config: &SwarmConfig) -> Self {
        let Some(pid) = config.pid else { return Self::default() };
        Self {
            server_kb: host::resident_kb(pid),
            kernel_kb: host::server_sockets_kb(config.target.addr.port()),
        }
    }
}

impl Moment {
    pub(crate) fn now(config: &SwarmConfig, clock: &Clock) -> Self {
        Self {
            at: clock.monotonic(),
            cores: config.server_cores.iter().map(|core| host::core_idle_seconds(*core)).collect(),
            server: config.pid.map(host::thread_times).unwrap_or_default(),
            switches: config.pid.and_then(host::switches),
            ours: host::thread_times(std::process::id()),
        }
    }

    /// Busy seconds a second of the cores together; `None` if there are none.
    pub(crate) fn cores_busy_since(&self, before: &Self) -> Option<f64> {
        let elapsed = (self.at - before.at).as_secs_f64();
        let mut busy = None;
        for (start, end) in before.cores.iter().zip(&self.cores) {
            let idle = end.as_ref()? - start.as_ref()?;
            *busy.get_or_insert(0.0) += ((elapsed - idle) / elapsed).max(0.0);
        }
        busy
    }
}

impl Cost {
    pub(crate) fn between(
        before: &Moment,
        after: &Moment,
        idle: Option<f64>,
        deliveries: u64,
    ) -> Self {
        let elapsed = (after.at - before.at).as_secs_f64();
        let share = |amount: f64| (deliveries > 0).then(|| amount / deliveries as f64);
        let micros = |seconds: f64| share(seconds * 1e6);
        let cores_busy = after.cores_busy_since(before);
        let server = differences(&before.server, &after.server);
        let cpu = |wanted: &dyn Fn(&str) -> bool| -> Option<f64> {
            let names = server.iter().filter(|(name, _)| wanted(name));
            let seconds = names.map(|(_, spent)| spent.cpu_seconds).sum();
            (!server.is_empty()).then_some(seconds)
        };
        let switches = before.switches.zip(after.switches);
        let grown = |of: fn((u64, u64)) -> u64| {
            switches.map(|(start, end)| of(end).saturating_sub(of(start)) as f64)
        };
        let ours = differences(&before.ours, &after.ours);
        let each =
            |(name, spent): (&String, &Spent)| Some((name.clone(), micros(spent.cpu_seconds)?));
        Self {
            core_micros: cores_busy
                .zip(idle)
                .and_then(|(busy, idle)| micros((busy - idle) * elapsed)),
            cores_busy,
            cores_idle_baseline: idle,
            process_busy: cpu(&|_| true).map(|seconds| seconds / elapsed),
            process_micros: cpu(&|_| true).and_then(micros),
            fan_out_micros: cpu(&|name| name.starts_with("shard-") || name == "tail")
                .and_then(micros),
            waits: grown(|it| it.0).and_then(share),
            preemptions: grown(|it| it.1).and_then(share),
            thread_micros: server.iter().filter_map(each).collect(),
            generator: ours
                .into_iter()
                .filter(|(name, _)| name.starts_with("swarm-"))
                .map(|(name, spent)| (name, (spent.cpu_seconds + spent.waited_seconds) / elapsed))
                .collect(),
        }
    }
}

impl Cost {
    /// The server's cores were used by others before the run: no figure of theirs counts.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        self.cores_idle_baseline.is_some_and(|busy| busy > BASELINE_BUSY_MAX)
    }
}

impl Memory {
    pub(crate) fn now(server: Option<u32>) -> Self {
        Self {
            server_kb: server.and_then(host::resident_kb),
            slab_kb: host::slab_kb(),
            ours_kb: host::resident_kb(std::process::id()),
            ..Self::default()
        }
    }

    /// `after`, and what each of `sockets` added since `before`.
    pub(crate) fn grown(before: Self, after: Self, sockets: usize) -> Self {
        let each = |start: Option<u64>, end: Option<u64>| {
            Some((end? as f64 - start? as f64) / sockets.max(1) as f64)
        };
        Self {
            server_kb_per_socket: each(before.server_kb, after.server_kb),
            slab_kb_per_socket: each(before.slab_kb, after.slab_kb),
            ours_kb_per_socket: each(before.ours_kb, after.ours_kb),
            ..after
        }
    }
}

/// Busy seconds a second of a core, watched for a while.
///
/// # Errors
/// There is no such core.
pub(crate) fn watch(core: usize) -> anyhow::Result<f64> {
    let (clock, idle) = (Clock::system(), || host::core_idle_seconds(core).context("no such core"));
    let (started, before) = (clock.monotonic(), idle()?);
    // A poll set without sockets: waiting without a spin.
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    while let Some(left) = (started + BASELINE).checked_sub(clock.monotonic()) {
        poll.poll(&mut events, Some(left))?;
    }
    let elapsed = (clock.monotonic() - started).as_secs_f64();
    Ok(((elapsed - (idle()? - before)) / elapsed).max(0.0))
}

/// What each thread has had in between. A thread that ended meanwhile is missing.
fn differences(
    before: &BTreeMap<String, Spent>,
    after: &BTreeMap<String, Spent>,
) -> BTreeMap<String, Spent> {
    let difference = |(name, end): (&String, &Spent)| {
        let start = before.get(name).copied().unwrap_or_default();
        let spent = Spent {
            cpu_seconds: (end.cpu_seconds - start.cpu_seconds).max(0.0),
            waited_seconds: (end.waited_seconds - start.waited_seconds).max(0.0),
        };
        (name.clone(), spent)
    };
    after.iter().map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: u64, idle: f64, cpu: f64) -> Moment {
        let spent = |cpu_seconds| Spent { cpu_seconds, waited_seconds: 0.5 * cpu_seconds };
        let names = ["shard-0", "tail", "other"].map(|name| (name.to_owned(), spent(cpu)));
        Moment {
            at: Duration::from_secs(at),
            cores: vec![Some(idle)],
            server: names.into_iter().collect(),
            switches: Some((at * 100, at * 10)),
            ours: [("swarm-0".to_owned(), spent(cpu)), ("main".to_owned(), spent(cpu))].into(),
        }
    }

    #[test]
    fn a_delivery_costs_what_the_cores_did_beyond_idling() {
        let (before, after) = (moment(10, 100.0, 1.0), moment(20, 106.0, 2.0));
        let busy = after.cores_busy_since(&before).expect("a core");
        assert!((busy - 0.4).abs() < 1e-9);
        let cost = Cost::between(&before, &after, Some(0.1), 1_000_000);
        let near =
            |value: Option<f64>, wanted: f64| (value.expect("a figure") - wanted).abs() < 1e-9;
        assert!(near(cost.core_micros, 3.0));
        assert!(near(cost.process_micros, 3.0));
        assert!(near(cost.fan_out_micros, 2.0));
        assert!(!cost.is_disturbed());
        assert!(Cost { cores_idle_baseline: Some(0.5), ..Cost::default() }.is_disturbed());
        assert!(near(cost.waits, 0.001));
        assert!(near(cost.generator.get("swarm-0").copied(), 0.15));
        assert_eq!(cost.generator.len(), 1);
    }

    #[test]
    fn what_is_not_known_is_not_invented() {
        let unknown = Moment {
            cores: vec![],
            server: BTreeMap::new(),
            switches: None,
            ..moment(1, 0.0, 0.0)
        };
        let later = Moment { at: Duration::from_secs(2), ..unknown.clone() };
        let cost = Cost::between(&unknown, &later, None, 0);
        assert_eq!((cost.core_micros, cost.process_micros, cost.waits), (None, None, None));
        // Nothing delivered: no figure per delivery, but still how busy it was.
        let cost = Cost::between(&moment(1, 0.0, 1.0), &moment(2, 0.5, 1.25), Some(0.0), 0);
        assert_eq!((cost.core_micros, cost.process_micros, cost.waits), (None, None, None));
        assert_eq!((cost.process_busy, cost.cores_busy), (Some(0.75), Some(0.5)));
    }
}
