//! What the embedded bus promises beyond the contract: eager compaction, retention by a moved
//! clock, bounded memory, closing, and its speed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use fantail_ops::clock::Clock;

use super::EmbeddedBus;
use crate::{
    Bus, ConsumeError, Consumer, Delivered, Headers, Offset, OpenError, Record, Retention,
    SendError, Start, TopicError, TopicName, TopicSpec, contract,
};

const TOPIC: TopicName = TopicName::from_static("t");
const NOW: i64 = 1_700_000_000_000_000;

fn spec(compacted: bool, bytes: u64, time_micros: i64) -> TopicSpec {
    let retention = Retention { bytes, time_micros };
    TopicSpec { name: TOPIC, partitions: 1, retention, compacted, at_least: false }
}

fn record(key: &str, value: Option<&str>, timestamp_micros: i64) -> Record {
    Record {
        topic: TOPIC,
        partition: 0,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.map(|v| Bytes::copy_from_slice(v.as_bytes())),
        headers: Headers::none(),
        timestamp_micros,
    }
}

fn reading(bus: &EmbeddedBus, from: Offset) -> Box<dyn Consumer> {
    let mut consumer = bus.consumer().unwrap();
    consumer.assign(vec![Start { topic: TOPIC, partition: 0, from }]).unwrap();
    consumer
}

fn drain(consumer: &mut dyn Consumer) -> Vec<Delivered> {
    let mut out = Vec::new();
    while consumer.poll(1_000, usize::MAX, Duration::ZERO, &mut out).unwrap() > 0 {}
    out
}

#[test]
fn passes_the_contract() {
    contract::check(&|specs| Box::new(EmbeddedBus::new(specs, Clock::system()).unwrap()));
}

#[test]
fn drops_by_age_as_the_clock_moves() {
    let (clock, hand) = Clock::manual(NOW);
    let bus = EmbeddedBus::new(vec![spec(false, 1 << 20, 10_000_000)], clock.clone()).unwrap();
    let mut producer = bus.producer().unwrap();
    for n in 0..20 {
        producer.send(record("k", Some(&n.to_string()), clock.wall_micros())).unwrap();
        hand.advance(Duration::from_secs(1));
    }
    let mut consumer = reading(&bus, Offset::Earliest);
    assert_eq!(consumer.low_offset(&TOPIC, 0), Ok(10));
    assert_eq!(drain(consumer.as_mut()).first().map(|d| d.offset), Some(10));
    hand.advance(Duration::from_secs(3_600));
    assert_eq!(consumer.low_offset(&TOPIC, 0), Ok(19), "the newest stays");
    assert_eq!(bus.metrics().retention_drops.load(Ordering::Relaxed), 19);
}

#[test]
fn kept_bytes_stay_below_the_bound() {
    let bus = EmbeddedBus::new(vec![spec(false, 10_000, i64::MAX)], Clock::system()).unwrap();
    let mut producer = bus.producer().unwrap();
    let kept = || bus.metrics().kept_bytes.load(Ordering::Relaxed);
    for n in 0..10_000 {
        producer.send(record("k", Some(&"x".repeat(n % 50)), NOW)).unwrap();
        assert!(kept() <= 10_000, "{} bytes kept", kept());
    }
    producer.send(record("k", Some(&"x".repeat(50_000)), NOW)).unwrap();
    let got = drain(reading(&bus, Offset::Earliest).as_mut());
    assert_eq!(got.len(), 1, "a record larger than the bound is kept alone");
}

