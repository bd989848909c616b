//! The warm start on a real Apache Kafka, where `FANTAIL_KAFKA` names one: two thousand
//! instruments, and a position read back from the broker. Times are printed, never judged.

use std::env;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use fantail_bus::kafka::{KafkaConfig, topics};
use fantail_bus::{
    Bus, KafkaBus, Producer, Record, Retention, SendError, TopicName, TopicSpec, stable_partition,
};
use fantail_model::{Body, BookChange, Channel, Event, Kind, Position, State, Symbol, VenueId};
use fantail_ops::clock::Clock;
use fantail_ops::health::Readiness;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::client::From;
use fantail_wire::record::{self, RecordRef};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::super::layout::Layout;
use super::super::{Mailboxes, Setup, Tail};
use super::encoded;
use crate::limits;
use crate::link::{TailLink, ToShard, ToTail, WantItem};
use crate::metrics::TailMetrics;
use crate::past::reader::Reader;
use crate::query::TailQueries;
use crate::scout::Scout;
use crate::seed::{Part, SessionKey};
use crate::strain::Strain;
use crate::testing::{PATIENCE, bbo, event, level, status, trade};
use crate::variant::Variants;

const INSTRUMENTS: u64 = 2_000;
const LEVELS: u64 = 500;
const PARTITIONS: u32 = 8;
/// Turns of snapshots a broker has not compacted yet.
const TURNS: u64 = 3;
/// Trades of each instrument since the last turn.
const TRADES: u64 = 30;
/// One instrument trades more than its ring holds, up to this seq: the ring keeps at least its
/// last group, which is at most a cycle's records, so everything in the first half is older.
const BUSY: u64 = 7;
const LAST: u64 = 2 * limits::CYCLE_RECORDS_MAX as u64;
const FLUSH: Duration = Duration::from_secs(60);

/// Makes these topics on the brokers, or checks them.
fn topics_made(config: &KafkaConfig) {
    let spec = |name| TopicSpec {
        name: TopicName::from_static(name),
        // The control topic has a partition for each unit of whoever worked on these brokers.
        partitions: if name == record::CONTROL { 1 } else { PARTITIONS },
        retention: Retention::bytes(1 << 30),
        compacted: Layout::COMPACTED.contains(&name),
        at_least: name == record::CONTROL,
    };
    topics::create(config, &Layout::topics().map(spec).collect::<Vec<_>>()).unwrap();
}

fn address() -> Option<String> {
    if let Some(address) = env::var("FANTAIL_KAFKA").ok().filter(|address| !address.is_empty()) {
        return Some(address);
    }
    let required = env::var("FANTAIL_REQUIRE").unwrap_or_default();
    assert!(!required.split([',', ' ']).any(|name| name == "kafka"), "FANTAIL_KAFKA is not set");
    eprintln!(
        "SKIPPED the warm start on a real Kafka: tests/kafka/broker.sh start, then set \
         FANTAIL_KAFKA=127.0.0.1:19092 (or `just test-kafka`)"
    );
    None
}

/// Sends to where an owner would.
struct Sender {
    producer: Box<dyn Producer>,
    clock: Clock,
    records: u64,
}

impl Sender {
    fn put(&mut self, topic: &'static str, channel: &str, key: String, value: Bytes, age: i64) {
        let mut record = Record {
            topic: TopicName::from_static(topic),
            partition: stable_partition(record::key(channel).as_bytes(), PARTITIONS),
            key: key.into(),
            value: Some(value),
            headers: Default::default(),
            timestamp_micros: self.clock.wall_micros() - age,
        };
        self.records += 1;
        while let Err(error) = self.producer.send(record) {
            let SendError::QueueFull(back) = error else { panic!("{error}") };
            record = *back;
            // Waits for room.
            let _ = self.producer.flush(Duration::from_millis(5));
        }
    }

