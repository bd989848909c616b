//! The schedule of faults: made from the seed alone, so that a run can be repeated.
//!
//! Kinds come out of a bag that holds each once, and is filled again when empty: any run of as many
//! faults as there are kinds has them all. What is hit "leader" or "gateway" at that moment is
//! decided when the fault is made, and written down.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

/// A way to hurt the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// kill -9, started again later.
    GatewayKill,
    /// SIGTERM: it drains; started again.
    GatewayTerm,
    /// SIGSTOP, later SIGCONT.
    GatewayPause,
    /// SIGTERM and start, one gateway after the other.
    RollingRestart,
    /// kill -9 of an ingest worker.
    WorkerKill,
    /// SIGTERM of an ingest worker.
    WorkerTerm,
    /// SIGSTOP of an ingest worker: it wakes as an owner that was replaced.
    WorkerPause,
    /// kill -9 of the broker that leads the books.
    BrokerKill,
    /// SIGSTOP of that broker.
    BrokerPause,
    /// A third of the clients reset their connections.
    ClientReset,
    /// A tenth of the clients stop reading.
    ClientSlow,
    /// A venue cuts its connections.
    VenueDrop,
    /// A venue leaves out a book change.
    VenueSkip,
}

/// All of them; the first eight are of eight different natures, for short runs.
const KINDS: [Kind; 13] = [
    Kind::GatewayKill,
    Kind::WorkerKill,
    Kind::BrokerKill,
    Kind::GatewayTerm,
    Kind::ClientReset,
    Kind::GatewayPause,
    Kind::VenueDrop,
    Kind::ClientSlow,
    Kind::WorkerPause,
    Kind::BrokerPause,
    Kind::RollingRestart,
    Kind::WorkerTerm,
    Kind::VenueSkip,
];

/// One fault to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Planned {
    /// Since the start of the nemesis, in milliseconds.
    pub(crate) at_ms: u64,
    pub(crate) kind: Kind,
    /// Chooses the target among those there are.
    pub(crate) pick: u32,
    /// How long until it is healed, in milliseconds.
    pub(crate) lasting_ms: u64,
}

/// The schedule of a seed: `faults` of them, spread evenly over `over`, with jitter. Of all kinds
/// where `only` names none.
pub(crate) fn plan(seed: u64, faults: u32, over: Duration, only: &[Kind]) -> Vec<Planned> {
    let kinds = if only.is_empty() { &KINDS[..] } else { only };
    let mut rng = SmallRng::seed_from_u64(seed ^ 0xfa17);
    let mut bag: Vec<Kind> = Vec::new();
    let step = u64::try_from(over.as_millis()).unwrap_or(u64::MAX) / u64::from(faults.max(1));
    let mut planned = Vec::new();
    for number in 0..u64::from(faults) {
        if bag.is_empty() {
            bag = kinds.to_vec();
        }
        let kind = bag.swap_remove(rng.random_range(0..bag.len()));
        let at_ms = number * step + rng.random_range(0..=step / 2);
        let lasting_ms = rng.random_range(lasting(kind));
        planned.push(Planned { at_ms, kind, pick: rng.random(), lasting_ms });
    }
    planned
}

/// Bounds of how long a fault of a kind lasts, in milliseconds.
fn lasting(kind: Kind) -> std::ops::RangeInclusive<u64> {
    match kind {
        Kind::GatewayKill | Kind::WorkerKill => 500..=4_000,
        Kind::GatewayPause | Kind::WorkerPause | Kind::BrokerPause => 2_000..=10_000,
        Kind::BrokerKill => 3_000..=8_000,
        Kind::ClientSlow => 2_000..=15_000,
        _ => 0..=1_000,
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, kind) = (self.at_ms as f64 / 1_000.0, format!("{:?}", self.kind));
        write!(f, "{at:>7.1} s  {kind:<14} pick {:>10}  for {} ms", self.pick, self.lasting_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_gives_one_schedule_with_every_kind() {
        let over = Duration::from_secs(240);
        let plan = |seed, faults, over| plan(seed, faults, over, &[]);
        let one = plan(7, 50, over);
        assert_eq!(one, plan(7, 50, over));
        assert_ne!(one, plan(8, 50, over));
        assert_eq!(one.len(), 50);
        let kinds = |planned: &[Planned]| planned.iter().map(|p| p.kind).collect::<BTreeSet<_>>();
        assert_eq!(kinds(&one).len(), KINDS.len());
        assert_eq!(kinds(&plan(7, 8, over)).len(), 8, "a short run repeats no kind");
        assert!(one.is_sorted_by_key(|planned| planned.at_ms));
        assert!(one.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms <= 7_200));
        assert!(one.iter().all(|planned| planned.at_ms < 240_000));
    }

    #[test]
    fn a_schedule_can_be_of_some_kinds_only() {
        let only = [Kind::GatewayKill, Kind::BrokerPause];
        let planned = plan(3, 4, Duration::from_secs(20), &only);
        let kinds: Vec<Kind> = planned.iter().map(|planned| planned.kind).collect();
        for pair in kinds.chunks(2) {
            assert!(only.iter().all(|kind| pair.contains(kind)), "{kinds:?}");
        }
    }
}
