//! One poll thread of a swarm: its sockets behind one poll set, each message into its ledger.
//!
//! The coordinator (`swarm`) says by [`Shared`] which phase it is; the thread connects what is due,
//! reads, lets slow readers sip, makes storms, and hands over what it counted at the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use fantail_wire::frame::Inflater;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::chain::Chains;
use crate::latency::Counts;
use crate::ledger::{Ledger, Member};
use crate::limits::{
    BUFFER_BYTES, EVENTS, IN_FLIGHT_MAX, INFLATED_KEPT, LATENCY_MICROS_MAX, RETRY_AFTER,
    RETRY_AFTER_MAX, SLOW_TICK, TURN_MAX,
};
use crate::plan::Storm;
use crate::shared::{DONE, MEASURE, Shared, wanted};
use crate::socket::{Client, End, Lent};

const WAKE: Token = Token(usize::MAX);

/// What a thread found.
pub(crate) struct Found {
    pub(crate) counts: Counts,
    pub(crate) refusal: Option<String>,
    pub(crate) slow: usize,
    /// How long it counted.
    pub(crate) elapsed: Duration,
}

/// A place for a socket.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all of them are here; a box would be one more step to each"
)]
enum Slot {
    /// To be connected, going on where these chains end.
    Away { chains: Chains, since: Option<Duration> },
    /// Connected, or about to be. `since`: it left then, and is not back yet.
    Here { client: Client, since: Option<Duration>, ready: bool },
    /// It does not come back.
    Gone,
}

pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    poll: Poll,
    slots: Vec<Slot>,
    /// Sockets that are to be connected, by when.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    in_flight: usize,
    ready: u64,
    /// Which have been subscribed, if only once; and how many.
    has_arrived: Vec<bool>,
    arrived: u64,
    ledger: Ledger,
    inflater: Inflater,
    buffer: Vec<u8>,
    measured_from: Option<Duration>,
    next_storm: Duration,
    storm_at: usize,
    next_sip: Duration,
    next_read: Duration,
}

impl Worker {
    /// A thread's part of the plan, and what wakes it.
    pub(crate) fn new(shared: Arc<Shared>, index: usize) -> anyhow::Result<(Self, Waker)> {
        let poll = Poll::new().context("a poll set")?;
        let waker = Waker::new(poll.registry(), WAKE).context("a waker")?;
        let threads = shared.plan.threads;
        let count = (shared.plan.sockets() + threads - 1 - index) / threads;
        let (start, ramp) = (shared.clock.monotonic(), shared.plan.ramp_per_s);
        let when = |local: usize| match ramp > 0.0 {
            true => start + Duration::from_secs_f64((local * threads + index) as f64 / ramp),
            false => start,
        };
        let worker = Self {
            due: (0..count).map(|local| Reverse((when(local), local))).collect(),
            slots: (0..count)
                .map(|_| Slot::Away { chains: Chains::default(), since: None })
                .collect(),
            ledger: Ledger::new(Counts::new(shared.stretch)?),
            shared,
            index,
            poll,
            in_flight: 0,
            ready: 0,
            has_arrived: vec![false; count],
            arrived: 0,
            inflater: Inflater::remembering(INFLATED_KEPT),
            buffer: vec![0; BUFFER_BYTES],
            measured_from: None,
            next_storm: Duration::MAX,
            storm_at: 0,
            next_sip: Duration::MAX,
            next_read: Duration::ZERO,
        };
        Ok((worker, waker))
    }

