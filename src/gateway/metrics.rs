//! The gateway's figures: plain per-shard counters, gathered when they are scraped.
//!
//! Each counter has one writer, so counting is a load and a store; nothing here takes a lock or
//! shares a cache line between shards on purpose.

mod collector;
mod spread;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fantail_ops::metrics::{Metrics, histogram};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::config::SessionConfig;
use crate::connections::Connections;
use crate::encoder::FramesMade;
use collector::Collected;
use spread::Spread;

/// Closes by code are kept for this many different codes; the rest is counted together.
const CLOSE_CODES: usize = 24;

/// A counter with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lags are counted in µs and shown in seconds.
const MICROS_PER_SECOND: u64 = 1_000_000;

/// Upper bound of the first bucket of lags, µs: one flush of a few sockets.
const LAG_UNIT_MICROS: u64 = 50;

/// One shard's figures.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct ShardMetrics {
    sessions: Counter,
    subscribers: Counter,
    waiting: Counter,
    behind: Counter,
    opened: Counter,
    subscriptions: Counter,
    deliveries: Counter,
    writes: Counter,
    write_bytes: Counter,
    blocked: Counter,
    batches: Counter,
    batch_events: Counter,
    flushes: Counter,
    commands: Counter,
    seeds: Counter,
    resumes: Counter,
    conflated: Counter,
    restarted: Counter,
    let_go: Counter,
    merges: Counter,
    backlog_bytes: Counter,
    replay_bytes: Counter,
    lag_micros: Counter,
    behind_bytes_max: Counter,
    /// 1 while it writes through io_uring.
    by_ring: Counter,
    lag_tail_to_socket: Spread,
    flush_events: Spread,
    closes: std::sync::Mutex<Vec<(u16, &'static str, u64)>>,
}

impl Default for ShardMetrics {
    fn default() -> Self {
        Self {
            sessions: Counter::default(),
            subscribers: Counter::default(),
            waiting: Counter::default(),
            behind: Counter::default(),
            opened: Counter::default(),
            subscriptions: Counter::default(),
            deliveries: Counter::default(),
            writes: Counter::default(),
            write_bytes: Counter::default(),
            blocked: Counter::default(),
            batches: Counter::default(),
            batch_events: Counter::default(),
            flushes: Counter::default(),
            commands: Counter::default(),
            seeds: Counter::default(),
            resumes: Counter::default(),
            conflated: Counter::default(),
            restarted: Counter::default(),
            let_go: Counter::default(),
            merges: Counter::default(),
            backlog_bytes: Counter::default(),
            replay_bytes: Counter::default(),
            lag_micros: Counter::default(),
            behind_bytes_max: Counter::default(),
            by_ring: Counter::default(),
            lag_tail_to_socket: Spread::new(LAG_UNIT_MICROS, MICROS_PER_SECOND),
            flush_events: Spread::new(1, 1),
            closes: Default::default(),
        }
    }
}

impl ShardMetrics {
    pub(crate) fn set_levels(&self, sessions: usize, subscribers: usize, behind: usize) {
        self.sessions.set(sessions as u64);
        self.subscribers.set(subscribers as u64);
        self.behind.set(behind as u64);
    }

    /// Bytes kept for sessions that are behind, and how many of them the furthest needs.
    pub(crate) fn set_backlog(&self, bytes: usize, furthest: usize) {
        self.backlog_bytes.set(bytes as u64);
        self.behind_bytes_max.set(furthest as u64);
    }

    /// Bytes owed to sessions that resume, and how late the shard is.
    pub(crate) fn set_strain(&self, replay_bytes: u64, lag: std::time::Duration) {
        self.replay_bytes.set(replay_bytes);
        self.lag_micros.set(u64::try_from(lag.as_micros()).unwrap_or(u64::MAX));
    }

    /// How it writes from now on.
    pub(crate) fn set_flush_path(&self, by_ring: bool) {
        self.by_ring.set(u64::from(by_ring));
    }

