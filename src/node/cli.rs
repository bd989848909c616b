//! The command line, for a stranger: what each command does and what its flags mean.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fantail_wire::client::Encoding;

use crate::config::Role;

/// Fantail: one connection to each exchange in, tens of thousands of WebSockets out.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show everything without network: simulated exchanges, live books in your browser.
    Demo(DemoArgs),
    /// Serve live Binance and Coinbase, as fantail.toml says.
    Run(RunArgs),
    /// Play recordings through the whole server, as if the exchange sent them now.
    Replay(ReplayArgs),
    /// Follow channels of a running server in the terminal.
    Tap(TapArgs),
    /// Mint an access token (JWT) with a configured key.
    Token(TokenArgs),
    /// Check a configuration and say everything that is wrong with it.
    CheckConfig(ConfigArgs),
    /// Play the exchanges on a loopback port, for nodes that are not to need the internet.
    Simulate(SimulateArgs),
    /// Make or check the topics in Kafka that the configuration asks for.
    Topics(TopicsArgs),
}

/// `fantail topics`.
#[derive(Debug, Args)]
pub struct TopicsArgs {
    /// What to do with them.
    #[arg(value_enum)]
    pub action: TopicsAction,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What may be done with topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TopicsAction {
    /// Make those that are missing, check the others.
    Create,
    /// Only check.
    Check,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// Configuration file [default: fantail.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override one key, e.g. --set listen.addr=127.0.0.1:9000. Stronger than the file and
    /// FANTAIL__LISTEN__ADDR in the environment.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `fantail run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What this process does [default: what `role` in the configuration says, else all].
    #[arg(long, value_enum)]
    pub role: Option<Role>,
    /// Print one JSON line for scripts: {"page","ws","admin","role","pid"}; "page" and "ws" are
    /// null where nobody can connect.
    #[arg(long)]
    pub json: bool,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `fantail simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// What is traded.
    #[command(flatten)]
    pub markets: MarketArgs,
    /// Take orders from standard input, one a line: drop VENUE, garbage VENUE, skip VENUE SYMBOL,
    /// freeze VENUE SYMBOL MS, burst FACTOR MS.
    #[arg(long)]
    pub orders: bool,
    /// Print one JSON line for scripts: {"set","binance","coinbase","pid"}; "set" holds the
    /// KEY=VALUE flags that point a node at it.
    #[arg(long)]
    pub json: bool,
}

/// Simulated markets.
#[derive(Debug, Clone, Args)]
pub struct MarketArgs {
    /// The same seed makes the same markets.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Symbols of each exchange.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub symbols: u16,
    /// Trades a second, of each symbol.
    #[arg(long, value_name = "R", default_value_t = 4.0, value_parser = rate)]
    pub trades_per_s: f64,
    /// Book changes a second, of each symbol.
    #[arg(long, value_name = "R", default_value_t = 20.0, value_parser = rate)]
    pub book_updates_per_s: f64,
    /// Trades of a symbol that happen at one moment, such moments coming evenly [default: the
    /// markets move every 10 ms, by as much as falls into that time].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub burst: Option<u32>,
    /// No faults: by default each minute brings a burst, a lost delta, a frozen symbol and a
    /// dropped connection, to show how they are survived.
    #[arg(long)]
    pub calm: bool,
}

/// `fantail demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Address of the page and the stream; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of the admin listener (metrics, health); port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub admin: SocketAddr,
    /// What is traded.
    #[command(flatten)]
    pub markets: MarketArgs,
    /// Print one JSON line for scripts: {"page","ws","admin","token","channels","pid"}.
    #[arg(long)]
    pub json: bool,
    /// Where further configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `fantail replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Recordings, in order: hftbacktest .gz, cryptofeed .gz, or what `tap --record` wrote.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How fast: 1 is as recorded, 20 is twenty times that, max is as fast as it goes.
    #[arg(long, value_name = "N|max", default_value = "1", value_parser = speed)]
    pub speed: Speed,
    /// Begin when this many sessions are subscribed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub start_after: u64,
    /// Address of the page and the stream; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of the admin listener; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub admin: SocketAddr,
    /// Print one JSON line for scripts: {"page","ws","admin","token","channels","pid"}.
    #[arg(long)]
    pub json: bool,
    /// End the server when everything has been played and clients had time to take it.
    #[arg(long)]
    pub exit: bool,
    /// Where further configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Speed of a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As recorded, times this.
    Times(f64),
    /// As fast as it goes.
    Max,
}

/// `fantail tap`.
#[derive(Debug, Clone, Args)]
pub struct TapArgs {
    /// The server, e.g. ws://127.0.0.1:8080 (the path /v1/stream is added); several nodes, joined by
    /// commas, are tried in turn, and what was missed meanwhile is resumed.
    #[arg(value_name = "URL[,URL...]")]
    pub url: String,
    /// Channels or patterns, e.g. book:binance:BTC-USDT 'trade:*:*'.
    #[arg(required = true, value_name = "CHANNEL")]
    pub channels: Vec<String>,
    /// How messages travel; they are printed as JSON whatever it is.
    #[arg(long, value_enum, default_value_t = TapEncoding::Json)]
    pub encoding: TapEncoding,
    /// Access token (JWT).
    #[arg(long, env = "FANTAIL_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// API key.
    #[arg(long, env = "FANTAIL_API_KEY", hide_env_values = true, conflicts_with = "token")]
    pub api_key: Option<String>,
    /// Ask for batch messages.
    #[arg(long)]
    pub batch: bool,
    /// Also write what comes to a file that `fantail replay` plays.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Print rates, lag and gaps each second instead of messages.
    #[arg(long)]
    pub stats: bool,
    /// End after this many data messages.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// End after this many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// End when the connection is lost, instead of reconnecting and resuming.
    #[arg(long)]
    pub once: bool,
}

/// Encodings by their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TapEncoding {
    /// JSON in text frames.
    Json,
    /// MessagePack in binary frames.
    Msgpack,
    /// Protobuf in binary frames.
    Protobuf,
}

impl From<TapEncoding> for Encoding {
    fn from(encoding: TapEncoding) -> Self {
        match encoding {
            TapEncoding::Json => Self::Json,
            TapEncoding::Msgpack => Self::MsgPack,
            TapEncoding::Protobuf => Self::Protobuf,
        }
    }
}

/// `fantail token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Whose token (`sub`).
    #[arg(long, default_value = "me")]
    pub user: String,
    /// Channel patterns it permits; repeat for more [default: every channel].
    #[arg(long = "channel", value_name = "PATTERN")]
    pub channels: Vec<String>,
    /// Seconds until it ends.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    pub lifetime: u64,
    /// Which configured key signs, by its kid [default: the first with a secret].
    #[arg(long)]
    pub kid: Option<String>,
    /// Private key (PEM) for RS256, ES256 and EdDSA keys, whose configuration holds only the
    /// public half.
    #[arg(long, value_name = "FILE")]
    pub private_key: Option<PathBuf>,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=20_000.0).contains(&rate) => Ok(rate),
        _ => Err("write a number from 0 to 20000".into()),
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse::<f64>() {
        Ok(times) if (0.01..=10_000.0).contains(&times) => Ok(Speed::Times(times)),
        _ => Err("write a number from 0.01 to 10000, or max".into()),
    }
}
