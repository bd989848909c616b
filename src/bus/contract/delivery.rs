//! Promises about what arrives: all of it, in order, unchanged, at everyone.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    COMPACTED, EMPTY_POLLS_MAX, Make, POLL, TOPIC, compacted, consumer_from, read, record, send,
    send_all, topic, values,
};
use crate::{Headers, Offset, Record, SendError, TopicName, limits};

pub(super) fn order_per_partition(make: &Make<'_>) {
    let bus = make(topic(3));
    send_all(bus.as_ref(), (0..300).map(|n| record(n % 3, "k", &n.to_string())));
    let got = read(consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest).as_mut(), 300);
    for partition in 0..3 {
        let mine: Vec<_> = got.iter().filter(|d| d.record.partition == partition).collect();
        assert_eq!(mine.len(), 100);
        for (at, delivered) in mine.iter().enumerate() {
            let expected = (at * 3 + partition as usize).to_string();
            assert_eq!(delivered.record.value.as_deref(), Some(expected.as_bytes()));
            assert_eq!(delivered.offset, at as u64, "offsets are dense from 0");
        }
    }
}

pub(super) fn broadcast(make: &Make<'_>) {
    let bus = make(topic(1));
    let mut consumers: Vec<_> =
        (0..3).map(|_| consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest)).collect();
    send_all(bus.as_ref(), (0..10).map(|n| record(0, "k", &n.to_string())));
    let seen: Vec<_> = consumers.iter_mut().map(|c| values(&read(c.as_mut(), 10))).collect();
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "everyone sees everything");
}

pub(super) fn round_trip(make: &Make<'_>) {
    let bus = make(topic(2));
    let pairs: [(&str, &[u8]); 4] =
        [("schema", b"1"), ("seq", &7_u64.to_be_bytes()), ("empty", b""), ("bytes", &[0, 255, 10])];
    let sent = Record {
        topic: TOPIC,
        partition: 1,
        key: Bytes::from_static(&[0, 1, 2, 255]),
        value: Some(Bytes::from_static(&[0xff, 0, b'\n'])),
        headers: Headers::from_pairs(&pairs).expect("these headers are small"),
        timestamp_micros: 1_700_000_000_123_000,
    };
    let empty = Record { value: Some(Bytes::new()), headers: Headers::none(), ..sent.clone() };
    send_all(bus.as_ref(), [sent.clone(), empty.clone()]);
    let got = read(consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest).as_mut(), 2);
    assert_eq!(got[0].record, sent);
    assert_eq!(got[0].record.headers.iter().collect::<Vec<_>>(), pairs, "order is kept");
    assert_eq!(got[1].record, empty, "an empty value is no tombstone");
}

pub(super) fn tombstones(make: &Make<'_>) {
    let bus = make(compacted());
    let tombstone = Record { topic: COMPACTED, value: None, ..record(0, "gone", "") };
    let living = Record { topic: COMPACTED, ..record(0, "gone", "here") };
    let mut consumer = consumer_from(bus.as_ref(), &COMPACTED, Offset::Latest);
    send_all(bus.as_ref(), [living]);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["here"]);
    send_all(bus.as_ref(), [tombstone]);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["-"], "who reads live sees the deletion");
}

pub(super) fn compaction_keeps_the_last(make: &Make<'_>) {
    let bus = make(compacted());
    let state = |key: String, value: Option<String>| Record {
        topic: COMPACTED,
        value: value.map(Bytes::from),
        ..record(0, &key, "")
    };
    let rounds = (0..20).flat_map(|round| (0..5).map(move |key| (key, round)));
    send_all(
        bus.as_ref(),
        rounds
            .map(|(key, round)| state(format!("k{key}"), Some(format!("v{round}"))))
            .chain([state("k3".to_owned(), None), state("last".to_owned(), Some("x".to_owned()))]),
    );
    let mut consumer = consumer_from(bus.as_ref(), &COMPACTED, Offset::Earliest);
    let end = consumer.end_offset(&COMPACTED, 0).expect("the end is known");
    assert_eq!(end, 102, "every record got its own offset");
    let (mut view, mut next, mut out) = (BTreeMap::new(), 0, Vec::new());
    for _ in 0..EMPTY_POLLS_MAX {
        consumer.poll(7, usize::MAX, POLL, &mut out).expect("polling succeeds");
        for delivered in out.drain(..) {
            assert!(delivered.offset >= next, "offsets only grow");
            next = delivered.offset + 1;
            match delivered.record.value {
                Some(value) => view.insert(delivered.record.key, value),
                None => view.remove(&delivered.record.key),
            };
        }
        if next == end {
            break;
        }
    }
    let expected = [("k0", "v19"), ("k1", "v19"), ("k2", "v19"), ("k4", "v19"), ("last", "x")]
        .map(|(k, v)| (Bytes::from_static(k.as_bytes()), Bytes::from_static(v.as_bytes())));
    assert_eq!(view, BTreeMap::from(expected));
}