    /// The name of the way it writes.
    pub(crate) fn flush_path(&self) -> &'static str {
        if self.by_ring.get() == 1 { "io_uring" } else { "send" }
    }

    /// A group has been offered to all its sockets, so long after the tail published it.
    pub(crate) fn lag_tail_to_socket(&self, micros: i64) {
        self.lag_tail_to_socket.record(u64::try_from(micros).unwrap_or(0));
    }

    /// A session that is behind was sent merged values.
    pub(crate) fn merged(&self) {
        self.merges.add(1);
    }

    pub(crate) fn subscribers(&self) -> u64 {
        self.subscribers.get()
    }

    /// Writes, events delivered, flushes, sessions behind (at the last tick).
    #[cfg(test)]
    pub(crate) fn figures(&self) -> [u64; 4] {
        [self.writes.get(), self.deliveries.get(), self.flushes.get(), self.behind.get()]
    }

    /// Sessions that have not been sent everything they are due.
    pub(crate) fn set_waiting(&self, sessions: usize) {
        self.waiting.set(sessions as u64);
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.get()
    }

    pub(crate) fn opened(&self) {
        self.opened.add(1);
    }

    pub(crate) fn delivered(&self, events: usize) {
        self.deliveries.add(events as u64);
    }

    pub(crate) fn written(&self, bytes: usize) {
        self.writes.add(1);
        self.write_bytes.add(bytes as u64);
    }

    pub(crate) fn blocked(&self) {
        self.blocked.add(1);
    }

    pub(crate) fn flushed(&self, batches: usize, events: usize) {
        self.flushes.add(1);
        self.batches.add(batches as u64);
        self.batch_events.add(events as u64);
        self.flush_events.record(events as u64);
    }

    pub(crate) fn command(&self) {
        self.commands.add(1);
    }

    pub(crate) fn seeded(&self, channels: usize, resumed: usize) {
        self.seeds.add(channels as u64);
        self.resumes.add(resumed as u64);
        self.subscriptions.add(channels as u64);
    }

    pub(crate) fn left(&self, channels: usize) {
        self.subscriptions.set(self.subscriptions.get().saturating_sub(channels as u64));
    }

    pub(crate) fn conflated(&self, events: usize) {
        self.conflated.add(events as u64);
    }

    pub(crate) fn restarted(&self) {
        self.restarted.add(1);
    }

    /// Sessions were closed because the shard, not they, was too late.
    pub(crate) fn let_go(&self, sessions: usize) {
        self.let_go.add(sessions as u64);
    }

    /// Once per session, so a short lock is nothing.
    pub(crate) fn closed(&self, code: u16, name: &'static str) {
        let mut closes = self.closes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = closes.iter().position(|row| row.0 == code && row.1 == name);
        let place = match place {
            Some(place) => place,
            None if closes.len() < CLOSE_CODES => {
                closes.push((code, name, 0));
                closes.len() - 1
            }
            None => CLOSE_CODES - 1,
        };
        closes[place].2 += 1;
    }
}

/// The tail's figures.
#[derive(Debug)]
pub(crate) struct TailMetrics {
    pub(crate) records: AtomicU64,
    pub(crate) publications: AtomicU64,
    pub(crate) derived: AtomicU64,
    pub(crate) poison: AtomicU64,
    pub(crate) fenced: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) holes: AtomicU64,
    pub(crate) bus_lost: AtomicU64,
    pub(crate) bus_errors: AtomicU64,
    /// Times the bus lost its newest records.
    pub(crate) bus_cut: AtomicU64,
    /// Records of a version this node does not read; poison as well.
    pub(crate) too_new: AtomicU64,
    /// Positions older than the ring, read back from the bus.
    pub(crate) reads_back: AtomicU64,
    /// Channels that got their state back from the compacted topic.
    pub(crate) mended: AtomicU64,
    /// Resumes that went on at the head, what they missed told as a gap.
    pub(crate) resumes_cut: AtomicU64,
    pub(crate) ring_bytes: AtomicU64,
    pub(crate) channels: AtomicU64,
    /// Partitions of events read now, and all there are.
    pub(crate) partitions: [AtomicU64; 2],
    /// Times a partition began to be read because somebody wanted it.
    pub(crate) woken: AtomicU64,
    /// Topics that are not as they were at the start.
    pub(crate) topics_wrong: AtomicU64,
    /// Feed owners whose channels are told stale because nothing is heard of them.
    pub(crate) owners_silent: AtomicU64,
    lag_seconds: Histogram,
    bus_seconds: Histogram,
}

