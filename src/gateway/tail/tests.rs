//! The tail on the embedded bus, its mailboxes held by hand: seeds and events in mailbox order,
//! positions ahead of it, silent owners, poison, lag, questions; warm starts, positions older than
//! the ring, and a bus that fails in every way it can.

mod cases;
mod deep;
mod faults;
pub(crate) mod faulty;
mod groups;
mod interest;
mod kafka;
mod paused;
mod skew;
mod speed;
mod strained;
mod warm;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use fantail_bus::{
    Bus, EmbeddedBus, Producer, Record as BusRecord, Retention, TopicName, TopicSpec,
    stable_partition,
};
use fantail_model::{Event, Kind, Micros, Position, VenueId};
use fantail_ops::clock::{Clock, ManualClock};
use fantail_ops::health::Readiness;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::client::From;
use fantail_wire::record::{self, FeedHeartbeat, RecordFormat, RecordRef};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use self::faulty::{Doubts, Faults, doubtful, faulty};
use super::layout::Layout;
use super::{Mailboxes, Setup, Tail};
use crate::link::{TailLink, ToShard, ToTail, WantItem};
use crate::metrics::TailMetrics;
use crate::past::reader::Reader;
use crate::query::{Answer, Query, TailQueries};
use crate::scout::Scout;
use crate::seed::{Seeds, SessionKey};
use crate::strain::Strain;
use crate::testing::{PATIENCE, WALL, trade};
use crate::variant::Variants;

const TRADE: &str = "trade:binance:BTC-USDT";
const BOOK: &str = "book:binance:BTC-USDT";
const RAW: TopicName = TopicName::from_static("fantail.trade");
const SNAPSHOTS: TopicName = TopicName::from_static(record::SNAPSHOT);

/// Writes to the bus as an owner does.
struct Owner {
    producer: Box<dyn Producer>,
    /// How long ago what it writes was received, µs.
    age: i64,
    /// Of each topic.
    partitions: u32,
}

/// What a rig is made of.
struct Plan {
    /// Whether its consumer fails on order; then every record is a cycle of its own.
    faulty: bool,
    ring: usize,
    mailbox: usize,
    /// Of each topic.
    partitions: u32,
    /// Only partitions somebody wants are consumed, and for this long after the last one left.
    by_interest: Option<Duration>,
    /// How long the first channel is waited for.
    wait: Duration,
}

/// A running tail of one shard, and everything around it.
struct Rig {
    bus: EmbeddedBus,
    owner: Owner,
    faults: Faults,
    /// What the scout is told.
    doubts: Doubts,
    mailbox: mpsc::Receiver<ToShard>,
    link: TailLink,
    queries: TailQueries,
    metrics: Arc<TailMetrics>,
    readiness: Readiness,
    strain: Arc<Strain>,
    clock: Clock,
    hand: ManualClock,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    runtime: Runtime,
    token: u64,
}

impl Owner {
    fn send(&mut self, topic: &'static str, record: RecordRef<'_>) {
        let name = match record {
            RecordRef::Event { channel, .. } => record::key(channel).to_owned(),
            RecordRef::Heartbeat(heartbeat) => heartbeat.venue.as_str().to_owned(),
            RecordRef::Instrument(instrument) => {
                format!("{}:{}", instrument.venue, instrument.symbol)
            }
        };
        self.put(TopicName::from_static(topic), name, Some(encoded(record)));
    }

    /// Something that may be no record, about a channel.
    fn send_raw(&mut self, topic: TopicName, channel: &str, value: Vec<u8>) {
        self.put(topic, record::key(channel).to_owned(), Some(value));
    }

    fn publish(&mut self, channel: &str, event: &Event) {
        let kind = Kind::parse(channel.split(':').next().unwrap()).unwrap();
        self.send(record::topic(kind), RecordRef::Event { channel, event });
    }

    /// A channel's value in the compacted topic.
    fn snapshot(&mut self, channel: &str, event: &Event) {
        let value = Some(encoded(RecordRef::Event { channel, event }));
        self.put(TopicName::from_static(record::SNAPSHOT), channel.to_owned(), value);
    }

