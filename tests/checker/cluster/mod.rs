//! A whole deployment on loopback: three Kafka brokers, simulated venues, two ingest workers, three
//! gateways, each a process of its own.
//!
//! Owns the processes and ends them by their ids. Input: where the binary and the brokers' script
//! are; output: addresses, and a handle for each process to be hurt by. It starts everything by the
//! front door (`fantail run`, `fantail topics create`) and knows nothing of what is inside.

mod brokers;
mod process;
mod settings;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStdin;
use tokio::time::{sleep, timeout};

pub(crate) use brokers::Brokers;
pub(crate) use process::{Process, Signal};
pub(crate) use settings::Settings;

/// How long a node may take until it listens; with a busy machine and a cold cache.
const START: Duration = Duration::from_secs(90);
/// How often a node that ends at start is started again.
const STARTS_AGAIN_MAX: u32 = 10;
/// The folder of histories in a run's folder.
pub(crate) const HISTORIES: &str = "histories";
/// How often a port is tried.
const LOOK: Duration = Duration::from_millis(50);

/// A gateway or an ingest worker.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
    pub(crate) process: Process,
}

/// Everything that runs.
pub(crate) struct Cluster {
    pub(crate) brokers: Brokers,
    pub(crate) gateways: Vec<Node>,
    pub(crate) workers: Vec<Node>,
    pub(crate) venues: Process,
    /// Where the venues take orders to misbehave.
    pub(crate) orders: Option<ChildStdin>,
    pub(crate) symbols: Vec<(String, String)>,
}

/// The first line of `fantail simulate --json`.
#[derive(Deserialize)]
struct Announced {
    set: Vec<String>,
    binance: Vec<String>,
    coinbase: Vec<String>,
}

impl Cluster {
    /// Starts everything, in order, and waits until every gateway listens. On an error, or when it
    /// is dropped half way, the nodes end with it and the brokers are left to [`guarded`].
    pub(crate) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        clear(&settings.dir).context("the run's folder")?;
        eprintln!("starting three brokers …");
        let brokers = Brokers::start(settings).await?;
        let file = settings.dir.join("fantail.toml");
        std::fs::write(&file, settings.toml(&brokers.addresses))?;
        eprintln!("starting venues, workers and gateways …");
        let (venues, orders, announced) = play_venues(settings).await?;
        create_topics(&settings.fantail, &file, &announced.set).await?;
        let start = |number: u16, name: &str, role: &str| {
            let binary = settings.binary(number);
            node(settings, (binary, &file), &format!("{name}-{number}"), role, &announced.set)
        };
        let workers = (1..=settings.workers).map(|number| start(number, "ingest", "ingest"));
        let workers = workers.collect::<anyhow::Result<Vec<_>>>()?;
        let gateways = (1..=settings.gateways).map(|number| start(number, "gw", "gateway"));
        let mut gateways = gateways.collect::<anyhow::Result<Vec<_>>>()?;
        for node in &mut gateways {
            node.listening().await?;
        }
        let named = |venue: &str, symbol: String| (venue.to_owned(), symbol);
        let binance = announced.binance.into_iter().map(|symbol| named("binance", symbol));
        let coinbase = announced.coinbase.into_iter().map(|symbol| named("coinbase", symbol));
        let symbols = binance.chain(coinbase).collect();
        Ok(Self { brokers, gateways, workers, venues, orders, symbols })
    }

    /// Ends everything this run started.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.orders.take());
        for node in self.gateways.iter_mut().chain(&mut self.workers) {
            node.process.end().await;
        }
        self.venues.end().await;
        self.brokers.stop().await
    }
}

impl Node {
    /// Waits until it accepts connections. A node that gives up at start (its broker died in that
    /// moment) is started again, as any supervisor would; how often is returned.
    pub(crate) async fn listening(&mut self) -> anyhow::Result<u32> {
        let mut again = 0;
        let up = async {
            while TcpStream::connect(self.addr).await.is_err() {
                if self.process.has_ended() {
                    if again == STARTS_AGAIN_MAX {
                        bail!("{} ended; see {}", self.name, self.process.log().display());
                    }
                    again += 1;
                    self.process.again()?;
                }
                sleep(LOOK).await;
            }
            Ok(again)
        };
        match timeout(START, up).await {
            Ok(outcome) => outcome,
            Err(_) => bail!("{} doesn't listen; see {}", self.name, self.process.log().display()),
        }
    }
}

