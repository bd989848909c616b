//! Opens the bus a configuration names, with its figures among the process's.

use std::sync::Arc;

use anyhow::Context;
use fantail_bus::kafka::topics;
use fantail_bus::{Bus, EmbeddedBus, KafkaBus, TopicSpec};
use fantail_ops::clock::Clock;
use fantail_ops::metrics::Metrics;

use crate::config::BusConfig;

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
            let asked = kafka.clone();
            let checking = tokio::task::spawn_blocking(move || topics::check(&asked, &topics));
            checking.await.context("the check of Kafka's topics")?.context(
                "Kafka's topics are not as configured; `fantail topics create` makes them",
            )?;
            let bus = KafkaBus::open(*kafka).context("the bus")?;
            metrics.collector(bus.metrics().collector());
            metrics.collector(bus.kafka_metrics().collector());
            Ok(Arc::new(bus))
        }
    }
}
