//! `fantail run` and `fantail check-config`: a node as `fantail.toml` says.

use std::process::ExitCode;

use fantail_ops::clock::Clock;
use fantail_ops::logging;
use fantail_ops::shutdown::Shutdown;

use crate::assemble::assemble;
use crate::cli::{ConfigArgs, RunArgs};
use crate::config::RawConfig;

/// Runs until a signal or a drain.
///
/// # Errors
/// Every mistake of the configuration, or what could not be started.
pub async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let (raw, problems) = RawConfig::load(&args.config);
    let config = raw.meaning(problems)?;
    let logs = logging::start(raw.logging())?;
    if config.ingest.venues.is_empty() {
        anyhow::bail!(
            "no symbols are configured: write venues.binance.symbols = [\"BTC-USDT\"] in \
             fantail.toml (fantail.example.toml shows everything), or try `fantail demo`"
        );
    }
    if config.gateway.auth.admits_nobody() {
        tracing::warn!(
            "nobody can connect: configure auth.keys, auth.api_keys or auth.anonymous = true"
        );
    }
    let shutdown = Shutdown::new();
    shutdown.listen_for_signals()?;
    let node = assemble(config, Clock::system(), shutdown, logs).await?;
    tracing::info!(public = %node.addr(), admin = %node.admin(), "serving");
    node.ended().await?;
    Ok(ExitCode::SUCCESS)
}

/// Reports every mistake, or that there is none.
///
/// # Errors
/// Every mistake.
pub fn check(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let (raw, problems) = RawConfig::load(args);
    let config = raw.meaning(problems)?;
    println!("the configuration is good");
    for venue in &config.ingest.venues {
        let symbols: Vec<&str> = venue.symbols.iter().map(|symbol| symbol.as_str()).collect();
        println!("  {}: {}", venue.id, symbols.join(" "));
    }
    if config.ingest.venues.is_empty() {
        println!("  note: no symbols are configured, so `run` has nothing to serve");
    }
    if config.gateway.auth.admits_nobody() {
        println!("  note: no keys and no anonymous access: nobody can connect");
    }
    Ok(ExitCode::SUCCESS)
}
