//! What every bus must do, as a suite that each implementation runs unchanged.
//!
//! Owns the meaning of [`Producer`] and [`Consumer`] where a signature can't say it. Input: a
//! function that makes a fresh bus with given topics. Output: a panic that names the broken
//! promise. It asks nothing an asynchronous broker can't give: it waits for conditions, compares
//! times in milliseconds, and reads a compacted topic by its last value per key.

mod cases;
mod coming;
mod delivery;
mod groups;
mod starts;

use std::time::Duration;

use bytes::Bytes;

use crate::{
    Bus, ConsumeError, Consumer, Delivered, Headers, Offset, Producer, Record, Retention,
    SendError, Start, TopicName, TopicSpec,
};

pub use cases::CASES;

/// Makes a bus with exactly these topics, empty, for one case alone.
pub type Make<'a> = dyn Fn(Vec<TopicSpec>) -> Box<dyn Bus> + 'a;

/// One promise.
pub struct Case {
    /// Its name, for the report and for running it alone.
    pub name: &'static str,
    /// Checks it; panics if it is broken.
    pub run: fn(&Make<'_>),
}

/// Runs every case, naming each as it starts.
///
/// # Panics
/// When a promise is broken.
pub fn check(make: &Make<'_>) {
    for case in CASES {
        eprintln!("contract: {}", case.name);
        (case.run)(make);
    }
}

const TOPIC: TopicName = TopicName::from_static("contract.events");
const COMPACTED: TopicName = TopicName::from_static("contract.state");

/// How long one poll waits, and how many empty ones are borne before a case fails.
const POLL: Duration = Duration::from_millis(50);
const EMPTY_POLLS_MAX: usize = 400;
const FLUSH: Duration = Duration::from_secs(20);
/// Ample for every case but the one about retention.
const KEEP: Retention = Retention::bytes(64 * 1024 * 1024);

fn topic(partitions: u32) -> Vec<TopicSpec> {
    vec![TopicSpec { name: TOPIC, partitions, retention: KEEP, compacted: false, at_least: false }]
}

fn compacted() -> Vec<TopicSpec> {
    vec![TopicSpec {
        name: COMPACTED,
        partitions: 1,
        retention: KEEP,
        compacted: true,
        at_least: false,
    }]
}

fn record(partition: u32, key: &str, value: &str) -> Record {
    Record {
        topic: TOPIC,
        partition,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Headers::none(),
        timestamp_micros: 1_700_000_000_000_000,
    }
}

/// Sends, waiting out a full queue.
fn send(producer: &mut dyn Producer, mut record: Record) {
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err(SendError::QueueFull(back)) => {
                record = *back;
                producer.flush(FLUSH).expect("a full queue drains");
            }
            Err(error) => panic!("not accepted: {error}"),
        }
    }
}

fn send_all(bus: &dyn Bus, records: impl IntoIterator<Item = Record>) {
    let mut producer = bus.producer().expect("a producer opens");
    records.into_iter().for_each(|record| send(producer.as_mut(), record));
    producer.flush(FLUSH).expect("flush succeeds");
}

fn consumer_from(bus: &dyn Bus, topic: &TopicName, from: Offset) -> Box<dyn Consumer> {
    let mut consumer = bus.consumer().expect("a consumer opens");
    let partitions = consumer.partitions(topic).expect("the topic is there");
    let start = |partition| Start { topic: topic.clone(), partition, from };
    consumer.assign((0..partitions).map(start).collect()).expect("assignment succeeds");
    consumer
}

/// Reads exactly `count` records, waiting for them.
fn read(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivered> {
    let mut out = Vec::new();
    let mut empty = 0;
    while out.len() < count {
        let got = consumer.poll(count - out.len(), usize::MAX, POLL, &mut out);
        empty += usize::from(got.expect("polling succeeds") == 0);
        assert!(empty < EMPTY_POLLS_MAX, "{} of {count} records came", out.len());
    }
    assert_eq!(out.len(), count, "a poll gave more than asked");
    out
}

/// Polls until an error comes.
fn read_error(consumer: &mut dyn Consumer) -> ConsumeError {
    for _ in 0..EMPTY_POLLS_MAX {
        let mut out = Vec::new();
        match consumer.poll(100, usize::MAX, POLL, &mut out) {
            Ok(_) => {}
            Err(error) => {
                assert!(out.is_empty(), "an error came with records");
                return error;
            }
        }
    }
    panic!("no error came");
}

fn values(records: &[Delivered]) -> Vec<String> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let value = |d: &Delivered| d.record.value.as_ref().map_or("-".to_owned(), text);
    records.iter().map(value).collect()
}
