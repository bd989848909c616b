//! The highest rate at which everything still arrives in time, for the floor and for Fantail.
//!
//! Raises the plan's rate by steps until a run falls short, then halves the distance. Everything in
//! time means: a clean run, nothing closed or merged, nearly all that was offered, and no queue that
//! grows. Where the load generator is the bottleneck first, it says so and stops there.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::contest::Contest;
use crate::limits::{CAPACITY_P99, EVERYTHING_SHARE};
use crate::plan::Plan;
use crate::report::{Report, Verdict};
use crate::server::Pins;
use crate::turn::{Turn, command};

/// By how much the rate rises while all is well.
const RISE: f64 = 1.4;

/// `capacity`.
#[derive(Debug, Clone, Args)]
pub struct CapacityArgs {
    /// The plan; its rate is where the search begins.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The fantail binary.
    #[arg(long, default_value = "target/release/fantail")]
    pub fantail: PathBuf,
    /// Seconds of each run.
    #[arg(long, visible_alias = "duration", default_value_t = 4.0)]
    pub seconds: f64,
    /// Halvings after the first rate that was too high.
    #[arg(long, default_value_t = 3)]
    pub halvings: usize,
    /// Read sockets only so often: the search goes beyond what a swarm could read at each arrival.
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=50))]
    pub read_every_ms: u64,
    /// Core of the server's fan-out.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub server_core: usize,
    /// Core of the swarm and of everything else.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub client_core: usize,
    /// Report as one JSON line.
    #[arg(long)]
    pub json: bool,
}

/// The search of one side.
#[derive(Debug, Serialize)]
struct Found {
    side: &'static str,
    /// Messages a second to each socket that all arrived; 0 if not even the first did.
    rate: f64,
    /// Deliveries a second then.
    deliveries_per_s: f64,
    /// Whole-core µs per delivery, and p99 from the tail in ms, then.
    core_micros: Option<f64>,
    p99_ms: f64,
    /// What ended the search, at which rate.
    beyond: f64,
    why: String,
}

/// Searches for both sides.
///
/// # Errors
/// Something does not start.
pub fn run(args: &CapacityArgs) -> anyhow::Result<()> {
    let plan = Plan::read(&args.file)?;
    Contest::Floor.check(&plan)?;
    for side in Contest::Floor.sides() {
        let mut found = None::<(f64, Report)>;
        let (mut rate, mut beyond, mut halvings) = (plan.rate, None::<(f64, String)>, 0);
        loop {
            let report = at_rate(&plan, rate, side, args)?;
            let why = falls_short(&report);
            eprintln!("{}: {rate:.0}/s: {}", side.name, why.as_deref().unwrap_or("all arrived"));
            let is_void = report.verdict() == Verdict::Void;
            match why {
                None => found = Some((rate, report)),
                Some(why) => beyond = Some((rate, why)),
            }
            let low = found.as_ref().map_or(0.0, |(rate, _)| *rate);
            rate = match &beyond {
                None => rate * RISE,
                Some((high, _)) if halvings < args.halvings && !is_void => {
                    halvings += 1;
                    low.midpoint(*high)
                }
                Some(_) => break,
            };
        }
        let (beyond, why) = beyond.unwrap_or_default();
        let (rate, report) = found.unwrap_or_default();
        let found = Found {
            side: side.name,
            rate,
            deliveries_per_s: report.deliveries as f64 / report.seconds.max(1e-9),
            core_micros: report.cost.core_micros,
            p99_ms: report.from_tail.p99 as f64 / 1_000.0,
            beyond,
            why,
        };
        match args.json {
            true => println!("{}", serde_json::to_string(&found)?),
            false => println!("{found}"),
        }
    }
    Ok(())
}

fn at_rate(
    plan: &Plan,
    rate: f64,
    side: crate::contest::Side,
    args: &CapacityArgs,
) -> anyhow::Result<Report> {
    let plan = plan.at_rate(rate);
    let (program, words) = command(&plan, None, &args.fantail);
    let pins = Pins { server: args.server_core, client: args.client_core, whole_process: false };
    let turn = Turn {
        read_every_ms: args.read_every_ms,
        plan: &plan,
        file: &args.file,
        fantail: &program,
        words: &words,
        seconds: args.seconds,
        pins,
    };
    turn.run(side)
}

/// Why not everything arrived in time, if so.
fn falls_short(report: &Report) -> Option<String> {
    let p99 = report.from_ingest.p99;
    let merged = report.counters.get("gateway_conflated_events").copied().unwrap_or_default();
    match report.verdict() {
        Verdict::Clean => {}
        Verdict::Void => return Some("the load generator was the bottleneck".into()),
        other => return Some(other.to_string()),
    }
    if !report.closed.is_empty() {
        return Some(format!("{} sockets were closed", report.closed.values().sum::<u64>()));
    }
    if merged > 0.0 {
        return Some(format!("{merged:.0} events were merged"));
    }
    if (report.deliveries as f64) < report.offered as f64 * EVERYTHING_SHARE {
        return Some(format!("{} of {} delivered", report.deliveries, report.offered));
    }
    (u128::from(p99) > CAPACITY_P99.as_micros())
        .then(|| format!("p99 of {:.0} ms: a queue grows", p99 as f64 / 1_000.0))
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, rate, deliveries_per_s, p99_ms, beyond, why, .. } = self;
        let core = self.core_micros.unwrap_or(f64::NAN);
        write!(
            f,
            "{side}: {rate:.0} messages a second to each socket, {deliveries_per_s:.0} deliveries/s, \
             core {core:.3} µs per delivery, p99 {p99_ms:.2} ms; not {beyond:.0}: {why}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_time_is_what_it_says() {
        let report = |change: fn(&mut Report)| {
            let mut report = Report { offered: 100, deliveries: 100, ..Report::default() };
            change(&mut report);
            falls_short(&report)
        };
        assert_eq!(report(|_| ()), None);
        assert_eq!(report(|it| it.deliveries = 99), None, "within the source's clock");
        assert!(report(|it| it.deliveries = 95).is_some());
        assert!(report(|it| it.from_ingest.p99 = 2_000_000).is_some());
        assert!(report(|it| it.closed = [(4409, 1)].into()).is_some());
        let merged =
            |it: &mut Report| it.counters = [("gateway_conflated_events".into(), 1.0)].into();
        assert!(report(merged).is_some());
        assert!(report(|it| it.generator_busy = 0.99).is_some_and(|why| why.contains("generator")));
    }
}
