//! How many sockets there may be: in all, and from one address. Cold and cross-thread, hence a
//! concurrent map.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use fantail_wire::codes::Code;

use crate::auth::Refusal;

/// When a refused client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// And when the node is only starting.
const RETRY_STARTING: Duration = Duration::from_secs(1);

/// Counts of open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    total: AtomicUsize,
    by_address: DashMap<IpAddr, u32, foldhash::fast::RandomState>,
    total_max: usize,
    per_address_max: u32,
    starting: AtomicBool,
    draining: AtomicBool,
    unintroduced: AtomicU64,
}

/// A place under the limits; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Connections {
    pub(crate) fn new(total_max: usize, per_address_max: u32) -> Arc<Self> {
        Arc::new(Self {
            total: AtomicUsize::new(0),
            by_address: DashMap::default(),
            total_max,
            per_address_max,
            starting: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            unintroduced: AtomicU64::new(0),
        })
    }

    /// Nobody is admitted until [`Self::open`]: who came now would find no channels.
    pub(crate) fn hold(&self) {
        self.starting.store(true, Ordering::Relaxed);
    }

    /// The node knows what is on the bus.
    pub(crate) fn open(&self) {
        self.starting.store(false, Ordering::Relaxed);
    }

    /// From now on nobody is admitted.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// A place for one more socket of an address.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Refusal> {
        let address = address.to_canonical();
        if self.draining.load(Ordering::Relaxed) {
            let message = "this node is going away; connect to another";
            return Err(Refusal::new(Code::Draining, message).with_retry_after(RETRY_AFTER));
        }
        if self.starting.load(Ordering::Relaxed) {
            let message = "this node is starting and knows no channels yet; try again, or another";
            return Err(Refusal::new(Code::Overloaded, message).with_retry_after(RETRY_STARTING));
        }
        if self.total.fetch_add(1, Ordering::Relaxed) >= self.total_max {
            self.total.fetch_sub(1, Ordering::Relaxed);
            let message = format!("the node holds its limit of {} connections", self.total_max);
            return Err(
                Refusal::new(Code::TooManyConnections, message).with_retry_after(RETRY_AFTER)
            );
        }
        let over = {
            let mut count = self.by_address.entry(address).or_insert(0);
            let over = *count >= self.per_address_max;
            *count += u32::from(!over);
            over
        };
        if over {
            self.total.fetch_sub(1, Ordering::Relaxed);
            let message = format!(
                "your address holds its limit of {} connections; close some, or subscribe to more \
                 channels on one",
                self.per_address_max
            );
            return Err(
                Refusal::new(Code::TooManyConnections, message).with_retry_after(RETRY_AFTER)
            );
        }
        Ok(Permit { connections: Arc::clone(self), address })
    }

    /// A connection without the PROXY header it had to begin with was refused.
    pub(crate) fn unintroduced(&self) {
        self.unintroduced.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn unintroduced_count(&self) -> u64 {
        self.unintroduced.load(Ordering::Relaxed)
    }

    /// Open connections.
    pub(crate) fn count(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.total.fetch_sub(1, Ordering::Relaxed);
        self.connections.by_address.remove_if_mut(&self.address, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let connections = Connections::new(3, 2);
        let ip = |last| IpAddr::from([127, 0, 0, last]);
        let held: Vec<_> = (0..2).map(|_| connections.admit(ip(1)).expect("room")).collect();
        assert_eq!(connections.admit(ip(1)).unwrap_err().code(), Code::TooManyConnections);
        let other = connections.admit(ip(2)).expect("room for another address");
        assert_eq!(connections.admit(ip(3)).unwrap_err().code(), Code::TooManyConnections);
        drop((held, other));
        assert_eq!((connections.count(), connections.by_address.len()), (0, 0));
        connections.drain();
        assert_eq!(connections.admit(ip(1)).unwrap_err().code(), Code::Draining);
    }

    #[test]
    fn nobody_is_admitted_before_the_node_knows_its_channels() {
        let (connections, address) = (Connections::new(3, 2), IpAddr::from([127, 0, 0, 1]));
        connections.hold();
        assert_eq!(connections.admit(address).unwrap_err().code(), Code::Overloaded);
        connections.open();
        assert!(connections.admit(address).is_ok());
    }
}
