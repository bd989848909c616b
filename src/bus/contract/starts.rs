//! Promises about where reading starts, what happens where nothing is kept, and waking.

use std::time::Duration;

use bytes::Bytes;

use super::{
    EMPTY_POLLS_MAX, Make, POLL, TOPIC, consumer_from, read, read_error, record, send_all, topic,
    values,
};
use crate::{ConsumeError, Offset, Record, Retention, Start, TopicName, TopicSpec};

fn start(partition: u32, from: Offset) -> Start {
    Start { topic: TOPIC, partition, from }
}

pub(super) fn earliest_latest_at(make: &Make<'_>) {
    let bus = make(topic(1));
    send_all(bus.as_ref(), (0..5).map(|n| record(0, "k", &n.to_string())));
    let mut latest = consumer_from(bus.as_ref(), &TOPIC, Offset::Latest);
    let mut at = consumer_from(bus.as_ref(), &TOPIC, Offset::At(3));
    let mut at_end = consumer_from(bus.as_ref(), &TOPIC, Offset::At(5));
    send_all(bus.as_ref(), [record(0, "k", "5")]);
    assert_eq!(at.next_offset(&TOPIC, 0), Some(3), "where it begins");
    assert_eq!(latest.next_offset(&TOPIC, 0), Some(5));
    assert_eq!(values(&read(latest.as_mut(), 1)), ["5"], "sent after assign, so seen");
    assert_eq!(latest.next_offset(&TOPIC, 0), Some(6), "it was delivered");
    assert_eq!(values(&read(at.as_mut(), 3)), ["3", "4", "5"]);
    assert_eq!(values(&read(at_end.as_mut(), 1)), ["5"]);
    at.seek(start(0, Offset::Earliest)).expect("seeking succeeds");
    assert_eq!(values(&read(at.as_mut(), 6)), ["0", "1", "2", "3", "4", "5"]);
}

pub(super) fn start_by_time(make: &Make<'_>) {
    const BASE: i64 = 1_700_000_000_000_000;
    let bus = make(topic(1));
    let timed = |n: i64| Record {
        timestamp_micros: BASE + n * 1_000_000,
        ..record(0, "k", &n.to_string())
    };
    send_all(bus.as_ref(), (0..10).map(timed));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Time(BASE + 3_500_000));
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["4"], "the first at or after");
    let cases = [(BASE - 1_000_000, 0), (BASE + 4_000_000, 4), (BASE + 60_000_000, 10)];
    for (micros, offset) in cases {
        assert_eq!(consumer.offset_for_time(&TOPIC, 0, micros), Ok(offset));
    }
}

pub(super) fn offsets_of_an_empty_topic(make: &Make<'_>) {
    let bus = make(topic(1));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    assert_eq!(consumer.low_offset(&TOPIC, 0), Ok(0));
    assert_eq!(consumer.end_offset(&TOPIC, 0), Ok(0));
    assert_eq!(consumer.offset_for_time(&TOPIC, 0, 0), Ok(0));
    let mut out = Vec::new();
    assert_eq!(consumer.poll(1, usize::MAX, Duration::ZERO, &mut out), Ok(0));
    send_all(bus.as_ref(), [record(0, "k", "v")]);
    assert_eq!(consumer.end_offset(&TOPIC, 0), Ok(1));
}

pub(super) fn assign_replaces(make: &Make<'_>) {
    let bus = make(topic(2));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    consumer.assign(vec![start(1, Offset::Earliest)]).expect("assignment succeeds");
    send_all(bus.as_ref(), [record(0, "k", "zero"), record(1, "k", "one")]);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["one"]);
    let seek = consumer.seek(start(0, Offset::Earliest));
    assert_eq!(seek, Err(ConsumeError::UnknownPartition(TOPIC, 0)), "not assigned any more");
    assert_eq!(consumer.next_offset(&TOPIC, 0), None);
    let mut out = Vec::new();
    assert_eq!(consumer.poll(1, usize::MAX, POLL, &mut out), Ok(0), "{out:?}");
}