fn node(
    settings: &Settings,
    (binary, file): (&Path, &Path),
    name: &str,
    role: &str,
    set: &[String],
) -> anyhow::Result<Node> {
    // Fixed for the node's life, so that it comes back where it was.
    let (addr, admin) = (free_address()?, free_address()?);
    let mut args = vec!["run".into(), "--role".into(), role.into(), "--config".into()];
    args.push(file.display().to_string());
    let own = [
        format!("gateway.node={name}"),
        format!("listen.addr={addr}"),
        format!("admin.addr={admin}"),
    ];
    for flag in set.iter().chain(&own) {
        args.extend(["--set".to_owned(), flag.clone()]);
    }
    let log = settings.dir.join(format!("{name}.log"));
    let process = Process::start(binary.to_path_buf(), args, log)?;
    // A worker has no public listener; its admin port shows that it is up.
    let addr = if role == "gateway" { addr } else { admin };
    Ok(Node { name: name.to_owned(), addr, process })
}

/// Does something with a cluster. Whatever becomes of it, also at a Ctrl-C, no broker stays behind:
/// they are no children of ours and would live on.
///
/// # Errors
/// Those of the work, or that it was interrupted.
pub(crate) async fn guarded<T>(
    settings: &Settings,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let outcome = tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    if outcome.is_err() {
        let _ = Brokers::of(settings).stop().await;
    }
    outcome
}

/// Symbols too say how many partitions there are: workers share them.
async fn create_topics(fantail: &Path, file: &Path, set: &[String]) -> anyhow::Result<()> {
    let mut command = tokio::process::Command::new(fantail);
    command.args(["topics", "create", "--config"]).arg(file);
    command.args(set.iter().flat_map(|flag| ["--set", flag]));
    let output = command.output().await.context("fantail topics create")?;
    if !output.status.success() {
        bail!("fantail topics create: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Starts the venues; they say on their first line how a node reaches them.
async fn play_venues(
    settings: &Settings,
) -> anyhow::Result<(Process, Option<ChildStdin>, Announced)> {
    let mut args: Vec<String> =
        ["simulate", "--json", "--calm", "--orders", "--seed"].map(String::from).to_vec();
    args.push(settings.seed.to_string());
    for (flag, value) in [
        ("--symbols", settings.symbols.to_string()),
        ("--trades-per-s", settings.trades_per_s.to_string()),
        ("--book-updates-per-s", settings.book_updates_per_s.to_string()),
    ] {
        args.extend([flag.to_owned(), value]);
    }
    let log = settings.dir.join("venues.log");
    let (process, stdin, stdout) =
        Process::start_piped(settings.fantail.clone(), args, log.clone())?;
    let mut line = String::new();
    let mut lines = BufReader::new(stdout);
    timeout(START, lines.read_line(&mut line)).await.context("the venues say nothing")??;
    let announced = serde_json::from_str(&line)
        .with_context(|| format!("the venues said {line:?}; see {}", log.display()))?;
    Ok((process, Some(stdin), announced))
}

/// Makes the folder, without what an earlier run left in it.
fn clear(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let ours = ["log", "bin", "jsonl", "json", "toml", "history"];
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if path.is_dir() && path.ends_with(HISTORIES) {
            clear(&path)?;
        } else if ours.contains(&extension) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Below the ports that kernels give to outgoing connections: a node that is started again must find
/// its own still free, however many clients there are.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Ports tried before it is said that none is free.
const PORTS_TRIED_MAX: usize = 200;

/// A port nobody has, by binding it and giving it back.
fn free_address() -> anyhow::Result<SocketAddr> {
    let free = (0..PORTS_TRIED_MAX).find_map(|_| {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, rand::random_range(PORTS)));
        TcpListener::bind(addr).is_ok().then_some(addr)
    });
    free.context("a free port between 20000 and 32000")
}

/// The repository, as it lay when this was built.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
