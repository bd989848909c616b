//! Floor and Fantail in turn, in the same minutes, on pinned cores.
//!
//! The server's fan-out threads (shards and tail) have one core to themselves; everything else of
//! it (in `demo`: simulator and ingest) and the swarm run on the other. The measure is the first
//! core's whole busy time per delivery, softirq included. With `--whole-process` the simulator and
//! ingest stay on the server's core and are part of the figure.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::cli::CompareArgs;
use crate::host;
use crate::machine::watch;
use crate::plan::Plan;
use crate::report::{Report, Verdict};
use crate::spread::Spread;

/// Seconds a floor lives beyond its measurement, for connecting and settling.
const SPARE_SECONDS: f64 = 60.0;
/// Both sides must have delivered alike, or the ratio compares two different things.
const UNLIKE_MAX: f64 = 0.05;

/// A child process, ended by its id when dropped.
struct Server {
    child: Child,
    target: String,
    /// How busy its core was before it was started. Watched then and not later, so that what a server
    /// does while nobody listens is its cost and not the machine's.
    baseline: f64,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the pairs and prints each ratio and their median with its interval.
///
/// # Errors
/// Something does not start, or a run is void.
pub fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let plan = Plan::read(args.file()?)?;
    check(&plan)?;
    let (mut ratios, mut threads, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 1..=args.pairs {
        // Who goes first changes, so that whatever drifts hits both.
        let (floor, fantail) = if pair % 2 == 1 {
            let floor = measure(&start_floor(&plan, args)?, args)?;
            (floor, measure(&start_fantail(&plan, args)?, args)?)
        } else {
            let fantail = measure(&start_fantail(&plan, args)?, args)?;
            (measure(&start_floor(&plan, args)?, args)?, fantail)
        };
        let pair_of = Pair::of(&floor, &fantail)?;
        println!("pair {pair:>2}: {pair_of}");
        if let Some(unlike) = unlike(&floor, &fantail) {
            println!("         left out: {unlike}");
            continue;
        }
        ratios.push(pair_of.fantail / pair_of.floor);
        threads.push(pair_of.fan_out / pair_of.floor);
        added.push(pair_of.added_ms);
    }
    println!("{}", plan.name);
    let spread = Spread::of(ratios).context("no pair counts")?;
    let judged = args
        .goal
        .map_or_else(String::new, |goal| format!("; goal {goal:.2}: {}", spread.judge(goal)));
    println!("  whole core busy time ÷ floor's: {spread}{judged}");
    for (name, values) in
        [("CPU of tail and shards ÷ floor's core", threads), ("p99 beyond the floor's, ms", added)]
    {
        if let Some(spread) = Spread::of(values) {
            println!("  {name}: {spread}");
        }
    }
    Ok(())
}

/// A yardstick exists for plain sockets of one channel in JSON.
fn check(plan: &Plan) -> anyhow::Result<()> {
    anyhow::ensure!(plan.rate > 0.0, "{}: a plan without a rate has no yardstick", plan.name);
    let plain = plan.storm.is_none()
        && plan.groups.iter().all(|group| {
            !group.deflate
                && !group.batch
                && group.slow.is_none()
                && group.encoding.is_text()
                && group.channels_of(0, 0, &["trade:binance:BTC-USDT".into()]).len() == 1
        });
    anyhow::ensure!(plain, "{}: the yardstick sends plain JSON of one channel", plan.name);
    Ok(())
}

struct Pair {
    /// Whole-core µs per delivery.
    floor: f64,
    fantail: f64,
    /// CPU of tail and shards, µs per delivery.
    fan_out: f64,
    process: f64,
    floor_p99_ms: f64,
    added_ms: f64,
}

impl Pair {
    fn of(floor: &Report, fantail: &Report) -> anyhow::Result<Self> {
        let core = |report: &Report| report.cost.core_micros.context("no figure for the core");
        let p99 = |report: &Report| report.from_tail.p99 as f64 / 1_000.0;
        Ok(Self {
            floor: core(floor)?,
            fantail: core(fantail)?,
            fan_out: fantail.cost.fan_out_micros.context("no figure for the threads")?,
            process: fantail.cost.process_micros.context("no figure for the process")?,
            floor_p99_ms: p99(floor),
            added_ms: p99(fantail) - p99(floor),
        })
    }
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { floor, fantail, fan_out, process, floor_p99_ms, added_ms } = self;
        write!(
            f,
            "floor {floor:.3} µs, fantail {fantail:.3} µs, ratio {:.3}; tail and shards {fan_out:.3} µs, \
             process {process:.3} µs; p99 {:.2} ms, floor {floor_p99_ms:.2} ms",
            fantail / floor,
            floor_p99_ms + added_ms
        )
    }
}

