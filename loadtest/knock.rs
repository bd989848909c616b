//! How long a newcomer waits: one socket after the other connects, subscribes and leaves, at even
//! times, while others are being served. A blocking client of its own, so that its times hold none
//! of a swarm's work; give it a priority of its own where both share a core.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fantail_ops::clock::Clock;
use hdrhistogram::Histogram;
use mio::{Events, Poll};
use serde::Serialize;

use crate::limits::LATENCY_MICROS_MAX;
use crate::probe::Line;
use crate::report::Latency;
use crate::target::Target;

/// `knock`.
#[derive(Debug, Clone, Args)]
pub struct KnockArgs {
    /// The server: ws://host:port or host:port.
    #[arg(long, value_name = "URL")]
    pub target: Target,
    /// Access token.
    #[arg(long, env = "FANTAIL_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Seconds to go on.
    #[arg(long, visible_alias = "seconds", value_name = "S", default_value_t = 10.0)]
    pub duration: f64,
    /// Milliseconds from one to the next.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub every_ms: u64,
    /// What each subscribes to.
    #[arg(long, default_value = "status:binance")]
    pub channel: String,
    /// Report as one JSON line.
    #[arg(long)]
    pub json: bool,
}

/// How long they waited.
#[derive(Debug, Serialize)]
struct Waits {
    knocks: u64,
    /// From `connect` to the upgrade's answer.
    accept: Latency,
    /// From the command to its acknowledgement.
    command: Latency,
}

/// Knocks until the time is over.
///
/// # Errors
/// The server refuses or is silent.
pub fn run(args: &KnockArgs) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    let micros = || Histogram::<u64>::new_with_bounds(1, LATENCY_MICROS_MAX, 3);
    let (mut accept, mut command) = (micros()?, micros()?);
    let (started, every) = (clock.monotonic(), Duration::from_millis(args.every_ms.max(1)));
    let mut next = started;
    while (clock.monotonic() - started).as_secs_f64() < args.duration {
        let asked = clock.monotonic();
        let mut line = Line::open(&args.target, args.token.as_deref())?;
        let taken = clock.monotonic();
        line.subscribe(&args.channel)?;
        let served = clock.monotonic();
        accept.saturating_record((taken - asked).as_micros() as u64);
        command.saturating_record((served - taken).as_micros() as u64);
        drop(line);
        next += every;
        let left = next.saturating_sub(clock.monotonic());
        if !left.is_zero() {
            poll.poll(&mut events, Some(left))?;
        }
    }
    let waits = Waits {
        knocks: accept.len(),
        accept: Latency::of(&accept),
        command: Latency::of(&command),
    };
    match args.json {
        true => println!("{}", serde_json::to_string(&waits)?),
        false => println!("{waits}"),
    }
    Ok(ExitCode::SUCCESS)
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} knocks", self.knocks)?;
        writeln!(f, "  accept           {}", self.accept)?;
        write!(f, "  command          {}", self.command)
    }
}
