//! The end of a process: one token everybody sees, and guards that say who isn't done yet.
//!
//! Owns the words "it began", "all are done" and "no more waiting". Input: signals or a call.
//! Output: futures for async parts, flags for threads. It doesn't stop anything itself.
//!
//! An end has an order: those who serve others (gateway) let go first, and what they live on
//! (ingest) goes on until then; see [`Shutdown::follower`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::limits;

/// A handle on the process's end. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    token: CancellationToken,
    /// Cancelled when the drain is to be cut short.
    hurry: CancellationToken,
    /// A lock, because guards are taken and dropped on any thread; held for one map operation.
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<&'static str>,
    guards: BTreeMap<&'static str, usize>,
    followers: BTreeSet<&'static str>,
}

impl Shutdown {
    /// A process that runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the end. Only the first call's reason is kept.
    pub fn begin(&self, reason: &'static str) {
        let is_first = self.inner.state().reason.get_or_insert(reason) == &reason;
        if is_first && !self.has_begun() {
            tracing::info!(reason, "shutdown begins");
        }
        self.inner.token.cancel();
    }

    /// The end of a part: it begins with the whole's, or by itself. Guards of a part keep only it.
    #[must_use]
    pub fn part(&self) -> Self {
        let (token, hurry) = (self.inner.token.child_token(), self.inner.hurry.child_token());
        let inner = Inner { token, hurry, ..Inner::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Whether the end has begun. For threads that can't await; one atomic read.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.inner.token.is_cancelled()
    }

    /// Why, once it has begun.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.inner.state().reason
    }

    /// Resolves when the end begins, at once if it already has.
    pub async fn begun(&self) {
        self.inner.token.cancelled().await;
    }

    /// Cuts the drain short: whoever waits for something to end nicely stops waiting. Begins the
    /// end if it had not begun.
    pub fn hurry(&self, reason: &'static str) {
        self.begin(reason);
        if !self.is_hurried() {
            tracing::warn!(reason, "the drain is cut short");
        }
        self.inner.hurry.cancel();
    }

    /// Whether the drain is cut short; one atomic read.
    #[must_use]
    pub fn is_hurried(&self) -> bool {
        self.inner.hurry.is_cancelled()
    }

    /// Resolves when the drain is cut short, at once if it already is.
    pub async fn hurried(&self) {
        self.inner.hurry.cancelled().await;
    }

    /// An end of its own for a part that others live on. It begins once this one has begun and
    /// nobody but followers holds a guard any more, or when the drain is cut short; until the
    /// follower is drained, `name` is among those this one waits for. Call it inside a tokio
    /// runtime.
    #[must_use]
    pub fn follower(&self, name: &'static str) -> Self {
        let (leader, follower) = (self.clone(), Self::new());
        let guard = self.guard(name);
        self.inner.state().followers.insert(name);
        let end = follower.clone();
        tokio::spawn(async move {
            leader.begun().await;
            tokio::select! {
                () = leader.until(|state| {
                    state.guards.keys().all(|name| state.followers.contains(name))
                }) => {}
                () = leader.hurried() => {}
            }
            end.begin(leader.reason().unwrap_or("the others are done"));
            end.until(|state| state.guards.is_empty()).await;
            drop(guard);
        });
        follower
    }

