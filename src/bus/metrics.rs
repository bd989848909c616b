//! The bus's figures: plain atomics its implementations count on, read at scrape time by a
//! collector. Registers nothing by itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Counters of one bus. Register a clone of the `Arc` with the process's metrics.
#[derive(Debug, Default)]
pub struct BusMetrics {
    /// Records accepted from producers.
    pub records_in: AtomicU64,
    /// Bytes of those records.
    pub bytes_in: AtomicU64,
    /// Records handed to consumers, once per consumer.
    pub records_out: AtomicU64,
    /// Records dropped by retention (bytes or age).
    pub retention_drops: AtomicU64,
    /// Records replaced by a later one of the same key.
    pub compacted: AtomicU64,
    /// Times a consumer asked for an offset that is not kept.
    pub out_of_range: AtomicU64,
    /// Bytes kept now, overhead included.
    pub kept_bytes: AtomicU64,
}

impl BusMetrics {
    /// A collector over these counters, for `Metrics::collector`.
    #[must_use]
    pub fn collector(self: &Arc<Self>) -> Box<dyn Collector> {
        Box::new(BusCollector(Arc::clone(self)))
    }
}

#[derive(Debug)]
struct BusCollector(Arc<BusMetrics>);

impl Collector for BusCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let bus = &self.0;
        let counters = [
            ("bus_records", "Records accepted from producers", &bus.records_in),
            ("bus_bytes", "Bytes accepted from producers", &bus.bytes_in),
            ("bus_delivered_records", "Records handed to consumers", &bus.records_out),
            ("bus_retention_drops", "Records dropped by retention", &bus.retention_drops),
            ("bus_compacted_records", "Records replaced by a later one", &bus.compacted),
            ("bus_out_of_range", "Reads of an offset that is not kept", &bus.out_of_range),
        ];
        for (name, help, value) in counters {
            let value = ConstCounter::new(value.load(Ordering::Relaxed));
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            value.encode(metric)?;
        }
        let kept = ConstGauge::new(bus.kept_bytes.load(Ordering::Relaxed));
        let metric = encoder.encode_descriptor(
            "bus_kept_bytes",
            "Bytes the bus keeps now",
            None,
            MetricType::Gauge,
        )?;
        kept.encode(metric)
    }
}
