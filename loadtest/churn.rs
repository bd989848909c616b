//! Connect, subscribe, leave, again and again: does the server let go of everything?
//!
//! One poll thread keeps a number of sockets under way; each leaves as soon as it is acknowledged,
//! most by a reset, every eighth in order. What the server's process holds is looked at fresh, after
//! a twentieth of the cycles (its allocator has then seen all it will), and at the end. What it grows
//! by on its own is watched afterwards and taken off: a market's history grows without clients too.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use fantail_ops::clock::Clock;
use fantail_wire::client::Encoding;
use fantail_wire::frame::Inflater;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use crate::chain::Chains;
use crate::host;
use crate::latency::Counts;
use crate::ledger::{Ledger, Member};
use crate::limits::{
    ALONE, BUFFER_BYTES, EVENTS, LEFT_SHARE_MAX, RAMP_PATIENCE, SETTLED_BY, SETTLING_LOOK, TURN_MAX,
};
use crate::plan::Plan;
use crate::socket::{Client, End, Lent, Wanted};
use crate::target::Target;

/// Source addresses, so that ports of sockets that left in order are not waited for.
const SOURCES: u64 = 200;
/// One cycle in so many leaves in order.
const ORDERLY_EVERY: u64 = 8;
/// The share of the cycles that warms the server up.
const WARM_SHARE: u64 = 20;

/// `churn`.
#[derive(Debug, Clone, Args)]
pub struct ChurnArgs {
    /// The server: ws://host:port or host:port.
    #[arg(long, value_name = "URL")]
    pub target: Target,
    /// Access token.
    #[arg(long, env = "FANTAIL_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The server's process id.
    #[arg(long, value_name = "N")]
    pub pid: u32,
    /// Sockets that come and go.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(20..))]
    pub cycles: u64,
    /// Of them at once.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    pub at_once: u16,
    /// What each subscribes to.
    #[arg(long, default_value = "trade:binance:BTC-USDT")]
    pub channel: String,
    /// Report as one JSON line.
    #[arg(long)]
    pub json: bool,
}

/// What the server's process holds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Holds {
    descriptors: usize,
    resident_kb: u64,
}

/// What a churn found.
#[derive(Debug, Serialize)]
struct Churned {
    cycles: u64,
    seconds: f64,
    refused: u64,
    fresh: Holds,
    warm: Holds,
    end: Holds,
    /// What the server grows by without any client.
    alone_kb_per_s: f64,
    let_go: bool,
}

/// Runs the cycles.
///
/// # Errors
/// The server is not there, or takes nobody any more.
pub fn run(args: &ChurnArgs) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    let mut churn = Churn::new(args, clock.clone())?;
    let fresh = holds(args.pid)?;
    let started = clock.monotonic();
    churn.turn_until(args.cycles / WARM_SHARE)?;
    let warm = settled(args.pid, fresh, &clock)?;
    churn.turn_until(args.cycles)?;
    let seconds = (clock.monotonic() - started).as_secs_f64();
    let end = settled(args.pid, fresh, &clock)?;
    let alone_kb_per_s = alone(args.pid, end, &clock)?;
    let within = |end: f64, before: f64| end <= before * (1.0 + LEFT_SHARE_MAX);
    let own_kb = alone_kb_per_s * seconds;
    let let_go = within(end.descriptors as f64, fresh.descriptors as f64)
        && within(end.resident_kb as f64 - own_kb, warm.resident_kb as f64);
    let (cycles, refused) = (churn.done, churn.refused);
    let found = Churned { cycles, seconds, refused, fresh, warm, end, alone_kb_per_s, let_go };
    match args.json {
        true => println!("{}", serde_json::to_string(&found)?),
        false => println!("{found}"),
    }
    Ok(if found.let_go { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn holds(pid: u32) -> anyhow::Result<Holds> {
    let descriptors = host::descriptors(pid).context("--pid: no such process, or not ours")?;
    Ok(Holds { descriptors, resident_kb: host::resident_kb(pid).context("--pid")? })
}

/// What it holds once the last sockets are gone, or when that takes too long.
fn settled(pid: u32, fresh: Holds, clock: &Clock) -> anyhow::Result<Holds> {
    let by = clock.monotonic() + SETTLED_BY;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    loop {
        let now = holds(pid)?;
        if now.descriptors <= fresh.descriptors || clock.monotonic() >= by {
            return Ok(now);
        }
        poll.poll(&mut events, Some(SETTLING_LOOK))?;
    }
}

/// What it grows by in a second while nobody is connected, kB: histories fill without any client.
fn alone(pid: u32, end: Holds, clock: &Clock) -> anyhow::Result<f64> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    let (from, by) = (clock.monotonic(), clock.monotonic() + ALONE);
    while clock.monotonic() < by {
        poll.poll(&mut events, Some(SETTLING_LOOK))?;
    }
    let grown = holds(pid)?.resident_kb as f64 - end.resident_kb as f64;
    Ok(grown.max(0.0) / (clock.monotonic() - from).as_secs_f64())
}

struct Churn<'a> {
    args: &'a ChurnArgs,
    plan: Plan,
    list: Vec<String>,
    clock: Clock,
    poll: Poll,
    slots: Vec<Option<Client>>,
    free: Vec<usize>,
    begun: u64,
    done: u64,
    refused: u64,
    ledger: Ledger,
    inflater: Inflater,
    buffer: Vec<u8>,
}

