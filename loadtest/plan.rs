//! A plan: how many sockets do what. Plans are files, so that a figure names what made it.

use std::path::Path;

use anyhow::Context;
use fantail_wire::client::Encoding;
use serde::Deserialize;

/// Longest plan file read.
const FILE_BYTES_MAX: u64 = 64 * 1_024;
/// Most sockets of one process: the usual descriptor limit is 20,000.
const SOCKETS_MAX: usize = 60_000;

/// What a run is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name in reports.
    pub name: String,
    /// Arguments the server is meant to be started with, for `compare` and for people.
    pub server: Vec<String>,
    /// Sockets.
    pub sockets: usize,
    /// Channels or patterns.
    pub channels: Vec<String>,
    /// Channels of each socket, taken in turn from the list; 0 = all of them.
    #[serde(default)]
    pub per_socket: usize,
    /// `json`, `msgpack` or `protobuf`.
    #[serde(default = "json")]
    pub encoding: String,
    /// Offer permessage-deflate.
    #[serde(default)]
    pub deflate: bool,
    /// Ask for batch messages.
    #[serde(default)]
    pub batch: bool,
    /// Share of sockets that stop reading once subscribed.
    #[serde(default)]
    pub stalled: f64,
    /// Seconds to measure.
    #[serde(default = "ten")]
    pub seconds: f64,
    /// The yardstick's messages a second, the rate the server is started with.
    #[serde(default)]
    pub rate: f64,
    /// The yardstick's messages per flush.
    #[serde(default = "one")]
    pub burst: usize,
}

fn json() -> String {
    "json".into()
}

const fn ten() -> f64 {
    10.0
}

const fn one() -> usize {
    1
}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// The file, or what is wrong in it.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let size = std::fs::metadata(path).with_context(|| name.to_string())?.len();
        anyhow::ensure!(size <= FILE_BYTES_MAX, "{name}: too large for a plan");
        let text = std::fs::read_to_string(path).with_context(|| name.to_string())?;
        let plan: Self = toml::from_str(&text).with_context(|| name.to_string())?;
        plan.encoding()?;
        let sockets = plan.sockets;
        anyhow::ensure!(
            (1..=SOCKETS_MAX).contains(&sockets),
            "{name}: sockets: 1 to {SOCKETS_MAX}"
        );
        anyhow::ensure!(!plan.channels.is_empty(), "{name}: no channels");
        anyhow::ensure!((0.0..=1.0).contains(&plan.stalled), "{name}: stalled: 0 to 1");
        Ok(plan)
    }

    /// The encoding by its word.
    ///
    /// # Errors
    /// An unknown word.
    pub fn encoding(&self) -> anyhow::Result<Encoding> {
        let known = Encoding::ALL.into_iter().find(|known| known.as_str() == self.encoding);
        known
            .with_context(|| format!("encoding {}: write json, msgpack or protobuf", self.encoding))
    }

    /// The channels of one socket.
    #[must_use]
    pub fn channels_of(&self, socket: usize) -> Vec<&str> {
        let all = self.channels.iter().map(String::as_str);
        match self.per_socket {
            0 => all.collect(),
            count => {
                let start = socket * count % self.channels.len();
                all.cycle().skip(start).take(count.min(self.channels.len())).collect()
            }
        }
    }
}
