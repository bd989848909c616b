//! Puts a node together: bus, ingest, gateway and admin listener in one process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fantail_bus::kafka::topics;
use fantail_bus::{Bus, Consumer, EmbeddedBus, KafkaBus, TopicName, TopicSpec};
use fantail_gateway::{Dependencies, Gateway};
use fantail_ingest::metrics::IngestMetrics;
use fantail_ops::admin::{self, AdminHandle, AdminState, DrainHook};
use fantail_ops::clock::Clock;
use fantail_ops::closes::CloseLog;
use fantail_ops::health::{Liveness, Readiness};
use fantail_ops::logging::LogHandle;
use fantail_ops::metrics::{BuildInfo, Metrics};
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record;

use crate::config::{BusConfig, NodeConfig};

/// How long a drain may take before the process ends anyway.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// How long ingest may take to announce its instruments.
const ANNOUNCE_MAX: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A running node.
#[derive(Debug)]
pub struct Node {
    gateway: Gateway,
    admin: AdminHandle,
    readiness: Readiness,
    shutdown: Shutdown,
}

impl Node {
    /// The public address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.gateway.addr()
    }

    /// The admin address.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.addr()
    }

    /// Sessions that are subscribed to something.
    #[must_use]
    pub fn subscribers(&self) -> u64 {
        self.gateway.subscribers()
    }

    /// Sessions that have not been sent all they are due.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.gateway.waiting()
    }

    /// Whether every part is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.readiness.is_ready()
    }

    /// Begins the end and waits until everything is drained.
    ///
    /// # Errors
    /// Who still held on when the time was over.
    pub async fn end(self, reason: &'static str) -> anyhow::Result<()> {
        self.shutdown.begin(reason);
        self.drained().await
    }

    /// Waits for the end (a signal, `POST /drain`), then until everything is drained.
    ///
    /// # Errors
    /// Who still held on when the time was over.
    pub async fn ended(self) -> anyhow::Result<()> {
        self.shutdown.begun().await;
        self.drained().await
    }

    async fn drained(self) -> anyhow::Result<()> {
        self.readiness.unready();
        let outcome = self.shutdown.drained(DRAIN_MAX).await;
        outcome.map_err(|held| anyhow::anyhow!("not drained in {DRAIN_MAX:?}: {}", held.join(", ")))
    }
}

/// Starts a node. It ends with `shutdown`.
///
/// # Errors
/// What could not be started, and why.
pub async fn assemble(
    config: NodeConfig,
    clock: Clock,
    shutdown: Shutdown,
    logs: LogHandle,
) -> anyhow::Result<Node> {
    install_crypto();
    let build = BuildInfo {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("FANTAIL_COMMIT").unwrap_or("unknown"),
        role: "all".into(),
    };
    let metrics = Metrics::new(build, &clock);
    let (readiness, closes) = (Readiness::new(), CloseLog::default());
    let bus = open_bus(config.bus, config.topics, &clock, &metrics).await?;

    let gateway = Dependencies {
        consumer: bus.consumer().context("the bus")?,
        clock: clock.clone(),
        metrics: metrics.clone(),
        closes: closes.clone(),
        readiness: readiness.clone(),
        shutdown: shutdown.clone(),
    };
    let ready = readiness.latch("ingest announced its instruments");
    let symbols = config.ingest.venues.iter().map(|venue| venue.symbols.len() as u64).sum();
    let ingest_metrics = IngestMetrics::new(&metrics);
    let ingest = fantail_ingest::run(
        config.ingest,
        Arc::clone(&bus),
        clock.clone(),
        ingest_metrics,
        shutdown.clone(),
    );
    let ended = shutdown.clone();
    tokio::spawn(async move {
        if let Err(error) = ingest.await {
            tracing::error!(%error, "ingest ended");
            ended.begin("ingest failed");
        }
    });
    announced(bus.consumer().context("the bus")?, symbols).await?;
    ready.release();
    let gateway = Gateway::start(config.gateway, gateway).await.context("gateway")?;

    let state = AdminState {
        metrics,
        readiness: readiness.clone(),
        liveness: Liveness::new(clock),
        closes,
        logs,
        drain: DrainHook::shutdown(shutdown.clone()),
    };
    caught_up(&readiness).await?;
    let admin = admin::serve(config.admin, state, gateway.admin_routes())
        .await
        .context("admin listener")?;
    Ok(Node { gateway, admin, readiness, shutdown })
}

/// Opens the bus. Kafka's topics are checked first: an error names what is wrong with them.
async fn open_bus(
    config: BusConfig,
    topics: Vec<TopicSpec>,
    clock: &Clock,
    metrics: &Metrics,
) -> anyhow::Result<Arc<dyn Bus>> {
    match config {
        BusConfig::Embedded => {
            let bus = EmbeddedBus::new(topics, clock.clone()).context("the bus")?;
            metrics.collector(bus.metrics().collector());
            Ok(Arc::new(bus))
        }
        BusConfig::Kafka(kafka) => {
            let asked = kafka.clone();
            let checking = tokio::task::spawn_blocking(move || topics::check(&asked, &topics));
            checking.await.context("the check of Kafka's topics")?.context(
                "Kafka's topics are not as configured; `fantail topics create` makes them",
            )?;
            let bus = KafkaBus::open(*kafka).context("the bus")?;
            metrics.collector(bus.metrics().collector());
            metrics.collector(bus.kafka_metrics().collector());
            Ok(Arc::new(bus))
        }
    }
}

/// Waits until every configured instrument is on the bus, so that the first client finds its
/// channels.
async fn announced(mut consumer: Box<dyn Consumer>, symbols: u64) -> anyhow::Result<()> {
    let topic = TopicName::from_static(record::INSTRUMENT);
    let everything = async {
        loop {
            let mut count = 0;
            for partition in 0..consumer.partitions(&topic)? {
                count += consumer.end_offset(&topic, partition)?;
            }
            if count >= symbols {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let outcome = tokio::time::timeout(ANNOUNCE_MAX, everything).await;
    outcome.context("ingest did not announce its instruments")?
}

/// Waits until the gateway knows what is on the bus: a client that connects at once must find its
/// channels.
async fn caught_up(readiness: &Readiness) -> anyhow::Result<()> {
    let ready = async {
        while !readiness.is_ready() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let outcome = tokio::time::timeout(ANNOUNCE_MAX, ready).await;
    outcome.map_err(|_| anyhow::anyhow!("not ready in time: {}", readiness.missing().join(", ")))
}

/// One crypto provider for the whole process; a second install is no mistake.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