#[test]
fn a_consumer_passed_by_retention_is_told() {
    let bus = EmbeddedBus::new(vec![spec(false, 2_000, i64::MAX)], Clock::system()).unwrap();
    let mut producer = bus.producer().unwrap();
    let mut consumer = reading(&bus, Offset::Earliest);
    (0..100).for_each(|_| producer.send(record("k", Some("v"), NOW)).unwrap());
    let error = consumer.poll(1, usize::MAX, Duration::ZERO, &mut Vec::new()).unwrap_err();
    let ConsumeError::OffsetOutOfRange { wanted: 0, low, end: 100, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(consumer.low_offset(&TOPIC, 0), Ok(low));
    assert_eq!(consumer.poll(1, usize::MAX, Duration::ZERO, &mut Vec::new()), Ok(0), "once");
    consumer.seek(Start { topic: TOPIC, partition: 0, from: Offset::At(low) }).unwrap();
    assert_eq!(drain(consumer.as_mut()).len() as u64, 100 - low);
}

#[test]
fn compacts_at_once_and_forgets_tombstones_later() {
    let (clock, hand) = Clock::manual(NOW);
    let bus = EmbeddedBus::new(vec![spec(true, 1 << 20, i64::MAX)], clock).unwrap();
    let mut producer = bus.producer().unwrap();
    for n in 0..1_000 {
        let key = format!("k{}", n % 3);
        producer.send(record(&key, Some(&n.to_string()), NOW)).unwrap();
    }
    producer.send(record("k1", None, NOW)).unwrap();
    let offsets = |bus: &EmbeddedBus| -> Vec<u64> {
        drain(reading(bus, Offset::Earliest).as_mut()).iter().map(|d| d.offset).collect()
    };
    assert_eq!(offsets(&bus), [998, 999, 1_000]);
    hand.advance(Duration::from_secs(3_600));
    producer.send(record("k0", Some("new"), NOW + 3_600_000_000)).unwrap();
    assert_eq!(offsets(&bus), [998, 1_001], "the tombstone has gone");
    let expected: u64 = 2 * (2 + 3 + crate::limits::RECORD_OVERHEAD_BYTES as u64);
    assert_eq!(bus.metrics().kept_bytes.load(Ordering::Relaxed), expected);
}

#[test]
fn a_compacted_topic_has_a_byte_bound_too() {
    let bus = EmbeddedBus::new(vec![spec(true, 10_000, i64::MAX)], Clock::system()).unwrap();
    let mut producer = bus.producer().unwrap();
    for n in 0..1_000 {
        producer.send(record(&format!("key-{n}"), None, NOW)).unwrap();
    }
    assert!(bus.metrics().kept_bytes.load(Ordering::Relaxed) <= 10_000);
    let mut behind = reading(&bus, Offset::At(0));
    let told = behind.poll(1, usize::MAX, Duration::ZERO, &mut Vec::new());
    assert!(matches!(told, Err(ConsumeError::OffsetOutOfRange { .. })), "{told:?}");
}

#[test]
fn finds_times_that_cross() {
    let bus = EmbeddedBus::new(vec![spec(false, 1 << 20, i64::MAX)], Clock::system()).unwrap();
    let mut producer = bus.producer().unwrap();
    for micros in [10, 30, 20, 40, 35, 50] {
        producer.send(record("k", Some("v"), micros)).unwrap();
    }
    let mut consumer = bus.consumer().unwrap();
    for (micros, offset) in [(0, 0), (11, 1), (25, 1), (31, 3), (45, 5), (51, 6)] {
        assert_eq!(consumer.offset_for_time(&TOPIC, 0, micros), Ok(offset), "{micros}");
    }
}

#[test]
fn closing_drains_then_ends() {
    let bus = EmbeddedBus::new(vec![spec(false, 1 << 20, i64::MAX)], Clock::system()).unwrap();
    let mut producer = bus.producer().unwrap();
    let mut idle = reading(&bus, Offset::Latest);
    let mut behind = reading(&bus, Offset::Earliest);
    producer.send(record("k", Some("v"), NOW)).unwrap();
    drain(idle.as_mut());
    std::thread::scope(|scope| {
        let asleep = scope.spawn(|| {
            let long = Duration::from_secs(60);
            // The close may come before or during the wait: then the next poll says so.
            let first = idle.poll(1, usize::MAX, long, &mut Vec::new());
            first.and_then(|_| idle.poll(1, usize::MAX, long, &mut Vec::new()))
        });
        bus.close();
        assert_eq!(asleep.join().unwrap(), Err(ConsumeError::Closed));
    });
    let mut out = Vec::new();
    assert_eq!(behind.poll(9, usize::MAX, Duration::ZERO, &mut out), Ok(1), "the rest is read");
    let after = behind.poll(9, usize::MAX, Duration::ZERO, &mut out);
    assert_eq!(after, Err(ConsumeError::Closed));
    assert_eq!(producer.send(record("k", None, NOW)), Err(SendError::Closed));
    assert_eq!(bus.consumer().err(), Some(OpenError::Closed));
}

#[test]
fn refuses_topics_that_cannot_be() {
    let good = spec(false, 1, 1);
    let named = |name: &str| TopicSpec { name: TopicName::new(name), ..good.clone() };
    let make = |specs| EmbeddedBus::new(specs, Clock::system()).err();
    assert_eq!(make(vec![good.clone()]), None);
    assert_eq!(make(vec![good.clone(), good.clone()]), Some(TopicError::Twice(TOPIC)));
    for name in ["", ".", "a b", "ü", &"x".repeat(250)] {
        assert_eq!(make(vec![named(name)]), Some(TopicError::Name(name.to_owned())));
    }
    let none = TopicSpec { partitions: 0, ..good.clone() };
    assert_eq!(make(vec![none]), Some(TopicError::Partitions(TOPIC, 0)));
    assert_eq!(make(vec![spec(false, 0, 1)]), Some(TopicError::Retention(TOPIC)));
}

#[test]
fn reads_a_million_records_a_second() {
    const COUNT: usize = 200_000;
    let bus = EmbeddedBus::new(vec![spec(false, 1 << 30, i64::MAX)], Clock::system()).unwrap();
    let mut producer = bus.producer().unwrap();
    let one = record("instrument", Some(&"x".repeat(200)), NOW);
    (0..COUNT).for_each(|_| producer.send(one.clone()).unwrap());
    let mut consumer = reading(&bus, Offset::Earliest);
    let mut out = Vec::with_capacity(4_096);
    let clock = Clock::system();
    let mut read = 0;
    while read < COUNT {
        out.clear();
        read += consumer.poll(4_096, usize::MAX, Duration::ZERO, &mut out).unwrap();
    }
    let took = clock.monotonic();
    eprintln!("{:.1} million records/s", COUNT as f64 / took.as_secs_f64() / 1e6);
    // A tenth of the aim: the machine that tests may be busy, and this build is not optimised.
    assert!(took < Duration::from_secs(2), "{COUNT} records took {took:?}");
}
