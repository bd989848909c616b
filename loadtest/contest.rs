//! What `compare` compares: the two sides of a contest, the figures it makes of a pair of runs, and
//! what makes two runs no pair. Pure; runs come from `compare`, servers from `server`.

use clap::ValueEnum;

use crate::plan::Plan;
use crate::report::Report;

/// Both sides must have delivered alike, or the ratio compares two different things.
const UNLIKE_MAX: f64 = 0.05;

/// Two sides that run in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Contest {
    /// Fantail against the bare loop of send(2).
    Floor,
    /// The loop through io_uring against the loop of send(2).
    IoUring,
    /// Fantail's flush through io_uring against its flush by send(2).
    Flush,
    /// Two shards on two cores against one shard on one, by the shard threads' own CPU.
    Shards,
    /// A plan's compression against the same plan without.
    Deflate,
    /// A plan's slow readers against the same plan without: what do the others notice?
    Slow,
}

/// What serves a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// The yardstick.
    Floor { io_uring: bool },
    /// A Fantail with so many shards, and what else is set of it.
    Fantail { shards: usize, set: &'static [&'static str] },
}

/// One side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) serves: Serves,
    /// Further arguments of its swarm.
    pub(crate) swarm: &'static [&'static str],
}

/// A figure of a pair: the base's report, then the other's.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&Report, &Report) -> Option<f64>,
}

impl Contest {
    /// The base, and what is held against it.
    pub(crate) fn sides(self) -> [Side; 2] {
        let side = |name, serves, swarm| Side { name, serves, swarm };
        let fantail = Serves::Fantail { shards: 1, set: &[] };
        let flush = |path: &'static [&'static str]| Serves::Fantail { shards: 1, set: path };
        let send = side("floor", Serves::Floor { io_uring: false }, &[]);
        match self {
            Self::Floor => [send, side("fantail", fantail, &[])],
            Self::IoUring => [send, side("io_uring", Serves::Floor { io_uring: true }, &[])],
            Self::Flush => [
                side("send", flush(&["gateway.flush=send"]), &[]),
                side("io_uring", flush(&["gateway.flush=io_uring"]), &[]),
            ],
            Self::Shards => [
                side("one shard", fantail, &[]),
                side("two shards", Serves::Fantail { shards: 2, set: &[] }, &[]),
            ],
            Self::Deflate => {
                [side("plain", fantail, &["--plain"] as &[_]), side("deflate", fantail, &[])]
            }
            Self::Slow => [
                side("all read", fantail, &["--all-read"] as &[_]),
                side("some slow", fantail, &[]),
            ],
        }
    }

    /// The figure that is judged first, then those that explain it.
    pub(crate) fn measures(self) -> &'static [Measure] {
        match self {
            Self::Floor => FLOOR,
            Self::IoUring => IO_URING,
            Self::Flush => FLUSH,
            Self::Shards => SHARDS,
            Self::Deflate => DEFLATE,
            Self::Slow => SLOW,
        }
    }

    /// Whether a plan has what the contest is about.
    pub(crate) fn check(self, plan: &Plan) -> anyhow::Result<()> {
        let name = &plan.name;
        let floor = self.sides().iter().any(|side| matches!(side.serves, Serves::Floor { .. }));
        if floor {
            anyhow::ensure!(plan.rate > 0.0, "{name}: a plan without a rate has no yardstick");
            anyhow::ensure!(
                is_plain(plan),
                "{name}: the yardstick sends plain JSON of one channel"
            );
        }
        let any = |has: fn(&crate::plan::Group) -> bool| plan.groups.iter().any(has);
        match self {
            Self::Deflate => {
                anyhow::ensure!(any(|it| it.deflate), "{name}: nobody asks for deflate")
            }
            Self::Slow => anyhow::ensure!(any(|it| it.slow.is_some()), "{name}: nobody is slow"),
            _ => {}
        }
        Ok(())
    }

    /// What makes two runs no pair.
    pub(crate) fn unlike(self, base: &Report, other: &Report) -> Option<String> {
        for report in [base, other] {
            if !report.is_clean() {
                let (busy, came) = (report.generator_busy * 100.0, report.deliveries);
                let offered = report.offered;
                return Some(format!(
                    "{}; generator {busy:.0} % busy, {came} of {offered} delivered",
                    report.verdict()
                ));
            }
            // Two shards have two cores, and the load has to be on one of them.
            if self != Self::Shards && report.cost.is_disturbed() {
                return Some("others use the server's core".into());
            }
        }
        let differs = |a: f64, b: f64| (a - b).abs() > UNLIKE_MAX * a.max(b);
        let (one, two) = (healthy_rate(base), healthy_rate(other));
        if differs(one, two) {
            return Some(format!("{one:.1}/s against {two:.1}/s of each healthy socket"));
        }
        let (one, two) = (bytes_each(base), bytes_each(other));
        (self != Self::Deflate && differs(one, two))
            .then(|| format!("{one:.0} bytes against {two:.0}"))
    }
}

