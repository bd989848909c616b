//! `fantail-ingest`: venues in, positioned events out.
//!
//! Owns everything about a venue: its connections, its book rules, its gaps, and the positions of
//! its events, which are born here and nowhere else. Input: [`IngestConfig`] and a bus. Output:
//! records (`fantail_wire::record`) on that bus: events of `trade`, `bbo`, `ticker`, `book`,
//! `candle` and `status` channels, instruments, and a heartbeat a second per venue.
//!
//! One feed (a task) per venue owns all of its state: parse → sync → books → sequencer → publisher
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

mod ask;
mod books;
mod candles;
mod channels;
mod market;
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

use fantail_bus::{Bus, OpenError};
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use tokio::task::JoinSet;

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
    /// A bug in a feed.
    #[error("a feed panicked: {0}")]
    Panicked(String),
}

/// Runs a feed for every configured venue until shutdown, or until one can't go on. Producers are
/// opened on `bus`, one per venue. Needs a tokio runtime with time and I/O.
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
    let mut feeds = JoinSet::new();
    for venue in config.venues {
        let producer = bus.producer()?;
        let dependencies = startup::Dependencies {
            clock: clock.clone(),
            metrics: metrics.venue(venue.id.as_str()),
            shutdown: shutdown.clone(),
        };
        let feed = startup::feed(venue, config.format, producer, dependencies)?;
        feeds.spawn(feed.run());
    }
    while let Some(ended) = feeds.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(_)) if shutdown.has_begun() => {}
            Ok(Err(error)) => return Err(error),
            Err(join) => return Err(IngestError::Panicked(join.to_string())),
        }
    }
    Ok(())
}