pub(super) fn unknown_places(make: &Make<'_>) {
    let bus = make(topic(1));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    let elsewhere = TopicName::from_static("contract.elsewhere");
    let unknown_topic = ConsumeError::UnknownTopic(elsewhere.clone());
    assert_eq!(consumer.partitions(&elsewhere), Err(unknown_topic.clone()));
    assert_eq!(consumer.end_offset(&elsewhere, 0), Err(unknown_topic));
    let beyond = ConsumeError::UnknownPartition(TOPIC, 1);
    assert_eq!(consumer.low_offset(&TOPIC, 1), Err(beyond.clone()));
    assert_eq!(consumer.assign(vec![start(1, Offset::Latest)]), Err(beyond));
    send_all(bus.as_ref(), [record(0, "k", "v")]);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["v"], "the old assignment stays");
}

pub(super) fn offset_out_of_range(make: &Make<'_>) {
    let bus = make(topic(2));
    send_all(bus.as_ref(), (0..3).map(|n| record(0, "k", &n.to_string())));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    let starts = vec![start(0, Offset::At(50)), start(1, Offset::Earliest)];
    consumer.assign(starts).expect("assignment succeeds");
    let told = read_error(consumer.as_mut());
    let expected =
        ConsumeError::OffsetOutOfRange { topic: TOPIC, partition: 0, wanted: 50, low: 0, end: 3 };
    assert_eq!(told, expected);
    send_all(bus.as_ref(), [record(1, "k", "other")]);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["other"], "others go on");
    consumer.seek(start(0, Offset::At(2))).expect("seeking succeeds");
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["2"], "and it goes on once moved");
}

/// A broker keeps compressed batches: bytes that shrink would never reach the bound.
fn incompressible(bytes: usize) -> Bytes {
    let next = |state: &mut u64| {
        // Marsaglia's xorshift.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        Some(*state as u8)
    };
    let mut state = 0x9e37_79b9_7f4a_7c15;
    std::iter::from_fn(|| next(&mut state)).take(bytes).collect()
}

pub(super) fn retention_is_told(make: &Make<'_>) {
    const RECORD_BYTES: usize = 64 * 1024;
    const SENT: u64 = 160;
    let retention = Retention::bytes(1024 * 1024);
    let bus = make(vec![TopicSpec {
        name: TOPIC,
        partitions: 1,
        retention,
        compacted: false,
        at_least: false,
    }]);
    let mut behind = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    let value = incompressible(RECORD_BYTES);
    send_all(
        bus.as_ref(),
        (0..SENT).map(|_| Record { value: Some(value.clone()), ..record(0, "k", "") }),
    );
    let mut low = 0;
    for _ in 0..EMPTY_POLLS_MAX {
        low = behind.low_offset(&TOPIC, 0).expect("the low offset is known");
        if low > 0 {
            break;
        }
        let mut waiting = consumer_from(bus.as_ref(), &TOPIC, Offset::Latest);
        let _ = waiting.poll(1, 1, POLL, &mut Vec::new());
    }
    assert!(low > 0 && low < SENT, "old records went, new ones are kept: low is {low}");
    behind.assign(vec![start(0, Offset::At(0))]).expect("assignment succeeds");
    match read_error(behind.as_mut()) {
        ConsumeError::OffsetOutOfRange { wanted: 0, low: told, end: SENT, .. } => {
            assert!(told >= low);
        }
        other => panic!("expected out of range, got {other}"),
    }
    behind.seek(start(0, Offset::Earliest)).expect("seeking succeeds");
    let first = read(behind.as_mut(), 1).remove(0);
    assert!(first.offset >= low);
}

pub(super) fn wake(make: &Make<'_>) {
    const LONG: Duration = Duration::from_secs(60);
    let bus = make(topic(1));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Latest);
    let waker = consumer.waker();
    let mut out = Vec::new();
    waker.wake();
    assert_eq!(consumer.poll(1, usize::MAX, LONG, &mut out), Ok(0), "a wake is remembered");
    std::thread::scope(|scope| {
        let asleep = scope.spawn(|| consumer.poll(1, usize::MAX, LONG, &mut out));
        waker.clone().wake();
        assert_eq!(asleep.join().expect("the poll returns"), Ok(0));
    });
    std::thread::scope(|scope| {
        let asleep = scope.spawn(|| read(consumer.as_mut(), 1));
        send_all(bus.as_ref(), [record(0, "k", "v")]);
        let got = asleep.join().expect("the poll returns");
        assert_eq!(values(&got), ["v"], "a record wakes too");
    });
}