    /// Turns until the coordinator says it is done.
    pub(crate) fn run(mut self) -> anyhow::Result<Found> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let phase = self.shared.phase.load(Ordering::Acquire);
            if phase == DONE {
                break;
            }
            if phase == MEASURE && self.measured_from.is_none() {
                self.begin()?;
            }
            let started = self.shared.clock.monotonic();
            self.connect_due(started)?;
            self.make_storm(started);
            self.sip_due(started);
            self.tell();
            let before = self.shared.clock.monotonic();
            let wait = if self.pause(before, &events) { Duration::ZERO } else { self.wait(before) };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.context("polling")?,
            }
            let woken = self.shared.clock.monotonic();
            for event in &events {
                if event.token() != WAKE {
                    self.read(event.token().0, event.is_read_closed() || event.is_error())?;
                }
            }
            let done = self.shared.clock.monotonic();
            let handled = (before - started) + (done - woken);
            self.ledger.counts.handled_micros += handled.as_micros() as u64;
            if let Some(from) = self.measured_from {
                self.ledger.counts.rows.turn_to(done - from);
            }
        }
        let now = self.shared.clock.monotonic();
        let elapsed = self.measured_from.map_or(Duration::ZERO, |from| now - from);
        self.ledger.counts.rows.finish(elapsed);
        let is_slow =
            |slot: &&Slot| matches!(slot, Slot::Here { client, .. } if client.member.is_slow);
        Ok(Found {
            slow: self.slots.iter().filter(is_slow).count(),
            elapsed,
            counts: self.ledger.counts,
            refusal: self.ledger.refusal,
        })
    }

    /// The measurement begins: counts from zero, slow readers slow down.
    fn begin(&mut self) -> anyhow::Result<()> {
        let now = self.shared.clock.monotonic();
        self.ledger.counts = Counts::new(self.shared.stretch)?;
        self.measured_from = Some(now);
        if let Some(storm) = self.shared.plan.storm {
            self.next_storm = now + Duration::from_secs_f64(storm.every_s);
        }
        for local in 0..self.slots.len() {
            let slow = self
                .group(local)
                .is_some_and(|(group, nth)| self.shared.plan.groups[group].is_slow(nth));
            if let (true, Slot::Here { client, .. }) = (slow, &mut self.slots[local]) {
                client.member.is_slow = true;
                self.next_sip = now + SLOW_TICK;
            }
        }
        Ok(())
    }

    fn number(&self, local: usize) -> usize {
        local * self.shared.plan.threads + self.index
    }

    fn group(&self, local: usize) -> Option<(usize, usize)> {
        self.shared.plan.group_of(self.number(local))
    }

    /// Lets data wait where the plan reads by the clock; false where it reads at each arrival. Goes
    /// straight on while the last look left some unseen.
    fn pause(&mut self, now: Duration, last: &Events) -> bool {
        let every = Duration::from_millis(self.shared.plan.read_every_ms);
        if every.is_zero() || self.measured_from.is_none() {
            return false;
        }
        if last.iter().count() < EVENTS {
            std::thread::park_timeout(self.next_read.saturating_sub(now));
            self.next_read = self.next_read.max(now) + every;
        }
        true
    }

    /// How long the poll set may sleep.
    fn wait(&self, now: Duration) -> Duration {
        let next = match self.due.peek() {
            Some(Reverse((when, _))) if self.in_flight < IN_FLIGHT_MAX => *when,
            _ => Duration::MAX,
        };
        let next = next.min(self.next_storm).min(self.next_sip);
        next.saturating_sub(now).min(TURN_MAX)
    }

    fn connect_due(&mut self, now: Duration) -> anyhow::Result<()> {
        while self.in_flight < IN_FLIGHT_MAX {
            let Some(Reverse((when, local))) = self.due.peek().copied() else { return Ok(()) };
            if when > now {
                return Ok(());
            }
            self.due.pop();
            let slot = std::mem::replace(&mut self.slots[local], Slot::Gone);
            let Slot::Away { chains, since } = slot else {
                self.slots[local] = slot;
                continue;
            };
            let shared = Arc::clone(&self.shared);
            let Some(wanted) = wanted(&shared, self.number(local), now) else { continue };
            let member = Member {
                number: self.number(local) as u32,
                encoding: wanted.group.encoding,
                chains,
                acks_due: 0,
                is_slow: false,
                retry_after: Duration::ZERO,
            };
            let mut client = Client::connect(&wanted, member)
                .with_context(|| format!("socket {}", self.number(local)))?;
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut client.stream, Token(local), both)?;
            self.slots[local] = Slot::Here { client, since, ready: false };
            self.in_flight += 1;
        }
        Ok(())
    }

    /// News of a socket; `over` if the other side has ended it.
    fn read(&mut self, local: usize, over: bool) -> anyhow::Result<()> {
        let number = self.number(local);
        let Some(Slot::Here { client, ready, since }) = self.slots.get_mut(local) else {
            return Ok(());
        };
        if client.member.is_slow {
            // It is read by its own rate, if at all: the code of a close it will not see.
            return if over { self.ended(local, End::Closed(None)) } else { Ok(()) };
        }
        let Some(wanted) = wanted(&self.shared, number, Duration::ZERO) else { return Ok(()) };
        let mut lent = Lent {
            buffer: &mut self.buffer,
            inflater: &mut self.inflater,
            ledger: &mut self.ledger,
            now: self.shared.clock.wall_micros(),
        };
        let end = client.turn(&wanted, &mut lent).err();
        if !*ready && client.is_ready() {
            *ready = true;
            self.ready += 1;
            self.in_flight -= 1;
            self.arrived += u64::from(!std::mem::replace(&mut self.has_arrived[local], true));
            if let Some(left) = since.take() {
                let micros = (self.shared.clock.monotonic() - left).as_micros() as u64;
                let counts = &mut self.ledger.counts;
                counts.reconnects += 1;
                counts.back.saturating_record(micros.clamp(1, LATENCY_MICROS_MAX));
            }
        }
        match end {
            Some(end) => self.ended(local, end),
            None => Ok(()),
        }
    }

    /// The server has ended a socket.
    fn ended(&mut self, local: usize, end: End) -> anyhow::Result<()> {
        let now = self.shared.clock.monotonic();
        let slot = std::mem::replace(&mut self.slots[local], Slot::Gone);
        let Slot::Here { client, since, ready } = slot else { return Ok(()) };
        match ready {
            true => self.ready -= 1,
            false => self.in_flight -= 1,
        }
        let (was_slow, came_back) = (client.member.is_slow, since.is_some());
        let due = now + client.member.retry_after.min(RETRY_AFTER_MAX);
        let chains = client.leave(false);
        match end {
            // A server beyond its capacity may refuse at first whom it takes later.
            End::Refused(why) if !(came_back || self.shared.plan.reconnect) => {
                bail!("socket {}: {why}", self.number(local))
            }
            End::Refused(_) => {
                self.ledger.counts.refused += 1;
                self.slots[local] = Slot::Away { chains, since };
                self.due.push(Reverse((now + RETRY_AFTER, local)));
            }
            End::Closed(code) => {
                *self.ledger.counts.closed.entry(code.unwrap_or(0)).or_default() += 1;
                self.ledger.counts.slow_closed += u64::from(was_slow);
                if self.shared.plan.reconnect && !was_slow {
                    self.slots[local] = Slot::Away { chains, since: Some(now) };
                    self.due.push(Reverse((due, local)));
                }
            }
        }
        Ok(())
    }

    /// A share of the sockets leaves and is due at once.
    fn make_storm(&mut self, now: Duration) {
        let Some(Storm { every_s, share, resume, abrupt }) = self.shared.plan.storm else { return };
        if now < self.next_storm {
            return;
        }
        self.next_storm += Duration::from_secs_f64(every_s);
        let count = (self.slots.len() as f64 * share) as usize;
        for _ in 0..count {
            let local = self.storm_at % self.slots.len();
            self.storm_at += 1;
            let slot = std::mem::replace(&mut self.slots[local], Slot::Gone);
            let Slot::Here { client, ready: true, .. } = slot else {
                self.slots[local] = slot;
                continue;
            };
            let chains = client.leave(abrupt);
            let chains = if resume { chains } else { Chains::default() };
            self.slots[local] = Slot::Away { chains, since: Some(now) };
            self.due.push(Reverse((now, local)));
            self.ready -= 1;
        }
    }

    /// Slow readers get their share of this tick.
    fn sip_due(&mut self, now: Duration) {
        if now < self.next_sip {
            return;
        }
        self.next_sip = now + SLOW_TICK;
        for local in 0..self.slots.len() {
            let number = self.number(local);
            let Slot::Here { client, .. } = &mut self.slots[local] else { continue };
            let Some(wanted) = wanted(&self.shared, number, now) else { continue };
            let rate = wanted.slow.map_or(0, |slow| slow.bytes_per_s);
            if !client.member.is_slow || rate == 0 {
                continue;
            }
            let share = (rate as f64 * SLOW_TICK.as_secs_f64()) as usize;
            let mut lent = Lent {
                buffer: &mut self.buffer[..share.clamp(1, BUFFER_BYTES)],
                inflater: &mut self.inflater,
                ledger: &mut self.ledger,
                now: self.shared.clock.wall_micros(),
            };
            if let Err(end) = client.sip(&wanted, &mut lent) {
                // A slow socket that is ended has shaken hands: this counts and cannot fail.
                let _ = self.ended(local, end);
            }
        }
    }

    fn tell(&self) {
        let (gauges, counts) = (&self.shared.gauges[self.index], &self.ledger.counts);
        let losses = counts.losses;
        gauges.ready.store(self.ready, Ordering::Relaxed);
        gauges.arrived.store(self.arrived, Ordering::Relaxed);
        gauges.deliveries.store(counts.deliveries, Ordering::Relaxed);
        gauges.closed.store(counts.closed.values().sum(), Ordering::Relaxed);
        let wrong = losses.holes + losses.duplicates + losses.reordered + counts.unreadable;
        gauges.wrong.store(wrong, Ordering::Relaxed);
    }
}
