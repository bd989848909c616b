//! Which units this worker owns, and above which epoch each has to start.
//!
//! A thread of its own: it takes part in the group, listens to other owners' heartbeats, and tells
//! the worker what it holds. It starts and stops nothing itself.
//!
//! Two rules keep two owners from ever interleaving. A unit is told only while the group is sure of
//! it, because a worker that was paused and wakes must not outbid the rightful owner. And it is
//! told with the highest epoch heard, which the feed outbids: an owner that hears a higher epoch
//! than its own starts again above it.

use std::collections::BTreeMap;
use std::thread;

use fantail_bus::{Bus, ConsumeError, Held, Membership, MembershipError, TopicName};
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record;
use tokio::sync::watch;

use crate::IngestError;
use crate::epochs::Epochs;
use crate::limits;
use crate::unit::Unit;

/// The group all ingest workers of a cluster join.
const GROUP: &str = "fantail-ingest";

/// Units by their place in the list, each with the epoch to outbid, if an owner was heard.
pub(crate) type Owned = BTreeMap<usize, Option<u64>>;

/// What the worker is told: what it owns, or why it can own nothing any more.
pub(crate) type Told = Result<Owned, MembershipError>;

/// Joins the group; the thread ends with `shutdown`, or when the group can't be joined.
///
/// # Errors
/// The bus can't be used.
pub(crate) fn start(
    bus: &dyn Bus,
    units: Vec<Unit>,
    clock: Clock,
    shutdown: Shutdown,
) -> Result<watch::Receiver<Option<Told>>, IngestError> {
    let topic = TopicName::from_static(record::CONTROL);
    // First what may fail: who joins and leaves again makes the whole group deal anew.
    let epochs = Epochs::open(bus.consumer()?, clock.wall_micros())?;
    let membership = bus.membership(GROUP, &topic)?;
    let (sender, receiver) = watch::channel(None);
    let owner = Owner { membership, epochs, units, sender, owned: Owned::new(), deaf: false };
    let named = thread::Builder::new().name("ownership".to_owned());
    named.spawn(move || owner.run(&shutdown)).map_err(IngestError::Thread)?;
    Ok(receiver)
}

struct Owner {
    membership: Box<dyn Membership>,
    epochs: Epochs,
    units: Vec<Unit>,
    sender: watch::Sender<Option<Told>>,
    owned: Owned,
    /// Other owners can't be heard, which is logged once.
    deaf: bool,
}

impl Owner {
    fn run(mut self, shutdown: &Shutdown) {
        // The group is left, by dropping the membership, only when the feeds have had their say.
        let _guard = shutdown.guard("ownership");
        while !shutdown.has_begun() {
            match self.membership.poll(limits::GROUP_LOOK) {
                Ok(held) => self.look(&held),
                Err(error) => {
                    let _ = self.sender.send(Some(Err(error)));
                    return;
                }
            }
        }
    }

    fn look(&mut self, held: &Held) {
        let owned = self.owned(held);
        let was_deaf = std::mem::replace(&mut self.deaf, owned.is_err());
        match owned {
            Ok(owned) if owned != self.owned || self.sender.borrow().is_none() => {
                self.owned.clone_from(&owned);
                // The worker is gone only when the process is.
                let _ = self.sender.send(Some(Ok(owned)));
            }
            Ok(_) => {}
            // What is held stays held; who can't hear others only can't start anything new.
            Err(_) if was_deaf => {}
            Err(error) => tracing::warn!(%error, "heartbeats of other owners can't be read"),
        }
    }

    fn owned(&mut self, held: &Held) -> Result<Owned, ConsumeError> {
        self.epochs.listen()?;
        let is_held = |at: &usize| u32::try_from(*at).is_ok_and(|at| held.partitions.contains(&at));
        let mut places: Vec<usize> = (0..self.units.len()).filter(is_held).collect();
        if !held.is_sure {
            // Nothing is begun; what the group still deals to us goes on as it is.
            places.retain(|at| self.owned.contains_key(at));
            return Ok(places.into_iter().map(|at| (at, self.owned[&at])).collect());
        }
        if places.iter().any(|at| !self.owned.contains_key(at)) {
            self.epochs.catch_up()?;
        }
        Ok(places.into_iter().map(|at| (at, self.epochs.of(&self.units[at]))).collect())
    }
}
