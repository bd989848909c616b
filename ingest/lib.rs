//! `fantail-ingest`: venues in, positioned events out.
//!
//! Owns everything about a venue: its connections, its book rules, its gaps, and the positions of
//! its events, which are born here and nowhere else. Input: [`IngestConfig`] and a bus. Output:
//! records (`fantail_wire::record`) on that bus: events of `trade`, `bbo`, `ticker`, `book`,
//! `candle` and `status` channels, instruments, and a heartbeat a second per venue.
//!
//! Workers share the units of work through a group of the bus: `ownership` says what is ours,
//! `worker` runs it. One feed (a task) per unit owns all of its state: parse → sync → books → sequencer → publisher
//! run in it, without a lock. Connections and REST requests are tasks of their own and reach it by
//! bounded queues. It knows no client and no gateway.
//!
//! [`simulator`] plays venues on a loopback port; it shares no code with the rest.
#![forbid(unsafe_code)]

mod venue;

mod connection;
mod rest;

mod feed;
mod startup;

mod epochs;
mod last_trades;
mod ownership;
mod unit;
mod worker;

mod ask;
mod backfill;
mod books;
mod candles;
mod channels;
mod market;
mod standby;
mod status;
mod trail;

mod publisher;
mod sequencer;

pub mod config;
mod limits;
pub mod metrics;

pub mod simulator;

#[cfg(test)]
mod mutations;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;

#[cfg(test)]
mod feed_tests;

use std::sync::Arc;

use fantail_bus::{Bus, ConsumeError, MembershipError, OpenError};
use fantail_ops::clock::Clock;
use fantail_ops::patience::Patience;
use fantail_ops::shutdown::Shutdown;
use tokio::sync::watch;

pub use config::{IngestConfig, RawVenue, RawVenues, VenueConfig, VenueKind};
pub use metrics::IngestMetrics;

/// Why ingest could not start or go on. A venue that can't be reached is none of these: it is
/// retried, and told to clients as `status`.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No producer.
    #[error(transparent)]
    Bus(#[from] OpenError),
    /// The bus closed while feeds were running.
    #[error("the bus closed under the {venue} feed")]
    BusClosed {
        /// Whose feed noticed.
        venue: String,
    },
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
    /// What other owners said can't be read.
    #[error("the bus can't be read: {0}")]
    Read(#[from] ConsumeError),
    /// The group of ingest workers can't be joined.
    #[error(transparent)]
    Group(#[from] MembershipError),
    /// No thread.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
    /// A bug in a feed.
    #[error("a feed panicked: {0}")]
    Panicked(String),
}

/// Runs a feed for every unit (a venue, or a group of its symbols) that the group of ingest workers
/// deals to this one, until shutdown or until a feed can't go on. Alone, that is all of them.
/// Producers are opened on `bus`, one per feed. Needs a tokio runtime with time and I/O.
///
/// # Errors
/// See [`IngestError`].
pub async fn run(
    config: IngestConfig,
    bus: Arc<dyn Bus>,
    clock: Clock,
    metrics: IngestMetrics,
    shutdown: Shutdown,
) -> Result<(), IngestError> {
    // WebSocket connections use the process's TLS provider; whoever set one first is right.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _guard = shutdown.guard("ingest");
    let units = unit::units(&config);
    let owned = join(&bus, &units, &clock, &shutdown).await?;
    let shared = worker::Shared { bus, format: config.format, clock, metrics, shutdown };
    worker::Worker::new(shared, units).run(owned).await
}

/// Joins the group, with patience.
async fn join(
    bus: &Arc<dyn Bus>,
    units: &[unit::Unit],
    clock: &Clock,
    shutdown: &Shutdown,
) -> Result<watch::Receiver<Option<ownership::Told>>, IngestError> {
    let patience = Patience::new(clock, shutdown);
    loop {
        let (bus, units) = (Arc::clone(bus), units.to_vec());
        let (time, end) = (clock.clone(), shutdown.clone());
        // Joining asks the bus, which may take its time.
        let joining = move || ownership::start(&*bus, units, time, end);
        let joined = tokio::task::spawn_blocking(joining).await;
        let joined = joined.map_err(|error| IngestError::Panicked(error.to_string()))?;
        let Err(
            error @ (IngestError::Bus(OpenError::Unreachable(_))
            | IngestError::Read(ConsumeError::Unreachable(_))),
        ) = &joined
        else {
            return joined;
        };
        if !patience.wait("the group of ingest workers can't be joined yet", error).await {
            return joined;
        }
    }
}