/// What makes two runs no pair.
fn unlike(floor: &Report, fantail: &Report) -> Option<String> {
    for report in [floor, fantail] {
        if !report.is_clean() {
            let (busy, came) = (report.generator_busy * 100.0, report.deliveries);
            let offered = report.offered;
            return Some(format!(
                "{}; generator {busy:.0} % busy, {came} of {offered} delivered",
                report.verdict()
            ));
        }
    }
    if floor.cost.is_disturbed() || fantail.cost.is_disturbed() {
        return Some("others use the server's core".into());
    }
    let differs = |a: f64, b: f64| (a - b).abs() > UNLIKE_MAX * a.max(b);
    let rate = |report: &Report| report.deliveries as f64 / report.seconds.max(1e-9);
    let bytes = |report: &Report| report.wire_bytes as f64 / report.deliveries.max(1) as f64;
    if differs(rate(floor), rate(fantail)) {
        return Some(format!("{:.0}/s against {:.0}/s", rate(floor), rate(fantail)));
    }
    differs(bytes(floor), bytes(fantail))
        .then(|| format!("{:.0} bytes against {:.0}", bytes(floor), bytes(fantail)))
}

fn start_floor(plan: &Plan, args: &CompareArgs) -> anyhow::Result<Server> {
    let program = std::env::current_exe().context("this program")?;
    let numbers = [
        plan.sockets().to_string(),
        plan.rate.to_string(),
        plan.burst.to_string(),
        (args.seconds + SPARE_SECONDS).to_string(),
    ];
    let [sockets, rate, burst, seconds] = &numbers;
    let words =
        ["floor", "--sockets", sockets, "--rate", rate, "--burst", burst, "--seconds", seconds];
    let baseline = watch(args.server_core)?;
    let (child, line) = start(&program, &words, args.server_core)?;
    Ok(Server { child, target: line.trim().to_owned(), baseline })
}

fn start_fantail(plan: &Plan, args: &CompareArgs) -> anyhow::Result<Server> {
    let given = args.server_cmd.as_deref().unwrap_or_default();
    let mut words = given.split_whitespace().map(str::to_owned);
    let program = words.next().map_or_else(|| args.fantail.clone(), Into::into);
    let mut words: Vec<String> = words.collect();
    if words.is_empty() {
        words.extend(plan.server.iter().cloned());
    }
    let more = [("--listen", "127.0.0.1:0"), ("--json", ""), ("--set", "gateway.shards=1")];
    for (flag, value) in more.into_iter().filter(|(flag, _)| !given.contains(flag)) {
        words.extend([flag, value].into_iter().filter(|it| !it.is_empty()).map(str::to_owned));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let baseline = watch(args.server_core)?;
    let (child, line) = start(&program, &words, args.server_core)?;
    // From here on the child is ended whatever goes wrong.
    let mut server = Server { child, target: String::new(), baseline };
    let said: serde_json::Value = serde_json::from_str(&line).context("the server's first line")?;
    said["ws"]
        .as_str()
        .context("no address in the server's first line")?
        .clone_into(&mut server.target);
    if !args.whole_process {
        separate(server.child.id(), args.client_core)?;
    }
    Ok(server)
}

/// Moves every thread that is not fan-out to the other core.
fn separate(pid: u32, core: usize) -> anyhow::Result<()> {
    for (thread, name) in host::threads(pid) {
        if !name.starts_with("shard-") && name != "tail" {
            let status = Command::new("taskset")
                .args(["-pc", &core.to_string(), &thread.to_string()])
                .stdout(Stdio::null())
                .status()
                .context("taskset (util-linux) is needed")?;
            anyhow::ensure!(status.success(), "a thread could not be pinned");
        }
    }
    Ok(())
}

/// Starts a program on a core and takes its first line.
fn start(program: &Path, words: &[&str], core: usize) -> anyhow::Result<(Child, String)> {
    let mut child = Command::new("taskset")
        .args(["-c", &core.to_string()])
        .arg(program)
        .args(words)
        .stdout(Stdio::piped())
        .spawn()
        .context("taskset (util-linux) is needed")?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line).context("no first line")?;
    }
    if line.is_empty() {
        // It has ended, or soon will: its output is closed.
        let _ = child.kill();
        let _ = child.wait();
        bail!("{} said nothing and ended", program.display());
    }
    Ok((child, line))
}

/// Runs the swarm on the other core.
fn measure(server: &Server, args: &CompareArgs) -> anyhow::Result<Report> {
    let program = std::env::current_exe().context("this program")?;
    let output = Command::new("taskset")
        .args(["-c", &args.client_core.to_string()])
        .arg(program)
        .arg("plan")
        .arg(args.file()?)
        .args(["--target", &server.target, "--server-cores", &args.server_core.to_string()])
        .args(["--pid", &server.child.id().to_string()])
        .args(["--baseline", &server.baseline.to_string()])
        .args(["--duration", &args.seconds.to_string(), "--json"])
        .stderr(Stdio::inherit())
        .output()
        .context("starting the swarm")?;
    let report: Report = serde_json::from_slice(&output.stdout).context("the swarm's report")?;
    anyhow::ensure!(report.verdict() != Verdict::Broken, "a server lost something:\n{report}");
    Ok(report)
}
