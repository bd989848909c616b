//! A place in a channel: epoch, then seq. Compared in that order.

use serde::Serialize;

/// Where a channel stands. `seq` 0 is the place before an epoch's first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The feed owner's epoch.
    pub epoch: u64,
    /// Number of the event in its epoch, from 1.
    pub seq: u64,
}

impl Place {
    /// A place.
    #[must_use]
    pub const fn new(epoch: u64, seq: u64) -> Self {
        Self { epoch, seq }
    }
}