    fn event(&mut self, channel: &str, event: &Event, age: i64) {
        let kind = channel.parse::<Channel>().unwrap().kind;
        let value = encoded(RecordRef::Event { channel, event }).into();
        self.put(record::topic(kind), channel, record::key(channel).to_owned(), value, age);
    }

    fn snapshot(&mut self, channel: &str, event: &Event, is_state: bool, age: i64) {
        let value = encoded(RecordRef::Event { channel, event }).into();
        let key = if is_state { record::state_key(channel) } else { channel.to_owned() };
        self.put(record::SNAPSHOT, channel, key, value, age);
    }
}

fn name(kind: Kind, number: u64) -> String {
    let symbol = Symbol::new(&format!("S{number}-USDT")).unwrap();
    Channel::new(kind, VenueId::new("binance").unwrap(), symbol).to_string()
}

fn whole(epoch: u64, seq: u64) -> Event {
    let side = |base: u64| (0..LEVELS).map(move |n| level(base + n, 1 + n));
    let bids = side(100_000).rev().collect();
    let body = Body::Book(BookChange { bids, asks: side(200_000).collect() });
    Event { reset: true, ..event(epoch, seq, body) }
}

/// Everything an owner of all these instruments has said in the last minutes.
fn say_everything(sender: &mut Sender, epoch: u64) {
    const SECOND: i64 = 1_000_000;
    for turn in (0..TURNS).rev() {
        let age = (turn as i64 * 30 + 10) * SECOND;
        for number in 0..INSTRUMENTS {
            let seq = 1_000 - turn;
            sender.snapshot(&name(Kind::Book, number), &whole(epoch, seq), false, age);
            let live = event(epoch, 500, status(State::Live));
            sender.snapshot(&name(Kind::Trade, number), &live, true, age);
            for kind in [Kind::Bbo, Kind::Ticker, Kind::Funding] {
                sender.snapshot(&name(kind, number), &bbo(epoch, seq), false, age);
            }
        }
    }
    for seq in 501..=500 + TRADES {
        for number in 0..INSTRUMENTS {
            sender.event(&name(Kind::Trade, number), &trade(epoch, seq), 5 * SECOND);
            let change = Body::Book(BookChange { bids: vec![level(100_000, seq)], asks: vec![] });
            let change = event(epoch, 500 + seq, change);
            sender.event(&name(Kind::Book, number), &change, 5 * SECOND);
        }
    }
    for seq in 501 + TRADES..=LAST {
        sender.event(&name(Kind::Trade, BUSY), &trade(epoch, seq), 4 * SECOND);
    }
    sender.producer.flush(FLUSH).unwrap();
}

/// A running tail of one shard on that bus.
struct Gate {
    link: TailLink,
    mailbox: mpsc::Receiver<ToShard>,
    metrics: Arc<TailMetrics>,
    readiness: Readiness,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    runtime: Runtime,
}

