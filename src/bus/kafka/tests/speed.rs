//! How fast records go through a real broker, printed; the bounds are far below what is seen, so
//! that only a mistake of kind breaks them.

use std::time::Duration;

use bytes::Bytes;
use fantail_ops::clock::Clock;

use super::{KafkaBus, KafkaConfig, broker, open, reading, record, spec};
use crate::{Bus, Headers, Offset, Record, SendError, TopicName};

const RECORDS: usize = 400_000;
const PARTITIONS: u32 = 4;
/// Records a second, in a debug build on a busy machine.
const RATE_MIN: f64 = 20_000.0;

#[test]
fn produces_and_consumes_at_speed() {
    let Some(address) = broker::address("the speed of a real Kafka") else { return };
    let topic = TopicName::from_static("check.speed");
    broker::afresh(&KafkaConfig::plain(&address), &[spec(topic.clone(), PARTITIONS)]);
    let bus = open(&address);
    let clock = Clock::system();
    let mut producer = bus.producer().unwrap();
    producer.send(record(&topic, 0, "warm")).unwrap();
    producer.flush(super::FLUSH).unwrap();
    let one = sample(&topic);
    let started = clock.monotonic();
    for n in 0..RECORDS {
        let mut next = Record { partition: n as u32 % PARTITIONS, ..one.clone() };
        while let Err(SendError::QueueFull(back)) = producer.send(next) {
            // Waits for room, as a publisher would not.
            let _ = producer.flush(Duration::from_millis(5));
            next = *back;
        }
    }
    let handed = clock.monotonic() - started;
    producer.flush(super::FLUSH).unwrap();
    let stored = clock.monotonic() - started;
    let mut consumer = reading(&bus, &topic, PARTITIONS, Offset::Earliest);
    let mut out = Vec::with_capacity(4_096);
    let (mut seen, started) = (0, clock.monotonic());
    while seen < RECORDS {
        seen += consumer.poll(4_096, usize::MAX, super::POLL, &mut out).unwrap();
        out.clear();
        assert!(clock.monotonic() - started < Duration::from_secs(60), "{seen} of {RECORDS} came");
    }
    let read = clock.monotonic() - started;
    let rate = |time: Duration| RECORDS as f64 / time.as_secs_f64();
    eprintln!(
        "kafka speed, {} bytes a record: handed over {:.0}/s, stored {:.0}/s, read {:.0}/s",
        one.size_bytes(),
        rate(handed),
        rate(stored),
        rate(read)
    );
    assert!(rate(stored) > RATE_MIN && rate(read) > RATE_MIN);
}

/// From `send` to `poll`, one record at a time: what the bus itself adds to a message's way.
#[test]
fn one_record_arrives_at_once() {
    const ROUNDS: usize = 500;
    let Some(address) = broker::address("the delay of a real Kafka") else { return };
    let topic = TopicName::from_static("check.delay");
    let config = KafkaConfig { linger: Duration::from_millis(1), ..KafkaConfig::plain(&address) };
    broker::afresh(&config, &[spec(topic.clone(), 1)]);
    let bus = KafkaBus::open(config).unwrap();
    let clock = Clock::system();
    let mut producer = bus.producer().unwrap();
    producer.send(record(&topic, 0, "warm")).unwrap();
    producer.flush(super::FLUSH).unwrap();
    let mut consumer = reading(&bus, &topic, 1, Offset::Earliest);
    super::read(consumer.as_mut(), 1);
    let one = sample(&topic);
    let mut delays: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let started = clock.monotonic();
            producer.send(one.clone()).unwrap();
            super::read(consumer.as_mut(), 1);
            clock.monotonic() - started
        })
        .collect();
    delays.sort();
    let (half, most) = (delays[ROUNDS / 2], delays[ROUNDS * 99 / 100]);
    eprintln!("kafka delay, linger 1 ms: p50 {half:?}, p99 {most:?}");
    assert!(half < Duration::from_millis(100), "{half:?}");
}

/// Like a trade: five headers and 120 bytes.
fn sample(topic: &TopicName) -> Record {
    let number = 7_u64.to_be_bytes();
    let headers: [(&str, &[u8]); 5] = [
        ("schema", b"1"),
        ("epoch", &number),
        ("seq", &number),
        ("rx", &number),
        ("trace", &number),
    ];
    Record {
        key: Bytes::from_static(b"binance:BTC-USDT"),
        value: Some(Bytes::from(vec![b'x'; 120])),
        headers: Headers::from_pairs(&headers).unwrap(),
        ..record(topic, 0, "")
    }
}
