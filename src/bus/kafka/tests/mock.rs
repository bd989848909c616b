//! Against the mock cluster: the contract, and faults it can play.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{EMPTY_POLLS_MAX, FLUSH, POLL, open, read, reading, record, send_all, values};
use crate::kafka::{KafkaBus, KafkaConfig};
use crate::limits::{HEADER_VALUE_BYTES_MAX, HEADERS_MAX};
use crate::{Bus, ConsumeError, FlushError, Offset, SendError, Start, TopicName, contract};

type Mock = MockCluster<'static, DefaultProducerContext>;

const TOPIC: TopicName = TopicName::from_static("mock.events");

/// Cases of the contract the mock can't play, each with the reason. A real broker plays them all.
const BEYOND_THE_MOCK: &[(&str, &str)] = &[
    ("retention_is_told", "the mock deletes by its own bounds, not the topic's"),
    ("a_group_shares_out", "the mock's group never deals its member a partition"),
    ("start_by_time", "the mock finds no offsets by time"),
];

fn cluster(partitions: i32) -> (Mock, KafkaBus) {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic(TOPIC.as_str(), partitions, 1).unwrap();
    let bus = open(&mock.bootstrap_servers());
    (mock, bus)
}

#[test]
fn passes_the_contract() {
    // The mock is no thread-safe value, so it lives here and not in the bus.
    let clusters = RefCell::new(Vec::new());
    for case in contract::CASES {
        if let Some((name, why)) = BEYOND_THE_MOCK.iter().find(|(name, _)| *name == case.name) {
            eprintln!("SKIPPED contract {name} on the mock cluster: {why}");
            continue;
        }
        eprintln!("contract: {}", case.name);
        (case.run)(&|specs| {
            let mock: Mock = MockCluster::new(1).unwrap();
            for spec in &specs {
                mock.create_topic(spec.name.as_str(), spec.partitions.try_into().unwrap(), 1)
                    .unwrap();
            }
            let bus = open(&mock.bootstrap_servers());
            clusters.borrow_mut().push(mock);
            Box::new(bus)
        });
    }
}

#[test]
fn a_full_queue_gives_the_record_back() {
    let (mock, _) = cluster(1);
    let config = KafkaConfig { queue_bytes: 1, ..KafkaConfig::plain(&mock.bootstrap_servers()) };
    let bus = KafkaBus::open(config).unwrap();
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "first")]);
    mock.broker_down(1).unwrap();
    let mut accepted = 1;
    let refused = loop {
        match producer.send(record(&TOPIC, 0, "x")) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 10_000, "the queue is bounded");
    };
    assert_eq!(refused, SendError::QueueFull(Box::new(record(&TOPIC, 0, "x"))));
    let waiting = producer.flush(Duration::from_millis(20));
    assert!(matches!(waiting, Err(FlushError::TimedOut(_))), "{waiting:?}");
    mock.broker_up(1).unwrap();
    producer.flush(FLUSH).unwrap();
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    assert_eq!(read(consumer.as_mut(), accepted).len(), accepted, "each accepted one, once");
    assert_eq!(producer.lost(), 0);
}

#[test]
fn errors_that_pass_lose_and_double_nothing() {
    let (mock, bus) = cluster(1);
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "0")]);
    let not_leader = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    let timed_out = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
    let cut = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT;
    mock.request_errors(RDKafkaApiKey::Produce, &[not_leader, timed_out, cut, not_leader]);
    mock.request_errors(RDKafkaApiKey::Fetch, &[not_leader, cut]);
    // One request at a time: the mock takes what follows a request it dropped, as no broker does, and
    // the client then rightly counts the dropped one as stored.
    for n in 1..10 {
        send_all(producer.as_mut(), [record(&TOPIC, 0, &n.to_string())]);
    }
    let rest: Vec<_> = (10..200).map(|n| record(&TOPIC, 0, &n.to_string())).collect();
    send_all(producer.as_mut(), rest);
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    let expected: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(values(&read(consumer.as_mut(), 200)), expected);
    assert_eq!(producer.lost(), 0);
}