impl Gate {
    /// Starts with the least ring there is.
    fn start(bus: &KafkaBus, clock: &Clock) -> Self {
        let mut consumer = bus.consumer().unwrap();
        let layout = Layout::read(&mut *consumer).unwrap();
        let (ask, requests) = mpsc::channel(16);
        let link = TailLink::new(ask, consumer.waker());
        let (_, asked) = TailQueries::new(16, consumer.waker());
        let (to_shard, mailbox) = mpsc::channel(65_536);
        let metrics = Arc::new(TailMetrics::new());
        let (shutdown, readiness) = (Shutdown::new(), Readiness::new());
        let (back, wake, end) = (bus.consumer().unwrap(), consumer.waker(), shutdown.clone());
        let (reader, past) = Reader::new(back, clock.clone(), end, wake);
        std::thread::spawn(move || reader.run());
        let (scouting, scout) =
            Scout::new(bus.consumer().unwrap(), shutdown.clone(), consumer.waker());
        std::thread::spawn(move || scouting.run());
        let strain = Arc::new(Strain::new(Duration::from_secs(10)));
        let mailboxes =
            Mailboxes { shards: vec![(to_shard, strain)], requests, queries: asked, past, scout };
        let (variants, readiness_of) = (Variants::default(), readiness.clone());
        let setup = Setup {
            ring_bytes: 1,
            variants,
            layout,
            by_interest: None,
            readiness: readiness_of,
            wait: Duration::ZERO,
        };
        let tail = Tail::new(setup, mailboxes, clock.clone(), Arc::clone(&metrics));
        let (end, latch) = (shutdown.clone(), readiness.latch("tail"));
        let thread = Some(std::thread::spawn(move || tail.run(consumer, || latch.release(), &end)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { link, mailbox, metrics, readiness, shutdown, thread, runtime }
    }

    fn next(&mut self) -> ToShard {
        let next = self.mailbox.recv();
        let next = async { tokio::time::timeout(PATIENCE, next).await };
        self.runtime.block_on(next).expect("a message in time").expect("a living tail")
    }

    /// Waits until it has caught up.
    fn ready(&self, clock: &Clock) {
        let began = clock.monotonic();
        while !self.readiness.is_ready() {
            assert!(clock.monotonic() - began < Duration::from_secs(60), "ready in time");
            std::thread::yield_now();
        }
    }

    fn number(&mut self, wanted: &str) -> u32 {
        loop {
            if let ToShard::Channel(info) = self.next()
                && &*info.name == wanted
            {
                return info.ch;
            }
        }
    }

    fn resume(&mut self, ch: u32, from: From) -> Vec<Position> {
        let session = SessionKey { slot: 0, generation: 0 };
        let (from, history) = (Some(from), None);
        let items = vec![WantItem { ch, from, history, repeat: false, reset: false }];
        self.link.send(ToTail::Want { shard: 0, session, token: 1, items }).unwrap();
        let seeds = loop {
            if let ToShard::Seeds(seeds) = self.next() {
                break seeds;
            }
        };
        let seed = seeds.seeds[0].as_ref().unwrap();
        let groups = seed.parts.iter().filter_map(Part::group);
        groups.flat_map(|group| group.events.iter().map(|p| p.event.position)).collect()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shutdown.begin("the test ends");
        // A tail serves until its last shard has ended: ours does now.
        self.mailbox.close();
        if let Some(thread) = self.thread.take() {
            // A tail that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[test]
fn a_cold_gateway_is_ready_soon_and_reads_old_positions_back() {
    let Some(address) = address() else { return };
    let config = KafkaConfig::plain(&address);
    topics_made(&config);
    let bus = KafkaBus::open(config).unwrap();
    let clock = Clock::system();
    let epoch = u64::try_from(clock.wall_micros()).unwrap();
    let producer = bus.producer().unwrap();
    let mut sender = Sender { producer, clock: clock.clone(), records: 0 };
    say_everything(&mut sender, epoch);

    let began = clock.monotonic();
    let mut gate = Gate::start(&bus, &clock);
    gate.ready(&clock);
    let took = clock.monotonic() - began;
    let events = gate.metrics.records.load(Ordering::Relaxed);
    eprintln!(
        "warm start: {INSTRUMENTS} instruments, {} records on the bus, {events} of them events \
         after the snapshots: ready after {took:?}",
        sender.records
    );
    assert_eq!(gate.metrics.holes.load(Ordering::Relaxed), 0);

    let ch = gate.number(&name(Kind::Trade, BUSY));
    let rx = Some(clock.wall_micros() - 5_000_000);
    for (seq, rx) in [(505, rx), (700, None), (500, Some(clock.wall_micros()))] {
        let came = gate.resume(ch, From { epoch, seq, rx });
        let expected = (seq + 1..=LAST).map(|seq| Position::new(epoch, seq));
        assert_eq!(came, expected.collect::<Vec<_>>());
    }
    assert_eq!(gate.metrics.reads_back.load(Ordering::Relaxed), 3);
}
