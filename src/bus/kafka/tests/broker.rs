//! Against a real Apache Kafka, where `FANTAIL_KAFKA` names one: the whole contract, making and
//! checking topics.

use std::env;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::error::RDKafkaErrorCode;

use super::{EMPTY_POLLS_MAX, POLL, open, spec};
use crate::kafka::context::AskingContext;
use crate::kafka::topics::{self, Fault, TopicFault, TopicsError};
use crate::kafka::wait::wait_for;
use crate::kafka::{KafkaConfig, client};
use crate::{Bus, ConsumeError, Offset, Retention, Start, TopicName, TopicSpec, contract};

/// The broker's address, or `None` after a loud line; fails if a broker is required.
pub(super) fn address(test: &str) -> Option<String> {
    if let Some(address) = env::var("FANTAIL_KAFKA").ok().filter(|address| !address.is_empty()) {
        return Some(address);
    }
    let required = env::var("FANTAIL_REQUIRE").unwrap_or_default();
    assert!(
        !required.split([',', ' ']).any(|name| name == "kafka"),
        "kafka is required by FANTAIL_REQUIRE, but FANTAIL_KAFKA names no broker"
    );
    eprintln!(
        "SKIPPED {test}: needs a real Kafka: tests/kafka/broker.sh start, then set \
         FANTAIL_KAFKA=127.0.0.1:19092 (or `just test-kafka`)"
    );
    None
}

