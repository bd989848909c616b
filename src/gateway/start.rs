//! Puts a gateway together: one tail thread, one thread per shard, a listener on each.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer, Waker};
use fantail_ops::clock::Clock;
use fantail_ops::closes::CloseLog;
use fantail_ops::health::Readiness;
use fantail_ops::metrics::Metrics;
use fantail_ops::patience::Patience;
use fantail_ops::shutdown::Shutdown;
use tokio::sync::{mpsc, oneshot};

use crate::auth::Authenticator;
use crate::config::{GatewayConfig, SessionConfig};
use crate::connections::{Connections, Permit};
use crate::encoder::FramesMade;
use crate::handshake;
use crate::limits;
use crate::link::{TailLink, ToShard};
use crate::listener::{self, Arrival, Door};
use crate::metrics::{self, ShardMetrics, TailMetrics};
use crate::past::reader::{PastLink, Reader};
use crate::query::TailQueries;
use crate::rest::{self, RestState};
use crate::scout::{Scout, ScoutLink};
use crate::sessions::{self, SessionsAsked};
use crate::shard::{Shard, ShardSetup};
use crate::strain::Strain;
use crate::tail::layout::Layout;
use crate::tail::{Mailboxes, Setup, Tail};
use crate::variant::Variants;

/// What a gateway is given besides its configuration.
pub struct Dependencies {
    /// Reads the bus; nothing assigned yet.
    pub consumer: Box<dyn Consumer>,
    /// Reads the bus back for old positions, on a thread of its own; nothing assigned yet.
    pub past: Box<dyn Consumer>,
    /// Asks the bus about places, on a thread of its own; nothing is ever assigned.
    pub scout: Box<dyn Consumer>,
    /// Whether channels may be announced by ingest that only starts now, in another process.
    pub ingest_elsewhere: bool,
    /// Time.
    pub clock: Clock,
    /// Where its figures are registered.
    pub metrics: Metrics,
    /// Where ends of sessions are remembered.
    pub closes: CloseLog,
    /// Released when the tail has caught up.
    pub readiness: Readiness,
    /// The end.
    pub shutdown: Shutdown,
}

/// A running gateway. It ends with its [`Shutdown`], whose guards it holds until all is drained.
#[derive(Debug)]
pub struct Gateway {
    addr: SocketAddr,
    connections: Arc<Connections>,
    shards: Vec<Arc<ShardMetrics>>,
    admin: axum::Router,
}

/// Why a gateway cannot start; an operator's matter.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The public address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// A thread or its runtime cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The configured way of writing is not to be had.
    #[error("gateway.flush = \"io_uring\", but it is missing or forbidden here: {0}")]
    Flush(io::Error),
    /// The bus cannot be read.
    #[error("cannot read the bus: {0}")]
    Bus(#[from] ConsumeError),
}

