//! The tail: one thread between the bus and the shards.
//!
//! Strict cycle: poll the bus → decode each record once → apply to the store → hand one batch to
//! every interested shard → answer requests. It owns the store and never blocks on a shard: what
//! a full mailbox refuses waits in the shard's own bounded lag.

mod cycle;
mod feeds;
mod lag;
mod queries;
mod requests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer, Delivered, Offset, Start};
use fantail_model::Micros;
use fantail_ops::clock::Clock;
use fantail_ops::health::Latch;
use fantail_ops::shutdown::Shutdown;
use tokio::sync::mpsc;

use crate::limits;
use crate::link::{ToShard, ToTail};
use crate::metrics::TailMetrics;
use crate::query::Asked;
use crate::store::Store;
use crate::variant::Variants;
use cycle::Cycle;
use feeds::Feeds;
use lag::Lag;
use requests::Ahead;

/// What the tail is made of; [`Tail::run`] is its thread.
pub(crate) struct Tail {
    store: Store,
    cycle: Cycle,
    feeds: Feeds,
    shards: Vec<Lag>,
    ahead: Vec<Ahead>,
    requests: mpsc::Receiver<ToTail>,
    queries: mpsc::Receiver<Asked>,
    /// When the next conflation window ends.
    next_window: Option<Micros>,
    clock: Clock,
    metrics: Arc<TailMetrics>,
}

/// The mailboxes the tail reads and writes.
pub(crate) struct Mailboxes {
    pub(crate) shards: Vec<mpsc::Sender<ToShard>>,
    pub(crate) requests: mpsc::Receiver<ToTail>,
    pub(crate) queries: mpsc::Receiver<Asked>,
}

impl Tail {
    pub(crate) fn new(
        (ring_bytes, variants): (usize, Variants),
        mailboxes: Mailboxes,
        clock: Clock,
        metrics: Arc<TailMetrics>,
    ) -> Self {
        let lags = mailboxes.shards.into_iter().map(Lag::new).collect();
        Self {
            store: Store::new(ring_bytes, variants),
            cycle: Cycle::default(),
            feeds: Feeds::default(),
            shards: lags,
            ahead: Vec::new(),
            requests: mailboxes.requests,
            queries: mailboxes.queries,
            next_window: None,
            clock,
            metrics,
        }
    }

    /// Runs until shutdown has begun and every shard has ended: sessions that wait for their turn
    /// to leave are served until then. `caught_up` is released once everything that was on the bus at the
    /// start has been taken.
    pub(crate) fn run(
        mut self,
        mut consumer: Box<dyn Consumer>,
        caught_up: Latch,
        shutdown: &Shutdown,
    ) {
        let mut caught_up = Some(caught_up);
        let mut delivered: Vec<Delivered> = Vec::with_capacity(limits::CYCLE_RECORDS_MAX);
        let mut last_tick = self.clock.monotonic();
        while !(shutdown.has_begun() && self.shards.iter().all(Lag::is_over)) {
            let taken = self.poll(&mut *consumer, &mut delivered);
            let now = Micros(self.clock.wall_micros());
            for record in delivered.drain(..) {
                self.take(&record, now);
            }
            self.publish(now);
            self.answer_requests(now);
            self.answer_queries();
            let elapsed = self.clock.monotonic();
            if elapsed.saturating_sub(last_tick) >= limits::TICK {
                last_tick = elapsed;
                self.tick(now, elapsed);
            }
            self.shards.iter_mut().for_each(|lag| lag.push_on());
            if taken < limits::CYCLE_RECORDS_MAX
                && let Some(latch) = caught_up.take()
            {
                latch.release();
            }
        }
    }

    fn poll(&mut self, consumer: &mut dyn Consumer, delivered: &mut Vec<Delivered>) -> usize {
        let (records, bytes) = (limits::CYCLE_RECORDS_MAX, limits::CYCLE_BYTES_MAX);
        let wait = self.patience();
        match consumer.poll(records, bytes, wait, delivered) {
            Ok(taken) => taken,
            Err(ConsumeError::OffsetOutOfRange { topic, partition, wanted, low, .. }) => {
                tracing::error!(%topic, partition, wanted, low, "the bus dropped records unread");
                self.metrics.bus_lost.fetch_add(low.saturating_sub(wanted), Ordering::Relaxed);
                let start = Start { topic, partition, from: Offset::At(low) };
                if let Err(error) = consumer.seek(start) {
                    tracing::error!(%error, "cannot go on after lost records");
                }
                0
            }
            Err(error) => {
                self.metrics.bus_errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, "polling the bus failed");
                0
            }
        }
    }

    /// How long the next poll may wait: not at all while requests are left over.
    fn patience(&self) -> Duration {
        if !self.requests.is_empty() || !self.queries.is_empty() {
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
        self.retry_ahead(now, elapsed);
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
mod tests;
