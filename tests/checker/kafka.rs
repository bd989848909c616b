//! The independent reader: every record of the event topics, from the first offset to the last.
//!
//! Raw bytes go to a file, so that a verdict can be repeated without the cluster. Reads by `assign`,
//! commits nothing, and refuses a log of which retention has removed the beginning: what isn't there
//! can't be compared.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::dump::DumpWriter;
use crate::truth::Spot;

/// Topics beside the events: they hold no positions of their own.
const OTHERS: [&str; 3] = ["fantail.control", "fantail.instrument", "fantail.snapshot"];
/// How long the brokers may take to answer a question.
const ANSWER: Duration = Duration::from_secs(20);
/// How long reading may stand still.
const STALL: Duration = Duration::from_secs(60);

/// What a dump found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dumped {
    /// Records written.
    pub records: u64,
    /// Partitions read.
    pub partitions: u64,
}

/// Writes every record of the event topics.
///
/// # Errors
/// Brokers that don't answer, a log without its beginning, a file that can't be written.
pub fn dump(brokers: &str, out: &mut DumpWriter<impl Write>) -> anyhow::Result<Dumped> {
    let consumer = consumer(brokers)?;
    let mut assigned = TopicPartitionList::new();
    let mut open = BTreeMap::new();
    let metadata = consumer.fetch_metadata(None, ANSWER).context("asking for the topics")?;
    for topic in metadata.topics() {
        if !topic.name().starts_with("fantail.") || OTHERS.contains(&topic.name()) {
            continue;
        }
        for partition in topic.partitions() {
            let (name, id) = (topic.name(), partition.id());
            let (low, high) = consumer.fetch_watermarks(name, id, ANSWER).context("watermarks")?;
            if low > 0 {
                bail!("{name}[{id}] begins at {low}: retention removed records; raise it");
            }
            if high > 0 {
                assigned.add_partition_offset(name, id, Offset::Offset(0))?;
                open.insert((name.to_owned(), id), high);
            }
        }
    }
    let mut dumped = Dumped { partitions: open.len() as u64, ..Dumped::default() };
    consumer.assign(&assigned).context("assigning")?;
    while !open.is_empty() {
        let message = match consumer.poll(STALL) {
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(_))) => continue,
            // Brokers come and go; the stall ends what doesn't come back.
            Some(Err(KafkaError::MessageConsumption(_))) => continue,
            Some(Err(error)) => return Err(error).context("reading the log"),
            None => bail!("nothing came for {STALL:?}; {} partitions are not read", open.len()),
        };
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        out.write(Spot { topic, partition, offset }, message.payload().unwrap_or_default())?;
        dumped.records += 1;
        let key = (topic.to_owned(), partition);
        if open.get(&key).is_some_and(|high| offset + 1 >= *high) {
            open.remove(&key);
        }
    }
    Ok(dumped)
}

/// Sum of the ends of all event partitions: it stands still when nobody writes.
///
/// # Errors
/// Brokers that don't answer.
pub fn written(brokers: &str) -> anyhow::Result<i64> {
    let consumer = consumer(brokers)?;
    let metadata = consumer.fetch_metadata(None, ANSWER)?;
    let mut sum = 0;
    for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with("fantail.")) {
        for partition in topic.partitions() {
            sum += consumer.fetch_watermarks(topic.name(), partition.id(), ANSWER)?.1;
        }
    }
    Ok(sum)
}

/// The broker that leads a partition.
///
/// # Errors
/// Brokers that don't answer, or a partition without a leader.
pub fn leader(brokers: &str, topic: &str, partition: i32) -> anyhow::Result<i32> {
    let metadata = consumer(brokers)?.fetch_metadata(Some(topic), ANSWER)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let found = partitions.into_iter().find(|it| it.id() == partition && it.leader() > 0);
    found.map(|it| it.leader()).with_context(|| format!("{topic}[{partition}] has no leader"))
}

fn consumer(brokers: &str) -> anyhow::Result<BaseConsumer> {
    let consumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // `assign` needs a name; nothing is committed.
        .set("group.id", "fantail-checker")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("socket.timeout.ms", "5000")
        .set("reconnect.backoff.max.ms", "1000")
        .create();
    consumer.context("a Kafka client")
}
