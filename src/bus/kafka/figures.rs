//! What the client library tells about itself, as metrics. Owns the sums over all clients of a
//! bus and their names; labels are the client's kind and nothing else, so that neither topics,
//! partitions nor brokers can make them grow.
//!
//! Each client reports the whole of its figures every few seconds. Counters grow by what is new
//! since its last report, so they survive the client; gauges are taken back when it goes.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rdkafka::statistics::Statistics;

/// Figures of the Kafka home of the bus beyond [`crate::BusMetrics`].
#[derive(Debug, Default)]
pub struct KafkaMetrics {
    /// Records accepted from a sender and then given up.
    pub lost: AtomicU64,
    /// Records not accepted because the queue was full.
    pub queue_full: AtomicU64,
    /// Records that arrived a second time and were dropped.
    pub duplicates: AtomicU64,
    /// Records whose headers were not ours to carry, delivered without them.
    pub foreign_headers: AtomicU64,
    /// Times a consumer looked for a lost offset and started over where it stood.
    pub restarts: AtomicU64,
    /// Times a producer was made anew after an error it could not survive.
    pub reopened: AtomicU64,
    producers: Side,
    consumers: Side,
}

/// Which clients a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientKind {
    Producer,
    Consumer,
}

/// Sums over all clients of one kind.
#[derive(Debug, Default)]
struct Side {
    counters: [AtomicU64; COUNTERS.len()],
    gauges: [AtomicI64; GAUGES.len()],
}

const COUNTERS: [(&str, &str); 6] = [
    ("bus_kafka_sent_bytes", "Bytes sent to brokers"),
    ("bus_kafka_received_bytes", "Bytes received from brokers"),
    ("bus_kafka_requests", "Requests sent to brokers"),
    ("bus_kafka_retries", "Requests sent again"),
    ("bus_kafka_request_timeouts", "Requests that were not answered in time"),
    ("bus_kafka_disconnects", "Connections to brokers that ended"),
];

const GAUGES: [(&str, &str); 6] = [
    ("bus_kafka_clients", "Clients that have reported"),
    ("bus_kafka_connections", "Connections to brokers that are up"),
    ("bus_kafka_queue_records", "Records waiting for a broker, or fetched and not yet read"),
    ("bus_kafka_queue_bytes", "Bytes of those records"),
    ("bus_kafka_lag_records", "Records that are stored and not yet read, all partitions"),
    ("bus_kafka_round_trip_micros", "99th percentile of a broker's answer, the slowest broker"),
];

/// Of [`GAUGES`], the one that is the latest report's, not a sum.
const ROUND_TRIP: usize = 5;

impl KafkaMetrics {
    /// A collector over these figures, for `Metrics::collector`.
    #[must_use]
    pub fn collector(self: &Arc<Self>) -> Box<dyn Collector> {
        Box::new(KafkaCollector(Arc::clone(self)))
    }

    fn side(&self, kind: ClientKind) -> &Side {
        match kind {
            ClientKind::Producer => &self.producers,
            ClientKind::Consumer => &self.consumers,
        }
    }
}

/// One client's part in the sums.
#[derive(Debug)]
pub(super) struct Reporter {
    metrics: Arc<KafkaMetrics>,
    kind: ClientKind,
    /// A lock, because the library hands reports over by a shared reference; held for one report.
    last: Mutex<Report>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Report {
    counters: [u64; COUNTERS.len()],
    gauges: [i64; GAUGES.len()],
}

impl Reporter {
    pub(super) fn new(metrics: Arc<KafkaMetrics>, kind: ClientKind) -> Self {
        Self { metrics, kind, last: Mutex::default() }
    }

    pub(super) fn report(&self, statistics: &Statistics) {
        self.apply(Report::of(statistics, self.kind));
    }

    fn apply(&self, report: Report) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let side = self.metrics.side(self.kind);
        for (at, sum) in side.counters.iter().enumerate() {
            let grown = report.counters[at].saturating_sub(last.counters[at]);
            sum.fetch_add(grown, Ordering::Relaxed);
        }
        for (at, sum) in side.gauges.iter().enumerate() {
            if at == ROUND_TRIP {
                sum.store(report.gauges[at], Ordering::Relaxed);
            } else {
                sum.fetch_add(report.gauges[at] - last.gauges[at], Ordering::Relaxed);
            }
        }
        *last = report;
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        let counters = self.last.get_mut().unwrap_or_else(PoisonError::into_inner).counters;
        self.apply(Report { counters, gauges: [0; GAUGES.len()] });
    }
}

impl Report {
    fn of(told: &Statistics, kind: ClientKind) -> Self {
        let brokers = || told.brokers.values();
        let partitions = || told.topics.values().flat_map(|topic| topic.partitions.values());
        let ended = brokers().map(|b| u64::try_from(b.disconnects.unwrap_or(0)).unwrap_or(0));
        let positive = |number: i64| u64::try_from(number).unwrap_or(0);
        let up = brokers().filter(|broker| broker.nodeid >= 0 && broker.state == "UP").count();
        let slowest = brokers().filter_map(|b| b.rtt.as_ref()).map(|rtt| rtt.p99).max();
        let (records, bytes) = match kind {
            ClientKind::Producer => (gauge(told.msg_cnt), gauge(told.msg_size)),
            ClientKind::Consumer => (
                partitions().map(|p| p.fetchq_cnt).sum(),
                partitions().map(|p| gauge(p.fetchq_size)).sum(),
            ),
        };
        let lag = partitions().map(|p| p.consumer_lag.max(0)).sum();
        Self {
            counters: [
                positive(told.tx_bytes),
                positive(told.rx_bytes),
                positive(told.tx),
                brokers().map(|broker| broker.txretries).sum(),
                brokers().map(|broker| broker.req_timeouts).sum(),
                ended.sum(),
            ],
            gauges: [
                1,
                i64::try_from(up).unwrap_or(i64::MAX),
                records,
                bytes,
                lag,
                slowest.unwrap_or(0),
            ],
        }
    }
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[derive(Debug)]
struct KafkaCollector(Arc<KafkaMetrics>);

impl KafkaCollector {
    fn encode_own(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let own = &self.0;
        let counters = [
            ("bus_kafka_lost_records", "Records accepted and then given up", &own.lost),
            ("bus_kafka_queue_full", "Records refused because the queue was full", &own.queue_full),
            ("bus_kafka_duplicates", "Records that came twice and were dropped", &own.duplicates),
            (
                "bus_kafka_foreign_headers",
                "Records delivered without their headers",
                &own.foreign_headers,
            ),
            ("bus_kafka_consumer_restarts", "Consumers that started over", &own.restarts),
            ("bus_kafka_producer_reopens", "Producers that were made anew", &own.reopened),
        ];
        for (name, help, value) in counters {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value.load(Ordering::Relaxed)).encode(metric)?;
        }
        Ok(())
    }
}

impl Collector for KafkaCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.encode_own(&mut encoder)?;
        let sides = [("producer", &self.0.producers), ("consumer", &self.0.consumers)];
        for (at, (name, help)) in COUNTERS.into_iter().enumerate() {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (client, side) in sides {
                let labels = [("client", client)];
                let value = ConstCounter::new(side.counters[at].load(Ordering::Relaxed));
                value.encode(metric.encode_family(&labels)?)?;
            }
        }
        for (at, (name, help)) in GAUGES.into_iter().enumerate() {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (client, side) in sides {
                let labels = [("client", client)];
                let value = ConstGauge::new(side.gauges[at].load(Ordering::Relaxed));
                value.encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
