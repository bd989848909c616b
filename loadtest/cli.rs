//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::capacity::{self, CapacityArgs};
use crate::churn::{self, ChurnArgs};
use crate::contest::Contest;
use crate::knock::{self, KnockArgs};
use crate::page::page;
use crate::plan::Plan;
use crate::report::Report;
use crate::swarm::{self, SwarmConfig};
use crate::target::Target;
use crate::{compare, floor};

/// Load tests a Fantail server, and says whether the load generator was the bottleneck.
///
/// Exit codes: 0 clean, 1 could not run, 2 messages lost in silence, repeated or reordered, 3 void
/// (the generator was the bottleneck), 4 clearly less came than the plan's rate.
#[derive(Debug, Parser)]
#[command(name = "fantail-loadtest", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a plan against a server.
    Plan(PlanArgs),
    /// Hold idle sockets, each with one quiet channel.
    Idle(IdleArgs),
    /// Serve pre-made frames with a bare loop of send(2): the yardstick.
    Floor(FloorArgs),
    /// Run floor and Fantail in turn on pinned cores and print the ratio with its spread.
    Compare(CompareArgs),
    /// Find the highest rate at which everything still arrives, for floor and Fantail.
    Capacity(CapacityArgs),
    /// Connect, subscribe and leave a million times: does the server let go of everything?
    Churn(ChurnArgs),
    /// Measure how long newcomers wait while others are served.
    Knock(KnockArgs),
}

/// `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// The plan, e.g. loadtest/plans/fan-out-1000x100.toml.
    pub file: PathBuf,
    /// Where and how.
    #[command(flatten)]
    pub run: RunArgs,
    /// Seconds to measure, instead of the plan's.
    #[arg(long, visible_alias = "seconds", value_name = "S")]
    pub duration: Option<f64>,
    /// Poll threads, instead of the plan's.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Messages a second that the source offers each socket, instead of the plan's.
    #[arg(long, value_name = "R")]
    pub rate: Option<f64>,
    /// Read sockets only so often, for cost at rates that latency could not be measured at.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=50))]
    pub read_every_ms: Option<u64>,
    /// Nobody asks for compression, whatever the plan says.
    #[arg(long)]
    pub plain: bool,
    /// Nobody is slow, whatever the plan says.
    #[arg(long)]
    pub all_read: bool,
}

/// What every run against a server takes.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The server: ws://host:port or host:port.
    #[arg(long, value_name = "URL")]
    pub target: Target,
    /// Access token.
    #[arg(long, env = "FANTAIL_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The server's process id: adds its CPU, memory and context switches to the report.
    #[arg(long, value_name = "N")]
    pub pid: Option<u32>,
    /// Cores the server is pinned to: their whole busy time is measured, softirq included.
    #[arg(long, visible_alias = "server-core", value_name = "N,…", value_delimiter = ',')]
    pub server_cores: Vec<usize>,
    /// How busy those cores are without the server (1 = one core), instead of watching them before
    /// the first socket.
    #[arg(long, value_name = "SHARE", requires = "server_cores")]
    pub baseline: Option<f64>,
    /// The server's admin listener: adds its own counters to the report.
    #[arg(long, value_name = "URL", value_parser = admin)]
    pub admin: Option<Target>,
    /// Report as one JSON line.
    #[arg(long)]
    pub json: bool,
    /// Write the report as an HTML page too.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `idle`.
#[derive(Debug, Clone, Args)]
pub struct IdleArgs {
    /// Sockets.
    pub sockets: usize,
    /// Where and how.
    #[command(flatten)]
    pub run: RunArgs,
    /// Seconds to hold them.
    #[arg(long, visible_alias = "seconds", value_name = "S", default_value_t = 30.0)]
    pub duration: f64,
    /// The channel of each.
    #[arg(long, default_value = "status:binance")]
    pub channel: String,
}

/// `floor`.
#[derive(Debug, Clone, Args)]
pub struct FloorArgs {
    /// Where to listen; port 0 picks a free one. The address is printed.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Sockets to wait for before sending.
    #[arg(long, default_value_t = 1_000)]
    pub sockets: usize,
    /// Messages a second, to each socket.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Messages that leave together.
    #[arg(long, default_value_t = 1)]
    pub burst: usize,
    /// Seconds after which it ends.
    #[arg(long, default_value_t = 60.0)]
    pub seconds: f64,
    /// Submit the sends of many sockets together through io_uring.
    #[arg(long)]
    pub io_uring: bool,
    /// Sends in one submission.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub ring_chunk: u32,
}

