//! Two venues played on one loopback port, over their real WebSocket and REST protocols: Binance
//! spot and Coinbase Exchange, from a seed or from recordings.
//!
//! Input: a [`SimulatorConfig`]; output: a port that speaks as the venues do, and [`FaultEvent`]s.
//! The first task, the *engine* ([`seeded`] or [`recorded`]), owns all state: markets or playback,
//! and the [`desk`] of sessions. Sockets and REST calls reach it by mail only.
//!
//! It deliberately shares no code with the ingest's parsers, the model or the wire formats: prices
//! are integer ticks with a decimal count of its own, and recorded messages pass as recorded. So
//! the ingest can't be tested against its own opinion of a venue.
//!
//! With a seed, the *content* of the markets (books, trades, ids) is made by the seed, tick after
//! tick; *when* a tick happens, and so the venue times in messages, comes from the clock.
//!
//! Paths: Binance at `/ws…`, `/stream`, `/api/v3/…`; Coinbase at `/coinbase` and `/products…`.

mod limits;

mod catalogue;
mod decimal_text;
mod market;

mod candles;
mod day;

mod binance;
mod coinbase;
mod rest;

mod desk;
mod faults;
mod recorded;
mod seeded;

mod server;
mod session;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use faults::{Fault, FaultEvent, Faults};
pub use recorded::Progress;

/// A venue the simulator plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Venue {
    /// Binance spot.
    Binance,
    /// Coinbase Exchange.
    Coinbase,
}

impl Venue {
    const ALL: [Self; 2] = [Self::Binance, Self::Coinbase];

    /// `binance` or `coinbase`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Coinbase => "coinbase",
        }
    }
}

/// Wall clock in microseconds since the Unix epoch; comes in so that it can be moved.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What to play, and where.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What to play.
    pub source: Source,
    /// Time for generated messages; recorded times are never touched.
    pub wall_us: WallClock,
}

/// Where the messages come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Generated markets.
    Seeded(SeededConfig),
    /// Recorded files.
    Recorded(RecordedConfig),
}

/// Generated markets.
#[derive(Debug, Clone, PartialEq)]
pub struct SeededConfig {
    /// The same seed makes the same markets.
    pub seed: u64,
    /// Symbols of each venue.
    pub symbols: usize,
    /// Trades a second, of each symbol.
    pub trades_per_s: f64,
    /// Book changes a second, of each symbol.
    pub book_updates_per_s: f64,
    /// Trades of a symbol that happen at one moment, with book changes in proportion; such moments
    /// come evenly, however close. `None`: whatever falls into a tick of 10 ms.
    pub burst: Option<u32>,
    /// No faults by itself.
    pub calm: bool,
}

/// Recorded files.
#[derive(Debug, Clone)]
pub struct RecordedConfig {
    /// In order; a cryptofeed recording's files may come in any order among themselves.
    pub files: Vec<PathBuf>,
    /// How fast.
    pub speed: Speed,
    /// Opened by whoever knows that an audience is there.
    pub start: StartGate,
}

/// The speed of a playback.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As recorded, times this.
    Times(f64),
    /// As fast as the clients read.
    Max,
}

/// Playing begins when someone has opened it (and the ingest has subscribed). Clones share it.
#[derive(Debug, Clone)]
pub struct StartGate {
    open: watch::Sender<bool>,
}

impl StartGate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { open: watch::Sender::new(false) }
    }

    /// Lets playing begin; opening twice is fine.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Whether playing may have begun.
    pub fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    pub(crate) async fn opened(&self) {
        let mut open = self.open.subscribe();
        // This handle keeps the sender alive, so waiting can't fail.
        let _ = open.wait_for(|open| *open).await;
    }
}

impl Default for StartGate {
    fn default() -> Self {
        Self::new()
    }
}

/// Base URLs, as the live ones are configured: paths are added by the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Takes `/ws/<stream>` and `/stream?streams=`.
    pub binance_ws: String,
    /// Takes `/api/v3/…`.
    pub binance_rest: String,
    /// Whole URL of the feed.
    pub coinbase_ws: String,
    /// Takes `/products…`.
    pub coinbase_rest: String,
}

/// One instrument the simulator plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Of which venue.
    pub venue: Venue,
    /// The venue's name: `BTCUSDT`, `BTC-USD`.
    pub native: String,
    /// `BASE-QUOTE`.
    pub canonical: String,
}

/// A running simulator; it ends with the token it was started with.
pub struct Simulator {
    addr: SocketAddr,
    symbols: Vec<Symbol>,
    faults: Faults,
    events: broadcast::Sender<FaultEvent>,
    progress: Option<Arc<recorded::Meter>>,
}

impl Simulator {
    /// Binds, loads what is to be played, and starts.
    ///
    /// # Errors
    /// The address can't be bound, or a recording can't be read.
    pub async fn start(config: SimulatorConfig, stop: CancellationToken) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let addr = listener.local_addr()?;
        let (mailbox, mail) = mpsc::channel(limits::MAILBOX_LEN);
        let (events, _) = broadcast::channel(limits::EVENTS_LEN);
        let shell =
            Shell { mail, events: events.clone(), wall_us: config.wall_us, stop: stop.clone() };
        let (symbols, progress, queue_len) = match config.source {
            Source::Seeded(seeded) => {
                let engine = seeded::Engine::new(seeded, shell);
                let symbols = engine.symbols();
                tokio::spawn(engine.run());
                (symbols, None, limits::SEEDED_QUEUE_LEN)
            }
            Source::Recorded(recorded) => {
                let engine = recorded::Engine::load(recorded, shell).await?;
                let (symbols, meter) = (engine.symbols(), engine.meter());
                tokio::spawn(engine.run());
                (symbols, Some(meter), limits::RECORDED_QUEUE_LEN)
            }
        };
        let faults = Faults::new(mailbox.clone());
        tokio::spawn(server::serve(listener, server::Rim::new(mailbox, stop, queue_len)));
        Ok(Self { addr, symbols, faults, events, progress })
    }

    /// Where it can be reached.
    pub fn endpoints(&self) -> Endpoints {
        let addr = self.addr;
        Endpoints {
            binance_ws: format!("ws://{addr}"),
            binance_rest: format!("http://{addr}"),
            coinbase_ws: format!("ws://{addr}{}", server::COINBASE_PATH),
            coinbase_rest: format!("http://{addr}"),
        }
    }

    /// All instruments it plays.
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// A handle to disturb it.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// What goes wrong from now on; a listener that falls behind misses the oldest.
    pub fn events(&self) -> broadcast::Receiver<FaultEvent> {
        self.events.subscribe()
    }

    /// How far a recording has been played; `None` with a seed.
    pub fn progress(&self) -> Option<Progress> {
        self.progress.as_ref().map(|meter| meter.read())
    }
}

/// What both engines are given.
struct Shell {
    mail: mpsc::Receiver<desk::Mail>,
    events: broadcast::Sender<FaultEvent>,
    wall_us: WallClock,
    stop: CancellationToken,
}

impl Shell {
    fn now_us(&self) -> i64 {
        (self.wall_us)()
    }

    fn announce(&self, fault: &Fault, symbol: Option<String>) {
        let event = fault.event(self.now_us(), symbol);
        tracing::info!(
            kind = event.kind,
            venue = event.venue.map(Venue::as_str),
            symbol = event.symbol.as_deref(),
            "simulated fault"
        );
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}
