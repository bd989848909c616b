//! How fast a feed's publisher hands events to a real Kafka, printed: a figure, never a verdict.
//! Run it optimised and alone:
//! `cargo test --release -p fantail-ingest --lib speed -- --nocapture` with `FANTAIL_KAFKA` set.

use std::env;
use std::fs::read_to_string;
use std::time::Duration;

use fantail_bus::kafka::{KafkaConfig, topics};
use fantail_bus::{Bus, KafkaBus, Retention, TopicSpec};
use fantail_model::{Decimal, Side, Symbol, Trade};
use fantail_ops::clock::Clock;
use fantail_ops::metrics::{BuildInfo, Metrics};

use super::*;
use crate::metrics::IngestMetrics;

const EVENTS: u64 = 2_000_000;
const SYMBOLS: u64 = 20;
/// Events between two waits for room: a publisher of live data is never that far ahead.
const BURST: u64 = 20_000;
const FLUSH: Duration = Duration::from_secs(30);

/// CPU seconds of this process's threads whose names start like this.
fn cpu_seconds(prefix: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_task = |task: std::fs::DirEntry| {
        let name = read_to_string(task.path().join("comm")).ok()?;
        let spent = read_to_string(task.path().join("schedstat")).ok()?;
        let nanos: f64 = spent.split_whitespace().next()?.parse().ok()?;
        name.starts_with(prefix).then_some(nanos / 1e9)
    };
    tasks.filter_map(of_task).sum()
}

fn trade(number: u64) -> Draft {
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    let body = Body::Trade(Trade {
        id: number.to_string(),
        price: decimal("61837.63"),
        size: decimal("0.01128"),
        side: if number.is_multiple_of(2) { Side::Buy } else { Side::Sell },
    });
    let rx = Micros(1_700_000_000_000_000);
    Draft { ts: Some(rx), rx, vseq: None, reset: false, body }
}

#[test]
fn speed_of_the_publisher() {
    let Some(brokers) = env::var("FANTAIL_KAFKA").ok().filter(|address| !address.is_empty()) else {
        eprintln!("SKIPPED the publisher's speed: needs a real Kafka (FANTAIL_KAFKA=host:port)");
        return;
    };
    let config = KafkaConfig::plain(&brokers);
    let spec = TopicSpec {
        name: TopicName::from_static("fantail.trade"),
        partitions: 4,
        retention: Retention::bytes(256 << 20),
        compacted: false,
        at_least: true,
    };
    topics::create(&config, &[spec]).unwrap();
    let bus = KafkaBus::open(config).unwrap();
    let clock = Clock::system();
    let build = BuildInfo { version: "test", commit: "test", role: "ingest".to_owned() };
    let metrics = IngestMetrics::new(&Metrics::new(build, &clock)).venue("binance");
    let producer = bus.producer().unwrap();
    let sequencer = Sequencer::with_epoch(1);
    let mut publisher = Publisher::new(producer, sequencer, RecordFormat::Protobuf, metrics);
    let slots: Vec<SlotId> = (0..SYMBOLS)
        .map(|n| {
            let symbol = Symbol::new(&format!("S{n}-USDT")).unwrap();
            let venue = VenueId::new("binance").unwrap();
            publisher.open(&Channel::new(Kind::Trade, venue, symbol))
        })
        .collect();
    let thread = std::thread::Builder::new().name("publisher".to_owned());
    let work = thread.spawn(move || {
        let mut busy = Duration::ZERO;
        for burst in 0..EVENTS / BURST {
            let started = clock.monotonic();
            for number in burst * BURST..(burst + 1) * BURST {
                let slot = slots[(number % SYMBOLS) as usize];
                assert!(publisher.publish(slot, trade(number)), "refused at {number}");
            }
            busy += clock.monotonic() - started;
            publisher.producer.flush(FLUSH).unwrap();
        }
        let (own, library) = (cpu_seconds("publisher"), cpu_seconds("rdk:"));
        eprintln!(
            "publisher: {:.0} events/s while publishing; {:.2} µs of its own CPU and {:.2} µs of the \
             client library's threads per event; {} lost",
            EVENTS as f64 / busy.as_secs_f64(),
            own * 1e6 / EVENTS as f64,
            library * 1e6 / EVENTS as f64,
            publisher.lost(),
        );
    });
    work.unwrap().join().unwrap();
}