impl Gateway {
    /// Starts its threads and listens.
    ///
    /// # Errors
    /// [`GatewayError`]: the address is taken, the bus lacks a topic, no thread can be had.
    pub async fn start(config: GatewayConfig, with: Dependencies) -> Result<Self, GatewayError> {
        let (consumer, layout) = layout(with.consumer, &with.clock, &with.shutdown).await?;
        let listeners = listener::bind(config.addr, config.shards)
            .map_err(|error| GatewayError::Listen(config.addr, error))?;
        let addr = listeners.first().and_then(|l| l.local_addr().ok()).unwrap_or(config.addr);
        let waker = consumer.waker();
        let (want_sender, requests) = mpsc::channel(limits::REQUESTS_MAX);
        let (queries, asked) = TailQueries::new(limits::QUERIES_MAX, waker.clone());
        let authenticator = Arc::new(Authenticator::new(config.auth.clone(), with.clock.clone()));
        let connections = Connections::new(config.connections, config.connections_per_ip);
        let variants = Variants::new(config.intervals.clone());
        let frames = Arc::new(FramesMade::default());
        let tail_metrics = Arc::new(TailMetrics::new());
        let setup = |number| ShardSetup {
            number,
            config: config.sessions.clone(),
            variants: variants.clone(),
            tail: TailLink::new(want_sender.clone(), waker.clone()),
            clock: with.clock.clone(),
            authenticator: Arc::clone(&authenticator),
            closes: with.closes.clone(),
            frames: Arc::clone(&frames),
            metrics: Arc::new(ShardMetrics::default()),
            strain: Arc::new(Strain::new(config.sessions.slow_after)),
        };
        let setups: Vec<ShardSetup> = (0..config.shards).map(setup).collect();
        let shards: Vec<_> = setups.iter().map(|setup| Arc::clone(&setup.metrics)).collect();
        let (tail, made) = (Arc::clone(&tail_metrics), Arc::clone(&frames));
        let bounded = (Arc::clone(&connections), config.sessions.clone());
        metrics::register(&with.metrics, tail, shards.clone(), made, bounded);

        let router = router(&config.sessions, &authenticator, queries, &with.clock);
        let mut mailboxes = Vec::with_capacity(config.shards);
        let mut reports = Vec::with_capacity(config.shards);
        for (setup, listener) in setups.into_iter().zip(listeners) {
            let (sender, mailbox) = mpsc::channel(limits::MAILBOX_MAX);
            let (report, asked) = mpsc::channel(sessions::ASKED_MAX);
            let (arrival, arrivals) = mpsc::channel(limits::ARRIVALS_MAX);
            mailboxes.push((sender, Arc::clone(&setup.strain)));
            reports.push(report);
            let door = Door {
                router: router.clone(),
                handshake: context(&config, &authenticator, &connections),
                proxies: config.proxies.clone(),
                connections: Arc::clone(&connections),
                arrivals: arrival,
                kernel: config.sessions.kernel,
            };
            let mail = (mailbox, arrivals, asked);
            start_shard(setup, listener, mail, door, with.shutdown.clone()).await?;
        }
        let aside = (with.past, with.scout);
        let (past, scout) = start_aside(aside, &with.clock, &with.shutdown, &waker)?;
        let mailboxes = Mailboxes { shards: mailboxes, requests, queries: asked, past, scout };
        let (ring_bytes, by_interest) = (config.ring_bytes, config.by_interest);
        let readiness = with.readiness.clone();
        let wait = if with.ingest_elsewhere { limits::FIRST_CHANNEL_WAIT } else { Duration::ZERO };
        let setup = Setup { ring_bytes, variants, layout, by_interest, readiness, wait };
        let tail = Tail::new(setup, mailboxes, with.clock, tail_metrics);
        let caught_up = opening(&connections, &with.readiness);
        let end = with.shutdown.clone();
        start_thread("tail", &with.shutdown, move || tail.run(consumer, caught_up, &end))?;
        drain_with(Arc::clone(&connections), with.shutdown);
        Ok(Self { addr, connections, shards, admin: sessions::router(reports) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Routes for the admin listener.
    pub fn admin_routes(&self) -> axum::Router {
        self.admin.clone()
    }

    /// Open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    /// Sessions that are subscribed to something, as of the shards' last look at their timers.
    #[must_use]
    pub fn subscribers(&self) -> u64 {
        self.shards.iter().map(|shard| shard.subscribers()).sum()
    }

    /// Sessions that have not been sent all they are due, as of the same look.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.shards.iter().map(|shard| shard.waiting()).sum()
    }
}

/// Asks the bus for its layout, with patience.
async fn layout(
    mut consumer: Box<dyn Consumer>,
    clock: &Clock,
    shutdown: &Shutdown,
) -> Result<(Box<dyn Consumer>, Layout), GatewayError> {
    let patience = Patience::new(clock, shutdown);
    loop {
        // The bus may take its time.
        let asking = tokio::task::spawn_blocking(move || {
            let read = Layout::read(&mut *consumer);
            (consumer, read)
        });
        let (back, read) =
            asking.await.map_err(|error| GatewayError::Thread(io::Error::other(error)))?;
        consumer = back;
        let error = match read {
            Ok(layout) => return Ok((consumer, layout)),
            Err(error) => error,
        };
        let is_away = matches!(error, ConsumeError::Unreachable(_));
        if !(is_away && patience.wait("the bus can't be read yet", &error).await) {
            return Err(error.into());
        }
    }
}

/// Nobody is let in until what this returns is called.
fn opening(connections: &Arc<Connections>, ready: &Readiness) -> impl FnOnce() + use<> {
    let ready = ready.latch("gateway caught up with the bus");
    connections.hold();
    let connections = Arc::clone(connections);
    move || {
        connections.open();
        ready.release();
    }
}

/// A node without its tail or a shard must not limp on: if the thread that holds this panics, the
/// node drains and ends, and its supervisor starts another.
struct EndsWithUs(Shutdown);

impl Drop for EndsWithUs {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.begin("a thread of the gateway panicked");
        }
    }
}