/// Deletes what is left of these topics and makes them anew, waiting for the broker to be done
/// with both.
pub(super) fn afresh(config: &KafkaConfig, specs: &[TopicSpec]) {
    let admin: AdminClient<AskingContext> =
        client::admin(config).create_with_context(AskingContext).unwrap();
    let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let options = AdminOptions::new()
        .request_timeout(Some(Duration::from_secs(20)))
        .operation_timeout(Some(Duration::from_secs(20)));
    for _ in 0..EMPTY_POLLS_MAX {
        let told = wait_for(admin.delete_topics(&names, &options)).unwrap();
        let gone = |told: &Result<_, (_, _)>| {
            matches!(told, Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)))
        };
        if !told.iter().all(gone) {
            continue;
        }
        match topics::create(config, specs) {
            Ok(made) if made.len() == specs.len() => return,
            // Deleted here, not yet forgotten there.
            Ok(_) | Err(TopicsError::Wrong(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the topics could not be made anew");
}

/// Waits until every partition has a leader that answers.
fn settled(bus: &dyn Bus, specs: &[TopicSpec]) {
    let mut consumer = bus.consumer().unwrap();
    for spec in specs {
        for partition in 0..spec.partitions {
            let settles = (0..EMPTY_POLLS_MAX).any(|_| {
                let answers = consumer.end_offset(&spec.name, partition).is_ok();
                // Nothing is assigned, so this only waits.
                let _ = answers || consumer.poll(1, 1, POLL, &mut Vec::new()).is_ok();
                answers
            });
            assert!(settles, "{} settles", spec.name);
        }
    }
}

#[test]
fn passes_the_contract() {
    let Some(address) = address("the contract on a real Kafka") else { return };
    let config = KafkaConfig::plain(&address);
    contract::check(&|specs| {
        afresh(&config, &specs);
        let bus = open(&address);
        settled(&bus, &specs);
        Box::new(bus)
    });
}

#[test]
fn topics_are_made_once_and_checked() {
    let Some(address) = address("making topics on a real Kafka") else { return };
    let config = KafkaConfig::plain(&address);
    let plain = spec(TopicName::from_static("check.events"), 3);
    let state = TopicSpec { compacted: true, ..spec(TopicName::from_static("check.state"), 1) };
    let specs = [plain.clone(), state.clone()];
    afresh(&config, &specs);
    assert_eq!(topics::create(&config, &specs), Ok(Vec::new()), "they are there already");
    assert_eq!(topics::check(&config, &specs), Ok(()));
    let missing = spec(TopicName::from_static("check.missing"), 1);
    let wrong = [
        TopicSpec { partitions: 4, ..plain },
        TopicSpec { compacted: false, ..state },
        missing.clone(),
    ];
    let fault = |topic: &TopicSpec, fault| TopicFault { topic: topic.name.clone(), fault };
    let expected = vec![
        fault(&wrong[0], Fault::Partitions { wanted: 4, found: 3 }),
        fault(&wrong[1], Fault::Cleanup { wanted: "delete", found: "compact".to_owned() }),
        fault(&missing, Fault::Missing),
    ];
    let told = topics::check(&config, &wrong);
    assert_eq!(told, Err(TopicsError::Wrong(expected)));
    let text = told.unwrap_err().to_string();
    for part in ["check.events: has 3 partitions", "check.state: has cleanup", "topics create"] {
        assert!(text.contains(part), "{text}");
    }
    let many = KafkaConfig { replication: 5, ..config };
    let refused = topics::create(&many, &[missing]).unwrap_err().to_string();
    assert!(refused.contains("check.missing") && refused.contains("replication"), "{refused}");
}

#[test]
fn a_deleted_topic_is_told_to_who_reads_it() {
    let Some(address) = address("deleting a topic under a reader") else { return };
    let config = KafkaConfig::plain(&address);
    let topic = TopicName::from_static("check.deleted");
    let specs = [TopicSpec { retention: Retention::bytes(1 << 24), ..spec(topic.clone(), 1) }];
    afresh(&config, &specs);
    let bus = open(&address);
    settled(&bus, &specs);
    let mut producer = bus.producer().unwrap();
    super::send_all(producer.as_mut(), (0..3).map(|n| super::record(&topic, 0, &n.to_string())));
    let mut consumer = super::reading(&bus, &topic, 1, Offset::Earliest);
    super::read(consumer.as_mut(), 3);
    afresh(&config, &specs);
    settled(&bus, &specs);
    // The new topic is shorter than where the reader stands: told, not skipped.
    let mut told = None;
    for _ in 0..EMPTY_POLLS_MAX {
        let polled = consumer.poll(1, usize::MAX, POLL, &mut Vec::new());
        if let Err(crate::ConsumeError::OffsetOutOfRange { wanted, .. }) = polled {
            told = Some(wanted);
            break;
        }
    }
    assert_eq!(told, Some(3));
    consumer.seek(Start { topic: topic.clone(), partition: 0, from: Offset::Earliest }).unwrap();
    super::send_all(producer.as_mut(), [super::record(&topic, 0, "new")]);
    assert_eq!(super::values(&super::read(consumer.as_mut(), 1)), ["new"]);
}

#[test]
fn d09_partitions_added_to_a_topic_move_nobody_who_runs() {
    let Some(address) = address("growing a topic under its writers and readers") else { return };
    let config = KafkaConfig::plain(&address);
    let topic = TopicName::from_static("check.grown");
    let small = TopicSpec { at_least: true, ..spec(topic.clone(), 2) };
    afresh(&config, std::slice::from_ref(&small));
    let bus = open(&address);
    settled(&bus, std::slice::from_ref(&small));
    let mut producer = bus.producer().unwrap();
    let mut consumer = super::reading(&bus, &topic, 2, Offset::Earliest);
    let both = |text: &str| [0, 1].map(|partition| super::record(&topic, partition, text));
    super::send_all(producer.as_mut(), both("before"));
    super::read(consumer.as_mut(), 2);
    let large = TopicSpec { partitions: 5, ..small };
    assert_eq!(topics::create(&config, std::slice::from_ref(&large)), Ok(Vec::new()));
    settled(&open(&address), std::slice::from_ref(&large));
    // Who started before goes on with the partitions it knows: every channel stays where it is.
    assert_eq!(producer.partitions(&topic), Some(2));
    super::send_all(producer.as_mut(), both("after"));
    assert_eq!(super::values(&super::read(consumer.as_mut(), 2)), ["after"; 2]);
    // Who starts now is told that the count is not the configured one.
    let strict = spec(topic.clone(), 2);
    let fault = Fault::Partitions { wanted: 2, found: 5 };
    let wrong = TopicsError::Wrong(vec![TopicFault { topic, fault }]);
    assert_eq!(topics::check(&config, &[strict]), Err(wrong));
}

/// Somebody raises a topic's count, or deletes it, while everybody runs.
#[test]
fn a_raised_count_is_seen_and_moves_no_key_and_a_deleted_topic_is_missed() {
    let Some(address) = address("changed topics on a real Kafka") else { return };
    let config = KafkaConfig::plain(&address);
    let name = TopicName::from_static("broker.changed");
    afresh(&config, &[spec(name.clone(), 1)]);
    let bus = open(&address);
    let (mut consumer, producer) = (bus.consumer().unwrap(), bus.producer().unwrap());
    assert_eq!((consumer.partitions(&name), producer.partitions(&name)), (Ok(1), Some(1)));
    let more = TopicSpec { at_least: true, ..spec(name.clone(), 3) };
    // Its own look at the new count may come too early on a busy broker; ours below does not.
    let _ = topics::create(&config, &[more]);
    let until = |what: &str, mut holds: Box<dyn FnMut() -> bool + '_>| {
        let mut waiting = bus.consumer().unwrap();
        let came = (0..EMPTY_POLLS_MAX)
            .any(|_| holds() || waiting.poll(1, 1, POLL, &mut Vec::new()).is_err());
        assert!(came, "{what}");
    };
    until("three partitions", Box::new(|| consumer.partitions(&name) == Ok(3)));
    assert_eq!(producer.partitions(&name), Some(1), "keys stay where they are");
    let admin: AdminClient<AskingContext> =
        client::admin(&config).create_with_context(AskingContext).unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    wait_for(admin.delete_topics(&[name.as_str()], &options)).unwrap();
    let gone = Err(ConsumeError::UnknownTopic(name.clone()));
    until("a topic that is gone", Box::new(|| consumer.partitions(&name) == gone));
}
