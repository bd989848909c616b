//! `fantail demo`: simulated venues on loopback, the real ingest against them, the real gateway,
//! the page.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use fantail_gateway::auth::{KeyAlgorithm, KeySection, MintRequest, SigningKey, mint};
use fantail_gateway::config::LimitsSection;
use fantail_ingest::simulator::{SeededConfig, Simulator, Source, Symbol, Venue};
use fantail_model::Kind;
use fantail_ops::clock::Clock;
use fantail_ops::logging::{self, LogHandle};
use fantail_ops::secret::Secret;
use fantail_ops::shutdown::Shutdown;

use crate::announce::Announcement;
use crate::assemble::{Node, assemble};
use crate::cli::{DemoArgs, MarketArgs};
use crate::config::RawConfig;
use crate::simulate;

/// `iss` and `aud` of the demo's own tokens.
const ISSUER: &str = "fantail-demo";
/// How long a demo token lasts.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3_600);
/// A demo may be load-tested from one address.
const CONNECTIONS_PER_IP: u32 = 50_000;

/// A node whose venues are played by a simulator.
pub struct Stage {
    /// The node.
    pub node: Node,
    /// Where clients connect.
    pub addr: SocketAddr,
    /// The venues.
    pub simulator: Simulator,
    /// A token that permits every channel.
    pub token: String,
    /// Every base channel.
    pub channels: Vec<String>,
}

/// Runs until a signal.
///
/// # Errors
/// What could not be started, and why.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let (raw, problems) = RawConfig::load(&args.config);
    problems.into_result()?;
    let logs = logging::start(quiet(&raw, &args.config.set))?;
    let shutdown = Shutdown::new();
    shutdown.listen_for_signals()?;
    let json = args.json;
    let stage = start(args, raw, shutdown, logs).await?;
    stage.announcement().print("demo: simulated Binance and Coinbase, live", json);
    stage.node.ended().await?;
    Ok(ExitCode::SUCCESS)
}

/// Warnings only, unless the person asked for more: the terminal belongs to what is printed.
pub(crate) fn quiet(raw: &RawConfig, set: &[String]) -> logging::LogConfig {
    let mut config = raw.logging();
    if !set.iter().any(|flag| flag.starts_with("log.level")) {
        config.filter = "warn".into();
    }
    config
}

/// Starts the simulator and a node against it.
///
/// # Errors
/// What could not be started, and why.
pub async fn start(
    args: DemoArgs,
    raw: RawConfig,
    shutdown: Shutdown,
    logs: LogHandle,
) -> anyhow::Result<Stage> {
    let source = Source::Seeded(seeded(&args.markets));
    on_stage(source, (args.listen, args.admin), raw, shutdown, logs).await
}

/// Markets as asked for.
pub(crate) fn seeded(markets: &MarketArgs) -> SeededConfig {
    SeededConfig {
        seed: markets.seed,
        symbols: usize::from(markets.symbols),
        trades_per_s: markets.trades_per_s,
        book_updates_per_s: markets.book_updates_per_s,
        burst: markets.burst,
        calm: markets.calm,
    }
}

/// Starts any simulation and a node against it.
pub(crate) async fn on_stage(
    source: Source,
    (listen, admin): (SocketAddr, SocketAddr),
    mut raw: RawConfig,
    shutdown: Shutdown,
    logs: LogHandle,
) -> anyhow::Result<Stage> {
    let clock = Clock::system();
    let nobody_else = SocketAddr::from(([127, 0, 0, 1], 0));
    // The venues outlive the node: while it drains, its feeds go on.
    let simulator = simulate::start(nobody_else, source, &clock, &Shutdown::new()).await?;
    play_venues(&mut raw, &simulator);
    raw.listen.addr = listen.to_string();
    raw.admin.addr = admin.to_string();
    let limit = &mut raw.limits.connections_per_ip;
    if *limit == LimitsSection::default().connections_per_ip {
        *limit = CONNECTIONS_PER_IP;
    }
    raw.auth.anonymous = true;
    let secret =
        Secret::new(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()));
    logs.scrubber().learn(&secret);
    let token = admit(&mut raw, &secret, &clock)?;
    logs.scrubber().learn(&Secret::new(token.clone()));
    let config = raw.meaning(Default::default())?;
    let channels = channels(simulator.symbols(), &config);
    let node = assemble(config, clock, shutdown, logs).await?;
    let addr = node.addr().context("a demo serves clients: role must be all")?;
    Ok(Stage { node, addr, simulator, token, channels })
}

/// Points the ingest at the simulator, for every symbol it plays.
fn play_venues(raw: &mut RawConfig, simulator: &Simulator) {
    let endpoints = simulator.endpoints();
    let binance = &mut raw.venues.binance;
    binance.symbols = simulate::symbols(simulator, Venue::Binance);
    (binance.ws, binance.rest) = (Some(endpoints.binance_ws), Some(endpoints.binance_rest));
    let coinbase = &mut raw.venues.coinbase;
    coinbase.symbols = simulate::symbols(simulator, Venue::Coinbase);
    (coinbase.ws, coinbase.rest) = (Some(endpoints.coinbase_ws), Some(endpoints.coinbase_rest));
}

/// Adds a key made for this run, and mints a token with it.
fn admit(raw: &mut RawConfig, secret: &Secret, clock: &Clock) -> anyhow::Result<String> {
    let kid = Some(ISSUER.to_owned());
    raw.auth.keys.push(KeySection {
        kid: kid.clone(),
        alg: KeyAlgorithm::HS256,
        secret: Some(secret.clone()),
        public_key: None,
        public_key_file: None,
        iss: ISSUER.into(),
        aud: ISSUER.into(),
    });
    let request = MintRequest {
        user: "demo".into(),
        issuer: ISSUER.into(),
        audience: ISSUER.into(),
        kid,
        lifetime: TOKEN_LIFETIME,
        channels: every_channel(),
        limits: Default::default(),
    };
    Ok(mint(&SigningKey::secret(secret.expose().as_bytes()), &request, clock)?)
}

/// A grant for each kind.
pub(crate) fn every_channel() -> Vec<String> {
    let pattern = |kind: Kind| match kind {
        Kind::Cbbo => "cbbo:*".to_owned(),
        kind => format!("{}:*:*", kind.as_str()),
    };
    Kind::ALL.into_iter().map(pattern).collect()
}

fn channels(symbols: &[Symbol], config: &crate::config::NodeConfig) -> Vec<String> {
    let mut channels = Vec::new();
    for symbol in symbols {
        let venue = symbol.venue.as_str();
        for kind in ["book", "trade", "bbo", "ticker", "status"] {
            channels.push(format!("{kind}:{venue}:{}", symbol.canonical));
        }
        let lengths = config.ingest.venues.iter().find(|v| v.id.as_str() == venue);
        for length in lengths.iter().flat_map(|venue| &venue.candles) {
            channels.push(format!("candle:{venue}:{}:{}", symbol.canonical, length.as_str()));
        }
    }
    channels
}

impl Stage {
    pub(crate) fn announcement(&self) -> Announcement {
        Announcement {
            public: self.addr,
            admin: self.node.admin(),
            token: self.token.clone(),
            channels: self.channels.clone(),
        }
    }
}