/// A thread that ends with the process, whose panic ends the process.
fn start_thread(
    name: &'static str,
    shutdown: &Shutdown,
    run: impl FnOnce() + Send + 'static,
) -> Result<(), GatewayError> {
    let guard = shutdown.guard(name);
    start_asking(name, shutdown, move || {
        run();
        drop(guard);
    })
}

/// The threads that wait for the bus in the tail's place: the reader of the past, the scout.
fn start_aside(
    (past, scout): (Box<dyn Consumer>, Box<dyn Consumer>),
    clock: &Clock,
    shutdown: &Shutdown,
    wake_tail: &Waker,
) -> Result<(PastLink, ScoutLink), GatewayError> {
    let (clock, end) = (clock.clone(), shutdown.clone());
    let (reader, past) = Reader::new(past, clock, end, wake_tail.clone());
    start_thread("past", shutdown, move || reader.run())?;
    let (scouting, scout) = Scout::new(scout, shutdown.clone(), wake_tail.clone());
    start_asking("scout", shutdown, move || scouting.run())?;
    Ok((past, scout))
}

/// The same for a thread the end need not wait for: it only asks.
fn start_asking(
    name: &'static str,
    shutdown: &Shutdown,
    run: impl FnOnce() + Send + 'static,
) -> Result<(), GatewayError> {
    let shutdown = shutdown.clone();
    let run = move || {
        let _watch = EndsWithUs(shutdown);
        run();
    };
    let started = thread::Builder::new().name(name.into()).spawn(run);
    started.map(drop).map_err(GatewayError::Thread)
}

/// Nobody is admitted once the end has begun.
fn drain_with(connections: Arc<Connections>, shutdown: Shutdown) {
    tokio::spawn(async move {
        shutdown.begun().await;
        connections.drain();
    });
}

/// The paths beside the stream.
fn router(
    sessions: &SessionConfig,
    authenticator: &Arc<Authenticator>,
    queries: TailQueries,
    clock: &Clock,
) -> axum::Router {
    rest::router(RestState {
        queries,
        authenticator: Arc::clone(authenticator),
        clock: clock.clone(),
        limits: sessions.limits,
        node: sessions.node.clone(),
    })
}

/// What handshakes of every shard need to know.
fn context(
    config: &GatewayConfig,
    authenticator: &Arc<Authenticator>,
    connections: &Arc<Connections>,
) -> handshake::Context<Permit> {
    let connections = Arc::clone(connections);
    handshake::Context {
        authenticator: Arc::clone(authenticator),
        admit: Arc::new(move |address| connections.admit(address)),
        deflate_window_bits: config.deflate.then_some(config.sessions.deflate_window_bits),
    }
}

/// What a shard is told: by the tail, by its listener, by the operator.
type Mail = (mpsc::Receiver<ToShard>, mpsc::Receiver<Arrival>, mpsc::Receiver<SessionsAsked>);

/// One shard on a thread and a runtime of its own; returns once it listens.
async fn start_shard(
    setup: ShardSetup,
    listener: std::net::TcpListener,
    (mailbox, arrivals, asked): Mail,
    door: Door,
    shutdown: Shutdown,
) -> Result<(), GatewayError> {
    let (started, start) = oneshot::channel();
    let guard = shutdown.guard("shard");
    let name = format!("shard-{}", setup.number);
    let run = move || {
        let _watch = EndsWithUs(shutdown.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(GatewayError::Thread(error)))),
        };
        runtime.block_on(async move {
            let made = tokio::net::TcpListener::from_std(listener)
                .map_err(GatewayError::Thread)
                .and_then(|listener| Ok((listener, Shard::new(setup)?)));
            let (listener, shard) = match made {
                Ok(made) => made,
                Err(error) => return drop(started.send(Err(error))),
            };
            tokio::spawn(listener::accept(listener, Arc::new(door), shutdown.clone()));
            // The receiver is gone only if the start was given up.
            let _ = started.send(Ok(()));
            shard.run(mailbox, arrivals, asked, shutdown, guard).await;
        });
    };
    thread::Builder::new().name(name).spawn(run).map_err(GatewayError::Thread)?;
    let ended = |_| Err(GatewayError::Thread(io::Error::other("the shard ended at once")));
    start.await.unwrap_or_else(ended)
}

#[cfg(test)]
mod tests;
