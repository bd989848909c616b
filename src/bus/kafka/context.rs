//! What the client library calls back: logs, errors, figures, failed deliveries. Owns the wording
//! of its logs and the count of lost records; decides nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::statistics::Statistics;

use super::figures::{ClientKind, KafkaMetrics, Reporter};

/// Of a client that only asks.
#[derive(Debug, Default)]
pub(super) struct AskingContext;

/// Of a consumer.
#[derive(Debug)]
pub(super) struct ReadingContext {
    reporter: Reporter,
    /// The last error's own words. A lock, because the library hands it over by a shared
    /// reference; held to copy a text.
    reason: Mutex<String>,
}

/// Of a producer.
#[derive(Debug)]
pub(super) struct SendingContext {
    reporter: Reporter,
    metrics: Arc<KafkaMetrics>,
    lost: Arc<Lost>,
}

/// Records a producer accepted and gave up.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Since the producer was opened.
    total: AtomicU64,
    /// Why the last one was. A lock, because failures come from the library's thread; held to
    /// copy a text.
    reason: Mutex<String>,
}

impl Lost {
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::SeqCst)
    }

    pub(super) fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts; true if these are the first since `reason` changed, so that one line a cause is
    /// logged and not one a record.
    pub(super) fn add(&self, records: u64, why: &str) -> bool {
        let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *reason != why;
        if is_new {
            why.clone_into(&mut reason);
        }
        drop(reason);
        self.total.fetch_add(records, Ordering::SeqCst);
        is_new
    }
}

impl ReadingContext {
    pub(super) fn new(metrics: Arc<KafkaMetrics>) -> Self {
        Self { reporter: Reporter::new(metrics, ClientKind::Consumer), reason: Mutex::default() }
    }

    /// The last error's own words.
    pub(super) fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl SendingContext {
    pub(super) fn new(metrics: Arc<KafkaMetrics>, lost: Arc<Lost>) -> Self {
        let reporter = Reporter::new(Arc::clone(&metrics), ClientKind::Producer);
        Self { reporter, metrics, lost }
    }
}

impl ClientContext for AskingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats(&self, _statistics: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka enquiry failed");
    }
}

impl ConsumerContext for AskingContext {}

impl ClientContext for ReadingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.reporter.report(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka consumer met an error");
        reason.clone_into(&mut self.reason.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ConsumerContext for ReadingContext {}

impl ClientContext for SendingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.reporter.report(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer met an error");
    }
}

impl ProducerContext for SendingContext {
    type DeliveryOpaque = ();

    /// Failures only: the producer is set to report no others.
    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        let Err((error, _)) = result else { return };
        let why = error.to_string();
        self.metrics.lost.fetch_add(1, Ordering::Relaxed);
        if self.lost.add(1, &why) {
            tracing::error!(reason = why, "kafka records are being lost");
        }
    }
}

/// The library's own log, which names brokers and states, never settings.
fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "kafka client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "kafka client"),
    }
}
