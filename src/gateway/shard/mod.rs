//! A shard: one thread that owns its sockets.
//!
//! Tokio keeps accept, handshake, timers and the mailbox; established sessions live in a slab
//! behind the shard's own poll set. Everything a session is, is a plain field here: no lock, no
//! shared reference count, no task and no wake-up per delivery.

mod actions;
mod closing;
mod drain;
mod flush;
mod index;
mod intake;
mod log;
mod mailbox;
mod merges;
#[cfg(not(target_os = "linux"))]
mod no_ring;
mod outbox;
mod pollset;
mod pump;
mod reads;
mod report;
#[cfg(target_os = "linux")]
mod ring;
pub(crate) mod socket;
mod strained;
mod timers;
mod together;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fantail_ops::clock::Clock;
use fantail_ops::closes::CloseLog;
use fantail_ops::shutdown::{DrainGuard, Shutdown};
use fantail_wire::frame::{Deflater, Inflater};
use futures_util::FutureExt;
use slab::Slab;
use tokio::sync::mpsc;

use crate::auth::Authenticator;
use crate::config::SessionConfig;
use crate::encoder::{Encoder, FramesMade};
use crate::limits;
use crate::link::{TailLink, ToShard, ToTail};
use crate::listener::Arrival;
use crate::metrics::ShardMetrics;
use crate::session::directory::Directory;
use crate::sessions::SessionsAsked;
use crate::start::GatewayError;
use crate::strain::Strain;
use crate::variant::Variants;
use drain::Drain;
use flush::Plan;
use index::Index;
use intake::Intake;
use log::Log;
use merges::Merges;
use pollset::{Pollset, Ready};
use socket::{Hot, Session};
use strained::Unpaid;
use together::{Calls, Ring};

/// What every shard of a node shares or is told at the start.
#[derive(Clone)]
pub(crate) struct ShardSetup {
    pub(crate) number: usize,
    pub(crate) config: SessionConfig,
    pub(crate) variants: Variants,
    pub(crate) tail: TailLink,
    pub(crate) clock: Clock,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) closes: CloseLog,
    pub(crate) frames: Arc<FramesMade>,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) strain: Arc<Strain>,
}

/// One shard.
pub(crate) struct Shard {
    number: usize,
    config: SessionConfig,
    sessions: Slab<Session>,
    /// The hot half of each session, by the same slot.
    hot: Vec<Hot>,
    generation: u64,
    /// The last session that was there when the tail gave up what waited.
    lost_generation: u64,
    directory: Directory,
    index: Index,
    log: Log,
    merges: Merges,
    /// Sessions that have a cursor into the log.
    behind: usize,
    plan: Plan,
    rotation: usize,
    encoder: Encoder,
    inflater: Inflater,
    scratch: Vec<u8>,
    /// What chunks are written through; without it, each socket is written by `send(2)`.
    ring: Option<Ring>,
    calls: Calls,
    read_scratch: Vec<u8>,
    /// Sessions with more to read or send than one turn allows.
    runnable: VecDeque<usize>,
    unread: Vec<usize>,
    ready: Vec<Ready>,
    pollset: Pollset,
    tail: TailLink,
    /// Requests the tail's mailbox had no room for, in order.
    unsent: VecDeque<ToTail>,
    /// Seeds on their way, by channel: interest in it must not be given up meanwhile.
    parked: HashMap<u32, u32, foldhash::fast::RandomState>,
    /// Channels without members, and since when.
    deserted: VecDeque<(u32, Duration)>,
    /// Once the end has begun.
    drain: Option<Drain>,
    clock: Clock,
    authenticator: Arc<Authenticator>,
    closes: CloseLog,
    metrics: Arc<ShardMetrics>,
    strain: Arc<Strain>,
    /// Turns in a row that began later than a session may be behind.
    late_turns: u32,
    /// How late the last turn began.
    last_age: Duration,
    unpaid: Unpaid,
}