#[test]
fn a_refused_record_is_told_as_lost() {
    let (mock, bus) = cluster(1);
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "before")]);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    mock.request_errors(RDKafkaApiKey::Produce, &[refused]);
    producer.send(record(&TOPIC, 0, "refused")).unwrap();
    let told = producer.flush(FLUSH);
    assert!(matches!(told, Err(FlushError::Lost(1, _))), "{told:?}");
    assert_eq!(producer.lost(), 1, "and stays counted");
    send_all(producer.as_mut(), [record(&TOPIC, 0, "after")]);
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    assert_eq!(values(&read(consumer.as_mut(), 2)), ["before", "after"]);
}

#[test]
fn a_producer_beyond_repair_is_made_anew() {
    let (mock, bus) = cluster(1);
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "before")]);
    let lost_order = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    mock.request_errors(RDKafkaApiKey::Produce, &[lost_order]);
    producer.send(record(&TOPIC, 0, "doomed")).unwrap();
    let told = producer.flush(FLUSH);
    assert!(matches!(told, Err(FlushError::Lost(1, _))), "{told:?}");
    send_all(producer.as_mut(), [record(&TOPIC, 0, "after")]);
    assert_eq!(bus.kafka_metrics().reopened.load(Ordering::Relaxed), 1);
    assert_eq!(producer.lost(), 1);
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    assert_eq!(values(&read(consumer.as_mut(), 2)), ["before", "after"]);
}

#[test]
fn every_lost_offset_is_told_once_and_records_come_first() {
    let (_mock, bus) = cluster(3);
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), (0..5).map(|n| record(&TOPIC, 0, &n.to_string())));
    let mut consumer = bus.consumer().unwrap();
    let start = |(partition, from)| Start { topic: TOPIC, partition, from };
    let starts = [(0, Offset::Earliest), (1, Offset::At(9)), (2, Offset::At(7))];
    consumer.assign(starts.map(start).to_vec()).unwrap();
    let (mut out, mut told) = (Vec::new(), Vec::new());
    for _ in 0..EMPTY_POLLS_MAX {
        match consumer.poll(100, usize::MAX, POLL, &mut out) {
            Ok(_) if out.len() == 5 && told.len() == 2 => break,
            Ok(_) => {}
            Err(error) => told.push(error),
        }
    }
    let lost = |partition, wanted| ConsumeError::OffsetOutOfRange {
        topic: TOPIC,
        partition,
        wanted,
        low: 0,
        end: 0,
    };
    assert_eq!(told, [lost(1, 9), lost(2, 7)], "once each");
    assert_eq!(values(&out), ["0", "1", "2", "3", "4"]);
    let again = consumer.poll(1, usize::MAX, POLL, &mut out);
    assert_eq!(again, Ok(0), "they stand still");
    send_all(producer.as_mut(), [record(&TOPIC, 0, "5"), record(&TOPIC, 2, "moved")]);
    consumer.seek(start((2, Offset::Earliest))).unwrap();
    let mut came = values(&read(consumer.as_mut(), 2));
    came.sort();
    assert_eq!(came, ["5", "moved"]);
}

#[test]
fn headers_that_are_not_ours_do_not_cost_the_record() {
    let (mock, bus) = cluster(1);
    let foreign: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", mock.bootstrap_servers()).create().unwrap();
    let header = |all: OwnedHeaders, value| all.insert(Header { key: "h", value: Some(value) });
    let long = "x".repeat(HEADER_VALUE_BYTES_MAX + 1);
    let many = (0..=HEADERS_MAX).fold(OwnedHeaders::new(), |all, _| header(all, "v"));
    for headers in [many, header(OwnedHeaders::new(), &long)] {
        let sent = BaseRecord::<[u8], str>::to("mock.events").partition(0).payload("fine");
        foreign.send(sent.headers(headers)).unwrap();
    }
    foreign.flush(FLUSH).unwrap();
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    let came = read(consumer.as_mut(), 2);
    assert_eq!(values(&came), ["fine", "fine"]);
    assert!(came.iter().all(|d| d.record.headers.is_empty() && d.record.key.is_empty()));
    assert_eq!(bus.kafka_metrics().foreign_headers.load(Ordering::Relaxed), 2);
}

