//! Two sides in turn, in the same minutes, on pinned cores: floor and Fantail, or another contest.
//!
//! The server's fan-out threads (shards and tail) have one core to themselves; everything else of
//! it (in `demo`: simulator and ingest) and the swarm run on the other. The measure is the first
//! core's whole busy time per delivery, softirq included. With `--whole-process` the simulator and
//! ingest stay on the server's core and are part of the figure.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use crate::cli::CompareArgs;
use crate::contest::Side;
use crate::plan::Plan;
use crate::report::{Report, Verdict};
use crate::server::Pins;
use crate::spread::Spread;
use crate::turn::{Turn, command};

/// What a comparison found, for programs.
#[derive(Debug, Serialize)]
struct Outcome {
    plan: String,
    contest: String,
    pairs: usize,
    left_out: usize,
    goal: Option<f64>,
    judged: Option<String>,
    figures: Vec<Figure>,
}

/// One measure over all pairs that count.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    median: f64,
    low: f64,
    high: f64,
    confidence: f64,
    values: Vec<f64>,
}

/// Runs the pairs and prints each one's figures and their medians with their intervals.
///
/// # Errors
/// Something does not start, or a run loses something.
pub fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let plan = Plan::read(args.file()?)?;
    args.contest.check(&plan)?;
    let [base, other] = args.contest.sides();
    let measures = args.contest.measures();
    let mut values: Vec<Vec<f64>> = measures.iter().map(|_| Vec::new()).collect();
    let mut left_out = 0;
    for pair in 1..=args.pairs {
        // Who goes first changes, so that whatever drifts hits both.
        let (one, two) = if pair % 2 == 1 {
            let one = measure(&plan, base, args)?;
            (one, measure(&plan, other, args)?)
        } else {
            let two = measure(&plan, other, args)?;
            (measure(&plan, base, args)?, two)
        };
        let figures: Vec<_> = measures.iter().map(|measure| (measure.of)(&one, &two)).collect();
        let first = figures.first().copied().flatten();
        println!("pair {pair:>2}: {}", line(&figures, [base, other], [&one, &two]));
        if let Some(unlike) = args.contest.unlike(&one, &two) {
            println!("         left out: {unlike}");
            left_out += 1;
            continue;
        }
        first.context("no figure for what is judged")?;
        for (values, figure) in values.iter_mut().zip(figures) {
            values.extend(figure);
        }
    }
    let figures = measures.iter().zip(values).filter_map(|(measure, values)| {
        let spread = Spread::of(values.clone())?;
        let Spread { median, low, high, confidence, .. } = spread;
        Some(Figure { name: measure.name, median, low, high, confidence, values })
    });
    let mut outcome = Outcome {
        plan: plan.name,
        contest: format!("{} against {}", other.name, base.name),
        pairs: args.pairs - left_out,
        left_out,
        goal: args.goal,
        judged: None,
        figures: figures.collect(),
    };
    let judged = outcome.figures.first().context("no pair counts")?;
    let spread = Spread::of(judged.values.clone()).context("no pair counts")?;
    outcome.judged = args.goal.map(|goal| spread.judge(goal).to_string());
    tell(&outcome);
    args.log.as_ref().map_or(Ok(()), |file| append(file, &outcome))
}

fn line(figures: &[Option<f64>], sides: [Side; 2], reports: [&Report; 2]) -> String {
    let judged = figures.first().copied().flatten();
    let judged = judged.map_or_else(|| "-".into(), |it| format!("{it:.3}"));
    let side = |(side, report): (Side, &Report)| {
        let cost = &report.cost;
        let micros = |it: Option<f64>| it.map_or_else(|| "-".into(), |it| format!("{it:.3}"));
        format!(
            "{}: core {} µs, tail and shards {} µs, process {} µs, p99 {:.2} ms, generator {:.0} %",
            side.name,
            micros(cost.core_micros),
            micros(cost.fan_out_micros),
            micros(cost.process_micros),
            report.from_tail.p99 as f64 / 1_000.0,
            report.generator_busy * 100.0
        )
    };
    let [one, two] = [(sides[0], reports[0]), (sides[1], reports[1])].map(side);
    format!("{judged}; {one}; {two}")
}

fn tell(outcome: &Outcome) {
    println!("{}: {}", outcome.plan, outcome.contest);
    for (at, figure) in outcome.figures.iter().enumerate() {
        let Some(spread) = Spread::of(figure.values.clone()) else { continue };
        let judged = match (at, outcome.goal, &outcome.judged) {
            (0, Some(goal), Some(judged)) => format!("; goal {goal:.2}: {judged}"),
            _ => String::new(),
        };
        println!("  {}: {spread}{judged}", figure.name);
    }
}

fn append(file: &PathBuf, outcome: &Outcome) -> anyhow::Result<()> {
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let mut opened = opened.with_context(|| file.display().to_string())?;
    writeln!(opened, "{}", serde_json::to_string(outcome)?)?;
    Ok(())
}

/// Runs a side; a loss ends the comparison.
fn measure(plan: &Plan, side: Side, args: &CompareArgs) -> anyhow::Result<Report> {
    let (program, words) = command(plan, args.server_cmd.as_deref(), &args.fantail);
    let pins = Pins {
        server: args.server_core,
        client: args.client_core,
        whole_process: args.whole_process,
    };
    let (file, seconds) = (args.file()?, args.seconds);
    let read_every_ms = args.read_every_ms;
    let turn = Turn { plan, file, fantail: &program, words: &words, seconds, pins, read_every_ms };
    let report = turn.run(side)?;
    anyhow::ensure!(report.verdict() != Verdict::Broken, "a server lost something:\n{report}");
    Ok(report)
}
