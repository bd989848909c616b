//! Chaos: a cluster, a crowd, a nemesis, and at the end the verdict.
//!
//! Order of a run: start everything, wait until the crowd is live, let the nemesis rage, heal, wait
//! until the crowd is live again, end the workers so that nothing more is written, dump the bus, wait
//! until everybody has all of it, judge.

mod crowd;
mod faultlog;
mod nemesis;
mod plan;
mod resumed;

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::check::{Checker, Verdict};
use crate::clock::Clock;
use crate::cluster::{Cluster, Process, Settings, Signal};
use crate::dump::{self, DumpWriter};
use crate::kafka;
use crate::truth::Truth;
use crowd::{Crowd, Size};
use faultlog::FaultLog;
use nemesis::{Arena, rage, supervise};
pub(crate) use plan::{Kind, plan};

/// How long the crowd may take to be live: at the start, and after the last fault.
const LIVE: Duration = Duration::from_secs(60);
/// Undisturbed time before and after the faults.
const CALM: Duration = Duration::from_secs(3);
/// How long a client may take to have everything, once nothing is written any more.
const LEVEL: Duration = Duration::from_secs(10);
/// How often processes are looked after.
const LOOK: Duration = Duration::from_secs(1);
/// How often progress is told.
const TELL: Duration = Duration::from_secs(10);

/// A run.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) seed: u64,
    pub(crate) faults: u32,
    pub(crate) lasting: Duration,
    /// The kinds of faults; none named are all.
    pub(crate) only: Vec<Kind>,
    pub(crate) clients: usize,
    /// Clients follow little.
    pub(crate) light: bool,
}

/// Runs it; the verdict is also written to `verdict.json`.
///
/// # Errors
/// The cluster did not start or did not heal: then nothing is judged.
pub(crate) async fn run(run: &Run) -> anyhow::Result<Verdict> {
    let clock = Clock::start();
    let plan = plan(run.seed, run.faults, run.lasting, &run.only);
    eprintln!("seed {}: {} faults over {:?}", run.seed, plan.len(), run.lasting);
    plan.iter().for_each(|planned| eprintln!("{planned}"));
    let dir = run.settings.dir.clone();
    let mut cluster = Cluster::start(&run.settings).await?;
    let size = Size { seed: run.seed, clients: run.clients, light: run.light };
    let crowd = Crowd::start(&cluster, &dir, &size, clock)?;
    let log = FaultLog::new(&dir.join("faults.jsonl"), clock)?;
    let mut tap = witness(&run.settings, &cluster)?;
    let arena = Arc::new(Arena {
        gateways: std::mem::take(&mut cluster.gateways).into_iter().map(Mutex::new).collect(),
        workers: Mutex::new(std::mem::take(&mut cluster.workers)),
        brokers: Mutex::new(cluster.brokers.clone()),
        venues: Mutex::new(cluster.orders.take()),
        symbols: cluster.symbols.clone(),
        clients: crowd.orders(),
        log,
    });
    let outcome = story(&arena, &crowd, plan, (&dir, clock)).await;
    let ended = crowd.end().await;
    tap.signal(Signal::Int).await?;
    let tapped = tap.exit().await.is_some_and(|status| status.success());
    let arena = Arc::into_inner(arena).context("a fault is still being made")?;
    cluster.gateways = arena.gateways.into_iter().map(Mutex::into_inner).collect();
    cluster.workers = arena.workers.into_inner();
    let stopped = cluster.stop().await;
    outcome.and(stopped)?;
    resumed::tell(&dir, &ended?)?;
    anyhow::ensure!(tapped, "fantail tap saw a hole, or gave up; see {}", tap.log().display());
    let verdict = tokio::task::spawn_blocking(move || judge(&dir)).await??;
    tell(run, &verdict);
    Ok(verdict)
}

/// A client that is not ours: `fantail tap` over all gateways. It fails if it sees a hole.
fn witness(settings: &Settings, cluster: &Cluster) -> anyhow::Result<Process> {
    let urls: Vec<String> =
        cluster.gateways.iter().map(|node| format!("ws://{}", node.addr)).collect();
    let args = ["tap", &urls.join(","), "trade:*:*", "book:*:*", "--stats"].map(String::from);
    Process::start(settings.fantail.clone(), args.to_vec(), settings.dir.join("tap.log"))
}

