//! Each property alone: the smallest history that breaks it, and its honest twin.

use super::market::{CHANNELS, Fact, What};
use crate::check::{Checker, Property, Verdict};
use crate::history::{Entry, Reader, Shown, Writer};
use crate::place::Place;
use crate::recorder::{Noted, Recorder};
use crate::truth::{Spot, Truth};

const EPOCH: u64 = 7_000;

fn trade(epoch: u64, seq: u64, price: i64) -> Fact {
    let what = What::Trade { id: (epoch + seq).to_string(), price };
    let place = Place::new(epoch, seq);
    Fact { channel: 0, place, prev: seq - 1, reset: seq == 1, rx: 1, what }
}

fn truth(facts: &[Fact]) -> Truth {
    let mut truth = Truth::default();
    for (offset, fact) in facts.iter().enumerate() {
        let spot = Spot { topic: "t", partition: 0, offset: offset as i64 };
        truth.take(spot, &fact.record()).unwrap();
    }
    truth
}

/// What a client is sent after it subscribed at the first event.
fn judged(truth: &Truth, messages: &[String]) -> Verdict {
    judged_in(CHANNELS[0], truth, messages)
}

fn judged_in(channel: &str, truth: &Truth, messages: &[String]) -> Verdict {
    let mut recorder = Recorder::new(Vec::new(), &[channel.to_owned()]).unwrap();
    recorder.open(1, "node").unwrap();
    recorder.subscribe(10).unwrap();
    let ack = format!(
        r#"{{"type":"subscribed","id":1,"channels":[{{"channel":"{}","ch":1,"epoch":{EPOCH},"seq":1}}]}}"#,
        channel
    );
    recorder.take(&ack, 2).unwrap();
    for message in messages {
        recorder.take(message, 3).unwrap();
    }
    let history = recorder.end(4, true).unwrap();
    let mut checker = Checker::new(truth);
    checker.history("client", &history[..]).unwrap();
    checker.finish()
}

#[track_caller]
fn check(messages: &[String], wanted: &[(Property, u64)]) {
    let facts: Vec<Fact> = (1..=4).map(|seq| trade(EPOCH, seq, seq as i64)).collect();
    let verdict = judged(&truth(&facts), messages);
    let found: Vec<(Property, u64)> = verdict.violations.clone().into_iter().collect();
    assert_eq!(found, wanted, "{verdict}");
}

fn sent(seqs: &[u64]) -> Vec<String> {
    seqs.iter().map(|seq| trade(EPOCH, *seq, *seq as i64).json(CHANNELS[0], "")).collect()
}

