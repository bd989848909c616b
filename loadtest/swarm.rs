//! The swarm: runs a plan on its poll threads, and asks the machine what it cost.
//!
//! One run: the idle machine is watched, sockets come, things settle, everything is counted for a
//! while. This thread only waits, shows progress and reads /proc; the sockets belong to `worker`.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use fantail_ops::clock::Clock;
use mio::Waker;

use crate::host;
use crate::latency::Counts;
use crate::limits::{BASELINE, DESCRIPTORS_SPARE, RAMP_PATIENCE, ROWS_MAX, THREADS_MAX};
use crate::machine::{Cost, Held, Memory, Moment};
use crate::plan::Plan;
use crate::probe;
use crate::report::Report;
use crate::scrape::{self, Counters};
use crate::shared::{DONE, Gauges, MEASURE, RAMP, Shared};
use crate::target::Target;
use crate::worker::{Found, Worker};

/// What to run, and where.
#[derive(Debug, Clone)]
pub struct SwarmConfig {
    /// The plan.
    pub plan: Plan,
    /// The server.
    pub target: Target,
    /// Access token.
    pub token: Option<String>,
    /// The server's process, if it runs on this machine: adds its CPU, memory and context switches.
    pub pid: Option<u32>,
    /// Cores the server is pinned to: their whole busy time is measured.
    pub server_cores: Vec<usize>,
    /// How busy those cores are without the server, busy seconds a second; `None` = watch them before
    /// the first socket, when the server idles on them already.
    pub baseline: Option<f64>,
    /// The server's admin listener: its own counters go into the report.
    pub admin: Option<Target>,
    /// Show a line of progress on stderr.
    pub progress: bool,
}

/// Runs a plan.
///
/// # Errors
/// The server refuses, or the machine runs out of something.
pub fn run(config: &SwarmConfig) -> anyhow::Result<Report> {
    let plan = &config.plan;
    check_descriptors(plan)?;
    let lists = plan
        .groups
        .iter()
        .map(|group| probe::resolve(group, &config.target, config.token.as_deref()));
    let shared = Arc::new(Shared {
        lists: lists.collect::<anyhow::Result<_>>()?,
        plan: plan.clone(),
        target: config.target.clone(),
        token: config.token.clone(),
        clock: Clock::system(),
        phase: AtomicU8::new(RAMP),
        gauges: (0..plan.threads).map(|_| Gauges::default()).collect(),
        stretch: Duration::from_secs_f64((plan.seconds / ROWS_MAX as f64).max(1.0)),
    });
    Swarm::start(config, shared)?.run()
}

/// Holds `sockets` idle sockets for `seconds`, each with one quiet channel.
///
/// # Errors
/// As [`run`].
pub fn idle(target: Target, sockets: usize, seconds: f64) -> anyhow::Result<Report> {
    run(&SwarmConfig {
        plan: Plan::idle(sockets, "status:binance", seconds),
        target,
        token: None,
        pid: None,
        server_cores: Vec::new(),
        baseline: None,
        admin: None,
        progress: false,
    })
}

fn check_descriptors(plan: &Plan) -> anyhow::Result<()> {
    let wanted = plan.sockets() as u64 + DESCRIPTORS_SPARE;
    let allowed = host::descriptors_max().unwrap_or(u64::MAX);
    anyhow::ensure!(
        wanted <= allowed,
        "{} sockets need {wanted} descriptors, allowed are {allowed}: ulimit -n {wanted}",
        plan.sockets()
    );
    Ok(())
}

type Ended = (usize, anyhow::Result<Found>);

/// A run under way. Dropping it ends its threads.
struct Swarm<'a> {
    config: &'a SwarmConfig,
    shared: Arc<Shared>,
    wakers: Vec<Waker>,
    threads: Vec<JoinHandle<()>>,
    ended: Receiver<Ended>,
    /// What the server's cores do when nothing is asked of them, busy seconds a second.
    idle: Option<f64>,
    memory_before: Memory,
    tells: bool,
}

impl Drop for Swarm<'_> {
    fn drop(&mut self) {
        self.turn_to(DONE);
        for thread in self.threads.drain(..) {
            // What it found or how it failed came by mailbox.
            let _ = thread.join();
        }
    }
}

impl<'a> Swarm<'a> {
    fn start(config: &'a SwarmConfig, shared: Arc<Shared>) -> anyhow::Result<Self> {
        let (sender, ended) = sync_channel(THREADS_MAX);
        let mut swarm = Self {
            config,
            shared,
            wakers: Vec::new(),
            threads: Vec::new(),
            ended,
            idle: None,
            memory_before: Memory::now(config.pid),
            tells: config.progress && std::io::stderr().is_terminal(),
        };
        swarm.idle = swarm.baseline()?;
        for index in 0..swarm.shared.plan.threads {
            swarm.spawn(index, sender.clone())?;
        }
        Ok(swarm)
    }

    fn spawn(&mut self, index: usize, sender: SyncSender<Ended>) -> anyhow::Result<()> {
        let (worker, waker) = Worker::new(Arc::clone(&self.shared), index)?;
        let body = move || {
            // The mailbox has room for every thread; nobody listens any more if the run failed.
            let _ = sender.try_send((index, worker.run()));
        };
        let thread = std::thread::Builder::new().name(format!("swarm-{index}")).spawn(body);
        self.threads.push(thread.context("a thread")?);
        self.wakers.push(waker);
        Ok(())
    }

