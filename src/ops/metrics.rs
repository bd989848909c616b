//! The process's figures, as OpenMetrics text or as Prometheus' protobuf with native histograms.
//!
//! Owns the registry, the `fantail_` prefix, build info and the process's own figures. Input:
//! each part registers its metrics once, at start, and keeps the handles. Output: one answer per
//! scrape, in the format `exposition` read from its `Accept` header. Naming:
//! `fantail_<noun>_<unit>`; counters get `_total` from the format, so they are registered without
//! it. Nothing here is on a hot path.

mod exposition;
mod process;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{prometheus_protobuf, text};
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::clock::Clock;
use crate::limits::{NATIVE_BUCKETS_MAX, NATIVE_SCHEMA};
pub use exposition::Exposition;
use process::ProcessCollector;

/// Prefix of every name.
const PREFIX: &str = "fantail";

/// The registry of a process. Cloning shares it.
#[derive(Clone)]
pub struct Metrics {
    /// A lock, because parts register while a scrape may run; held for one registration or one
    /// rendering, never by code that counts.
    registry: Arc<Mutex<Registry>>,
}

/// What is running, shown as `fantail_build_info`.
#[derive(Debug, Clone)]
pub struct BuildInfo {
    /// The version, from Cargo.
    pub version: &'static str,
    /// The commit it was built from, or `unknown`.
    pub commit: &'static str,
    /// What the process does: `all`, `ingest`, `gateway`.
    pub role: String,
}

impl Metrics {
    /// A registry with build info and the process's figures.
    #[must_use]
    pub fn new(build: BuildInfo, clock: &Clock) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let labels = [
            ("version", build.version.to_owned()),
            ("commit", build.commit.to_owned()),
            ("role", build.role),
        ];
        registry.register("build", "What is running", Info::new(labels.to_vec()));
        registry.register_collector(Box::new(ProcessCollector::new(clock.clone())));
        Self { registry: Arc::new(Mutex::new(registry)) }
    }

    /// Registers a part's metrics: `metrics.register(|registry| registry.register("name", …))`.
    /// Once per name; the part keeps the handles.
    pub fn register<R>(&self, register: impl FnOnce(&mut Registry) -> R) -> R {
        register(&mut self.registry())
    }

    /// Registers a collector, asked at each scrape.
    pub fn collector(&self, collector: Box<dyn Collector>) {
        self.registry().register_collector(collector);
    }

    /// All figures as one scrape asked for them; see [`Exposition::content_type`].
    ///
    /// # Errors
    /// When a collector can't say its figures.
    pub fn expose(&self, exposition: Exposition) -> Result<Vec<u8>, fmt::Error> {
        match exposition {
            Exposition::Text => self.render().map(String::into_bytes),
            // The other failure, a buffer too small, can't happen to a growing one.
            Exposition::Protobuf => {
                prometheus_protobuf::encode_to_vec(&self.registry()).map_err(|_| fmt::Error)
            }
        }
    }

    /// All figures as text.
    ///
    /// # Errors
    /// When a collector can't say its figures.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry())?;
        Ok(out)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A histogram with these upper bounds as its classic buckets, and native ones of
/// [`NATIVE_SCHEMA`] beside them for the scrapers that can read them.
pub fn histogram(buckets: impl IntoIterator<Item = f64>) -> Histogram {
    let native = NativeHistogramConfig::with_schema(NATIVE_SCHEMA).max_buckets(NATIVE_BUCKETS_MAX);
    Histogram::new_classic_and_native(buckets, native)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
