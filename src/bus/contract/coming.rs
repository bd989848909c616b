//! Promises about partitions that are added to an assignment and taken out of it: only they are
//! touched.

use super::{Make, POLL, TOPIC, read, read_error, record, send_all, topic, values};
use crate::{Bus, ConsumeError, Consumer, Offset, Start};

/// Empty polls after which nothing more is expected.
const SILENCE_POLLS: usize = 10;

fn start(partition: u32, from: Offset) -> Start {
    Start { topic: TOPIC, partition, from }
}

fn reading_first(bus: &dyn Bus) -> Box<dyn Consumer> {
    let mut consumer = bus.consumer().expect("a consumer opens");
    consumer.assign(vec![start(0, Offset::Earliest)]).expect("assignment succeeds");
    consumer
}

fn is_silent(consumer: &mut dyn Consumer) {
    let mut out = Vec::new();
    for _ in 0..SILENCE_POLLS {
        assert_eq!(consumer.poll(10, usize::MAX, POLL, &mut out), Ok(0), "{out:?}");
    }
}

/// Values in an order that does not depend on which partition came first.
fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

pub(super) fn partitions_come_and_go(make: &Make<'_>) {
    let bus = make(topic(3));
    send_all(bus.as_ref(), (0..3).map(|n| record(n, "k", &format!("{n}a"))));
    let mut consumer = reading_first(bus.as_ref());
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["0a"]);
    consumer.add(start(1, Offset::Earliest)).expect("adding succeeds");
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["1a"], "added, and nothing read twice");
    send_all(bus.as_ref(), (0..3).map(|n| record(n, "k", &format!("{n}b"))));
    assert_eq!(sorted(values(&read(consumer.as_mut(), 2))), ["0b", "1b"]);
    consumer.remove(&TOPIC, 0).expect("removing succeeds");
    send_all(bus.as_ref(), (0..3).map(|n| record(n, "k", &format!("{n}c"))));
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["1c"], "the other one goes on");
    is_silent(consumer.as_mut());
    consumer.add(start(0, Offset::At(1))).expect("adding succeeds");
    assert_eq!(values(&read(consumer.as_mut(), 2)), ["0b", "0c"], "it comes again, from its place");
    consumer.add(start(0, Offset::At(0))).expect("moving succeeds");
    assert_eq!(values(&read(consumer.as_mut(), 3)), ["0a", "0b", "0c"], "an assigned one is moved");
    consumer.remove(&TOPIC, 2).expect("what is not assigned is no mistake");
    let beyond = ConsumeError::UnknownPartition(TOPIC, 3);
    assert_eq!(consumer.add(start(3, Offset::Latest)), Err(beyond));
    for partition in [0, 1] {
        consumer.remove(&TOPIC, partition).expect("removing succeeds");
    }
    send_all(bus.as_ref(), [record(1, "k", "1d")]);
    is_silent(consumer.as_mut());
    consumer.add(start(2, Offset::Earliest)).expect("adding to nothing succeeds");
    assert_eq!(values(&read(consumer.as_mut(), 3)), ["2a", "2b", "2c"]);
}

pub(super) fn what_was_removed_is_silent(make: &Make<'_>) {
    let bus = make(topic(2));
    send_all(bus.as_ref(), (0..3).map(|n| record(0, "k", &n.to_string())));
    let mut consumer = reading_first(bus.as_ref());
    assert_eq!(read(consumer.as_mut(), 3).len(), 3);
    consumer.add(start(1, Offset::At(50))).expect("adding succeeds");
    let told = read_error(consumer.as_mut());
    let expected =
        ConsumeError::OffsetOutOfRange { topic: TOPIC, partition: 1, wanted: 50, low: 0, end: 0 };
    assert_eq!(told, expected, "an added partition is told as any other");
    // Standing still, it can be taken out as well; and so it can before anybody met its fault.
    consumer.remove(&TOPIC, 1).expect("removing succeeds");
    let seek = consumer.seek(start(1, Offset::Earliest));
    assert_eq!(seek, Err(ConsumeError::UnknownPartition(TOPIC, 1)));
    consumer.add(start(1, Offset::At(50))).expect("adding succeeds");
    consumer.remove(&TOPIC, 1).expect("removing succeeds");
    is_silent(consumer.as_mut());
    send_all(bus.as_ref(), [record(0, "k", "more"), record(1, "k", "other")]);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["more"]);
    is_silent(consumer.as_mut());
}
