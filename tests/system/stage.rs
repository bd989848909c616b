//! A whole server for one test: simulated venues, ingest, gateway, on free loopback ports.
//!
//! Owns: starting by the front door (`demo` or `replay`) and ending when the test does. Input: a
//! market and a piece of `fantail.toml`. Output: addresses and the simulator's handles. It speaks
//! to nobody; that is `client`, `raw` and `http`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use fantail_node::cli::{ConfigArgs, DemoArgs, ReplayArgs, Speed};
use fantail_node::simulator::{Simulator, StartGate};
use fantail_node::{Node, RawConfig, Shutdown, demo, replay};

use super::logs;

/// A free port of loopback.
const ANYWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A seeded market without faults of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Market {
    /// Symbols of each venue.
    pub(crate) symbols: u16,
    /// Of each symbol.
    pub(crate) trades_per_s: f64,
    /// Of each symbol.
    pub(crate) books_per_s: f64,
}

/// What most tests watch: little, so that it can be checked whole.
pub(crate) const SMALL: Market = Market { symbols: 2, trades_per_s: 5.0, books_per_s: 20.0 };

/// A running server; it ends when dropped.
pub(crate) struct Stage {
    /// The node.
    pub(crate) node: Node,
    /// Its venues.
    pub(crate) simulator: Simulator,
    /// Permits every channel.
    pub(crate) token: String,
    /// Every base channel.
    pub(crate) channels: Vec<String>,
    /// Its end.
    pub(crate) shutdown: Shutdown,
    _ends: EndsOnDrop,
}

struct EndsOnDrop(Shutdown);

impl Drop for EndsOnDrop {
    fn drop(&mut self) {
        self.0.begin("the test is over");
    }
}

impl Stage {
    /// The public address.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.node.addr()
    }

    /// Channels of these kinds.
    pub(crate) fn channels_of(&self, kinds: &[&str]) -> Vec<String> {
        let is_wanted = |name: &&String| kinds.iter().any(|kind| name.starts_with(&format!("{kind}:")));
        self.channels.iter().filter(is_wanted).cloned().collect()
    }

    fn new(stage: demo::Stage, shutdown: Shutdown) -> Self {
        let demo::Stage { node, simulator, token, channels } = stage;
        let ends = EndsOnDrop(shutdown.clone());
        Self { node, simulator, token, channels, shutdown, _ends: ends }
    }
}

/// Starts seeded venues and a node, with a piece of configuration.
pub(crate) async fn demo(market: Market, config: &str) -> anyhow::Result<Stage> {
    let args = DemoArgs {
        listen: ANYWHERE,
        admin: ANYWHERE,
        seed: 7,
        symbols: market.symbols,
        trades_per_s: market.trades_per_s,
        book_updates_per_s: market.books_per_s,
        calm: true,
        json: true,
        config: ConfigArgs::default(),
    };
    let shutdown = Shutdown::new();
    let raw = configuration(config)?;
    let stage = demo::start(args, raw, shutdown.clone(), logs::handle()).await?;
    Ok(Stage::new(stage, shutdown))
}

/// Starts recorded venues, standing still until the gate is opened, and a node.
pub(crate) async fn replay(
    files: Vec<PathBuf>,
    speed: Speed,
    config: &str,
) -> anyhow::Result<(Stage, StartGate)> {
    let args = ReplayArgs {
        files,
        speed,
        start_after: 1,
        listen: ANYWHERE,
        admin: ANYWHERE,
        json: true,
        exit: false,
        config: ConfigArgs::default(),
    };
    let shutdown = Shutdown::new();
    let raw = configuration(config)?;
    let (stage, gate) = replay::start(args, raw, shutdown.clone(), logs::handle()).await?;
    Ok((Stage::new(stage, shutdown), gate))
}

fn configuration(text: &str) -> anyhow::Result<RawConfig> {
    toml::from_str(text).context("the test's configuration")
}