#[test]
fn a_broker_that_is_away_is_told_and_comes_back() {
    let (mock, bus) = cluster(1);
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "0")]);
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    read(consumer.as_mut(), 1);
    mock.broker_down(1).unwrap();
    let mut told = None;
    for _ in 0..EMPTY_POLLS_MAX {
        told = consumer.poll(1, usize::MAX, POLL, &mut Vec::new()).err();
        if told.is_some() {
            break;
        }
    }
    assert!(matches!(told, Some(ConsumeError::Unreachable(_))), "{told:?}");
    mock.broker_up(1).unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "1")]);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["1"], "nothing was missed");
}

#[test]
fn a_closed_bus_ends_both_ends() {
    let (_mock, bus) = cluster(1);
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "last")]);
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["last"]);
    bus.close();
    assert_eq!(producer.send(record(&TOPIC, 0, "x")), Err(SendError::Closed));
    let told = consumer.poll(1, usize::MAX, POLL, &mut Vec::new());
    assert_eq!(told, Err(ConsumeError::Closed));
    assert!(bus.producer().is_err() && bus.consumer().is_err());
}

#[test]
fn figures_are_told_without_names() {
    use fantail_ops::clock::Clock;
    use fantail_ops::metrics::{BuildInfo, Metrics};
    let (_mock, bus) = cluster(1);
    let build = BuildInfo { version: "0", commit: "0", role: "all".to_owned() };
    let metrics = Metrics::new(build, &Clock::system());
    metrics.collector(bus.metrics().collector());
    metrics.collector(bus.kafka_metrics().collector());
    let mut producer = bus.producer().unwrap();
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    send_all(producer.as_mut(), [record(&TOPIC, 0, "x")]);
    read(consumer.as_mut(), 1);
    // A client reports every few seconds.
    let reported = |client: &str, text: &str| {
        text.contains(&format!("fantail_bus_kafka_clients{{client=\"{client}\"}} 1"))
    };
    let mut text = String::new();
    for _ in 0..EMPTY_POLLS_MAX {
        consumer.poll(1, usize::MAX, POLL, &mut Vec::new()).unwrap();
        text = metrics.render().unwrap();
        if reported("producer", &text) && reported("consumer", &text) {
            break;
        }
    }
    assert!(reported("producer", &text) && reported("consumer", &text), "{text}");
    assert!(text.contains("fantail_bus_kafka_lost_records_total 0"), "{text}");
    assert!(!text.contains(TOPIC.as_str()) && !text.contains("127.0.0.1"), "no names: {text}");
    drop((producer, consumer));
    let text = metrics.render().unwrap();
    assert!(text.contains("fantail_bus_kafka_clients{client=\"producer\"} 0"), "{text}");
}

#[test]
fn d07_answers_that_come_too_late_double_and_reorder_nothing() {
    let (mock, bus) = cluster(1);
    let mut producer = bus.producer().unwrap();
    send_all(producer.as_mut(), [record(&TOPIC, 0, "0")]);
    // Longer than a request may take: it is given up, stored as it may be, and sent again.
    mock.broker_round_trip_time(1, Duration::from_secs(5)).unwrap();
    for n in 1..50 {
        producer.send(record(&TOPIC, 0, &n.to_string())).unwrap();
    }
    let waited = producer.flush(Duration::from_secs(7));
    assert!(matches!(waited, Err(FlushError::TimedOut(_))), "{waited:?}");
    mock.broker_round_trip_time(1, Duration::ZERO).unwrap();
    producer.flush(FLUSH).unwrap();
    let mut consumer = reading(&bus, &TOPIC, 1, Offset::Earliest);
    let expected: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(values(&read(consumer.as_mut(), 50)), expected);
    assert_eq!(producer.lost(), 0);
}
