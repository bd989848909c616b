//! Sharing work out: processes that join a group are given partitions of a topic, each partition
//! to one of them. Owns the trait and its words. Nothing is read or committed by it: what holding
//! a partition means is the members' own matter.

use std::collections::BTreeSet;
use std::time::Duration;

/// A member of a group. One thread owns it; dropping it leaves the group at once.
pub trait Membership: Send {
    /// Takes part in the group for at most `timeout` (less when something changed) and says what
    /// is held now. It has to be called again within a second, or the group takes this member for
    /// paused and gives its work to others.
    ///
    /// # Errors
    /// [`MembershipError`]; what was held before is not held any more.
    fn poll(&mut self, timeout: Duration) -> Result<Held, MembershipError>;
}

/// What a member holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Numbers of the topic's partitions.
    pub partitions: BTreeSet<u32>,
    /// Whether the group agrees as of now. False for a member that was paused: until it has taken
    /// part for a whole session timeout again, its partitions may long be another's.
    pub is_sure: bool,
}

/// Why a member can't take part: an operator's matter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// The bus was closed: the process is shutting down.
    #[error("the bus is closed")]
    Closed,
    /// The brokers refuse a session timeout as short as a fast takeover needs.
    #[error(
        "the brokers refuse a session timeout of {asked_ms} ms: set \
         group.min.session.timeout.ms=1000 on them"
    )]
    SessionTimeout {
        /// What was asked for.
        asked_ms: u128,
    },
    /// The brokers refuse this member for good.
    #[error("the group can't be joined: {0}")]
    Refused(String),
}
