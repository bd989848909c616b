//! The tail on the embedded bus, its mailboxes held by hand: seeds and events in mailbox order,
//! positions ahead of it, silent owners, poison, lag, questions.

mod cases;

use std::sync::Arc;
use std::thread::JoinHandle;

use fantail_bus::{
    Bus, EmbeddedBus, Offset, Producer, Record as BusRecord, Retention, Start, TopicName, TopicSpec,
};
use fantail_model::{Event, Kind, Micros, Position, VenueId};
use fantail_ops::clock::{Clock, ManualClock};
use fantail_ops::health::Readiness;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::client::From;
use fantail_wire::record::{self, FeedHeartbeat, RecordFormat, RecordRef};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::{Mailboxes, Tail};
use crate::link::{TailLink, ToShard, ToTail, WantItem};
use crate::metrics::TailMetrics;
use crate::query::{Answer, Query, TailQueries};
use crate::seed::{Seeds, SessionKey};
use crate::testing::{PATIENCE, WALL, trade};
use crate::variant::Variants;

const TRADE: &str = "trade:binance:BTC-USDT";
const BOOK: &str = "book:binance:BTC-USDT";
const RAW: TopicName = TopicName::from_static("fantail.trade");

/// A running tail of one shard, and everything around it.
struct Rig {
    bus: EmbeddedBus,
    producer: Box<dyn Producer>,
    mailbox: mpsc::Receiver<ToShard>,
    link: TailLink,
    queries: TailQueries,
    metrics: Arc<TailMetrics>,
    readiness: Readiness,
    hand: ManualClock,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    runtime: Runtime,
    token: u64,
}

impl Rig {
    fn new(mailbox_max: usize) -> Self {
        let (clock, hand) = Clock::manual(WALL);
        let kinds = Kind::ALL.into_iter().map(record::topic);
        let names: Vec<_> =
            [record::INSTRUMENT, record::CONTROL].into_iter().chain(kinds).collect();
        let spec = |name: &'static str| TopicSpec {
            name: TopicName::from_static(name),
            partitions: 1,
            retention: Retention::bytes(256 * 1_024 * 1_024),
            compacted: false,
            at_least: false,
        };
        let bus = EmbeddedBus::new(names.iter().map(|n| spec(n)).collect(), clock.clone()).unwrap();
        let mut consumer = bus.consumer().unwrap();
        let start = |name: &&'static str| Start {
            topic: TopicName::from_static(name),
            partition: 0,
            from: Offset::Earliest,
        };
        consumer.assign(names.iter().map(start).collect()).unwrap();
        let (sender, requests) = mpsc::channel(1_024);
        let (queries, asked) = TailQueries::new(16, consumer.waker());
        let link = TailLink::new(sender, consumer.waker());
        let (to_shard, mailbox) = mpsc::channel(mailbox_max);
        let metrics = Arc::new(TailMetrics::new());
        let mailboxes = Mailboxes { shards: vec![to_shard], requests, queries: asked };
        let made = (64 * 1_024 * 1_024, Variants::default());
        let tail = Tail::new(made, mailboxes, clock, Arc::clone(&metrics));
        let (shutdown, readiness) = (Shutdown::new(), Readiness::new());
        let (end, latch) = (shutdown.clone(), readiness.latch("tail"));
        let thread = Some(std::thread::spawn(move || tail.run(consumer, latch, &end)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let producer = bus.producer().unwrap();
        let token = 0;
        Self {
            bus,
            producer,
            mailbox,
            link,
            queries,
            metrics,
            readiness,
            hand,
            shutdown,
            thread,
            runtime,
            token,
        }
    }

    fn send(&mut self, topic: &'static str, record: RecordRef<'_>) {
        let mut value = Vec::new();
        record::encode(record, RecordFormat::Protobuf, &mut value);
        self.send_raw(TopicName::from_static(topic), value);
    }

    fn send_raw(&mut self, topic: TopicName, value: Vec<u8>) {
        let record = BusRecord {
            topic,
            partition: 0,
            key: bytes::Bytes::new(),
            value: Some(value.into()),
            headers: Default::default(),
            timestamp_micros: WALL,
        };
        self.producer.send(record).unwrap();
    }

    fn publish(&mut self, channel: &str, event: &Event) {
        let kind = Kind::parse(channel.split(':').next().unwrap()).unwrap();
        self.send(record::topic(kind), RecordRef::Event { channel, event });
    }

    fn heartbeat(&mut self) {
        let (venue, time) = (VenueId::new("binance").unwrap(), Micros(WALL));
        let heartbeat = FeedHeartbeat { venue, group: 0, epoch: 1, time };
        self.send(record::CONTROL, RecordRef::Heartbeat(&heartbeat));
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
        self.token += 1;
        let from = from.map(|(epoch, seq)| From { epoch, seq, rx: None });
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
        match self.ask(Query::Recent { channel: TRADE.parse().unwrap(), limit: 1 }) {
            Answer::Recent { meta, .. } => meta.position,
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
