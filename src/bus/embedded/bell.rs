//! What a consumer sleeps on. Owns the one wait of the embedded bus and why it can't miss a
//! record; knows no records.
//!
//! The consumer says it is going to sleep, looks once more, then sleeps. A producer stores first,
//! then looks whether somebody sleeps. Both "look"s are made under the partition's lock, so one of
//! the two sees the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Lets a producer skip the lock below while the consumer is busy, which is most of the time.
    asleep: AtomicBool,
    /// A lock, because a condition variable needs one; held for a flag.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Something was stored since `prepare`.
    rung: bool,
    /// A waker was used and no poll has answered to it yet.
    woken: bool,
}

impl Bell {
    /// From a producer, with the partition's lock held.
    pub(super) fn ring(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            self.state().rung = true;
            self.changed.notify_one();
        }
    }

    /// From a waker. Remembered until a poll has seen it.
    pub(super) fn wake(&self) {
        self.state().woken = true;
        self.changed.notify_one();
    }

    /// Whether a waker was used since the last time this was asked.
    pub(super) fn take_woken(&self) -> bool {
        std::mem::take(&mut self.state().woken)
    }

    /// The consumer is going to sleep: from now on producers ring. Look for records once more.
    pub(super) fn prepare(&self) {
        self.state().rung = false;
        self.asleep.store(true, Ordering::SeqCst);
    }

    /// Sleeps until rung, woken, or `timeout` is over.
    pub(super) fn wait(&self, timeout: Duration) {
        let quiet = |state: &mut State| !state.rung && !state.woken;
        let waited = self.changed.wait_timeout_while(self.state(), timeout, quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.woken = false;
    }

    /// The consumer is awake: producers needn't ring.
    pub(super) fn up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
