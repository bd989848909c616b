//! The swarm: every socket of a plan behind one poll set on one thread, each message checked.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use fantail_ops::clock::Clock;
use fantail_wire::client::{Encoding, Reply, ServerMessage, decode_message};
use fantail_wire::frame::{Inflater, Message};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use crate::chain::{Losses, hash};
use crate::cli::PlanArgs;
use crate::host;
use crate::plan::Plan;
use crate::report::{Busy, Report};
use crate::scan::{is_gap, scan};
use crate::socket::Client;

/// Events taken from the kernel at once.
const EVENTS: usize = 1_024;
/// One read buffer for all sockets.
const BUFFER_BYTES: usize = 256 * 1_024;
/// Longest latency told apart, µs.
const LATENCY_MICROS_MAX: u64 = 60_000_000;
/// Seeds and first values settle before anything is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the idle machine is watched first.
const BASELINE: Duration = Duration::from_secs(1);
/// A load generator busier than this was the bottleneck: the run is void.
pub const BUSY_MAX: f64 = 0.95;

struct Swarm {
    poll: Poll,
    events: Events,
    clients: Vec<Option<Client>>,
    encoding: Encoding,
    buffer: Vec<u8>,
    inflater: Inflater,
    clock: Clock,
    counts: Counts,
}

struct Counts {
    deliveries: u64,
    bytes: u64,
    closed: u64,
    losses: Losses,
    from_ingest: Histogram<u64>,
    from_tail: Histogram<u64>,
    /// Time spent handling events, µs.
    busy_micros: u128,
}

/// Runs a plan.
///
/// # Errors
/// The server refuses, or the machine runs out of something.
pub fn run(plan: &Plan, args: &PlanArgs) -> anyhow::Result<Report> {
    let clock = Clock::system();
    let idle = baseline(args, &clock)?;
    let mut swarm = Swarm::new(plan.encoding()?, clock)?;
    swarm.connect(plan, args)?;
    swarm.turn_for(SETTLE)?;
    swarm.counts = Counts::new()?;
    swarm.stall(plan.stalled);
    let before = Busy::now(args.pid, args.server_core);
    let started = swarm.clock.monotonic();
    let seconds = args.seconds.unwrap_or(plan.seconds);
    swarm.turn_for(Duration::try_from_secs_f64(seconds).context("--seconds")?)?;
    let elapsed = swarm.clock.monotonic() - started;
    let after = Busy::now(args.pid, args.server_core);
    Ok(swarm.report(plan, args, elapsed, (idle, before, after)))
}

/// Busy fraction of the server's core while nothing is asked of it.
fn baseline(args: &PlanArgs, clock: &Clock) -> anyhow::Result<f64> {
    let Some(core) = args.server_core else { return Ok(0.0) };
    let busy = || host::core_busy_seconds(core).context("no such core");
    let (before, started) = (busy()?, clock.monotonic());
    // A poll set without sockets: waiting without spinning.
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    while clock.monotonic() - started < BASELINE {
        poll.poll(&mut events, Some(BASELINE))?;
    }
    Ok((busy()? - before) / (clock.monotonic() - started).as_secs_f64())
}

impl Counts {
    fn new() -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3);
        Ok(Self {
            deliveries: 0,
            bytes: 0,
            closed: 0,
            losses: Losses::default(),
            from_ingest: histogram()?,
            from_tail: histogram()?,
            busy_micros: 0,
        })
    }

    /// Latency of one message. Arrivals are the market's own schedule, not ours: a slow server
    /// cannot make the generator ask less, so nothing is omitted.
    fn latency(&mut self, now: i64, rx: i64, tx: i64) {
        let micros =
            |since: i64| u64::try_from(now - since).unwrap_or(0).clamp(1, LATENCY_MICROS_MAX);
        self.from_ingest.saturating_record(micros(rx));
        self.from_tail.saturating_record(micros(tx));
    }
}

