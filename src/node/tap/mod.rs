//! `fantail tap`: a terminal client. It decodes any encoding, follows each channel's chain,
//! resumes after a lost connection, and prints JSON or figures.

mod connection;
mod follow;
mod print;
mod stats;

use std::process::ExitCode;
use std::time::Duration;

use fantail_ops::clock::Clock;
use fantail_wire::client::{Encoding, Reply, ServerMessage, decode_message};
use fantail_wire::codes::Code;
use tokio::time::{Instant, interval, sleep};

use crate::cli::TapArgs;
use connection::{Connection, Received};
use follow::Follower;
use print::Printer;
use stats::Stats;

/// First pause before a reconnect; doubled up to the longest, with jitter.
const RETRY_MIN: Duration = Duration::from_millis(200);
/// Longest pause before a reconnect.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Everything one run of tap holds.
struct Tap {
    args: TapArgs,
    encoding: Encoding,
    clock: Clock,
    follower: Follower,
    printer: Printer,
    stats: Stats,
}

/// Why a connection is no longer read.
enum Ended {
    /// What was asked for is done.
    Done,
    /// The connection is lost, and why.
    Lost(String),
    /// Coming back would not help.
    Refused(String),
}

/// Follows until it is told to stop.
///
/// # Errors
/// A refused connection or subscription, or a file that cannot be written.
pub async fn run(args: TapArgs) -> anyhow::Result<ExitCode> {
    // A second install is no mistake.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clock = Clock::system();
    let mut tap = Tap {
        encoding: args.encoding.into(),
        follower: Follower::default(),
        printer: Printer::new(args.record.as_deref(), args.stats)?,
        stats: Stats::new(clock.clone())?,
        clock,
        args,
    };
    let seconds = tap.args.seconds;
    let outcome = tokio::select! {
        outcome = tap.follow() => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = after(seconds) => Ok(()),
    };
    tap.printer.flush()?;
    if tap.args.stats {
        println!("{}", tap.stats.summary(&tap.follower));
    }
    outcome?;
    Ok(if tap.follower.holes == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn after(seconds: Option<f64>) {
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

impl Tap {
    /// Connects and reads, again and again.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let nodes: Vec<String> = self.args.url.split(',').map(str::to_owned).collect();
        let mut pause = RETRY_MIN;
        for node in nodes.iter().cycle() {
            let outcome = match Connection::open(&self.args, node, self.encoding).await {
                Ok(mut connection) => {
                    pause = RETRY_MIN;
                    self.read(&mut connection).await?
                }
                Err(refused) if refused.is_final => Ended::Refused(refused.reason),
                Err(lost) => Ended::Lost(lost.reason),
            };
            match outcome {
                Ended::Done => return Ok(()),
                Ended::Refused(reason) => anyhow::bail!(reason),
                Ended::Lost(reason) if self.args.once => anyhow::bail!(reason),
                Ended::Lost(reason) => {
                    let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
                    let next = if nodes.len() > 1 { "the next node" } else { "again" };
                    eprintln!("{reason}; trying {next} in {} ms", jittered.as_millis());
                    sleep(jittered).await;
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
        // A list of nodes has at least one, so its cycle has no end.
        Ok(())
    }

    /// Subscribes and reads one connection.
    async fn read(&mut self, connection: &mut Connection) -> anyhow::Result<Ended> {
        for command in self.follower.subscribe(&self.args.channels) {
            connection.send(self.encoding, &command).await?;
        }
        let mut tick = interval(Duration::from_secs(1));
        tick.reset_at(Instant::now() + Duration::from_secs(1));
        loop {
            let received = tokio::select! {
                received = connection.next() => received,
                _ = tick.tick() => {
                    if self.args.stats {
                        println!("{}", self.stats.line(&self.follower));
                    }
                    continue;
                }
            };
            let bytes = match received {
                Received::Message(bytes) => bytes,
                Received::Closed(reason, true) => return Ok(Ended::Refused(reason)),
                Received::Closed(reason, false) => return Ok(Ended::Lost(reason)),
            };
            let mut message = decode_message(self.encoding, &bytes)?;
            if let ServerMessage::Reply(Reply::Welcome { heartbeat_ms, .. }) = &message {
                connection.expect_every(Duration::from_millis(u64::from(*heartbeat_ms)));
            }
            if let Some(ended) = self.take(&mut message, bytes.len())? {
                return Ok(ended);
            }
            if self.args.count.is_some_and(|count| self.stats.events() >= count) {
                return Ok(Ended::Done);
            }
        }
    }

    /// Takes one message; it may end the connection.
    fn take(&mut self, message: &mut ServerMessage, bytes: usize) -> anyhow::Result<Option<Ended>> {
        let now = self.clock.wall_micros();
        self.follower.name(message);
        self.follower.take(message);
        self.stats.take(message, bytes, now);
        self.printer.print(message, now)?;
        if let ServerMessage::Reply(Reply::Subscribed { channels, errors, .. }) = message {
            for refused in errors.iter() {
                eprintln!("{}: {} ({})", refused.channel, refused.message, refused.code.name());
            }
            if channels.is_empty() && !errors.is_empty() && self.follower.is_empty() {
                return Ok(Some(Ended::Refused("nothing could be subscribed".into())));
            }
            // This node is behind what another one served: a place it doesn't know yet.
            if errors.iter().any(|refused| refused.code == Code::PositionUnknown) {
                return Ok(Some(Ended::Lost("the node is behind".into())));
            }
        }
        Ok(None)
    }
}
