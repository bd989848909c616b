//! The end of a process: one token everybody sees, and guards that say who isn't done yet.
//!
//! Owns the words "it began" and "all are done". Input: signals or a call. Output: a future for
//! async parts, a flag for threads. It doesn't stop anything itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A handle on the process's end. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    token: CancellationToken,
    /// A lock, because guards are taken and dropped on any thread; held for one map operation.
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<&'static str>,
    guards: BTreeMap<&'static str, usize>,
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
        let inner = Inner { token: self.inner.token.child_token(), ..Inner::default() };
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
    /// After `timeout`, the names of those still held.
    pub async fn drained(&self, timeout: Duration) -> Result<(), Vec<&'static str>> {
        let empty = async {
            loop {
                let changed = self.inner.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.inner.state().guards.is_empty() {
                    return;
                }
                changed.await;
            }
        };
        let in_time = tokio::time::timeout(timeout, empty).await;
        in_time.map_err(|_| self.inner.state().guards.keys().copied().collect())
    }

    /// Begins the end on SIGTERM or SIGINT. Later ones change nothing: the drain has a time limit
    /// of its own.
    ///
    /// # Errors
    /// When the handlers can't be installed. Call it inside a tokio runtime.
    pub fn listen_for_signals(&self) -> std::io::Result<tokio::task::JoinHandle<()>> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        Ok(tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => shutdown.begin("SIGTERM"),
                _ = interrupt.recv() => shutdown.begin("SIGINT"),
                () = shutdown.begun() => {}
            }
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
    async fn the_signal_task_ends_with_the_process() {
        let shutdown = Shutdown::new();
        let task = shutdown.listen_for_signals().unwrap();
        shutdown.begin("test");
        task.await.unwrap();
    }
}
