//! The doors system tests enter by: the very functions `demo` and `replay` call, on free ports,
//! with a configuration of the test's and a log the test can read.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use fantail_ingest::simulator::{Faults, StartGate, Venue};
use fantail_ops::config::Problems;
use fantail_ops::logging::{self, LogConfig, LogHandle, LogOutput};
pub use fantail_ops::shutdown::Shutdown;

use crate::cli::{ConfigArgs, DemoArgs, MarketArgs, ReplayArgs, Speed};
use crate::config::RawConfig;
use crate::demo::{self, Stage};
use crate::replay;

const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A demo that only does what the test asks for: calm, two symbols a venue.
#[must_use]
pub fn demo_args() -> DemoArgs {
    DemoArgs {
        listen: ANY_PORT,
        admin: ANY_PORT,
        markets: MarketArgs {
            seed: 7,
            symbols: 2,
            trades_per_s: 20.0,
            book_updates_per_s: 20.0,
            burst: None,
            calm: true,
        },
        json: true,
        config: ConfigArgs::default(),
    }
}

/// Starts a demo; `set` are configuration overrides (`gateway.shards=1`).
///
/// # Errors
/// What could not be started, and why.
pub async fn demo(args: DemoArgs, set: &[&str]) -> anyhow::Result<(Stage, Shutdown)> {
    let shutdown = Shutdown::new();
    let stage = demo::start(args, configured(set)?, shutdown.clone(), silent()?).await?;
    Ok((stage, shutdown))
}

/// Starts a replay with its gate closed; open it when the audience is there.
///
/// # Errors
/// A recording that cannot be read, or what could not be started.
pub async fn replay(
    files: Vec<PathBuf>,
    speed: Speed,
    set: &[&str],
) -> anyhow::Result<(Stage, StartGate, Shutdown)> {
    let args = ReplayArgs {
        files,
        speed,
        start_after: 1,
        listen: ANY_PORT,
        admin: ANY_PORT,
        json: true,
        exit: false,
        config: ConfigArgs::default(),
    };
    let shutdown = Shutdown::new();
    let (stage, gate) = replay::start(args, configured(set)?, shutdown.clone(), silent()?).await?;
    Ok((stage, gate, shutdown))
}

fn configured(set: &[&str]) -> anyhow::Result<RawConfig> {
    let set = set.iter().map(|flag| (*flag).to_owned()).collect();
    let sources = fantail_ops::config::Sources { flags: set, ..Default::default() };
    let loaded = fantail_ops::config::load::<RawConfig>(&sources);
    let problems: Problems = loaded.problems;
    problems.into_result()?;
    Ok(loaded.raw)
}

/// A log nobody reads: tests run side by side in one process, so it is not installed.
fn silent() -> anyhow::Result<LogHandle> {
    let (_, handle) = logging::subscriber(LogConfig::default())?;
    Ok(handle)
}

/// Log lines of a test's own process, for tests that look for what must not be in them.
#[derive(Debug, Clone, Default)]
pub struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// Installs logging into this buffer for the calling process, once, at every level.
    ///
    /// # Errors
    /// Logging was installed already.
    pub fn install(&self) -> anyhow::Result<LogHandle> {
        let output = LogOutput::new(self.clone());
        Ok(logging::start(LogConfig { filter: "debug".into(), output, ..LogConfig::default() })?)
    }

    /// Everything logged so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
