//! What a Kafka consumer's poll sleeps on. Owns the one wait; knows no records.
//!
//! The client can't be interrupted while it waits, so we never wait inside it: it calls `ring`
//! when its queue turns from empty to not empty, a waker calls `wake`, and the poll sleeps here.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Bell {
    /// A lock, because a condition variable needs one; held for two flags.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Something arrived since `arm`.
    rung: bool,
    /// A waker was used and no poll has answered to it yet.
    woken: bool,
}

impl Bell {
    /// From the client's threads.
    pub(super) fn ring(&self) {
        self.state().rung = true;
        self.changed.notify_one();
    }

    /// From a waker. Remembered until a poll has seen it.
    pub(super) fn wake(&self) {
        self.state().woken = true;
        self.changed.notify_one();
    }

    /// The queue is going to be looked through: what arrives from now on rings.
    pub(super) fn arm(&self) {
        self.state().rung = false;
    }

    /// Whether a waker was used since the last time this was asked.
    pub(super) fn take_woken(&self) -> bool {
        std::mem::take(&mut self.state().woken)
    }

    /// Sleeps until rung, woken, or `timeout` is over.
    pub(super) fn wait(&self, timeout: Duration) {
        let quiet = |state: &mut State| !state.rung && !state.woken;
        let waited = self.changed.wait_timeout_while(self.state(), timeout, quiet);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