impl<'a> Churn<'a> {
    fn new(args: &'a ChurnArgs, clock: Clock) -> anyhow::Result<Self> {
        let slots = usize::from(args.at_once);
        Ok(Self {
            plan: Plan::idle(1, &args.channel, 1.0),
            list: vec![args.channel.clone()],
            args,
            clock,
            poll: Poll::new().context("a poll set")?,
            slots: (0..slots).map(|_| None).collect(),
            free: (0..slots).collect(),
            begun: 0,
            done: 0,
            refused: 0,
            ledger: Ledger::new(Counts::new(Duration::from_secs(1))?),
            inflater: Inflater::new(),
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Turns until so many sockets have come and gone since the beginning.
    fn turn_until(&mut self, cycles: u64) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut last = (self.done, self.clock.monotonic());
        while self.done < cycles {
            while self.begun < cycles {
                let Some(slot) = self.free.pop() else { break };
                self.connect(slot)?;
            }
            match self.poll.poll(&mut events, Some(TURN_MAX)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.context("polling")?,
            }
            for event in &events {
                self.read(event.token().0);
            }
            let now = self.clock.monotonic();
            if self.done > last.0 {
                last = (self.done, now);
            }
            anyhow::ensure!(
                now - last.1 < RAMP_PATIENCE,
                "nobody was served for {RAMP_PATIENCE:?}"
            );
        }
        Ok(())
    }

    fn connect(&mut self, slot: usize) -> anyhow::Result<()> {
        let member = Member {
            number: slot as u32,
            encoding: Encoding::Json,
            chains: Chains::default(),
            acks_due: 0,
            is_slow: false,
            retry_after: Duration::ZERO,
        };
        let wanted = wanted(&self.plan, &self.list, self.args, self.begun);
        let mut client = Client::connect(&wanted, member).context("a socket")?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut client.stream, Token(slot), both)?;
        self.slots[slot] = Some(client);
        self.begun += 1;
        Ok(())
    }

    fn read(&mut self, slot: usize) {
        let Some(client) = self.slots[slot].as_mut() else { return };
        let wanted = wanted(&self.plan, &self.list, self.args, 0);
        let mut lent = Lent {
            buffer: &mut self.buffer,
            inflater: &mut self.inflater,
            ledger: &mut self.ledger,
            now: self.clock.wall_micros(),
        };
        let end = client.turn(&wanted, &mut lent).err();
        if end.is_none() && !client.is_ready() {
            return;
        }
        if let Some(client) = self.slots[slot].take() {
            // Chains of a socket that does not come back are of no use.
            let _ = client.leave(!self.done.is_multiple_of(ORDERLY_EVERY));
        }
        self.free.push(slot);
        match end {
            None => self.done += 1,
            Some(End::Closed(_) | End::Refused(_)) => {
                self.refused += 1;
                self.begun -= 1;
            }
        }
    }
}

fn wanted<'a>(plan: &'a Plan, list: &'a [String], args: &'a ChurnArgs, number: u64) -> Wanted<'a> {
    Wanted {
        target: &args.target,
        token: args.token.as_deref(),
        group: &plan.groups[0],
        nth: 0,
        list,
        seed: 0,
        source: (1 + number % SOURCES) as u8,
        slow: None,
        // A key has to be the same for a socket's whole life, and that is all.
        key: 1,
    }
}

impl fmt::Display for Churned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.cycles as f64 / self.seconds.max(1e-9);
        let Self { cycles, refused, .. } = self;
        writeln!(f, "{cycles} cycles, {per_second:.0}/s, refused and tried again {refused}")?;
        for (name, Holds { descriptors, resident_kb }) in
            [("fresh", self.fresh), ("warm", self.warm), ("end", self.end)]
        {
            writeln!(f, "  {name:<16} {descriptors} descriptors, {resident_kb} kB resident")?;
        }
        let alone = self.alone_kb_per_s;
        writeln!(f, "  {:<16} {alone:.1} kB/s without any client, taken off", "of its own")?;
        let verdict = if self.let_go { "let go of everything" } else { "KEPT more than 2 %" };
        write!(f, "  {:<16} {verdict}", "verdict")
    }
}