impl Shard {
    /// Must be made inside the shard's runtime.
    ///
    /// # Errors
    /// It cannot have a poll set, or not the way of writing it must have.
    pub(crate) fn new(setup: ShardSetup) -> Result<Self, GatewayError> {
        let ring = together::ring(setup.config.flush, setup.number).map_err(GatewayError::Flush)?;
        setup.metrics.set_flush_path(ring.is_some());
        Ok(Self {
            number: setup.number,
            log: Log::new(setup.config.backlog_bytes),
            encoder: Encoder::new(
                Deflater::with_window(setup.config.deflate_level, setup.config.deflate_window_bits),
                setup.frames,
            ),
            config: setup.config,
            sessions: Slab::new(),
            hot: Vec::new(),
            generation: 0,
            lost_generation: 0,
            directory: Directory::new(setup.variants),
            index: Index::default(),
            merges: Merges::default(),
            behind: 0,
            plan: Plan::default(),
            rotation: 0,
            inflater: Inflater::new(),
            scratch: Vec::new(),
            ring,
            calls: Calls::default(),
            read_scratch: vec![0; limits::READ_SCRATCH_BYTES],
            runnable: VecDeque::new(),
            unread: Vec::new(),
            ready: Vec::new(),
            pollset: Pollset::new().map_err(GatewayError::Thread)?,
            tail: setup.tail,
            unsent: VecDeque::new(),
            parked: HashMap::default(),
            deserted: VecDeque::new(),
            drain: None,
            clock: setup.clock,
            authenticator: setup.authenticator,
            closes: setup.closes,
            metrics: setup.metrics,
            strain: setup.strain,
            late_turns: 0,
            last_age: Duration::ZERO,
            unpaid: Unpaid::default(),
        })
    }

    /// Runs until shutdown has begun and every session is closed.
    pub(crate) async fn run(
        mut self,
        mailbox: mpsc::Receiver<ToShard>,
        arrivals: mpsc::Receiver<Arrival>,
        mut asked: mpsc::Receiver<SessionsAsked>,
        shutdown: Shutdown,
        _guard: DrainGuard,
    ) {
        let mut tick = tokio::time::interval(limits::TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut pace = tokio::time::interval(limits::DRAIN_STEP);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut intake = Intake::new(mailbox, arrivals);
        let mut ready = Vec::new();
        while self.drain.is_none() || !self.sessions.is_empty() {
            let draining = self.drain.is_some();
            let busy = !self.runnable.is_empty() || !self.unread.is_empty();
            tokio::select! {
                biased;
                () = shutdown.begun(), if !draining => self.begin_drain(),
                Some(message) = intake.mail.recv() => self.take_mail(message, &mut intake).await,
                result = self.pollset.wait(&mut ready) => self.poll_outcome(result),
                Some(arrival) = intake.arrivals.recv() => self.open(arrival),
                Some(answer_to) = asked.recv() => self.report(answer_to),
                _ = tick.tick() => self.tick(),
                _ = pace.tick(), if draining => {}
                () = tokio::task::yield_now(), if busy => {}
            }
            self.ready.append(&mut ready);
            self.serve_ready();
            self.serve_sockets();
            self.send_requests();
            // The mailbox comes first, but a mailbox that is never empty starves nobody.
            self.open_arrivals(&mut intake);
            match shutdown.is_hurried() {
                true => self.drain_at_once(),
                false => self.drain_on(),
            }
            if tick.tick().now_or_never().is_some() {
                self.tick();
            }
            if intake.mail.is_empty() {
                self.at_ease();
            }
        }
    }

    fn open_arrivals(&mut self, intake: &mut Intake) {
        while let Ok(arrival) = intake.arrivals.try_recv() {
            self.open(arrival);
        }
    }

    /// Notes whether a session may be written past its outbox; after every change of it.
    fn settle(&mut self, slot: usize) {
        if let (Some(hot), Some(session)) = (self.hot.get_mut(slot), self.sessions.get_mut(slot)) {
            hot.level = session.is_level();
            if session.lent_bytes > 0 && session.outbox.is_empty() {
                self.strain.repay(std::mem::take(&mut session.lent_bytes));
            }
        }
    }

    fn poll_outcome(&self, result: io::Result<()>) {
        if let Err(error) = result {
            tracing::error!(shard = self.number, %error, "polling sockets failed");
        }
    }

    /// A turn for sockets that have news, without waiting.
    fn serve_sockets(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        if let Err(error) = self.pollset.take(&mut ready) {
            tracing::error!(shard = self.number, %error, "polling sockets failed");
        }
        self.ready = ready;
        self.serve_ready();
        self.catch_up();
        for slot in std::mem::take(&mut self.unread) {
            self.read(slot);
        }
    }

    fn serve_ready(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for news in ready.drain(..) {
            if news.writable && self.hot.get(news.slot).is_some_and(|hot| !hot.level) {
                self.run_later(news.slot);
            }
            if news.readable {
                self.read(news.slot);
            }
        }
        // Nothing is added to it while it is served.
        self.ready = ready;
    }
}

#[cfg(test)]
mod tests;
