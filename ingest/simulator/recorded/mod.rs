//! The engine of recordings. One task owns the script, its place in it, the books it has come to
//! and the desk. Input: time and mail; output: recorded messages, as recorded, to whoever asked.
//!
//! * **Start.** Nothing plays before the gate is open *and* the clients have subscribed (every
//!   recorded venue, or [`limits::START_WAIT`] passed since the first did) and have then been
//!   quiet for [`limits::SETTLE`].
//! * **Snapshots.** A Binance depth request that comes before the recorded answer's moment is held
//!   until then (at most [`limits::REST_HOLD_MAX`]). At that moment playback stands still until
//!   the request comes, at most [`limits::SNAPSHOT_WAIT`], if a client has seen depth events of
//!   the symbol and so is about to ask. The first request gets the recorded answer itself; later
//!   ones get the book as played so far.
//! * **What was not recorded.** `@trade` is served from `@aggTrade` where only that was recorded
//!   (its `a` becomes `t`); `@depth` and `@depth@100ms` stand for each other; Coinbase's recorded
//!   `level2` answers `level2_batch`; heartbeats are made. A late Coinbase subscriber gets a
//!   snapshot of the book as played, the last match and the last ticker.
//! * **Slow readers.** Playback waits; no message is dropped. At a given speed time goes on when
//!   nobody is connected, as live; at `max` it waits for a subscriber.
//! * **The end.** Sockets stay open, with pings and heartbeats.

mod answers;
mod books;
mod lines;
mod script;
mod stock;
mod taplog;

#[cfg(test)]
pub(super) use {lines::read, script::What};

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::coinbase::control;
use super::desk::{Desk, Mail, Out, Overflow, Todo};
use super::faults::Fault;
use super::limits;
use super::{RecordedConfig, Shell, Speed, StartGate, Symbol, Venue};
use script::{Entry, Script};
use stock::Stock;

/// How far a recording has been played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Messages played.
    pub played: u64,
    /// Messages recorded.
    pub total: u64,
    /// Nothing is left to play.
    pub finished: bool,
}

/// Progress as the engine writes it and anyone reads it.
#[derive(Debug)]
pub(super) struct Meter {
    played: AtomicU64,
    total: u64,
    finished: AtomicBool,
}

