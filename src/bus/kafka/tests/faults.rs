//! Against three real brokers: a leader that is killed, and one that is paused, lose and double
//! nothing. Needs `FANTAIL_KAFKA` to name three brokers that `tests/kafka/broker.sh` started; it
//! is that script which plays the faults.

use std::process::Command;
use std::time::Duration;

use fantail_ops::clock::Clock;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{FLUSH, broker, open, reading, record, spec};
use crate::kafka::context::AskingContext;
use crate::kafka::{KafkaConfig, client};
use crate::{Bus, Consumer, Delivered, Offset, Producer, TopicName};

/// Records on their way at most, so that sender and reader stay together.
const AHEAD_MAX: u64 = 2_000;
/// What one phase of a fault must bring through.
const PHASE_RECORDS: u64 = 3_000;
/// How long a phase may take: an election, and the client finding its result.
const PHASE_MAX: Duration = Duration::from_secs(60);

fn play(fault: &str, node: i32) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kafka/broker.sh");
    let done = Command::new(script).args([fault, &node.to_string()]).status().unwrap();
    assert!(done.success(), "{fault} {node}");
}

fn leader(config: &KafkaConfig, topic: &TopicName) -> i32 {
    let asking: BaseConsumer<AskingContext> =
        client::enquirer(config).create_with_context(AskingContext).unwrap();
    let metadata = asking.fetch_metadata(Some(topic.as_str()), FLUSH).unwrap();
    metadata.topics()[0].partitions()[0].leader()
}

struct Stream {
    topic: TopicName,
    producer: Box<dyn Producer>,
    consumer: Box<dyn Consumer>,
    clock: Clock,
    sent: u64,
    seen: u64,
}

impl Stream {
    /// Sends and reads until a phase's worth has come. Returns the longest silence.
    fn run(&mut self) -> Duration {
        let (until, mut out) = (self.seen + PHASE_RECORDS, Vec::new());
        let started = self.clock.monotonic();
        let (mut last, mut silence) = (started, Duration::ZERO);
        while self.seen < until {
            for _ in 0..20 {
                if self.sent >= until || self.sent - self.seen >= AHEAD_MAX {
                    break;
                }
                self.producer.send(record(&self.topic, 0, &self.sent.to_string())).unwrap();
                self.sent += 1;
            }
            // Errors are told while brokers are away; what counts is that nothing is missing.
            let _ = self.consumer.poll(1_000, usize::MAX, Duration::from_millis(5), &mut out);
            let now = self.clock.monotonic();
            if !out.is_empty() {
                silence = silence.max(now - last);
                last = now;
            }
            out.drain(..).for_each(|delivered| self.check(&delivered));
            assert!(now - started < PHASE_MAX, "{} of {} came", self.seen, self.sent);
        }
        silence
    }

    fn check(&mut self, delivered: &Delivered) {
        let value = delivered.record.value.as_deref().unwrap_or_default();
        let expected = self.seen.to_string();
        assert_eq!(value, expected.as_bytes(), "nothing lost, doubled or reordered");
        self.seen += 1;
    }
}

#[test]
fn a_lost_leader_costs_time_and_nothing_else() {
    let Some(address) = broker::address("faults of a real Kafka") else { return };
    if address.split(',').count() < 3 {
        eprintln!("SKIPPED faults of a real Kafka: FANTAIL_KAFKA names fewer than three brokers");
        return;
    }
    let config = KafkaConfig { replication: 3, ..KafkaConfig::plain(&address) };
    let topic = TopicName::from_static("faults.events");
    broker::afresh(&config, &[spec(topic.clone(), 1)]);
    let bus = open(&address);
    let mut stream = Stream {
        producer: bus.producer().unwrap(),
        consumer: reading(&bus, &topic, 1, Offset::Earliest),
        clock: Clock::system(),
        sent: 0,
        seen: 0,
        topic: topic.clone(),
    };
    stream.run();
    for (fault, repair) in [("kill", "restart"), ("pause", "resume")] {
        let node = leader(&config, &topic);
        play(fault, node);
        let away = stream.run();
        play(repair, node);
        let back = stream.run();
        eprintln!("kafka {fault} of the leader: silent for {away:?}, after {repair} {back:?}");
    }
    stream.producer.flush(FLUSH).unwrap();
    assert_eq!(stream.producer.lost(), 0);
}
