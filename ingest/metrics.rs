//! The figures of ingest. Handles are resolved per venue when its feed starts; counting is then a
//! few atomic additions.

use fantail_model::Kind;
use fantail_ops::metrics::{Metrics, histogram};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VenueLabel {
    venue: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    venue: String,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    venue: String,
    reason: &'static str,
}

/// Receive time minus venue time, in seconds: a few milliseconds near the venue, seconds when a
/// feed is in trouble.
const LAG_BUCKETS_SECONDS: [f64; 12] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// All figures of ingest, over all venues. Cloning shares them.
#[derive(Clone, Debug)]
pub struct IngestMetrics {
    facts: Family<KindLabels, Counter>,
    lag: Family<KindLabels, Histogram, fn() -> Histogram>,
    frames: Family<VenueLabel, Counter>,
    bytes: Family<VenueLabel, Counter>,
    bad_frames: Family<ReasonLabels, Counter>,
    ignored: Family<ReasonLabels, Counter>,
    gaps: Family<ReasonLabels, Counter>,
    reconnects: Family<ReasonLabels, Counter>,
    rest_failures: Family<VenueLabel, Counter>,
    refused: Family<VenueLabel, Counter>,
    connections: Family<VenueLabel, Gauge>,
    symbols: Family<ReasonLabels, Gauge>,
}

/// The figures of one venue's feed.
#[derive(Clone, Debug)]
pub(crate) struct FeedMetrics {
    venue: String,
    all: IngestMetrics,
    facts: [Counter; Kind::ALL.len()],
    lag: [Histogram; Kind::ALL.len()],
    pub(crate) frames: Counter,
    pub(crate) bytes: Counter,
    pub(crate) rest_failures: Counter,
    pub(crate) refused: Counter,
    pub(crate) connections: Gauge,
}

impl IngestMetrics {
    /// Registers them, once per process.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let all = Self {
            facts: Family::default(),
            lag: Family::new_with_constructor(lag_histogram as fn() -> Histogram),
            frames: Family::default(),
            bytes: Family::default(),
            bad_frames: Family::default(),
            ignored: Family::default(),
            gaps: Family::default(),
            reconnects: Family::default(),
            rest_failures: Family::default(),
            refused: Family::default(),
            connections: Family::default(),
            symbols: Family::default(),
        };
        metrics.register(|registry| all.register(registry));
        all
    }

    fn register(&self, registry: &mut Registry) {
        let all = self.clone();
        registry.register("ingest_facts", "Facts read from venues", all.facts);
        registry.register("ingest_lag_seconds", "Receive time minus venue time", all.lag);
        registry.register("ingest_frames", "Frames received from venues", all.frames);
        registry.register("ingest_bytes", "Bytes of those frames", all.bytes);
        registry.register("ingest_bad_frames", "Frames that could not be read", all.bad_frames);
        registry.register("ingest_ignored", "Facts left out on purpose", all.ignored);
        registry.register("ingest_gaps", "Losses told to clients as venue_gap", all.gaps);
        registry.register("ingest_reconnects", "Connections lost or replaced", all.reconnects);
        registry.register("ingest_rest_failures", "REST requests that failed", all.rest_failures);
        registry.register("ingest_refused_records", "Records the bus refused", all.refused);
        registry.register("ingest_connections", "Connections subscribed now", all.connections);
        registry.register("ingest_symbols", "Symbols by the state of their feed", all.symbols);
    }

    pub(crate) fn venue(&self, venue: &str) -> FeedMetrics {
        let label = VenueLabel { venue: venue.to_owned() };
        let kind = |kind: Kind| KindLabels { venue: venue.to_owned(), kind: kind.as_str() };
        FeedMetrics {
            venue: venue.to_owned(),
            all: self.clone(),
            facts: Kind::ALL.map(|k| self.facts.get_or_create_owned(&kind(k))),
            lag: Kind::ALL.map(|k| self.lag.get_or_create_owned(&kind(k))),
            frames: self.frames.get_or_create_owned(&label),
            bytes: self.bytes.get_or_create_owned(&label),
            rest_failures: self.rest_failures.get_or_create_owned(&label),
            refused: self.refused.get_or_create_owned(&label),
            connections: self.connections.get_or_create_owned(&label),
        }
    }
}

impl FeedMetrics {
    /// One fact, with its age in µs where the venue says when it happened.
    pub(crate) fn fact(&self, kind: Kind, lag_micros: Option<i64>) {
        self.facts[kind as usize].inc();
        if let Some(lag) = lag_micros {
            self.lag[kind as usize].observe(lag.max(0) as f64 / 1e6);
        }
    }

    pub(crate) fn bad_frame(&self, reason: &'static str) {
        self.all.bad_frames.get_or_create_owned(&self.reason(reason)).inc();
    }

    pub(crate) fn ignored(&self, reason: &'static str) {
        self.all.ignored.get_or_create_owned(&self.reason(reason)).inc();
    }

    pub(crate) fn gap(&self, reason: &'static str) {
        self.all.gaps.get_or_create_owned(&self.reason(reason)).inc();
    }

    pub(crate) fn reconnect(&self, reason: &'static str) {
        self.all.reconnects.get_or_create_owned(&self.reason(reason)).inc();
    }

    pub(crate) fn symbols(&self, state: &'static str, count: usize) {
        let gauge = self.all.symbols.get_or_create_owned(&self.reason(state));
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn reason(&self, reason: &'static str) -> ReasonLabels {
        ReasonLabels { venue: self.venue.clone(), reason }
    }
}

fn lag_histogram() -> Histogram {
    histogram(LAG_BUCKETS_SECONDS)
}
