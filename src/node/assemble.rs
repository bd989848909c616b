//! Puts a node together: bus, ingest, gateway and admin listener, as far as its role asks for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fantail_bus::Bus;
use fantail_gateway::{Dependencies, Gateway, GatewayConfig};
use fantail_ingest::IngestConfig;
use fantail_ingest::metrics::IngestMetrics;
use fantail_ops::admin::{self, AdminHandle, AdminState, DrainHook};
use fantail_ops::clock::Clock;
use fantail_ops::closes::CloseLog;
use fantail_ops::health::{Liveness, Readiness};
use fantail_ops::logging::LogHandle;
use fantail_ops::metrics::{BuildInfo, Metrics};
use fantail_ops::shutdown::Shutdown;

use crate::config::{BusConfig, NodeConfig};

mod bus;
mod waiting;

/// How long what comes after the last session may take: feeds that stop, records on their way to
/// the bus.
const LAST_WORK_MAX: Duration = Duration::from_secs(5);

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// None where the role is ingest alone.
    gateway: Option<Gateway>,
    admin: AdminHandle,
    readiness: Readiness,
    shutdown: Shutdown,
    /// How long a drain may take before the process ends anyway.
    drain_max: Duration,
}

impl Node {
    /// The public address; none where the role is ingest alone.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.gateway.as_ref().map(Gateway::addr)
    }

    /// The admin address.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.addr()
    }

    /// Sessions that are subscribed to something.
    #[must_use]
    pub fn subscribers(&self) -> u64 {
        self.gateway.as_ref().map_or(0, Gateway::subscribers)
    }

    /// Sessions that have not been sent all they are due.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.gateway.as_ref().map_or(0, Gateway::waiting)
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
        let outcome = self.shutdown.drained(self.drain_max).await;
        outcome.map_err(|held| {
            let held = held.join(", ");
            match self.shutdown.is_hurried() {
                true => anyhow::anyhow!("the drain was cut short; still busy: {held}"),
                false => anyhow::anyhow!("not drained in {:?}: {held}", self.drain_max),
            }
        })
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
        role: config.role.as_str().into(),
    };
    let metrics = Metrics::new(build, &clock);
    let parts = Parts {
        clock: clock.clone(),
        metrics: metrics.clone(),
        closes: CloseLog::default(),
        readiness: Readiness::until(shutdown.clone()),
        shutdown: shutdown.clone(),
    };
    let drain_max = config.gateway.drain_bound() + LAST_WORK_MAX;
    let alone = matches!(config.bus, BusConfig::Embedded);
    let bus = bus::open(config.bus, config.topics, &clock, &shutdown, &metrics).await?;
    if config.role.ingests() {
        let symbols = config.ingest.venues.iter().map(|venue| venue.symbols.len() as u64).sum();
        let ready = parts.readiness.latch("ingest announced its instruments");
        parts.start_ingest(config.ingest, &bus);
        if alone {
            waiting::announced(bus.consumer().context("the bus")?, symbols).await?;
        }
        ready.release();
    }
    let gateway = match config.role.serves() {
        true => Some(parts.start_gateway(config.gateway, &bus, !alone).await?),
        false => None,
    };
    if alone {
        waiting::caught_up(&parts.readiness).await?;
    }
    let readiness = parts.readiness.clone();
    let state = AdminState {
        metrics,
        readiness: parts.readiness,
        liveness: Liveness::new(clock),
        closes: parts.closes,
        logs,
        drain: DrainHook::shutdown(shutdown.clone()),
    };
    let routes = gateway.as_ref().map(Gateway::admin_routes).unwrap_or_default();
    let admin = admin::serve(config.admin, state, routes).await.context("admin listener")?;
    Ok(Node { gateway, admin, readiness, shutdown, drain_max })
}

/// What every part of a node is given.
struct Parts {
    clock: Clock,
    metrics: Metrics,
    closes: CloseLog,
    readiness: Readiness,
    shutdown: Shutdown,
}

impl Parts {
    /// Ingest in a task of its own; a venue that is away is its business, a bus that is gone ends
    /// the process. It goes on until the gateway's last session has left.
    fn start_ingest(&self, config: IngestConfig, bus: &Arc<dyn Bus>) {
        let (clock, shutdown) = (self.clock.clone(), self.shutdown.clone());
        let figures = IngestMetrics::new(&self.metrics);
        let end = shutdown.follower("ingest");
        let ingest = fantail_ingest::run(config, Arc::clone(bus), clock, figures, end);
        tokio::spawn(async move {
            if let Err(error) = ingest.await {
                tracing::error!(%error, "ingest ended");
                shutdown.begin("ingest failed");
            }
        });
    }

    async fn start_gateway(
        &self,
        config: GatewayConfig,
        bus: &Arc<dyn Bus>,
        ingest_elsewhere: bool,
    ) -> anyhow::Result<Gateway> {
        let dependencies = Dependencies {
            consumer: bus.consumer().context("the bus")?,
            past: bus.consumer().context("the bus")?,
            scout: bus.consumer().context("the bus")?,
            ingest_elsewhere,
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            closes: self.closes.clone(),
            readiness: self.readiness.clone(),
            shutdown: self.shutdown.clone(),
        };
        Gateway::start(config, dependencies).await.context("gateway")
    }
}

/// One crypto provider for the whole process; a second install is no mistake.
fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
