//! Opens the bus a configuration names, with its figures among the process's.

use std::sync::Arc;

use anyhow::Context;
use fantail_bus::kafka::KafkaConfig;
use fantail_bus::kafka::topics::{self, TopicsError};
use fantail_bus::{Bus, EmbeddedBus, KafkaBus, TopicSpec};
use fantail_ops::clock::Clock;
use fantail_ops::metrics::Metrics;
use fantail_ops::patience::Patience;
use fantail_ops::shutdown::Shutdown;

use crate::config::BusConfig;

/// Opens the bus. Kafka's topics are checked first: an error names what is wrong with them.
pub(super) async fn open(
    config: BusConfig,
    topics: Vec<TopicSpec>,
    clock: &Clock,
    shutdown: &Shutdown,
    metrics: &Metrics,
) -> anyhow::Result<Arc<dyn Bus>> {
    match config {
        BusConfig::Embedded => {
            let bus = EmbeddedBus::new(topics, clock.clone()).context("the bus")?;
            metrics.collector(bus.metrics().collector());
            Ok(Arc::new(bus))
        }
        BusConfig::Kafka(kafka) => {
            check(&kafka, &topics, Patience::new(clock, shutdown)).await?.context(
                "Kafka's topics are not as configured; `fantail topics create` makes them",
            )?;
            let bus = KafkaBus::open(*kafka).context("the bus")?;
            metrics.collector(bus.metrics().collector());
            metrics.collector(bus.kafka_metrics().collector());
            Ok(Arc::new(bus))
        }
    }
}

/// Checks the topics, with patience.
async fn check(
    kafka: &KafkaConfig,
    topics: &[TopicSpec],
    patience: Patience,
) -> anyhow::Result<Result<(), TopicsError>> {
    loop {
        let (kafka, topics) = (kafka.clone(), topics.to_vec());
        let checking = tokio::task::spawn_blocking(move || topics::check(&kafka, &topics));
        let checked = checking.await.context("the check of Kafka's topics")?;
        let Err(error @ TopicsError::Unreachable(_)) = &checked else { return Ok(checked) };
        if !patience.wait("Kafka's topics can't be checked yet", error).await {
            return Ok(checked);
        }
    }
}