    /// A channel's feed state in the compacted topic.
    fn state(&mut self, channel: &str, event: &Event) {
        let value = Some(encoded(RecordRef::Event { channel, event }));
        self.put(TopicName::from_static(record::SNAPSHOT), record::state_key(channel), value);
    }

    fn heartbeat(&mut self, group: u32, groups: u32, epoch: u64) {
        let (venue, time) = (VenueId::new("binance").unwrap(), Micros(WALL));
        let heartbeat = FeedHeartbeat { venue, group, groups, epoch, time };
        self.send(record::CONTROL, RecordRef::Heartbeat(&heartbeat));
    }

    fn put(&mut self, topic: TopicName, key: String, value: Option<Vec<u8>>) {
        let record = BusRecord {
            topic,
            partition: stable_partition(key.as_bytes(), self.partitions),
            key: key.into(),
            value: value.map(Into::into),
            headers: Default::default(),
            timestamp_micros: WALL - self.age,
        };
        self.producer.send(record).unwrap();
    }
}

fn encoded(record: RecordRef<'_>) -> Vec<u8> {
    let mut value = Vec::new();
    record::encode(record, RecordFormat::Protobuf, &mut value);
    value
}

impl Rig {
    fn new(mailbox_max: usize) -> Self {
        Self::after(mailbox_max, |_| {})
    }

    /// Starts the tail on a bus that has a past.
    fn after(mailbox_max: usize, before: impl FnOnce(&mut Owner)) -> Self {
        Self::with_ring(mailbox_max, 64 * 1_024 * 1_024, before)
    }

    fn with_ring(mailbox: usize, ring: usize, before: impl FnOnce(&mut Owner)) -> Self {
        let (partitions, by_interest, wait) = (1, None, Duration::ZERO);
        Self::planned(Plan { faulty: true, ring, mailbox, partitions, by_interest, wait }, before)
    }

