//! A simulator, an ingest and a reader of what it publishes, started and stopped together.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fantail_bus::{
    self as bus, Bus, Consumer, Delivered, EmbeddedBus, Headers, Offset, Retention, Start,
    TopicName, TopicSpec, stable_partition,
};
use fantail_model::{Body, Book, Event, Instrument, Kind, State};
use fantail_ops::clock::Clock;
use fantail_ops::config::{HumanDuration, Problems};
use fantail_ops::metrics::{BuildInfo, Metrics};
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record::{self, Record};
use tokio::task::JoinHandle;

use crate::simulator::{Faults, Simulator, SimulatorConfig, Source};
use crate::{IngestConfig, IngestError, IngestMetrics, RawVenue, RawVenues};

/// How long anything awaited may take.
const PATIENCE: Duration = Duration::from_secs(40);
const PARTITIONS: u32 = 3;

pub(super) struct Harness {
    pub(super) simulator: Simulator,
    pub(super) ledger: Ledger,
    consumer: Box<dyn Consumer>,
    metrics: Metrics,
    shutdown: Shutdown,
    bus: Arc<EmbeddedBus>,
    config: IngestConfig,
    clock: Clock,
    workers: Vec<Option<Ingest>>,
}

/// One worker.
struct Ingest {
    shutdown: Shutdown,
    task: JoinHandle<Result<(), IngestError>>,
}

/// All that was published, with the chain of every channel checked as it came.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) events: HashMap<String, Vec<Event>>,
    pub(super) books: HashMap<String, Book>,
    pub(super) instruments: HashMap<String, Instrument>,
    pub(super) heartbeats: usize,
    snapshots: usize,
}

impl Harness {
    /// `binance` and `coinbase` are the symbols to run.
    pub(super) async fn start(source: Source, binance: &[&str], coinbase: &[&str]) -> Self {
        Self::start_with(source, binance, coinbase, |_| {}).await
    }

    /// With a change of both venues' configuration.
    pub(super) async fn start_with(
        source: Source,
        binance: &[&str],
        coinbase: &[&str],
        change: impl Fn(&mut RawVenue),
    ) -> Self {
        let clock = Clock::system();
        let wall = clock.clone();
        let shutdown = Shutdown::new();
        let config = SimulatorConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            source,
            wall_us: Arc::new(move || wall.wall_micros()),
        };
        let simulator = Simulator::start(config, shutdown.token()).await.unwrap();
        let endpoints = simulator.endpoints();
        let mut raw = RawVenues {
            binance: venue(binance, &endpoints.binance_ws, &endpoints.binance_rest),
            coinbase: venue(coinbase, &endpoints.coinbase_ws, &endpoints.coinbase_rest),
        };
        change(&mut raw.binance);
        change(&mut raw.coinbase);
        Self::with(simulator, raw, clock, shutdown)
    }

    fn with(simulator: Simulator, raw: RawVenues, clock: Clock, shutdown: Shutdown) -> Self {
        let mut problems = Problems::default();
        let config = IngestConfig::from_raw(&raw, &mut problems);
        problems.into_result().unwrap();
        let bus = EmbeddedBus::new(topics(), clock.clone()).unwrap();
        let mut consumer = bus.consumer().unwrap();
        consumer.assign(starts()).unwrap();
        let build = BuildInfo { version: "test", commit: "test", role: "ingest".to_owned() };
        let metrics = Metrics::new(build, &clock);
        let figures = IngestMetrics::new(&metrics);
        let bus = Arc::new(bus);
        let (ledger, workers) = (Ledger::default(), Vec::new());
        let mut harness =
            Self { simulator, ledger, consumer, metrics, shutdown, bus, config, clock, workers };
        harness.work(figures);
        harness
    }

    fn work(&mut self, figures: IngestMetrics) {
        let (shutdown, bus) = (self.shutdown.part(), Arc::clone(&self.bus));
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let task = tokio::spawn(crate::run(config, bus, clock, figures, shutdown.clone()));
        self.workers.push(Some(Ingest { shutdown, task }));
    }

    /// Starts one more worker on the same bus.
    pub(super) fn join(&mut self) {
        let build = BuildInfo { version: "test", commit: "test", role: "ingest".to_owned() };
        self.work(IngestMetrics::new(&Metrics::new(build, &self.clock)));
    }

    /// Fills the end of a channel's partition with records that are none of its events.
    pub(super) fn bury(&self, channel: &str) {
        let topic = TopicName::from_static(record::topic(Kind::Trade));
        let key = Bytes::copy_from_slice(record::key(channel).as_bytes());
        let partition = stable_partition(&key, PARTITIONS);
        let mut producer = self.bus.producer().unwrap();
        for _ in 0..2 * crate::limits::LAST_TRADES_BACK {
            let record = bus::Record {
                topic: topic.clone(),
                partition,
                key: key.clone(),
                value: None,
                headers: Headers::none(),
                timestamp_micros: self.clock.wall_micros(),
            };
            producer.send(record).unwrap();
        }
    }

    /// Ends one worker, by the order they were started.
    pub(super) async fn leave(&mut self, worker: usize) {
        let ingest = self.workers[worker].take().unwrap();
        ingest.shutdown.begin("test");
        ingest.task.await.unwrap().unwrap();
    }

    pub(super) fn faults(&self) -> Faults {
        self.simulator.faults()
    }

    /// Reads until `wanted` holds.
    pub(super) fn until(&mut self, what: &str, mut wanted: impl FnMut(&Ledger) -> bool) {
        let clock = Clock::system();
        let mut batch = Vec::new();
        while !wanted(&self.ledger) {
            assert!(clock.monotonic() < PATIENCE, "{what} did not happen\n{}", self.ledger.show());
            let wait = Duration::from_millis(20);
            tokio::task::block_in_place(|| {
                self.consumer.poll(10_000, 64 << 20, wait, &mut batch).unwrap();
            });
            batch.drain(..).for_each(|delivered| self.ledger.take(&delivered));
        }
    }

    /// All figures.
    pub(super) fn figures(&self) -> String {
        self.metrics.render().unwrap()
    }

    pub(super) async fn stop(self) -> Ledger {
        self.shutdown.begin("test");
        for ingest in self.workers.into_iter().flatten() {
            ingest.task.await.unwrap().unwrap();
        }
        self.ledger
    }
}

