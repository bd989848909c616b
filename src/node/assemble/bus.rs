//! Opens the bus a configuration names, with its figures among the process's.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fantail_bus::kafka::KafkaConfig;
use fantail_bus::kafka::topics::{self, TopicsError};
use fantail_bus::{Bus, EmbeddedBus, KafkaBus, TopicSpec};
use fantail_ops::clock::Clock;
use fantail_ops::metrics::Metrics;

use crate::config::BusConfig;

/// How long brokers that are away are asked again at start, and how often: an election is over by
/// then, and a wrong address is worth an error soon.
const CHECK_PATIENCE: Duration = Duration::from_secs(15);
/// See [`CHECK_PATIENCE`].
const CHECK_AGAIN: Duration = Duration::from_millis(250);

/// Opens the bus. Kafka's topics are checked first: an error names what is wrong with them.
pub(super) async fn open(
    config: BusConfig,
    topics: Vec<TopicSpec>,
    clock: &Clock,
    metrics: &Metrics,
) -> anyhow::Result<Arc<dyn Bus>> {
    match config {
        BusConfig::Embedded => {
            let bus = EmbeddedBus::new(topics, clock.clone()).context("the bus")?;
            metrics.collector(bus.metrics().collector());
            Ok(Arc::new(bus))
        }
        BusConfig::Kafka(kafka) => {
            check(&kafka, &topics, clock).await?.context(
                "Kafka's topics are not as configured; `fantail topics create` makes them",
            )?;
            let bus = KafkaBus::open(*kafka).context("the bus")?;
            metrics.collector(bus.metrics().collector());
            metrics.collector(bus.kafka_metrics().collector());
            Ok(Arc::new(bus))
        }
    }
}

/// Checks the topics. Brokers that are away in that moment are asked again for a while: a process
/// that ended would only be started into the same moment.
async fn check(
    kafka: &KafkaConfig,
    topics: &[TopicSpec],
    clock: &Clock,
) -> anyhow::Result<Result<(), TopicsError>> {
    let until = clock.monotonic() + CHECK_PATIENCE;
    loop {
        let (kafka, topics) = (kafka.clone(), topics.to_vec());
        let checking = tokio::task::spawn_blocking(move || topics::check(&kafka, &topics));
        match checking.await.context("the check of Kafka's topics")? {
            Err(error @ TopicsError::Unreachable(_)) if clock.monotonic() < until => {
                tracing::warn!(%error, "Kafka's topics can't be checked yet; asking again");
                tokio::time::sleep(CHECK_AGAIN).await;
            }
            checked => return Ok(checked),
        }
    }
}
