//! Is the process ready for traffic, is it alive? Readiness is a latch each part releases;
//! liveness a pulse each thread keeps up. Owns the answers only: `/ready` and `/live` are
//! `admin`'s.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::shutdown::Shutdown;

/// Whether the process should get traffic. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    inner: Arc<ReadinessInner>,
}

#[derive(Debug, Default)]
struct ReadinessInner {
    /// A lock, because parts start on any thread; held for one map operation.
    waiting: Mutex<BTreeMap<&'static str, usize>>,
    /// What is wrong without keeping traffic away, by subject.
    warnings: Mutex<BTreeMap<&'static str, String>>,
    draining: AtomicBool,
    /// Unready from its first moment on, before anybody acts on it.
    end: Shutdown,
}

impl ReadinessInner {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst) || self.end.has_begun()
    }
}

impl Readiness {
    /// Ready, until a latch is taken.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and unready once this end has begun.
    #[must_use]
    pub fn until(end: Shutdown) -> Self {
        Self { inner: Arc::new(ReadinessInner { end, ..ReadinessInner::default() }) }
    }

    /// The process isn't ready before this latch is released. Take all latches before the first
    /// part starts, or the process is ready in between.
    pub fn latch(&self, name: &'static str) -> Latch {
        *self.inner.waiting().entry(name).or_insert(0) += 1;
        Latch { inner: Arc::clone(&self.inner), name }
    }

    /// Not ready any more, for good: the process drains.
    pub fn unready(&self) {
        self.inner.draining.store(true, Ordering::SeqCst);
    }

    /// Whether traffic is welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.inner.is_draining() && self.inner.waiting().is_empty()
    }

    /// Says what is wrong with a subject although traffic is welcome, or that nothing is any more.
    pub fn warn(&self, subject: &'static str, wrong: Option<String>) {
        let mut warnings = self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        match wrong {
            Some(wrong) => drop(warnings.insert(subject, wrong)),
            None => drop(warnings.remove(subject)),
        }
    }

    /// What is wrong without keeping traffic away.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.inner.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.values().cloned().collect()
    }

    /// What it waits for; `draining` once it drains.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let draining = self.inner.is_draining().then_some("draining");
        draining.into_iter().chain(self.inner.waiting().keys().copied()).collect()
    }
}

impl ReadinessInner {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One part that isn't ready yet. A latch dropped without release stays: a part that died while
/// starting leaves the process unready, and `/ready` names it.
#[derive(Debug)]
#[must_use = "a latch that is never released keeps the process unready"]
pub struct Latch {
    inner: Arc<ReadinessInner>,
    name: &'static str,
}

impl Latch {
    /// The part is ready.
    pub fn release(self) {
        let mut waiting = self.inner.waiting();
        if let Some(count) = waiting.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(self.name);
                tracing::debug!(part = self.name, "part is ready");
            }
        }
    }
}

/// Whether every thread that promised to show signs of life does. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Liveness {
    clock: Clock,
    /// A lock, because threads register at any time; beating doesn't take it.
    pulses: Arc<Mutex<Vec<Arc<Beat>>>>,
}

#[derive(Debug)]
struct Beat {
    name: String,
    silence_max: Duration,
    last_millis: AtomicU64,
    ended: AtomicBool,
}

impl Liveness {
    /// Alive, until a pulse stops.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, pulses: Arc::default() }
    }

    /// Promises a beat at least every `silence_max`, until the pulse is dropped.
    pub fn pulse(&self, name: impl Into<String>, silence_max: Duration) -> Pulse {
        let last_millis = AtomicU64::new(millis(self.clock.monotonic()));
        let ended = AtomicBool::new(false);
        let beat = Arc::new(Beat { name: name.into(), silence_max, last_millis, ended });
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.retain(|other| !other.ended.load(Ordering::Relaxed));
        pulses.push(Arc::clone(&beat));
        Pulse { clock: self.clock.clone(), beat }
    }

    /// Threads that fell silent.
    #[must_use]
    pub fn silent(&self) -> Vec<String> {
        let now = millis(self.clock.monotonic());
        let pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = |beat: &&Arc<Beat>| {
            let silence = now.saturating_sub(beat.last_millis.load(Ordering::Relaxed));
            !beat.ended.load(Ordering::Relaxed) && silence > millis(beat.silence_max)
        };
        pulses.iter().filter(is_silent).map(|beat| beat.name.clone()).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One thread's signs of life; dropping it ends the promise.
#[derive(Debug)]
#[must_use = "a dropped pulse promises nothing"]
pub struct Pulse {
    clock: Clock,
    beat: Arc<Beat>,
}

impl Pulse {
    /// A sign of life. Costs a clock read and a store.
    pub fn beat(&self) {
        self.beat.last_millis.store(millis(self.clock.monotonic()), Ordering::Relaxed);
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.beat.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_latch_is_released() {
        let readiness = Readiness::new();
        let (bus, tail, tail2) =
            (readiness.latch("bus"), readiness.latch("tail"), readiness.latch("tail"));
        assert_eq!(readiness.missing(), ["bus", "tail"]);
        bus.release();
        tail.release();
        assert_eq!(readiness.missing(), ["tail"]);
        tail2.release();
        assert!(readiness.is_ready());
        readiness.unready();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.missing(), ["draining"]);
    }

    #[test]
    fn a_warning_keeps_no_traffic_away_and_can_be_taken_back() {
        let readiness = Readiness::new();
        readiness.warn("b", Some("b is odd".into()));
        readiness.warn("a", Some("a is odd".into()));
        readiness.warn("a", Some("a is odder".into()));
        assert_eq!(readiness.warnings(), ["a is odder", "b is odd"]);
        assert!(readiness.is_ready() && readiness.missing().is_empty());
        readiness.warn("b", None);
        assert_eq!(readiness.warnings(), ["a is odder"]);
    }

    #[test]
    fn the_end_makes_unready_at_once() {
        let end = Shutdown::new();
        let readiness = Readiness::until(end.clone());
        assert!(readiness.is_ready());
        end.begin("test");
        assert_eq!((readiness.is_ready(), readiness.missing()), (false, vec!["draining"]));
    }

    #[test]
    fn a_part_that_dies_keeps_the_process_unready() {
        let readiness = Readiness::new();
        drop(readiness.latch("ingest"));
        assert_eq!(readiness.missing(), ["ingest"]);
    }

    #[test]
    fn a_silent_thread_is_named() {
        let (clock, hand) = Clock::manual(0);
        let liveness = Liveness::new(clock);
        let shard = liveness.pulse("shard-0", Duration::from_secs(5));
        let tail = liveness.pulse("tail", Duration::from_secs(5));
        hand.advance(Duration::from_secs(4));
        shard.beat();
        hand.advance(Duration::from_secs(4));
        assert_eq!(liveness.silent(), ["tail"]);
        drop(tail);
        assert!(liveness.silent().is_empty());
    }
}