/// Everything between start and end.
async fn story(
    arena: &Arc<Arena>,
    crowd: &Crowd,
    plan: Vec<plan::Planned>,
    (dir, clock): (&Path, Clock),
) -> anyhow::Result<()> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let raging = async {
        if !crowd.until(LIVE, |now| now.live == now.clients).await {
            anyhow::bail!("the clients are not served: {:?}", crowd.standing());
        }
        sleep(CALM).await;
        rage(Arc::clone(arena), plan, clock).await
    };
    tokio::pin!(raging);
    let mut told = clock.elapsed();
    let raged = loop {
        tokio::select! {
            outcome = &mut raging => break outcome,
            _ = looks.tick() => {
                supervise(arena);
                if clock.elapsed() - told > TELL {
                    told = clock.elapsed();
                    eprintln!("           {:?}", crowd.standing());
                }
            }
        }
    };
    sleep(CALM).await;
    let back = crowd.until(LIVE, |now| now.live == now.clients).await;
    eprintln!("healed: {:?}{}", crowd.standing(), if back { "" } else { ", NOT ALL ARE BACK" });
    for worker in arena.workers.lock().await.iter_mut() {
        worker.process.end().await;
    }
    let quiet = clock.elapsed();
    let truth = dumped(arena, dir).await?;
    let heads = truth.heads();
    crowd.tell_heads(Arc::new(move |name| heads.get(name).copied()));
    let left = LEVEL.saturating_sub(clock.elapsed() - quiet).max(Duration::from_secs(2));
    crowd.until(left, |now| now.level == now.clients).await;
    eprintln!(
        "{:.1} s after the last record: {:?}",
        (clock.elapsed() - quiet).as_secs_f64(),
        crowd.standing()
    );
    raged
}

/// Waits until nothing is written, and dumps the bus.
async fn dumped(arena: &Arena, dir: &Path) -> anyhow::Result<Truth> {
    let brokers = arena.brokers.lock().await.addresses.clone();
    let path = dir.join("dump.bin");
    let work = move || {
        let mut before = kafka::written(&brokers)?;
        loop {
            let now = kafka::written(&brokers)?;
            if now == before {
                break;
            }
            before = now;
        }
        let mut out = DumpWriter::new(BufWriter::new(File::create(&path)?))?;
        let dumped = kafka::dump(&brokers, &mut out)?;
        out.finish()?;
        eprintln!("dumped {} records of {} partitions", dumped.records, dumped.partitions);
        dump::read(BufReader::new(File::open(&path)?))
    };
    tokio::task::spawn_blocking(work).await?
}

/// Judges the files of a run.
///
/// # Errors
/// Files that can't be read.
pub(crate) fn judge(dir: &Path) -> anyhow::Result<Verdict> {
    let clock = Clock::start();
    let path = dir.join("dump.bin");
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let truth = dump::read(BufReader::new(file))?;
    let mut checker = Checker::new(&truth);
    let folder = crowd::histories(dir);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = BufReader::new(File::open(&path)?);
        checker.history(&name, file).with_context(|| path.display().to_string())?;
    }
    let mut verdict = checker.finish();
    verdict.checker.seconds = clock.elapsed().as_secs_f64();
    verdict.checker.memory_bytes_max = memory_bytes_max();
    std::fs::write(dir.join("verdict.json"), serde_json::to_vec_pretty(&verdict)?)?;
    Ok(verdict)
}

/// The most memory this process ever held, where the system tells.
fn memory_bytes_max() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

fn tell(run: &Run, verdict: &Verdict) {
    if !verdict.clean {
        blame(&run.settings.dir, verdict);
        let only: Vec<String> = run
            .only
            .iter()
            .filter_map(|kind| Some(kind.to_possible_value()?.get_name().to_owned()))
            .collect();
        let only = only.join(",");
        let only = if only.is_empty() { only } else { format!(" --only {only}") };
        eprintln!("repeat it with --seed {} --faults {}{only}", run.seed, run.faults);
    }
}

/// Prints, for each sample, what was going on.
pub(crate) fn blame(dir: &Path, verdict: &Verdict) {
    let Ok(lines) = faultlog::read(&dir.join("faults.jsonl")) else { return };
    for sample in verdict.samples.iter().filter(|sample| sample.at > 0) {
        println!("{sample}");
        for fault in faultlog::blamed(&lines, sample.at) {
            println!("    {fault}");
        }
    }
}
