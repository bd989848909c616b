//! The command line of `fantail-chaos`.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::chaos::{self, Kind, Run};
use crate::check::Verdict;
use crate::cluster::{Cluster, Settings, guarded, repository};
use crate::dump::DumpWriter;
use crate::kafka;

/// A Fantail cluster on loopback, hurt on purpose, and a judge of what its clients were sent.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start three brokers, venues, two ingest workers and three gateways; end them with Ctrl-C.
    Cluster(ClusterArgs),
    /// The same, with recording clients and a nemesis; ends with the verdict.
    Run(RunArgs),
    /// Print the schedule of a seed.
    Plan {
        /// Of the schedule.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Judge the files of a run again.
    Check {
        /// The run's folder.
        dir: PathBuf,
    },
    /// Print what a client was told in one channel.
    Show {
        /// Its history.
        history: PathBuf,
        /// The channel's name.
        channel: String,
    },
    /// Write every record of the event topics to a file.
    Dump {
        /// host:port,…
        #[arg(long)]
        brokers: String,
        /// The file.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
struct ClusterArgs {
    /// The binary under test [default: target/release/fantail].
    #[arg(long, value_name = "FILE")]
    fantail: Option<PathBuf>,
    /// Another build of it, e.g. the last release's: every second worker and gateway runs that one.
    #[arg(long, value_name = "FILE")]
    beside: Option<PathBuf>,
    /// Logs, histories and dump [default: target/chaos].
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Port of the first broker; the others follow.
    #[arg(long, default_value_t = 19_292)]
    kafka_port: u16,
    /// The same seed makes the same markets, and the same faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Symbols of each venue.
    #[arg(long, default_value_t = 3)]
    symbols: u16,
    /// Trades a second, of each symbol.
    #[arg(long, default_value_t = 5.0)]
    trades_per_s: f64,
    /// Book changes a second, of each symbol.
    #[arg(long, default_value_t = 20.0)]
    book_updates_per_s: f64,
}

#[derive(Debug, Args)]
struct PlanArgs {
    /// How many.
    #[arg(long, default_value_t = 50)]
    faults: u32,
    /// Over how long; 0 is five seconds for each fault.
    #[arg(long, default_value_t = 0.0)]
    minutes: f64,
    /// Of these kinds only, separated by commas [default: all kinds].
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    plan: PlanArgs,
    /// Recording clients.
    #[arg(long, default_value_t = 60)]
    clients: usize,
    /// Each client follows the book and the trades of one symbol only: for thousands of them.
    #[arg(long)]
    light: bool,
}

impl ClusterArgs {
    fn settings(&self) -> Settings {
        let root = repository();
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| root.join("target"), PathBuf::from);
        Settings {
            fantail: self.fantail.clone().unwrap_or_else(|| target.join("release/fantail")),
            beside: self.beside.clone(),
            brokers_script: root.join("tests/kafka/broker.sh"),
            dir: self.dir.clone().unwrap_or_else(|| target.join("chaos")),
            kafka_port: self.kafka_port,
            seed: self.seed,
            symbols: self.symbols,
            trades_per_s: self.trades_per_s,
            book_updates_per_s: self.book_updates_per_s,
            gateways: 3,
            workers: 2,
            heartbeat: "2s",
        }
    }
}

/// Faults follow one another within five seconds, unless told otherwise.
fn lasting(minutes: f64, faults: u32) -> Duration {
    let seconds = if minutes > 0.0 { minutes * 60.0 } else { f64::from(faults) * 4.5 };
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Does what the command line says.
///
/// # Errors
/// What could not be done; a verdict with violations is no error but an exit code.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Cluster(args) => cluster(&args.settings()).await,
        Command::Run(args) => {
            let (seed, settings) = (args.cluster.seed, args.cluster.settings());
            let PlanArgs { faults, minutes, only } = args.plan;
            let (lasting, clients, light) = (lasting(minutes, faults), args.clients, args.light);
            let run = Run { settings, seed, faults, lasting, only, clients, light };
            Ok(told(&guarded(&run.settings, chaos::run(&run)).await?))
        }
        Command::Plan { seed, plan } => {
            let lasting = lasting(plan.minutes, plan.faults);
            let plan = chaos::plan(seed, plan.faults, lasting, &plan.only);
            plan.iter().for_each(|planned| println!("{planned}"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { dir } => {
            let verdict = chaos::judge(&dir)?;
            chaos::blame(&dir, &verdict);
            Ok(told(&verdict))
        }
        Command::Show { history, channel } => {
            let file = File::open(&history).with_context(|| history.display().to_string())?;
            for line in crate::history::told(BufReader::new(file), &channel)? {
                println!("{line}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Dump { brokers, out } => {
            let file = File::create(&out).with_context(|| out.display().to_string())?;
            let mut writer = DumpWriter::new(BufWriter::new(file))?;
            let dumped = kafka::dump(&brokers, &mut writer)?;
            writer.finish()?;
            println!("{} records of {} partitions", dumped.records, dumped.partitions);
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn cluster(settings: &Settings) -> anyhow::Result<ExitCode> {
    let cluster = guarded(settings, Cluster::start(settings)).await?;
    println!("brokers   {}", cluster.brokers.addresses);
    for node in cluster.workers.iter() {
        println!(
            "{:<9} admin http://{}/  pid {}",
            node.name,
            node.addr,
            node.process.id().unwrap_or(0)
        );
    }
    for node in &cluster.gateways {
        println!("{:<9} http://{}/  pid {}", node.name, node.addr, node.process.id().unwrap_or(0));
    }
    let urls: Vec<String> =
        cluster.gateways.iter().map(|node| format!("ws://{}", node.addr)).collect();
    let (venue, symbol) = cluster.symbols.first().context("the venues play nothing")?;
    println!("\nFollow a channel, and kill -9 the gateway it is at:\n");
    let fantail = settings.fantail.display();
    println!("  {fantail} tap {} book:{venue}:{symbol} --stats\n", urls.join(","));
    println!("Logs are in {}. Ctrl-C ends everything.", settings.dir.display());
    tokio::signal::ctrl_c().await?;
    cluster.stop().await?;
    Ok(ExitCode::SUCCESS)
}

fn told(verdict: &Verdict) -> ExitCode {
    println!("{verdict}");
    if verdict.clean { ExitCode::SUCCESS } else { ExitCode::from(2) }
}