impl TailMetrics {
    pub(crate) fn new() -> Self {
        Self {
            records: AtomicU64::default(),
            publications: AtomicU64::default(),
            derived: AtomicU64::default(),
            poison: AtomicU64::default(),
            fenced: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            holes: AtomicU64::default(),
            bus_lost: AtomicU64::default(),
            bus_errors: AtomicU64::default(),
            bus_cut: AtomicU64::default(),
            too_new: AtomicU64::default(),
            reads_back: AtomicU64::default(),
            mended: AtomicU64::default(),
            resumes_cut: AtomicU64::default(),
            ring_bytes: AtomicU64::default(),
            channels: AtomicU64::default(),
            partitions: Default::default(),
            woken: AtomicU64::default(),
            topics_wrong: AtomicU64::default(),
            owners_silent: AtomicU64::default(),
            lag_seconds: histogram(exponential_buckets(0.000_05, 2.0, 18)),
            bus_seconds: histogram(exponential_buckets(0.000_05, 2.0, 18)),
        }
    }

    /// Records that could not be read or applied.
    pub(crate) fn poison(&self, records: usize) {
        self.poison.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// A partition begins to be read.
    pub(crate) fn woken(&self) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }

    /// Partitions of events that are read, of all.
    pub(crate) fn partitions(&self, consumed: usize, total: usize) {
        self.partitions[0].store(consumed as u64, Ordering::Relaxed);
        self.partitions[1].store(total as u64, Ordering::Relaxed);
    }

    /// Topics that are not as they were.
    pub(crate) fn topics_wrong(&self, topics: usize) {
        self.topics_wrong.store(topics as u64, Ordering::Relaxed);
    }

    /// Feed owners of whom nothing is heard.
    pub(crate) fn owners_silent(&self, owners: usize) {
        self.owners_silent.store(owners as u64, Ordering::Relaxed);
    }

    /// A position is read back from the bus.
    pub(crate) fn read_back(&self) {
        self.reads_back.fetch_add(1, Ordering::Relaxed);
    }

    /// A resume was more than its shard could send in time.
    pub(crate) fn resume_cut(&self) {
        self.resumes_cut.fetch_add(1, Ordering::Relaxed);
    }

    /// From receive time at ingest to the tail.
    pub(crate) fn lag_ingest_to_tail(&self, micros: i64) {
        self.lag_seconds.observe(micros.max(0) as f64 / 1e6);
    }

    /// From a feed owner's sign of life on, given to the bus, until it is here.
    pub(crate) fn lag_bus(&self, micros: i64) {
        self.bus_seconds.observe(micros.max(0) as f64 / 1e6);
    }
}

/// Registers everything; figures are read when they are scraped.
pub(crate) fn register(
    metrics: &Metrics,
    tail: Arc<TailMetrics>,
    shards: Vec<Arc<ShardMetrics>>,
    frames: Arc<FramesMade>,
    (connections, bounds): (Arc<Connections>, SessionConfig),
) {
    metrics.register(|registry| {
        registry.register(
            "gateway_lag_ingest_to_tail_seconds",
            "From receive time at ingest to the gateway's tail",
            tail.lag_seconds.clone(),
        );
        registry.register(
            "gateway_lag_bus_seconds",
            "From ingest's bus to the gateway's tail, by each feed owner's sign of life, every second",
            tail.bus_seconds.clone(),
        );
    });
    metrics.collector(Box::new(Collected { tail, shards, frames, connections, bounds }));
}