impl Meter {
    pub(super) fn read(&self) -> Progress {
        Progress {
            played: self.played.load(Ordering::Relaxed),
            total: self.total,
            finished: self.finished.load(Ordering::Acquire),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Since when someone is subscribed, and since when nobody asked for more.
    Waiting {
        first: Option<Instant>,
        last: Instant,
    },
    Playing,
    /// At a recorded snapshot whose request has not come.
    AtSnapshot {
        symbol: usize,
        until: Instant,
    },
    /// Frozen on demand.
    Frozen {
        until: Instant,
    },
    Finished,
}

pub(super) struct Engine {
    shell: Shell,
    desk: Desk,
    symbols: Vec<Symbol>,
    entries: VecDeque<Entry>,
    stock: Stock,
    speed: Speed,
    gate: StartGate,
    phase: Phase,
    /// When the next entry is to be sent.
    due: Instant,
    last_at_us: Option<i64>,
    burst: Option<(f64, Instant)>,
    meter: Arc<Meter>,
}

impl Engine {
    pub(super) async fn load(config: RecordedConfig, shell: Shell) -> io::Result<Self> {
        let files = config.files;
        let script = tokio::task::spawn_blocking(move || lines::read(&files)).await;
        let mut script: Script = script.map_err(io::Error::other)??;
        let entries = VecDeque::from(std::mem::take(&mut script.entries));
        let meter = Meter {
            played: AtomicU64::new(0),
            total: entries.len() as u64,
            finished: AtomicBool::new(false),
        };
        let products = script.products.iter().map(|product| product.native.clone()).collect();
        let rules = control::Rules { products, level2_is_open: true };
        let now = Instant::now();
        Ok(Self {
            shell,
            desk: Desk::new(rules, Overflow::Wait),
            symbols: script.all_symbols(),
            entries,
            stock: Stock::new(script),
            speed: config.speed,
            gate: config.start,
            phase: Phase::Waiting { first: None, last: now },
            due: now,
            last_at_us: None,
            burst: None,
            meter: Arc::new(meter),
        })
    }

    pub(super) fn symbols(&self) -> Vec<Symbol> {
        self.symbols.clone()
    }

    pub(super) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    pub(super) async fn run(mut self) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.shell.stop.clone();
        let gate = self.gate.clone();
        let mut gate_is_open = gate.is_open();
        loop {
            let full = if self.desk.drain() { None } else { self.desk.waiting_for() };
            let wake = if full.is_some() || !gate_is_open { None } else { self.wake_at() };
            tokio::select! {
                () = stop.cancelled() => return,
                mail = self.shell.mail.recv() => match mail {
                    Some(mail) => self.take(mail),
                    None => return,
                },
                stalled = room(full.as_ref().map(|(_, out)| out)), if full.is_some() => {
                    if let (true, Some((session, _))) = (stalled, &full) {
                        self.desk.cut(*session);
                    }
                }
                () = gate.opened(), if !gate_is_open => gate_is_open = true,
                () = tokio::time::sleep_until(wake.unwrap_or(self.due)), if wake.is_some() => {
                    self.turn();
                }
                _ = seconds.tick() => self.stock.heartbeats(self.shell.now_us(), &mut self.desk),
            }
        }
    }

    /// When the engine has to act next by itself; the gate is open.
    fn wake_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting { first: None, .. } | Phase::Finished => None,
            Phase::Waiting { first: Some(first), last } => {
                let everyone = self.recorded_venues().all(|venue| self.desk.is_subscribed(venue));
                let patience = if everyone { last } else { first + limits::START_WAIT };
                Some(patience.max(last) + limits::SETTLE)
            }
            Phase::AtSnapshot { until, .. } | Phase::Frozen { until } => Some(until),
            Phase::Playing => match self.speed {
                Speed::Max if !self.anyone() => None,
                _ => Some(self.due),
            },
        }
    }

    fn turn(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Waiting { .. } if !self.anyone() => {
                self.phase = Phase::Waiting { first: None, last: now };
            }
            Phase::Waiting { .. } | Phase::Frozen { .. } => self.go_on(now),
            Phase::AtSnapshot { .. } => {
                // Nobody asked; whoever does later gets the recorded answer all the same.
                self.go_on(now);
                self.play_front();
            }
            Phase::Playing => self.play(now),
            Phase::Finished => {}
        }
    }

    /// Plays what is due, some at a time.
    fn play(&mut self, now: Instant) {
        for _ in 0..limits::PLAY_BATCH {
            if self.phase != Phase::Playing || (self.due > now && self.speed != Speed::Max) {
                return;
            }
            let Some(entry) = self.entries.front() else {
                self.phase = Phase::Finished;
                self.meter.finished.store(true, Ordering::Release);
                tracing::info!(messages = self.meter.total, "recording played to its end");
                return;
            };
            match self.stock.awaited(entry, &self.desk) {
                Some(symbol) => {
                    self.phase = Phase::AtSnapshot { symbol, until: now + limits::SNAPSHOT_WAIT };
                }
                None => self.play_front(),
            }
        }
    }

    fn play_front(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.stock.play(&entry, &mut self.desk);
        self.meter.played.fetch_add(1, Ordering::Relaxed);
        self.last_at_us = Some(entry.at_us);
        if let (Some(next), Speed::Times(_)) = (self.entries.front(), self.speed) {
            let gap = u64::try_from(next.at_us.saturating_sub(entry.at_us)).unwrap_or(0);
            let gap = Duration::from_micros(gap).min(limits::RECORDED_GAP_MAX);
            self.due += gap.div_f64(self.times());
        }
    }

    /// The speed now, kept in a range in which durations stay sane.
    fn times(&self) -> f64 {
        let usual = match self.speed {
            Speed::Times(times) if times.is_finite() => times.clamp(0.001, 1e6),
            _ => 1.0,
        };
        match self.burst {
            Some((factor, until)) if Instant::now() < until => (usual * factor).clamp(0.001, 1e6),
            _ => usual,
        }
    }

    /// Resumes from a stand without hurrying after the time it took.
    fn go_on(&mut self, now: Instant) {
        self.phase = Phase::Playing;
        self.due = self.due.max(now);
    }

    fn take(&mut self, mail: Mail) {
        match self.desk.take(mail) {
            Todo::Nothing => {}
            Todo::Streams => self.note_subscription(),
            Todo::Subscribed { session, added } => {
                for pair in &added {
                    if let Some(text) = self.stock.greeting(pair) {
                        self.desk.send(session, Out::Text(text));
                    }
                }
                self.note_subscription();
            }
            Todo::Rest { call, reply } => {
                let served = self.stock.answer(call, reply, self.shell.now_us());
                if let (Some(served), Phase::AtSnapshot { symbol, .. }) = (served, self.phase)
                    && served == symbol
                {
                    self.go_on(Instant::now());
                    self.play_front();
                }
            }
            Todo::Fault(fault) => self.make(&fault),
        }
    }

    fn note_subscription(&mut self) {
        if let Phase::Waiting { first, last } = &mut self.phase {
            if !Venue::ALL.iter().any(|venue| self.desk.is_subscribed(*venue)) {
                return;
            }
            *last = Instant::now();
            first.get_or_insert(*last);
        }
    }

    fn make(&mut self, fault: &Fault) {
        let now = Instant::now();
        let mut canonical = None;
        match fault {
            Fault::DropConnection { venue } => self.desk.cut_venue(*venue),
            Fault::Garbage { venue } => self.desk.send_garbage(*venue),
            Fault::Burst { factor, lasting } => {
                self.burst = Some((factor.max(0.0), now + *lasting))
            }
            Fault::SkipDelta { venue, symbol } => {
                let Some(name) = self.stock.skip_next(*venue, symbol) else { return };
                canonical = Some(name);
            }
            Fault::Freeze { lasting, .. } => {
                if self.phase == Phase::Playing {
                    self.phase = Phase::Frozen { until: now + *lasting };
                }
            }
        }
        self.shell.announce(fault, canonical);
    }

    fn anyone(&self) -> bool {
        Venue::ALL.iter().any(|venue| self.desk.is_subscribed(*venue))
    }

    fn recorded_venues(&self) -> impl Iterator<Item = Venue> {
        let has = |venue: Venue| self.symbols.iter().any(|symbol| symbol.venue == venue);
        Venue::ALL.into_iter().filter(move |venue| has(*venue))
    }
}

/// Waits for room in a queue; `true` when its reader took nothing for too long.
async fn room(queue: Option<&mpsc::Sender<Out>>) -> bool {
    let Some(queue) = queue else { return false };
    tokio::time::timeout(limits::STALL_MAX, queue.reserve()).await.is_err()
}