pub(super) fn poll_bounds(make: &Make<'_>) {
    let bus = make(topic(1));
    send_all(bus.as_ref(), (0..50).map(|_| record(0, "k", &"x".repeat(99))));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    read(consumer.as_mut(), 1);
    let mut polls = Vec::new();
    for (max_records, max_bytes) in [(7, usize::MAX), (100, 250), (100, 1)] {
        let mut out = Vec::new();
        for _ in 0..EMPTY_POLLS_MAX {
            let got = consumer.poll(max_records, max_bytes, POLL, &mut out);
            if got.expect("polling succeeds") > 0 {
                break;
            }
        }
        polls.push(out.len());
    }
    assert!((1..=7).contains(&polls[0]), "at most max_records: {polls:?}");
    assert!((1..=3).contains(&polls[1]), "stops once max_bytes are reached: {polls:?}");
    assert_eq!(polls[2], 1, "one record is always delivered");
}

pub(super) fn no_partition_starves(make: &Make<'_>) {
    let bus = make(topic(2));
    let many = (0..5_000).map(|n| record(0, "busy", &n.to_string()));
    send_all(bus.as_ref(), many.chain([record(1, "quiet", "q")]));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    let got = read(consumer.as_mut(), 5_001);
    let quiet = got.iter().filter(|d| d.record.partition == 1).count();
    assert_eq!(quiet, 1);
}

pub(super) fn many_producers(make: &Make<'_>) {
    const THREADS: usize = 4;
    const EACH: usize = 500;
    let bus = make(topic(2));
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Latest);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let bus = bus.as_ref();
            scope.spawn(move || {
                let key = thread.to_string();
                let one = |n: usize| record((n % 2) as u32, &key, &n.to_string());
                send_all(bus, (0..EACH).map(one));
            });
        }
        let got = read(consumer.as_mut(), THREADS * EACH);
        let mut last = BTreeMap::new();
        for delivered in got {
            let value = String::from_utf8_lossy(delivered.record.value.as_deref().unwrap_or(b"?"))
                .parse::<usize>()
                .expect("a number was sent");
            let place = (delivered.record.key, delivered.record.partition);
            let before = last.insert(place, value);
            assert!(before.is_none_or(|before| before < value), "a producer's order is kept");
        }
    });
}

pub(super) fn refusals(make: &Make<'_>) {
    let bus = make(topic(1));
    let mut producer = bus.producer().expect("a producer opens");
    assert_eq!(producer.partitions(&TOPIC), Some(1));
    let elsewhere = TopicName::from_static("contract.elsewhere");
    assert_eq!(producer.partitions(&elsewhere), None);
    let large = Bytes::from(vec![0; limits::RECORD_BYTES_MAX + 1]);
    let large = producer.send(Record { value: Some(large), ..record(0, "k", "") });
    assert!(matches!(large, Err(SendError::TooLarge { .. })), "{large:?}");
    let lost = producer.send(Record { topic: elsewhere.clone(), ..record(0, "k", "v") });
    assert_eq!(lost, Err(SendError::UnknownTopic(elsewhere)));
    let beyond = producer.send(record(1, "k", "v"));
    assert_eq!(beyond, Err(SendError::UnknownPartition(TOPIC, 1)));
    send(producer.as_mut(), record(0, "k", "fine"));
    producer.flush(super::FLUSH).expect("flush succeeds");
    let mut consumer = consumer_from(bus.as_ref(), &TOPIC, Offset::Earliest);
    assert_eq!(values(&read(consumer.as_mut(), 1)), ["fine"], "nothing refused was stored");
}