/// `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The plan.
    #[arg(value_name = "FILE", required_unless_present = "plan")]
    file: Option<PathBuf>,
    /// The plan, the same by name.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    plan: Option<PathBuf>,
    /// What is held against what.
    #[arg(long, value_enum, default_value = "floor")]
    pub contest: Contest,
    /// The server's command line, split at spaces; by default the plan's for --fantail.
    #[arg(long, value_name = "COMMAND")]
    pub server_cmd: Option<String>,
    /// The fantail binary.
    #[arg(long, default_value = "target/release/fantail", conflicts_with = "server_cmd")]
    pub fantail: PathBuf,
    /// Pairs of runs.
    #[arg(long, default_value_t = 15)]
    pub pairs: usize,
    /// Seconds of each run.
    #[arg(long, visible_alias = "duration", default_value_t = 5.0)]
    pub seconds: f64,
    /// The ratio that must not be exceeded.
    #[arg(long)]
    pub goal: Option<f64>,
    /// Core of floor, and of Fantail's tail and first shard.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub server_core: usize,
    /// Core of the swarm, of every second shard, and of everything else.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub client_core: usize,
    /// Read sockets only so often: costs of higher rates, latencies that say nothing.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=50))]
    pub read_every_ms: u64,
    /// Leave the server's other threads (simulator, ingest) on its core.
    #[arg(long)]
    pub whole_process: bool,
    /// Append every figure of every pair to this file, as one JSON line.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

impl CompareArgs {
    /// The plan's file.
    ///
    /// # Errors
    /// There is none; clap sees to that.
    pub fn file(&self) -> anyhow::Result<&Path> {
        self.file.as_deref().or(self.plan.as_deref()).context("no plan")
    }
}

/// The whole program, for the binary and for a test that runs itself again as one. Errors go to
/// standard error.
pub fn main_from_args(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" too, and go to standard output.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command.
///
/// # Errors
/// What could not be read, started or measured.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Plan(args) => {
            let mut plan = Plan::read(&args.file)?;
            plan.seconds = args.duration.unwrap_or(plan.seconds);
            plan.threads = args.threads.unwrap_or(plan.threads);
            plan.rate = args.rate.unwrap_or(plan.rate);
            plan.read_every_ms = args.read_every_ms.unwrap_or(plan.read_every_ms);
            for group in &mut plan.groups {
                group.deflate &= !args.plain;
                group.slow = group.slow.filter(|_| !args.all_read);
            }
            against_server(plan, &args.run)
        }
        Command::Idle(args) => {
            against_server(Plan::idle(args.sockets, &args.channel, args.duration), &args.run)
        }
        Command::Floor(args) => floor::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => compare::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Capacity(args) => capacity::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Churn(args) => churn::run(&args),
        Command::Knock(args) => knock::run(&args),
    }
}

/// `http://host:port/`, as servers tell it, or `host:port`.
fn admin(text: &str) -> anyhow::Result<Target> {
    text.trim_start_matches("http://").parse()
}

fn against_server(plan: Plan, args: &RunArgs) -> anyhow::Result<ExitCode> {
    plan.check()?;
    let config = SwarmConfig {
        plan,
        target: args.target.clone(),
        token: args.token.clone(),
        pid: args.pid,
        server_cores: args.server_cores.clone(),
        baseline: args.baseline,
        admin: args.admin.clone(),
        progress: !args.json,
    };
    let report = swarm::run(&config).context("the plan could not be run")?;
    print(&report, args)?;
    Ok(ExitCode::from(report.verdict().exit_code()))
}

fn print(report: &Report, args: &RunArgs) -> anyhow::Result<()> {
    if let Some(file) = &args.html {
        std::fs::write(file, page(report)).with_context(|| file.display().to_string())?;
    }
    match args.json {
        true => println!("{}", serde_json::to_string(report)?),
        false => println!("{report}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        let read = |words: &str| Cli::try_parse_from(words.split(' '));
        let target = "x plan p.toml --target ws://127.0.0.1:1";
        for words in [
            &format!("{target} --seconds 3 --server-core 0 --json"),
            &format!("{target} --duration 3 --server-cores 0,1 --html f --pid 3 --threads 2"),
            "x idle 100 --target 127.0.0.1:1",
            "x floor --sockets 3 --burst 4 --io-uring --ring-chunk 64",
            "x capacity p.toml --json",
            "x churn --target ws://127.0.0.1:1 --pid 3 --cycles 100",
            "x knock --target ws://127.0.0.1:1 --every-ms 20",
            "x compare p.toml --fantail f --pairs 3 --goal 1.05 --contest io-uring --log f",
            "x compare p.toml --contest flush",
        ] {
            assert!(read(words).is_ok(), "{words}: {:?}", read(words).err());
        }
        let command = ["x", "compare", "--plan", "p", "--server-cmd", "fantail demo --calm"];
        assert!(Cli::try_parse_from(command).is_ok());
        for words in ["x", "x plan p.toml", "x plan p --target wss://h:1", "x compare"] {
            assert!(read(words).is_err(), "{words}");
        }
    }
}
