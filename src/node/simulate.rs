//! `fantail simulate`: the venues alone, on a port that nodes of any role can be pointed at.

mod orders;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use fantail_ingest::simulator::{Simulator, SimulatorConfig, Source, Venue};
use fantail_ops::clock::Clock;
use fantail_ops::logging::{self, LogConfig};
use fantail_ops::shutdown::Shutdown;
use serde_json::json;

use crate::announce::print_line;
use crate::cli::SimulateArgs;
use crate::demo::seeded;

/// Plays until a signal.
///
/// # Errors
/// The address can't be bound.
pub async fn run(args: SimulateArgs) -> anyhow::Result<ExitCode> {
    logging::start(LogConfig { filter: "warn".into(), ..LogConfig::default() })?;
    let shutdown = Shutdown::new();
    shutdown.listen_for_signals()?;
    let source = Source::Seeded(seeded(&args.markets));
    let simulator = start(args.listen, source, &Clock::system(), &shutdown).await?;
    if args.orders {
        tokio::spawn(orders::obey(simulator.faults()));
    }
    let flags = flags(&simulator);
    if args.json {
        let symbols = |venue| symbols(&simulator, venue);
        let line = json!({
            "set": flags,
            "binance": symbols(Venue::Binance),
            "coinbase": symbols(Venue::Coinbase),
            "pid": std::process::id(),
        });
        print_line(&line.to_string());
    } else {
        let flags: Vec<String> = flags.iter().map(|flag| format!("    --set '{flag}'")).collect();
        print_line(&format!(
            "\n  Simulated exchanges. In another terminal:\n\n  fantail run \\\n{}\n\n  \
             Ctrl-C ends it.\n",
            flags.join(" \\\n")
        ));
    }
    shutdown.begun().await;
    Ok(ExitCode::SUCCESS)
}

/// Starts a simulator that ends with the process.
pub(crate) async fn start(
    listen: SocketAddr,
    source: Source,
    clock: &Clock,
    shutdown: &Shutdown,
) -> anyhow::Result<Simulator> {
    let wall = clock.clone();
    let wall_us = Arc::new(move || wall.wall_micros());
    let simulation = SimulatorConfig { listen, source, wall_us };
    Simulator::start(simulation, shutdown.token()).await.context("the simulator")
}

/// What it plays of a venue, by canonical names.
pub(crate) fn symbols(simulator: &Simulator, venue: Venue) -> Vec<String> {
    let of_venue = simulator.symbols().iter().filter(|symbol| symbol.venue == venue);
    of_venue.map(|symbol| symbol.canonical.clone()).collect()
}

/// What points a node at it.
fn flags(simulator: &Simulator) -> Vec<String> {
    let to = simulator.endpoints();
    let list = |venue| json!(symbols(simulator, venue)).to_string();
    vec![
        format!("venues.binance.ws={}", to.binance_ws),
        format!("venues.binance.rest={}", to.binance_rest),
        format!("venues.binance.symbols={}", list(Venue::Binance)),
        format!("venues.coinbase.ws={}", to.coinbase_ws),
        format!("venues.coinbase.rest={}", to.coinbase_rest),
        format!("venues.coinbase.symbols={}", list(Venue::Coinbase)),
    ]
}
