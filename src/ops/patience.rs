//! Patience with what is away in the moment a process starts: a leader that moves, topics just made.
//!
//! A process that ended for it would only be started into the same moment. Decides how long is asked
//! again and how often; what to ask, and which error means "away", is the caller's.

use std::fmt;
use std::time::Duration;

use crate::clock::Clock;
use crate::limits::{START_AGAIN, START_PATIENCE};
use crate::shutdown::Shutdown;

/// How much of it is left.
#[derive(Debug)]
pub struct Patience {
    until: Duration,
    clock: Clock,
    shutdown: Shutdown,
}

impl Patience {
    /// Begins now, and ends after [`START_PATIENCE`] or with the process.
    #[must_use]
    pub fn new(clock: &Clock, shutdown: &Shutdown) -> Self {
        let until = clock.monotonic() + START_PATIENCE;
        Self { until, clock: clock.clone(), shutdown: shutdown.clone() }
    }

    /// Says what is away and waits before it is asked again; false once that is no use.
    pub async fn wait(&self, what: &str, error: &impl fmt::Display) -> bool {
        if self.clock.monotonic() >= self.until || self.shutdown.has_begun() {
            return false;
        }
        tracing::warn!(%error, "{what}; asking again");
        tokio::time::sleep(START_AGAIN).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_with_its_time_or_with_the_process() {
        let (clock, hand) = Clock::manual(0);
        let (first, second) = (Shutdown::new(), Shutdown::new());
        let (long, cut) = (Patience::new(&clock, &first), Patience::new(&clock, &second));
        assert!(long.wait("it is away", &"no answer").await);
        second.begin("a test");
        assert!(!cut.wait("it is away", &"no answer").await);
        hand.advance(START_PATIENCE);
        assert!(!long.wait("it is away", &"no answer").await);
    }
}
