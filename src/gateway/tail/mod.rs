//! The tail: one thread between the bus and the shards.
//!
//! Strict cycle: poll the bus → decode each record once → apply to the store → hand one batch to
//! every interested shard → answer requests. It owns the store and never blocks on a shard: what
//! a full mailbox refuses waits in the shard's own bounded lag.

mod cycle;
mod feeds;
mod interest;
pub(crate) mod lag;
pub(crate) mod layout;
mod mending;
mod partitions;
mod queries;
mod reading;
mod requests;
mod returning;
mod warm;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fantail_bus::{Consumer, Delivered, Start};
use fantail_model::{Micros, Position};
use fantail_ops::clock::Clock;
use fantail_ops::health::Readiness;
use fantail_ops::shutdown::Shutdown;
use tokio::sync::mpsc;

use crate::limits;
use crate::link::{ToShard, ToTail};
use crate::metrics::TailMetrics;
use crate::past::reader::PastLink;
use crate::query::Asked;
use crate::scout::ScoutLink;
use crate::store::Store;
use crate::strain::Strain;
use crate::variant::Variants;
use cycle::Cycle;
use feeds::Feeds;
use interest::Interest;
use lag::Lag;
use layout::{Layout, Place};
use reading::Complaints;
use requests::Waiting;
use returning::Returning;
use warm::Ends;
use watch::Watch;

/// What the tail is made of; [`Tail::run`] is its thread.
pub(crate) struct Tail {
    store: Store,
    cycle: Cycle,
    feeds: Feeds,
    returning: Returning,
    shards: Vec<Lag>,
    ahead: Vec<Waiting>,
    /// Commands whose positions are being read back.
    reading: Vec<Waiting>,
    /// Channels being read back, each from its position.
    asked: Vec<(u32, Position)>,
    past: PastLink,
    requests: mpsc::Receiver<ToTail>,
    queries: mpsc::Receiver<Asked>,
    layout: Layout,
    /// Which partitions are consumed.
    interest: Interest,
    scout: ScoutLink,
    watch: Watch,
    readiness: Readiness,
    /// What has to be read before this node has caught up.
    ends: Ends,
    /// When those ends were reached.
    reached: Option<Duration>,
    first_channel_wait: Duration,
    /// Partitions that stand still until they are moved.
    standing: Vec<Start>,
    complaints: Complaints,
    /// When the next conflation window ends.
    next_window: Option<Micros>,
    clock: Clock,
    metrics: Arc<TailMetrics>,
}

/// The mailboxes the tail reads and writes.
pub(crate) struct Mailboxes {
    pub(crate) shards: Vec<(mpsc::Sender<ToShard>, Arc<Strain>)>,
    pub(crate) requests: mpsc::Receiver<ToTail>,
    pub(crate) queries: mpsc::Receiver<Asked>,
    pub(crate) past: PastLink,
    pub(crate) scout: ScoutLink,
}

/// What the tail is set up with.
pub(crate) struct Setup {
    pub(crate) ring_bytes: usize,
    pub(crate) variants: Variants,
    pub(crate) layout: Layout,
    /// Only partitions somebody wants are consumed; how long after the last one left still.
    pub(crate) by_interest: Option<Duration>,
    /// Where it is told what is wrong with the topics.
    pub(crate) readiness: Readiness,
    /// How long the first channel of a bus without any is waited for.
    pub(crate) wait: Duration,
}

impl Tail {
    pub(crate) fn new(
        setup: Setup,
        mailboxes: Mailboxes,
        clock: Clock,
        metrics: Arc<TailMetrics>,
    ) -> Self {
        let lags = mailboxes.shards.into_iter().map(Lag::new).collect();
        Self {
            store: Store::new(setup.ring_bytes, setup.variants),
            cycle: Cycle::default(),
            feeds: Feeds::default(),
            returning: Returning::default(),
            shards: lags,
            ahead: Vec::new(),
            reading: Vec::new(),
            asked: Vec::new(),
            past: mailboxes.past,
            requests: mailboxes.requests,
            queries: mailboxes.queries,
            interest: Interest::new(&setup.layout, setup.by_interest),
            layout: setup.layout,
            scout: mailboxes.scout,
            watch: Watch::default(),
            readiness: setup.readiness,
            ends: Ends::default(),
            reached: None,
            first_channel_wait: setup.wait,
            standing: Vec::new(),
            complaints: Complaints::default(),
            next_window: None,
            clock,
            metrics,
        }
    }

