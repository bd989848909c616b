//! `fantail run` and `fantail check-config`: a node as `fantail.toml` says.

use std::process::ExitCode;

use fantail_ops::clock::Clock;
use fantail_ops::logging;
use fantail_ops::shutdown::Shutdown;
use serde_json::json;

use crate::announce::print_line;
use crate::assemble::assemble;
use crate::cli::{ConfigArgs, RunArgs};
use crate::config::RawConfig;

/// Runs until a signal or a drain.
///
/// # Errors
/// Every mistake of the configuration, or what could not be started.
pub async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let mut sources = args.config;
    sources.set.extend(args.role.map(|role| format!("role={}", role.as_str())));
    let (raw, problems) = RawConfig::load(&sources);
    let config = raw.meaning(problems)?;
    let logs = logging::start(raw.logging())?;
    if config.role.ingests() && config.ingest.venues.is_empty() {
        anyhow::bail!(
            "no symbols are configured: write venues.binance.symbols = [\"BTC-USDT\"] in \
             fantail.toml (fantail.example.toml shows everything), or try `fantail demo`"
        );
    }
    if config.role.serves() && config.gateway.auth.admits_nobody() {
        tracing::warn!(
            "nobody can connect: configure auth.keys, auth.api_keys or auth.anonymous = true"
        );
    }
    let role = config.role;
    let shutdown = Shutdown::new();
    shutdown.listen_for_signals()?;
    let node = assemble(config, Clock::system(), shutdown, logs).await?;
    let public = node.addr();
    tracing::info!(role = role.as_str(), ?public, admin = %node.admin(), "started");
    if args.json {
        let line = json!({
            "page": public.map(|addr| format!("http://{addr}/")),
            "ws": public.map(|addr| format!("ws://{addr}/v1/stream")),
            "admin": format!("http://{}/", node.admin()),
            "role": role.as_str(),
            "pid": std::process::id(),
        });
        print_line(&line.to_string());
    }
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
    print_line("the configuration is good");
    for venue in &config.ingest.venues {
        let symbols: Vec<&str> = venue.symbols.iter().map(|symbol| symbol.as_str()).collect();
        print_line(&format!("  {}: {}", venue.id, symbols.join(" ")));
    }
    if config.ingest.venues.is_empty() {
        print_line("  note: no symbols are configured, so there is nothing to ingest");
    }
    if config.gateway.auth.admits_nobody() {
        print_line("  note: no keys and no anonymous access: nobody can connect");
    }
    Ok(ExitCode::SUCCESS)
}