/// A yardstick exists for plain sockets of one channel in JSON.
fn is_plain(plan: &Plan) -> bool {
    plan.storm.is_none()
        && plan.groups.iter().all(|group| {
            !group.deflate
                && !group.batch
                && group.slow.is_none()
                && group.encoding.is_text()
                && group.channels_of(0, 0, &["trade:binance:BTC-USDT".into()]).len() == 1
        })
}

/// Messages a second of a socket that reads.
fn healthy_rate(report: &Report) -> f64 {
    let healthy = report.sockets.saturating_sub(report.slow).max(1) as f64;
    let deliveries = report.deliveries.saturating_sub(report.slow_deliveries) as f64;
    deliveries / healthy / report.seconds.max(1e-9)
}

fn bytes_each(report: &Report) -> f64 {
    report.wire_bytes as f64 / report.deliveries.max(1) as f64
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

fn ratio(base: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(other? / base?).filter(|ratio| ratio.is_finite())
}

/// One counter of the server over another.
fn counted(report: &Report, over: &str, under: &str) -> Option<f64> {
    let (over, under) = (report.counters.get(over)?, report.counters.get(under)?);
    Some(over / under).filter(|ratio| ratio.is_finite())
}

fn shard_micros(report: &Report) -> Option<f64> {
    let shards = report.cost.thread_micros.iter().filter(|(name, _)| name.starts_with("shard-"));
    let sum: f64 = shards.map(|(_, micros)| micros).sum();
    (sum > 0.0).then_some(sum)
}

/// What the measurement added on the server's side for each slow socket, beyond what it added
/// without any, KiB.
fn added_kb(base: &Report, other: &Report, kernel: bool, process: bool) -> Option<f64> {
    let grown = |report: &Report| -> Option<f64> {
        let [start, end] = report.held;
        let mut sum = 0.0;
        if kernel {
            sum += end.kernel_kb? - start.kernel_kb?;
        }
        if process {
            sum += end.server_kb? as f64 - start.server_kb? as f64;
        }
        Some(sum)
    };
    (other.slow > 0).then_some((grown(other)? - grown(base)?) / other.slow as f64)
}

const CORE: Measure = Measure {
    name: "whole core busy time, ratio",
    of: |base, other| ratio(base.cost.core_micros, other.cost.core_micros),
};
const CORE_BASE: Measure = Measure {
    name: "whole core of the first, µs per delivery",
    of: |base, _| base.cost.core_micros,
};
const CORE_OTHER: Measure = Measure {
    name: "whole core of the second, µs per delivery",
    of: |_, other| other.cost.core_micros,
};
const P99_ADDED: Measure = Measure {
    name: "p99 from the tail, second minus first, ms",
    of: |base, other| Some(ms(other.from_tail.p99) - ms(base.from_tail.p99)),
};
const P99_ADDED_IN_ALL: Measure = Measure {
    name: "p99 from ingest, second minus first, ms",
    of: |base, other| Some(ms(other.from_ingest.p99) - ms(base.from_ingest.p99)),
};
const P99_OTHER: Measure = Measure {
    name: "p99 from ingest of the second, ms",
    of: |_, other| Some(ms(other.from_ingest.p99)),
};
const PER_WRITE: Measure = Measure {
    name: "messages a write of the second",
    of: |_, other| counted(other, "gateway_deliveries", "gateway_writes"),
};

const FLOOR: &[Measure] = &[
    CORE,
    Measure {
        name: "CPU of tail and shards ÷ the floor's whole core",
        of: |base, other| ratio(base.cost.core_micros, other.cost.fan_out_micros),
    },
    CORE_BASE,
    CORE_OTHER,
    P99_ADDED,
    P99_ADDED_IN_ALL,
    P99_OTHER,
    PER_WRITE,
];
const IO_URING: &[Measure] = &[
    CORE,
    Measure {
        name: "CPU of the process, ratio",
        of: |base, other| ratio(base.cost.process_micros, other.cost.process_micros),
    },
    CORE_BASE,
    CORE_OTHER,
    P99_ADDED,
];
const FLUSH: &[Measure] = &[
    CORE,
    Measure {
        name: "CPU of tail and shards, ratio",
        of: |base, other| ratio(base.cost.fan_out_micros, other.cost.fan_out_micros),
    },
    CORE_BASE,
    CORE_OTHER,
    P99_ADDED,
    P99_OTHER,
    PER_WRITE,
];
const SHARDS: &[Measure] = &[
    Measure {
        name: "CPU of the shard threads, ratio",
        of: |base, other| ratio(shard_micros(base), shard_micros(other)),
    },
    Measure { name: "shards of the first, µs per delivery", of: |base, _| shard_micros(base) },
    Measure { name: "shards of the second, µs per delivery", of: |_, other| shard_micros(other) },
    PER_WRITE,
];
const DEFLATE: &[Measure] = &[
    CORE,
    Measure {
        name: "bytes on the wire, ratio",
        of: |base, other| ratio(Some(bytes_each(base)), Some(bytes_each(other))),
    },
    Measure {
        name: "share of frames that were compressed",
        of: |_, other| {
            let made = "gateway_frames_encoded deflate=\"true\"";
            counted(other, "gateway_frames_compressed", made)
        },
    },
    Measure { name: "bytes of a plain message", of: |base, _| Some(bytes_each(base)) },
    CORE_BASE,
    CORE_OTHER,
    PER_WRITE,
];
const SLOW: &[Measure] = &[
    Measure {
        name: "p99 of the healthy, ratio",
        of: |base, other| ratio(Some(ms(base.from_tail.p99)), Some(ms(other.from_tail.p99))),
    },
    Measure {
        name: "process and kernel of each slow socket, KiB",
        of: |base, other| added_kb(base, other, true, true),
    },
    Measure {
        name: "kernel of each slow socket, KiB",
        of: |base, other| added_kb(base, other, true, false),
    },
    Measure {
        name: "process of each slow socket, KiB",
        of: |base, other| added_kb(base, other, false, true),
    },
    Measure { name: "p99 of the first, ms", of: |base, _| Some(ms(base.from_tail.p99)) },
    Measure { name: "p99 of the second, ms", of: |_, other| Some(ms(other.from_tail.p99)) },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Held;

    fn report(sockets: usize, deliveries: u64) -> Report {
        Report {
            sockets,
            deliveries,
            wire_bytes: 100 * deliveries,
            seconds: 1.0,
            ..Report::default()
        }
    }

    #[test]
    fn runs_that_differ_are_no_pair() {
        let base = report(10, 100);
        assert_eq!(Contest::Floor.unlike(&base, &report(10, 103)), None);
        assert!(Contest::Floor.unlike(&base, &report(10, 120)).is_some());
        let thick = Report { wire_bytes: 20_000, ..report(10, 100) };
        assert!(Contest::Floor.unlike(&base, &thick).is_some());
        assert_eq!(Contest::Deflate.unlike(&base, &thick), None);
        // Who reads nothing does not count against the rate.
        let slow = Report { slow: 2, ..report(10, 80) };
        assert_eq!(Contest::Slow.unlike(&base, &slow), None);
        let broken = Report { unreadable: 1, ..report(10, 100) };
        assert!(Contest::Floor.unlike(&base, &broken).is_some());
    }

    #[test]
    fn a_slow_socket_costs_what_the_others_did_not() {
        let held = |kernel, server| Held { kernel_kb: Some(kernel), server_kb: Some(server) };
        let base = Report { held: [held(10.0, 100), held(12.0, 110)], ..report(10, 1) };
        let other = Report { held: [held(10.0, 100), held(52.0, 150)], slow: 2, ..report(10, 1) };
        let near = |is: Option<f64>, want: f64| (is.expect("a figure") - want).abs() < 1e-9;
        assert!(near(added_kb(&base, &other, true, true), 40.0));
        assert!(near(added_kb(&base, &other, true, false), 20.0));
        assert!(near(added_kb(&base, &other, false, true), 20.0));
        assert_eq!(added_kb(&base, &base, true, true), None);
    }

    #[test]
    fn each_contest_asks_for_what_it_is_about() {
        let plain = Plan::idle(3, "trade:binance:BTC-USDT", 1.0);
        let rated = Plan { rate: 5.0, ..plain.clone() };
        assert!(Contest::Floor.check(&plain).is_err() && Contest::Floor.check(&rated).is_ok());
        assert!(Contest::Deflate.check(&rated).is_err() && Contest::Slow.check(&rated).is_err());
        assert!(Contest::Shards.check(&plain).is_ok());
        for contest in Contest::value_variants() {
            let [base, other] = contest.sides();
            assert_ne!(base, other, "{contest:?} compares something");
            assert!(!contest.measures().is_empty());
        }
    }
}