    fn planned(plan: Plan, before: impl FnOnce(&mut Owner)) -> Self {
        let (clock, hand) = Clock::manual(WALL);
        let spec = |name: &'static str| TopicSpec {
            name: TopicName::from_static(name),
            partitions: plan.partitions,
            retention: Retention::bytes(256 * 1_024 * 1_024),
            compacted: Layout::COMPACTED.contains(&name),
            at_least: false,
        };
        let bus = EmbeddedBus::new(Layout::topics().map(spec).collect(), clock.clone()).unwrap();
        let partitions = plan.partitions;
        let mut owner = Owner { producer: bus.producer().unwrap(), age: 0, partitions };
        before(&mut owner);
        owner.age = 0;
        let (mut consumer, faults) = match plan.faulty {
            true => faulty(bus.consumer().unwrap()),
            false => (bus.consumer().unwrap(), Faults::default()),
        };
        let layout = Layout::read(&mut *consumer).unwrap();
        let (sender, requests) = mpsc::channel(1_024);
        let (queries, asked) = TailQueries::new(16, consumer.waker());
        let link = TailLink::new(sender, consumer.waker());
        let (to_shard, mailbox) = mpsc::channel(plan.mailbox);
        let metrics = Arc::new(TailMetrics::new());
        let (shutdown, readiness) = (Shutdown::new(), Readiness::new());
        let (back, wake, end) = (bus.consumer().unwrap(), consumer.waker(), shutdown.clone());
        let (reader, past) = Reader::new(back, clock.clone(), end, wake);
        std::thread::spawn(move || reader.run());
        let (asking, doubts) = doubtful(bus.consumer().unwrap());
        let (scouting, scout) = Scout::new(asking, shutdown.clone(), consumer.waker());
        std::thread::spawn(move || scouting.run());
        let strain = Arc::new(Strain::new(Duration::from_secs(10)));
        let mailboxes = Mailboxes {
            shards: vec![(to_shard, Arc::clone(&strain))],
            requests,
            queries: asked,
            past,
            scout,
        };
        let setup = Setup {
            ring_bytes: plan.ring,
            variants: Variants::default(),
            layout,
            by_interest: plan.by_interest,
            readiness: readiness.clone(),
            wait: plan.wait,
        };
        let tail = Tail::new(setup, mailboxes, clock.clone(), Arc::clone(&metrics));
        let (end, latch) = (shutdown.clone(), readiness.latch("tail"));
        let thread = Some(std::thread::spawn(move || tail.run(consumer, || latch.release(), &end)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self {
            bus,
            owner,
            faults,
            doubts,
            mailbox,
            link,
            queries,
            metrics,
            readiness,
            strain,
            clock,
            hand,
            shutdown,
            thread,
            runtime,
            token: 0,
        }
    }

    fn send(&mut self, topic: &'static str, record: RecordRef<'_>) {
        self.owner.send(topic, record);
    }

    fn send_raw(&mut self, topic: TopicName, value: Vec<u8>) {
        self.owner.send_raw(topic, TRADE, value);
    }

    fn publish(&mut self, channel: &str, event: &Event) {
        self.owner.publish(channel, event);
    }

    fn heartbeat(&mut self) {
        self.owner.heartbeat(0, 0, 1);
    }

    /// The next message to the shard.
    fn next(&mut self) -> ToShard {
        let next = self.mailbox.recv();
        let next = async { tokio::time::timeout(PATIENCE, next).await };
        self.runtime.block_on(next).expect("a message in time").expect("a living tail")
    }

    fn next_seeds(&mut self) -> Arc<Seeds> {
        match self.next() {
            ToShard::Seeds(seeds) => seeds,
            other => panic!("{other:?}"),
        }
    }

    /// Seqs of the next batch, which is of one channel.
    fn next_seqs(&mut self) -> Vec<u64> {
        match self.next() {
            ToShard::Batch(batch) => {
                let events = batch.groups.iter().flat_map(|group| &group.events);
                events.map(|published| published.event.position.seq).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn channel(&mut self) -> u32 {
        match self.next() {
            ToShard::Channel(info) => info.ch,
            other => panic!("{other:?}"),
        }
    }

    fn want(&mut self, ch: u32, from: Option<(u64, u64)>) -> u64 {
        self.want_from(ch, from.map(|(epoch, seq)| From { epoch, seq, rx: None }))
    }

    fn want_from(&mut self, ch: u32, from: Option<From>) -> u64 {
        self.token += 1;
        let items = vec![WantItem { ch, from, history: None, repeat: false, reset: false }];
        let session = SessionKey { slot: 5, generation: 9 };
        let token = self.token;
        self.link.send(ToTail::Want { shard: 0, session, token, items }).unwrap();
        token
    }

    fn ask(&self, query: Query) -> Answer {
        let asked = async { tokio::time::timeout(PATIENCE, self.queries.ask(query)).await };
        self.runtime.block_on(asked).expect("an answer in time").unwrap()
    }

    /// Opens the trade channel with `events` trades of epoch 1 taken.
    fn with_trades(mailbox_max: usize, events: u64) -> (Self, u32) {
        let mut rig = Self::new(mailbox_max);
        rig.publish(TRADE, &trade(1, 1));
        let ch = rig.channel();
        for seq in 2..=events {
            rig.publish(TRADE, &trade(1, seq));
        }
        while rig.position() != Some(Position::new(1, events)) {}
        (rig, ch)
    }

    fn position(&self) -> Option<Position> {
        self.position_of(TRADE)
    }

    fn position_of(&self, channel: &str) -> Option<Position> {
        match self.ask(Query::Recent { channel: channel.parse().unwrap(), limit: 1 }) {
            Answer::Recent { meta, .. } => meta.position,
            Answer::Unknown => None,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the tail has caught up; questions keep it turning.
    fn ready(&self) {
        while !self.readiness.is_ready() {
            self.position();
        }
    }

    /// Waits until a counter stands at `count`.
    fn counted(&self, counter: impl Fn(&TailMetrics) -> &AtomicU64, count: u64) {
        while counter(&self.metrics).load(Ordering::Relaxed) != count {
            self.position();
        }
    }

    /// The next message that is about missing events.
    fn next_missed(&mut self) -> (Vec<(u64, u64, u64)>, &'static str) {
        match self.next() {
            ToShard::Missed { missed, reason } => {
                (missed.iter().map(|m| (m.epoch, m.from, m.to)).collect(), reason)
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.begin("the test ends");
        // Its shard has ended, too.
        self.mailbox.close();
        self.bus.close();
        if let Some(thread) = self.thread.take() {
            // A tail that panicked has said so already.
            let _ = thread.join();
        }
    }
}