impl Ledger {
    fn take(&mut self, delivered: &Delivered) {
        let Some(value) = &delivered.record.value else { return };
        match record::decode(value).unwrap() {
            Record::Heartbeat(_) => self.heartbeats += 1,
            Record::Instrument(instrument) => {
                let name = format!("{}:{}", instrument.venue, instrument.symbol);
                self.instruments.insert(name, instrument);
            }
            Record::Event { .. } if delivered.record.topic.as_str() == record::SNAPSHOT => {
                self.snapshots += 1;
            }
            Record::Event { channel, event } => self.event(channel, event),
        }
    }

    fn event(&mut self, channel: String, event: Event) {
        let events = self.events.entry(channel.clone()).or_default();
        match events.last() {
            None => assert!(event.reset && event.prev == 0 && event.position.seq == 1, "{channel}"),
            Some(last) if event.position.epoch < last.position.epoch => return, // fenced
            Some(last) if event.position.epoch > last.position.epoch => {
                assert!(event.reset && event.prev == 0 && event.position.seq == 1, "{channel}");
            }
            Some(last) => {
                assert_eq!(event.position.seq, last.position.seq + 1, "{channel}");
                assert_eq!(event.prev, last.position.seq, "{channel}");
            }
        }
        if let Body::Book(change) = &event.body {
            let book = self.books.entry(channel.clone()).or_insert_with(|| Book::new(0));
            if event.reset {
                book.replace(change).unwrap();
            } else {
                book.apply(change).unwrap();
            }
            assert!(!book.is_crossed(), "{channel} is crossed at {}", event.position);
        }
        events.push(event);
    }

    pub(super) fn of(&self, channel: &str) -> &[Event] {
        self.events.get(channel).map_or(&[], Vec::as_slice)
    }

    /// How many epochs a channel has had.
    pub(super) fn epochs(&self, channel: &str) -> usize {
        let epochs = self.of(channel).iter().map(|event| event.position.epoch);
        epochs.collect::<BTreeSet<_>>().len()
    }

    /// The venue's ids of a channel's trades.
    pub(super) fn trade_ids(&self, channel: &str) -> Vec<u64> {
        let id = |event: &Event| match &event.body {
            Body::Trade(trade) => trade.id.parse().ok(),
            _ => None,
        };
        self.of(channel).iter().filter_map(id).collect()
    }

    /// Events of a channel that are facts of the market.
    pub(super) fn facts(&self, channel: &str) -> usize {
        let told = |event: &&Event| !matches!(event.body, Body::Status(_) | Body::VenueGap(_));
        self.of(channel).iter().filter(told).count()
    }

    pub(super) fn resets(&self, channel: &str) -> usize {
        let whole = |event: &&Event| event.reset && matches!(event.body, Body::Book(_));
        self.of(channel).iter().filter(whole).count()
    }

    pub(super) fn gaps(&self, channel: &str) -> Vec<String> {
        let reason = |event: &Event| match &event.body {
            Body::VenueGap(gap) => Some(gap.reason.clone()),
            _ => None,
        };
        self.of(channel).iter().filter_map(reason).collect()
    }

    pub(super) fn states(&self, channel: &str) -> Vec<State> {
        let state = |event: &Event| match &event.body {
            Body::Status(status) => Some(status.state),
            _ => None,
        };
        self.of(channel).iter().filter_map(state).collect()
    }

    fn show(&self) -> String {
        let mut lines: Vec<String> = self
            .events
            .iter()
            .map(|(channel, events)| {
                let last = events.last().map(|event| match &event.body {
                    Body::Status(status) => format!("{status:?}"),
                    Body::VenueGap(gap) => format!("{gap:?}"),
                    _ => String::new(),
                });
                format!("{channel}: {} events, {last:?} {:?}", events.len(), self.states(channel))
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }
}

fn venue(symbols: &[&str], ws: &str, rest: &str) -> RawVenue {
    RawVenue {
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        ws: Some(ws.to_owned()),
        rest: Some(rest.to_owned()),
        stale_after: HumanDuration::from_secs(2),
        rest_weight_per_minute: Some(100_000),
        ..RawVenue::default()
    }
}

fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = Kind::ALL.into_iter().map(record::topic).collect();
    names.extend([record::CONTROL, record::INSTRUMENT, record::SNAPSHOT]);
    names
}

fn topics() -> Vec<TopicSpec> {
    let spec = |name| TopicSpec {
        name: TopicName::from_static(name),
        partitions: PARTITIONS,
        retention: Retention::bytes(256 << 20),
        compacted: [record::INSTRUMENT, record::SNAPSHOT].contains(&name),
        at_least: false,
    };
    names().into_iter().map(spec).collect()
}

fn starts() -> Vec<Start> {
    let of = |name| (0..PARTITIONS).map(move |partition| (name, partition));
    let start = |(name, partition)| Start {
        topic: TopicName::from_static(name),
        partition,
        from: Offset::Earliest,
    };
    names().into_iter().flat_map(of).map(start).collect()
}
