//! Floor and Fantail in turn, in the same minutes, on pinned cores.
//!
//! The server's fan-out threads (shards and tail) have core 0 to themselves; everything else of it
//! (simulator, ingest) and the swarm run on core 1. The measure is core 0's whole busy time per
//! delivery, softirq included.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::cli::CompareArgs;
use crate::host;
use crate::plan::Plan;
use crate::report::Report;

/// Seconds a server lives beyond its measurement, for connecting and settling.
const SPARE_SECONDS: f64 = 30.0;

/// A child process, ended by its id when dropped.
struct Server {
    child: Child,
    target: String,
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
    let plan = Plan::read(&args.file)?;
    anyhow::ensure!(plan.rate > 0.0, "{}: a plan without a rate has no yardstick", plan.name);
    let mut ratios = Vec::new();
    for pair in 1..=args.pairs {
        let floor = measure(&start_floor(&plan, args)?, args)?;
        let fantail = measure(&start_fantail(&plan, args)?, args)?;
        let cost = |report: &Report| report.core_micros.context("no figure for the core");
        let ratio = cost(&fantail)? / cost(&floor)?;
        println!(
            "pair {pair:>2}: floor {:.3} µs, fantail {:.3} µs, ratio {ratio:.3}; p99 from tail {:.2} ms, \
             floor {:.2} ms",
            cost(&floor)?,
            cost(&fantail)?,
            fantail.from_tail.p99 as f64 / 1_000.0,
            floor.from_tail.p99 as f64 / 1_000.0
        );
        ratios.push(ratio);
    }
    println!("{}", verdict(&plan.name, ratios, args.goal));
    Ok(())
}

fn start_floor(plan: &Plan, args: &CompareArgs) -> anyhow::Result<Server> {
    let program = std::env::current_exe().context("this program")?;
    let numbers = [
        plan.sockets.to_string(),
        plan.rate.to_string(),
        plan.burst.to_string(),
        (args.seconds + SPARE_SECONDS).to_string(),
    ];
    let [sockets, rate, burst, seconds] = &numbers;
    let words =
        ["floor", "--sockets", sockets, "--rate", rate, "--burst", burst, "--seconds", seconds];
    let (child, line) = start(&program, &words)?;
    Ok(Server { child, target: line.trim().to_owned() })
}

fn start_fantail(plan: &Plan, args: &CompareArgs) -> anyhow::Result<Server> {
    let mut words: Vec<&str> = plan.server.iter().map(String::as_str).collect();
    words.extend(["--listen", "127.0.0.1:0", "--json", "--set", "gateway.shards=1"]);
    let (child, line) = start(&args.fantail, &words)?;
    let said: serde_json::Value = serde_json::from_str(&line).context("the demo's line")?;
    let ws = said["ws"].as_str().context("no address in the demo's line")?;
    let target = ws.trim_start_matches("ws://").split('/').next().unwrap_or_default().to_owned();
    for (thread, name) in host::threads(child.id()) {
        if !name.starts_with("shard") && name != "tail" {
            let status = Command::new("taskset")
                .args(["-pc", "1", &thread.to_string()])
                .stdout(Stdio::null())
                .status()
                .context("taskset (util-linux) is needed")?;
            anyhow::ensure!(status.success(), "a thread could not be pinned");
        }
    }
    Ok(Server { child, target })
}

/// Starts a program on core 0 and takes its first line.
fn start(program: &Path, words: &[&str]) -> anyhow::Result<(Child, String)> {
    let mut child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(program)
        .args(words)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let mut line = String::new();
    let out = child.stdout.take().context("no output")?;
    BufReader::new(out).read_line(&mut line).context("no first line")?;
    if line.is_empty() {
        bail!("{} ended at once", program.display());
    }
    Ok((child, line))
}

/// Runs the swarm on core 1.
fn measure(server: &Server, args: &CompareArgs) -> anyhow::Result<Report> {
    let program = std::env::current_exe().context("this program")?;
    let output = Command::new("taskset")
        .args(["-c", "1"])
        .arg(program)
        .arg("plan")
        .arg(&args.file)
        .args(["--target", &server.target, "--server-core", "0", "--json"])
        .args(["--pid", &server.child.id().to_string()])
        .args(["--seconds", &args.seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("starting the swarm")?;
    let report: Report = serde_json::from_slice(&output.stdout).context("the swarm's report")?;
    anyhow::ensure!(report.is_clean(), "a run is void or lost something:\n{report}");
    Ok(report)
}

/// The median with its 95 % interval (order statistics), against the goal.
fn verdict(plan: &str, mut ratios: Vec<f64>, goal: Option<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let count = ratios.len();
    if count == 0 {
        return format!("{plan}: no pairs");
    }
    let half_width = (0.98 * (count as f64).sqrt()).ceil() as usize;
    let middle = count / 2;
    let low = ratios[middle.saturating_sub(half_width)];
    let high = ratios[(middle + half_width).min(count - 1)];
    let judged = match goal {
        None => String::new(),
        Some(goal) if high <= goal => format!(", goal {goal:.2}: met"),
        Some(goal) if low > goal => format!(", goal {goal:.2}: missed"),
        Some(goal) => format!(", goal {goal:.2}: undecided"),
    };
    format!(
        "{plan}: ratio {:.3} (95 % interval {low:.3} to {high:.3}, {count} pairs){judged}",
        ratios[middle]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_only_if_the_interval_is_within_it() {
        let around = |centre: f64| (0..15).map(|n| centre + 0.001 * f64::from(n)).collect();
        assert!(verdict("p", around(1.0), Some(1.05)).ends_with("met"));
        assert!(verdict("p", around(1.1), Some(1.05)).ends_with("missed"));
        assert!(verdict("p", around(1.045), Some(1.05)).ends_with("undecided"));
        assert_eq!(verdict("p", Vec::new(), None), "p: no pairs");
    }
}