    /// A token that is cancelled when the end begins, for what takes one.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.inner.token.child_token()
    }

    /// Keeps the process alive until dropped. `name` is what `drained` says if it never is.
    pub fn guard(&self, name: &'static str) -> DrainGuard {
        *self.inner.state().guards.entry(name).or_insert(0) += 1;
        DrainGuard { inner: Arc::clone(&self.inner), name }
    }

    /// Waits until no guard is held.
    ///
    /// # Errors
    /// After `timeout`, or [`limits::HURRY_MAX`] after the drain was cut short, the names of those
    /// still held.
    pub async fn drained(&self, timeout: Duration) -> Result<(), Vec<&'static str>> {
        let impatient = async {
            self.hurried().await;
            tokio::time::sleep(limits::HURRY_MAX).await;
        };
        let outcome = tokio::select! {
            () = self.until(|state| state.guards.is_empty()) => Ok(()),
            () = tokio::time::sleep(timeout) => Err(()),
            () = impatient => Err(()),
        };
        outcome.map_err(|()| self.inner.state().guards.keys().copied().collect())
    }

    /// Waits until a condition of the guards holds.
    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds(&self.inner.state()) {
                return;
            }
            changed.await;
        }
    }

    /// Begins the end on SIGTERM or SIGINT, and cuts it short on the second one.
    ///
    /// # Errors
    /// When the handlers can't be installed. Call it inside a tokio runtime.
    pub fn listen_for_signals(&self) -> std::io::Result<tokio::task::JoinHandle<()>> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        Ok(tokio::spawn(async move {
            // A drain asked for otherwise is no signal: the next one only confirms it.
            tokio::select! {
                _ = terminate.recv() => shutdown.begin("SIGTERM"),
                _ = interrupt.recv() => shutdown.begin("SIGINT"),
            }
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            shutdown.hurry("a second signal");
        }))
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by a part that still has work to finish.
#[derive(Debug)]
#[must_use = "a guard dropped at once keeps nothing alive"]
pub struct DrainGuard {
    inner: Arc<Inner>,
    name: &'static str,
}

impl Drop for DrainGuard {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        if let Some(count) = state.guards.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                state.guards.remove(self.name);
            }
        }
        drop(state);
        self.inner.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn names_who_still_holds() {
        let shutdown = Shutdown::new();
        let (a, b, b2) = (shutdown.guard("shard"), shutdown.guard("tail"), shutdown.guard("tail"));
        shutdown.begin("test");
        assert_eq!(shutdown.drained(SOON).await, Err(vec!["shard", "tail"]));
        drop((a, b));
        assert_eq!(shutdown.drained(SOON).await, Err(vec!["tail"]));
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.drained(LONG).await }
        });
        std::thread::spawn(move || drop(b2));
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn the_first_reason_stays() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.has_begun() && shutdown.reason().is_none());
        shutdown.begin("first");
        shutdown.begin("second");
        shutdown.begun().await;
        assert!(shutdown.has_begun() && shutdown.token().is_cancelled());
        assert_eq!(shutdown.reason(), Some("first"));
    }

    #[tokio::test]
    async fn a_part_ends_with_the_whole_or_alone() {
        let whole = Shutdown::new();
        let (first, second) = (whole.part(), whole.part());
        first.begin("alone");
        assert!(first.has_begun() && !second.has_begun() && !whole.has_begun());
        whole.begin("all");
        second.begun().await;
    }

    #[tokio::test]
    async fn a_follower_goes_last() {
        let shutdown = Shutdown::new();
        let (ingest, standby) = (shutdown.follower("ingest"), shutdown.follower("standby"));
        let (shard, feed) = (shutdown.guard("shard"), ingest.guard("feed"));
        shutdown.begin("test");
        assert_eq!(shutdown.drained(SOON).await, Err(vec!["ingest", "shard", "standby"]));
        assert!(!ingest.has_begun() && !standby.has_begun());
        drop(shard);
        ingest.begun().await;
        assert_eq!(ingest.reason(), Some("test"));
        assert_eq!(shutdown.drained(SOON).await, Err(vec!["ingest"]));
        drop(feed);
        assert_eq!(shutdown.drained(LONG).await, Ok(()));
    }

    #[tokio::test]
    async fn nobody_is_waited_for_in_a_hurry() {
        let shutdown = Shutdown::new();
        let ingest = shutdown.follower("ingest");
        let _shard = shutdown.guard("shard");
        shutdown.begin("test");
        assert!(!shutdown.is_hurried());
        shutdown.hurry("a second signal");
        ingest.begun().await;
        assert_eq!(shutdown.drained(LONG).await, Err(vec!["shard"]));
        assert_eq!(shutdown.reason(), Some("test"), "the first reason stays");
    }
}
