//! What the poll threads of a swarm share: the plan, where to, which phase it is, and the gauges each
//! of them writes for the progress line. Decides what the socket of a number is to be.

use std::sync::atomic::{AtomicU8, AtomicU64};
use std::time::Duration;

use fantail_ops::clock::Clock;

use crate::plan::Plan;
use crate::socket::Wanted;
use crate::target::Target;

/// Sockets come, nothing is counted.
pub(crate) const RAMP: u8 = 0;
/// Everything is counted.
pub(crate) const MEASURE: u8 = 1;
/// The thread ends.
pub(crate) const DONE: u8 = 2;

/// What all threads know.
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    /// What each group's channels have become.
    pub(crate) lists: Vec<Vec<String>>,
    pub(crate) target: Target,
    pub(crate) token: Option<String>,
    pub(crate) clock: Clock,
    pub(crate) phase: AtomicU8,
    pub(crate) gauges: Vec<Gauges>,
    /// One stretch of the plots' time axis.
    pub(crate) stretch: Duration,
}

/// What the progress line shows of a thread; written by it alone.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) ready: AtomicU64,
    /// Sockets that have been subscribed, even if they are not now.
    pub(crate) arrived: AtomicU64,
    pub(crate) deliveries: AtomicU64,
    pub(crate) wrong: AtomicU64,
    pub(crate) closed: AtomicU64,
}

/// What the socket `number` is to be. `now` makes each connection's key its own.
pub(crate) fn wanted(shared: &Shared, number: usize, now: Duration) -> Option<Wanted<'_>> {
    let (at, nth) = shared.plan.group_of(number)?;
    let group = shared.plan.groups.get(at)?;
    let slow = if group.is_slow(nth) { group.slow } else { None };
    Some(Wanted {
        target: &shared.target,
        token: shared.token.as_deref(),
        group,
        nth,
        list: shared.lists.get(at)?,
        seed: shared.plan.seed,
        source: (1 + number % shared.plan.sources()) as u8,
        slow,
        key: (now.as_nanos() as u64) ^ ((number as u64) << 40),
    })
}