impl Swarm {
    fn new(encoding: Encoding, clock: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            clients: Vec::new(),
            encoding,
            buffer: vec![0; BUFFER_BYTES],
            inflater: Inflater::new(),
            clock,
            counts: Counts::new()?,
        })
    }

    /// Connects everybody; those that are connected already are read meanwhile.
    fn connect(&mut self, plan: &Plan, args: &PlanArgs) -> anyhow::Result<()> {
        let tell = !args.json && std::io::stderr().is_terminal();
        for number in 0..plan.sockets {
            let mut client = Client::connect(number, plan, args.target, args.token.as_deref())
                .with_context(|| format!("socket {number} of {}", plan.sockets))?;
            self.poll.registry().register(&mut client.stream, Token(number), Interest::READABLE)?;
            self.clients.push(Some(client));
            if number % 64 == 0 {
                self.turn(Duration::ZERO)?;
            }
            if tell && number % 1_000 == 999 {
                eprintln!("  {} connected", number + 1);
            }
        }
        Ok(())
    }

    /// From now on a share of the sockets is not read.
    fn stall(&mut self, share: f64) {
        let count = (self.clients.len() as f64 * share) as usize;
        for client in self.clients.iter_mut().take(count).flatten() {
            client.stalled = true;
        }
    }

    fn turn_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = self.clock.monotonic() + time;
        loop {
            let left = end.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }

    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.poll.poll(&mut self.events, Some(wait))?;
        let started = self.clock.monotonic();
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for number in ready {
            let Some(Some(mut client)) = self.clients.get_mut(number).map(Option::take) else {
                continue;
            };
            if client.stalled || self.read(&mut client) {
                self.clients[number] = Some(client);
            } else {
                self.counts.closed += 1;
            }
        }
        self.counts.busy_micros += (self.clock.monotonic() - started).as_micros();
        Ok(())
    }

    /// Reads a socket until it is empty; false when the server has closed it.
    fn read(&mut self, client: &mut Client) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let open = loop {
            let length = match client.read(&mut buffer) {
                Ok(Some(length)) => length,
                Ok(None) => break true,
                Err(_) => break false,
            };
            self.counts.bytes += length as u64;
            if !self.feed(client, &mut buffer[..length]) {
                break false;
            }
            if length < BUFFER_BYTES {
                // What comes later makes news of its own.
                break true;
            }
        };
        self.buffer = buffer;
        open
    }

    fn feed(&mut self, client: &mut Client, mut input: &mut [u8]) -> bool {
        let now = self.clock.wall_micros();
        while !input.is_empty() {
            let Ok(step) = client.decoder.feed(input, &mut self.inflater) else { return false };
            let consumed = step.consumed;
            let mut ping = None;
            match step.message {
                Some(Message::Text(text)) => {
                    take(
                        self.encoding,
                        text.as_bytes(),
                        now,
                        &mut self.counts,
                        (&mut client.chains, &mut client.names),
                    );
                }
                Some(Message::Binary(bytes)) => {
                    take(
                        self.encoding,
                        bytes,
                        now,
                        &mut self.counts,
                        (&mut client.chains, &mut client.names),
                    );
                }
                Some(Message::Ping(payload)) => ping = Some(payload.to_vec()),
                Some(Message::Close { .. }) => return false,
                Some(Message::Pong(_)) | None => {}
            }
            if let Some(payload) = ping {
                client.pong(&payload);
            }
            input = input.get_mut(consumed..).unwrap_or_default();
        }
        true
    }

    fn report(
        &self,
        plan: &Plan,
        args: &PlanArgs,
        elapsed: Duration,
        (idle, before, after): (f64, Busy, Busy),
    ) -> Report {
        let generator = self.counts.busy_micros as f64 / 1e6 / elapsed.as_secs_f64();
        let stalled = self.clients.iter().flatten().filter(|client| client.stalled).count();
        Report::of(plan, args, elapsed, &self.counts.figures(), (idle, before, after))
            .with_generator(generator, stalled)
    }
}

/// Counts and latencies as the report takes them.
pub(crate) struct Figures<'a> {
    pub(crate) deliveries: u64,
    pub(crate) bytes: u64,
    pub(crate) closed: u64,
    pub(crate) losses: Losses,
    pub(crate) from_ingest: &'a Histogram<u64>,
    pub(crate) from_tail: &'a Histogram<u64>,
}

impl Counts {
    fn figures(&self) -> Figures<'_> {
        Figures {
            deliveries: self.deliveries,
            bytes: self.bytes,
            closed: self.closed,
            losses: self.losses,
            from_ingest: &self.from_ingest,
            from_tail: &self.from_tail,
        }
    }
}

type Place<'a> = (&'a mut crate::chain::Chains, &'a mut Vec<(u32, u64)>);

/// Takes one message: JSON events by scanning, everything else by the full decoder.
fn take(
    encoding: Encoding,
    bytes: &[u8],
    now: i64,
    counts: &mut Counts,
    (chains, names): Place<'_>,
) {
    if encoding == Encoding::Json {
        if let Some(seen) = scan(bytes) {
            counts.deliveries += 1;
            let losses = &mut counts.losses;
            chains.take(hash(seen.channel), seen.prev, seen.seq, seen.restarts, losses);
            if !seen.restarts {
                counts.latency(now, seen.rx, seen.tx);
            }
            return;
        }
        if !bytes.starts_with(b"{\"type\":\"batch\"") {
            counts.losses.gaps += u64::from(is_gap(bytes));
            return;
        }
    }
    match decode_message(encoding, bytes) {
        Ok(ServerMessage::Data(data)) => one(&data, now, counts, chains, names),
        Ok(ServerMessage::Batch(batch)) => {
            batch.iter().for_each(|data| one(data, now, counts, chains, names));
        }
        Ok(ServerMessage::Reply(Reply::Subscribed { channels, .. })) => {
            names.extend(channels.iter().map(|ack| (ack.ch, hash(ack.channel.as_bytes()))));
        }
        Ok(ServerMessage::Reply(Reply::Gap { .. })) => counts.losses.gaps += 1,
        Ok(_) => {}
        // Bytes that are no message are as bad as a hole.
        Err(_) => counts.losses.holes += 1,
    }
}

fn one(
    data: &fantail_wire::client::DataMessage,
    now: i64,
    counts: &mut Counts,
    chains: &mut crate::chain::Chains,
    names: &[(u32, u64)],
) {
    let by_number = names.iter().find(|(ch, _)| *ch == data.ch).map(|(_, name)| *name);
    let channel = by_number.unwrap_or_else(|| hash(data.channel.as_bytes()));
    let (event, restarts) = (&data.event, data.event.reset || data.snapshot);
    counts.deliveries += 1;
    chains.take(channel, event.prev, event.position.seq, restarts, &mut counts.losses);
    if !restarts {
        counts.latency(now, event.rx.0, data.tx.0);
    }
}
