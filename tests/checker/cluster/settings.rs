//! How big the cluster is, and the configuration its nodes share.

use std::path::{Path, PathBuf};

/// A cluster to start.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The binary under test.
    pub(crate) fantail: PathBuf,
    /// Another build, which every second worker and gateway runs.
    pub(crate) beside: Option<PathBuf>,
    /// Starts and hurts brokers.
    pub(crate) brokers_script: PathBuf,
    /// Logs, histories, the dump.
    pub(crate) dir: PathBuf,
    /// Port of the first broker.
    pub(crate) kafka_port: u16,
    /// Of the markets.
    pub(crate) seed: u64,
    /// Of each venue.
    pub(crate) symbols: u16,
    pub(crate) trades_per_s: f64,
    pub(crate) book_updates_per_s: f64,
    pub(crate) gateways: u16,
    pub(crate) workers: u16,
    /// `gateway.heartbeat`.
    pub(crate) heartbeat: &'static str,
}

impl Settings {
    /// What the worker or gateway of a number runs, from 1 on.
    pub(crate) fn binary(&self, number: u16) -> &Path {
        let other = self.beside.as_deref().filter(|_| number.is_multiple_of(2));
        other.unwrap_or(&self.fantail)
    }

    /// What every node is told. Retention outlives every run: the dump must hold all of it.
    pub(crate) fn toml(&self, brokers: &str) -> String {
        let list: Vec<String> = brokers.split(',').map(|broker| format!("{broker:?}")).collect();
        format!(
            r#"[auth]
anonymous = true

[limits]
connections_per_ip = 20000

[gateway]
heartbeat = "{heartbeat}"
drain = "4s"
shards = 1
ring_bytes = "32MiB"

[bus]
kind = "kafka"
partitions = 4
retention = "6h"
retention_bytes = "4GiB"

[bus.kafka]
brokers = [{list}]
replication = 3

[log]
level = "info"
format = "json"
"#,
            heartbeat = self.heartbeat,
            list = list.join(", ")
        )
    }
}