#[test]
fn chains() {
    check(&sent(&[2, 3, 4]), &[]);
    check(&sent(&[2, 3]), &[(Property::Unseen, 1)]);
    check(&sent(&[2, 4]), &[(Property::Skip, 1), (Property::Lost, 1)]);
    check(&sent(&[2, 4, 3]), &[(Property::Nonmonotonic, 1), (Property::Skip, 1)]);
    check(&sent(&[2, 3, 3, 4]), &[(Property::Duplicate, 1)]);
    // A hole with a good story: it says that it continues what it does not.
    let mut told = sent(&[2, 4]);
    told[1] = told[1].replace(r#""prev":3"#, r#""prev":2"#);
    check(&told, &[(Property::Skip, 1), (Property::Lost, 1)]);
}

#[test]
fn contents() {
    let mut messages = sent(&[2, 3, 4]);
    messages[1] = messages[1].replace("0.03", "0.04");
    check(&messages, &[(Property::Inconsistent, 1)]);
    let beyond = sent(&[2, 3, 4, 5]);
    check(&beyond, &[(Property::Phantom, 1)]);
    let other = trade(EPOCH, 2, 2).json(CHANNELS[1], "").replace(r#""seq""#, r#""epoch":7,"seq""#);
    check(&[sent(&[2, 3, 4]), vec![other]].concat(), &[(Property::Phantom, 1)]);
    check(&[sent(&[2, 3, 4]), vec!["{".into()]].concat(), &[(Property::Strange, 1)]);
}

#[test]
fn merged_values() {
    let ticker = |seq, last| {
        let what = What::Ticker { last };
        Fact { channel: 4, what, ..trade(EPOCH, seq, 1) }
    };
    let truth = truth(&[ticker(1, 10), ticker(2, 20), ticker(3, 30)]);
    // The record at seq 3 has no venue time; the merged message has an earlier event's.
    let merged = |last| Fact { prev: 1, ..ticker(3, last) }.json(CHANNELS[4], r#""n":2,"ts":5,"#);
    assert!(judged_in(CHANNELS[4], &truth, &[merged(30)]).clean);
    let verdict = judged_in(CHANNELS[4], &truth, &[merged(20)]);
    assert_eq!(verdict.count(Property::Inconsistent), 1, "{verdict}");
    let alone = ticker(2, 20).json(CHANNELS[4], r#""ts":5,"#);
    let verdict = judged_in(CHANNELS[4], &truth, &[alone, ticker(3, 30).json(CHANNELS[4], "")]);
    assert_eq!(verdict.count(Property::Inconsistent), 1, "a single event is compared whole");
}

#[test]
fn gaps() {
    let gap = |from: u64, to: u64| {
        let channel = CHANNELS[0];
        format!(
            r#"{{"type":"gap","channel":"{channel}","epoch":{EPOCH},"from":{from},"to":{to},"reason":"r"}}"#
        )
    };
    let all = |gap: String| [vec![gap], sent(&[4])].concat();
    check(&all(gap(2, 3)), &[(Property::FalseGap, 1)]);
    // The same, where the log has lost them: the log's finding, not the gateway's.
    let mut facts = [trade(EPOCH, 1, 1), trade(EPOCH, 4, 4)];
    facts[0].what = What::Trade { id: "no number".into(), price: 1 };
    let verdict = judged(&truth(&facts), &all(gap(2, 3)));
    assert_eq!(verdict.violations.into_iter().collect::<Vec<_>>(), [(Property::LogHole, 1)]);
    // And where retention has removed them.
    let facts: Vec<Fact> = (1..=4).map(|seq| trade(EPOCH, seq, seq as i64)).collect();
    let mut kept = truth(&facts);
    kept.retained_from(CHANNELS[0], Place::new(EPOCH, 4));
    assert!(judged(&kept, &all(gap(2, 3))).clean);
    assert_eq!(judged(&kept, &all(gap(2, 2))).count(Property::Skip), 1);
    assert_eq!(judged(&kept, &all(gap(2, 4))).count(Property::FalseGap), 1);
}

#[test]
fn the_log_itself() {
    let two_owners = [trade(EPOCH, 1, 1), trade(EPOCH, 2, 2), trade(EPOCH, 2, 9)];
    let verdict = Checker::new(&truth(&two_owners)).finish();
    assert_eq!(verdict.count(Property::Interleaved), 1);
    let fenced =
        [trade(EPOCH, 1, 1), trade(EPOCH + 1, 1, 3), trade(EPOCH, 2, 2), trade(EPOCH + 1, 2, 4)];
    let verdict = Checker::new(&truth(&fenced)).finish();
    assert!(verdict.clean && verdict.bus.fenced == 1, "{verdict}");
    let silent = [
        trade(EPOCH, 1, 1),
        Fact { what: What::Trade { id: "7005".into(), price: 1 }, ..trade(EPOCH, 2, 1) },
    ];
    let verdict = Checker::new(&truth(&silent)).finish();
    assert_eq!(verdict.count(Property::FeedSilent), 3, "trades 7002 to 7004 vanished");
}

#[test]
fn a_history_reads_as_it_was_written_and_up_to_a_cut() {
    let place = Place::new(u64::MAX, 3);
    let (at, reason) = (1_790_000_000_000_000, "because é".to_owned());
    let entries = [
        Entry::Name { channel: 0, name: "book:a:B-C".into() },
        Entry::Open { at, node: "gw-1".into() },
        Entry::Subscribe { channel: 0, from: None },
        Entry::Subscribe { channel: 0, from: Some(place) },
        Entry::Acknowledged { channel: 0, place: None, resumed: false },
        Entry::Acknowledged { channel: 0, place: Some(place), resumed: true },
        Entry::Refused { channel: 0, code: "FORBIDDEN".into() },
        Entry::Snapshot { channel: 0, place: None, state: 0, shown: Shown::Book, reset: false, at },
        Entry::Snapshot {
            channel: 0,
            place: Some(Place::new(4, 9)),
            state: 5,
            shown: Shown::Value,
            reset: true,
            at: at - 9,
        },
        Entry::Event { channel: 0, place: Place::new(5, 1), prev: 0, n: 1, hash: 1, state: 2, at },
        Entry::Event {
            channel: 7,
            place: Place::new(5, 9),
            prev: 4,
            n: 5,
            hash: u64::MAX,
            state: 0,
            at,
        },
        Entry::Gap { channel: 0, epoch: 5, from: 2, to: Some(1), reason: reason.clone(), at },
        Entry::Gap { channel: 0, epoch: 6, from: 1, to: None, reason: reason.clone(), at },
        Entry::Strange { why: reason.clone(), at },
        Entry::Slow { at: at + 1 },
        Entry::Closed { at, code: 4409, reason },
        Entry::End { at, healthy: true },
        Entry::End { at, healthy: false },
    ];
    let mut writer = Writer::new(Vec::new()).unwrap();
    for entry in &entries {
        writer.write(entry).unwrap();
    }
    let bytes = writer.into_inner();
    let read =
        |bytes: &[u8]| -> Vec<Entry> { Reader::new(bytes).unwrap().map(Result::unwrap).collect() };
    assert_eq!(read(&bytes), entries);
    for cut in 8..bytes.len() {
        let left = read(&bytes[..cut]);
        assert_eq!(left, entries[..left.len()], "cut at {cut}");
    }
    assert!(Reader::new(&b"FTHIST2\n"[..]).is_err());
}

#[test]
fn what_the_owner_of_the_socket_has_to_know() {
    let mut recorder =
        Recorder::new(Vec::new(), &["book:a:B-C".into(), "trade:a:B-C".into()]).unwrap();
    recorder.open(1, "n").unwrap();
    let first = recorder.subscribe(1).unwrap();
    assert_eq!(first[0], r#"{"op":"subscribe","id":1,"channels":[{"channel":"book:a:B-C"}]}"#);
    assert_eq!(first.len(), 2);
    let mut take = |text: &str| recorder.take(text, 1).unwrap();
    let noted =
        take(r#"{"type":"welcome","session":"s","node":"n","heartbeat_ms":2000,"limits":{}}"#);
    assert_eq!(noted.heartbeat_ms, Some(2_000));
    let ack = r#"{"type":"subscribed","id":1,"channels":[{"channel":"book:a:B-C","ch":1,"epoch":5,"seq":2}],"errors":[{"channel":"trade:a:B-C","code":"FORBIDDEN","message":"no"}]}"#;
    assert_eq!(take(ack), Noted { refused: true, ..Noted::default() });
    take(
        r#"{"type":"snapshot","channel":"book:a:B-C","epoch":5,"seq":2,"rx":77,"tx":1,"bids":[["1","2"]],"asks":[],"crc":1}"#,
    );
    take(
        r#"{"type":"book","channel":"book:a:B-C","seq":3,"prev":2,"rx":78,"tx":1,"bids":[],"asks":[]}"#,
    );
    let goodbye = take(r#"{"type":"goodbye","code":"RESTART","retry_after_ms":250}"#);
    assert_eq!(goodbye.retry_after_ms, Some(250));
    recorder.closed(2, 1012, "RESTART").unwrap();
    assert!(!recorder.is_live() && recorder.deliveries() == 2);
    let again = recorder.subscribe(10).unwrap();
    assert!(again[0].contains(r#"{"channel":"book:a:B-C","from":{"epoch":5,"seq":3,"rx":78}}"#));
    assert!(recorder.is_level(|name| name.starts_with("book").then_some(Place::new(5, 3))));
    assert!(!recorder.is_level(|_| Some(Place::new(5, 4))));
}