    /// Runs, from a consumer with nothing assigned, until shutdown has begun and every shard has
    /// ended: sessions that wait for their turn to leave are served until then. `caught_up` is called
    /// once everything that was on the bus at the start has been taken.
    pub(crate) fn run(
        mut self,
        mut consumer: Box<dyn Consumer>,
        caught_up: impl FnOnce(),
        shutdown: &Shutdown,
    ) {
        if !self.warm_start(&mut *consumer, shutdown) {
            return;
        }
        let mut caught_up = Some(caught_up);
        let mut delivered: Vec<Delivered> = Vec::with_capacity(limits::CYCLE_RECORDS_MAX);
        let mut last_tick = self.clock.monotonic();
        while !(shutdown.has_begun() && self.shards.iter().all(Lag::is_over)) {
            self.poll(&mut *consumer, &mut delivered);
            let now = Micros(self.clock.wall_micros());
            for record in delivered.drain(..) {
                self.take(&record, now);
                self.note_passed(&record);
            }
            self.publish(now);
            self.take_pasts(now);
            self.take_scouted(&mut *consumer, now);
            self.answer_requests(now);
            self.answer_queries();
            let elapsed = self.clock.monotonic();
            if elapsed.saturating_sub(last_tick) >= limits::TICK {
                last_tick = elapsed;
                self.tick(now, elapsed);
                self.tick_partitions(&mut *consumer, now);
                self.go_on(&mut *consumer);
            }
            self.shards.iter_mut().for_each(|lag| lag.push_on());
            if self.is_caught_up()
                && let Some(caught_up) = caught_up.take()
            {
                tracing::info!("caught up with the bus");
                caught_up();
            }
        }
    }

    /// Whether everything that was on the bus has been taken. A bus nobody has spoken on yet is waited
    /// for a little: who was admitted now would be told that no channel exists.
    fn is_caught_up(&mut self) -> bool {
        if !self.ends.are_reached() {
            return false;
        }
        let now = self.clock.monotonic();
        let since = *self.reached.get_or_insert(now);
        let is_late = now.saturating_sub(since) >= self.first_channel_wait;
        is_late || !self.store.channels().is_empty()
    }

    /// Counts a record off the way to having caught up.
    fn note_passed(&mut self, record: &Delivered) {
        if !(self.ends.are_reached() && self.interest.is_level())
            && let Some(topic) = self.layout.topic(&record.record.topic)
        {
            self.passed(Place { topic, partition: record.record.partition }, record.offset + 1);
        }
    }

    /// How long the next poll may wait: not at all while requests are left over.
    fn patience(&self) -> Duration {
        let asked = !self.requests.is_empty() || !self.queries.is_empty();
        let due = asked || self.interest.is_opening();
        if due || !self.past.answers.is_empty() || !self.scout.answers.is_empty() {
            Duration::ZERO
        } else if self.shards.iter().any(Lag::is_lagging) {
            limits::CYCLE_WAIT_LAGGING
        } else {
            let window = self.next_window.map_or(limits::CYCLE_WAIT, |end| {
                let left = end.since(Micros(self.clock.wall_micros()));
                Duration::from_micros(u64::try_from(left).unwrap_or(0))
            });
            window.min(limits::CYCLE_WAIT)
        }
    }

    /// Timers: silent feed owners, subscribers waiting for a position.
    fn tick(&mut self, now: Micros, elapsed: Duration) {
        self.tell_silence(now, elapsed);
        self.ask_ends();
        self.retry_ahead(now, elapsed);
        self.give_up_reading(now, elapsed);
        self.mend_late(elapsed, now);
        self.watch_topics(elapsed);
        let ring_bytes: usize = self.store.channels().iter().map(|c| c.ring.bytes()).sum();
        let set = |gauge: &AtomicU64, value: usize| gauge.store(value as u64, Ordering::Relaxed);
        set(&self.metrics.ring_bytes, ring_bytes);
        set(&self.metrics.channels, self.store.channels().len());
    }

    /// To every shard, in mailbox order.
    fn tell_all(&mut self, message: &ToShard) {
        for lag in &mut self.shards {
            lag.push(message.clone(), 0);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
