//! What a node whose parts share a process waits for before it says that it serves.

use std::time::Duration;

use anyhow::Context;
use fantail_bus::{Consumer, TopicName};
use fantail_ops::health::Readiness;
use fantail_wire::record;

/// How long ingest may take to announce its instruments, and the gateway to know them.
const ANNOUNCE_MAX: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Waits until every configured instrument is on the bus, so that the first client finds its
/// channels.
pub(super) async fn announced(mut consumer: Box<dyn Consumer>, symbols: u64) -> anyhow::Result<()> {
    let topic = TopicName::from_static(record::INSTRUMENT);
    let everything = async {
        loop {
            let mut count = 0;
            for partition in 0..consumer.partitions(&topic)? {
                count += consumer.end_offset(&topic, partition)?;
            }
            if count >= symbols {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let outcome = tokio::time::timeout(ANNOUNCE_MAX, everything).await;
    outcome.context("ingest did not announce its instruments")?
}

/// Waits until the gateway knows what is on the bus: a client that connects at once must find its
/// channels.
pub(super) async fn caught_up(readiness: &Readiness) -> anyhow::Result<()> {
    let ready = async {
        while !readiness.is_ready() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let outcome = tokio::time::timeout(ANNOUNCE_MAX, ready).await;
    outcome.map_err(|_| anyhow::anyhow!("not ready in time: {}", readiness.missing().join(", ")))
}
