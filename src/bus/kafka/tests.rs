//! The Kafka home of the bus against the library's mock cluster, which speaks the protocol in this
//! process, and against a real broker where `FANTAIL_KAFKA=host:port` names one.
//!
//! The mock proves our side of the protocol; it stores little, deletes and compacts nothing, and
//! can't make topics by request. What it can't do is named and said where it is left out.

mod broker;
mod config;
mod faults;
mod mock;
mod speed;

use std::time::Duration;

use bytes::Bytes;

use super::{KafkaBus, KafkaConfig};
use crate::{
    Bus, Consumer, Delivered, Headers, Offset, Producer, Record, Retention, Start, TopicName,
    TopicSpec,
};

/// How long one poll waits, and how many empty ones are borne.
const POLL: Duration = Duration::from_millis(50);
const EMPTY_POLLS_MAX: usize = 600;
const FLUSH: Duration = Duration::from_secs(20);

fn spec(name: TopicName, partitions: u32) -> TopicSpec {
    let retention = Retention::bytes(64 * 1024 * 1024);
    TopicSpec { name, partitions, retention, compacted: false, at_least: false }
}

fn record(topic: &TopicName, partition: u32, value: &str) -> Record {
    Record {
        topic: topic.clone(),
        partition,
        key: Bytes::from_static(b"k"),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Headers::none(),
        timestamp_micros: 1_700_000_000_000_000,
    }
}

fn open(brokers: &str) -> KafkaBus {
    KafkaBus::open(KafkaConfig::plain(brokers)).unwrap()
}

fn reading(bus: &KafkaBus, topic: &TopicName, partitions: u32, from: Offset) -> Box<dyn Consumer> {
    let mut consumer = bus.consumer().unwrap();
    let start = |partition| Start { topic: topic.clone(), partition, from };
    consumer.assign((0..partitions).map(start).collect()).unwrap();
    consumer
}

/// Reads `count` records, bearing errors that pass.
fn read(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivered> {
    let mut out = Vec::new();
    for _ in 0..EMPTY_POLLS_MAX {
        if out.len() >= count {
            break;
        }
        let _ = consumer.poll(count - out.len(), usize::MAX, POLL, &mut out);
    }
    assert_eq!(out.len(), count, "records came");
    out
}

fn values(records: &[Delivered]) -> Vec<String> {
    let text = |d: &Delivered| {
        let value = d.record.value.as_deref().unwrap_or(b"-");
        String::from_utf8_lossy(value).into_owned()
    };
    records.iter().map(text).collect()
}

fn send_all(producer: &mut dyn Producer, records: impl IntoIterator<Item = Record>) {
    records.into_iter().for_each(|record| producer.send(record).unwrap());
    producer.flush(FLUSH).unwrap();
}
