//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::plan::Plan;
use crate::{compare, floor, swarm};

/// Load tests a Fantail server, and says whether the load generator was the bottleneck.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
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
    /// Serve pre-made frames with a bare loop of send(2): the yardstick.
    Floor(FloorArgs),
    /// Run floor and Fantail in turn on pinned cores and print the ratio with its spread.
    Compare(CompareArgs),
}

/// `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// The plan, e.g. loadtest/plans/fan-out-1000x100.toml.
    pub file: PathBuf,
    /// The server, ip:port.
    #[arg(long, value_name = "ADDR")]
    pub target: SocketAddr,
    /// Access token.
    #[arg(long, env = "FANTAIL_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The server's process id: adds its CPU, memory and context switches to the report.
    #[arg(long)]
    pub pid: Option<u32>,
    /// Core the server is pinned to: its whole busy time is measured, softirq included.
    #[arg(long, value_name = "N")]
    pub server_core: Option<usize>,
    /// Seconds to measure, instead of the plan's.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Report as one JSON line.
    #[arg(long)]
    pub json: bool,
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
}

/// `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The plan.
    pub file: PathBuf,
    /// The fantail binary.
    #[arg(long, default_value = "target/release/fantail")]
    pub fantail: PathBuf,
    /// Pairs of runs.
    #[arg(long, default_value_t = 15)]
    pub pairs: usize,
    /// Seconds of each run.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// The ratio that must not be exceeded.
    #[arg(long)]
    pub goal: Option<f64>,
}

/// Runs a command.
///
/// # Errors
/// What could not be read, started or measured.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Plan(args) => {
            let plan = Plan::read(&args.file)?;
            let report = swarm::run(&plan, &args).context("the plan could not be run")?;
            match args.json {
                true => println!("{}", serde_json::to_string(&report)?),
                false => println!("{report}"),
            }
            Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
        Command::Floor(args) => floor::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => compare::run(&args).map(|()| ExitCode::SUCCESS),
    }
}