    fn run(mut self) -> anyhow::Result<Report> {
        self.ramp()?;
        self.wait(Duration::from_secs_f64(self.shared.plan.settle_seconds), "settling")?;
        let (held, counted) = (Held::now(self.config), self.counters()?);
        let before = Moment::now(self.config, &self.shared.clock);
        self.turn_to(MEASURE);
        self.wait(Duration::from_secs_f64(self.shared.plan.seconds), "measuring")?;
        let after = Moment::now(self.config, &self.shared.clock);
        // The sockets are still there.
        let (held, counted) =
            ([held, Held::now(self.config)], scrape::grown(&counted, &self.counters()?));
        let memory = Memory::now(self.config.pid);
        self.turn_to(DONE);
        if self.tells {
            eprintln!();
        }
        let found = self.collect()?;
        let mut counts = Counts::new(self.shared.stretch)?;
        for part in &found {
            counts.add(&part.counts)?;
        }
        let cost = Cost::between(&before, &after, self.idle, counts.deliveries);
        let memory = Memory::grown(self.memory_before, memory, self.shared.plan.sockets());
        let mut report = Report::of(&self.shared.plan, &counts, cost, memory);
        (report.held, report.counters) = (held, counted);
        Ok(report.with_threads(&self.shared.plan, &found))
    }

    fn counters(&self) -> anyhow::Result<Counters> {
        self.config.admin.as_ref().map_or_else(|| Ok(Counters::new()), scrape::counters)
    }

    /// Waits until every socket is subscribed, or has been closed for good. Where sockets come back, one
    /// that was subscribed has arrived: a server beyond its capacity closes some while others come.
    fn ramp(&mut self) -> anyhow::Result<()> {
        let wanted = self.shared.plan.sockets() as u64;
        let mut last = (0, self.shared.clock.monotonic());
        loop {
            let (ready, gone) = match self.shared.plan.reconnect {
                true => (self.sum(|gauges| &gauges.arrived), 0),
                false => (self.sum(|gauges| &gauges.ready), self.sum(|gauges| &gauges.closed)),
            };
            if ready + gone >= wanted {
                return Ok(());
            }
            let now = self.shared.clock.monotonic();
            if ready + gone > last.0 {
                last = (ready + gone, now);
            }
            anyhow::ensure!(
                now - last.1 < RAMP_PATIENCE,
                "only {ready} of {wanted} sockets are subscribed, and no more for {RAMP_PATIENCE:?}"
            );
            self.wait(Duration::from_millis(20), "connecting")?;
        }
    }

    /// Waits, showing progress; fails when a thread does.
    fn wait(&mut self, time: Duration, doing: &str) -> anyhow::Result<()> {
        let clock = self.shared.clock.clone();
        let end = clock.monotonic() + time;
        loop {
            let left = end.saturating_sub(clock.monotonic());
            if left.is_zero() {
                return Ok(());
            }
            match self.ended.recv_timeout(left.min(Duration::from_secs(1))) {
                Ok((_, Err(error))) => return Err(error),
                Ok((index, Ok(_))) => anyhow::bail!("thread {index} ended too early"),
                Err(RecvTimeoutError::Timeout) => self.progress(doing),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("a thread panicked"),
            }
        }
    }

    fn progress(&self, doing: &str) {
        if self.tells {
            let (ready, all) = (self.sum(|it| &it.ready), self.shared.plan.sockets());
            let (deliveries, wrong) = (self.sum(|it| &it.deliveries), self.sum(|it| &it.wrong));
            let closed = self.sum(|it| &it.closed);
            let mut out = std::io::stderr();
            // A terminal that is gone takes no harm.
            let _ = write!(
                out,
                "\r\x1b[K{doing}: {ready} of {all} sockets, {deliveries} deliveries, {wrong} wrong, {closed} closed"
            );
            let _ = out.flush();
        }
    }

    fn sum(&self, of: impl Fn(&Gauges) -> &std::sync::atomic::AtomicU64) -> u64 {
        self.shared.gauges.iter().map(|gauges| of(gauges).load(Ordering::Relaxed)).sum()
    }

    fn turn_to(&self, phase: u8) {
        self.shared.phase.store(phase, Ordering::Release);
        for waker in &self.wakers {
            // A thread that misses it looks by itself soon.
            let _ = waker.wake();
        }
    }

    fn collect(&mut self) -> anyhow::Result<Vec<Found>> {
        let mut found = Vec::new();
        for _ in 0..self.threads.len() {
            found.push(self.ended.recv().context("a thread panicked")?.1?);
        }
        Ok(found)
    }

    fn baseline(&mut self) -> anyhow::Result<Option<f64>> {
        if self.config.server_cores.is_empty() || self.config.baseline.is_some() {
            return Ok(self.config.baseline);
        }
        let clock = self.shared.clock.clone();
        let before = Moment::now(self.config, &clock);
        // Nobody sends: this only waits, without a spin.
        match self.ended.recv_timeout(BASELINE) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => anyhow::bail!("a thread ended before it was started"),
        }
        let after = Moment::now(self.config, &clock);
        Ok(Some(after.cores_busy_since(&before).context("no such core")?))
    }
}

#[cfg(test)]
mod tests;
