//! A plan: how many sockets do what. Plans are files, so that a figure names what made it.

use std::path::Path;

use anyhow::Context;
use fantail_wire::client::Encoding;
use serde::{Deserialize, Deserializer};

use crate::limits::{CHANNELS_MAX, PLAN_BYTES_MAX, SOCKETS_MAX, SOCKETS_PER_SOURCE, THREADS_MAX};

/// What a run is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name in reports.
    pub name: String,
    /// Arguments the server is meant to be started with, for `compare` and for people.
    #[serde(default)]
    pub server: Vec<String>,
    /// Seconds to measure.
    #[serde(default = "ten")]
    pub seconds: f64,
    /// Seconds from the last acknowledgement to the measurement: seeds and first values settle.
    #[serde(default = "two")]
    pub settle_seconds: f64,
    /// Poll threads.
    #[serde(default = "one")]
    pub threads: usize,
    /// New sockets a second while ramping up; 0 = as fast as they are taken.
    #[serde(default)]
    pub ramp_per_s: f64,
    /// Loopback source addresses; 0 = as many as the sockets need.
    #[serde(default)]
    pub sources: usize,
    /// Of random picks.
    #[serde(default)]
    pub seed: u64,
    /// Sockets that the server closes come back and resume.
    #[serde(default)]
    pub reconnect: bool,
    /// Sockets are read once in so many milliseconds, and what comes meanwhile waits in the kernel: no
    /// arrival wakes the swarm, so that higher rates fit on its core. Latencies are late by as much.
    #[serde(default)]
    pub read_every_ms: u64,
    /// Sockets that leave and come back together.
    pub storm: Option<Storm>,
    /// The yardstick's messages a second, the rate the server is started with; 0 = no yardstick.
    #[serde(default)]
    pub rate: f64,
    /// The yardstick's messages per flush.
    #[serde(default = "one")]
    pub burst: usize,
    /// Sockets that are alike.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
}

/// Sockets that are alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// How many.
    pub sockets: usize,
    /// What they subscribe to.
    pub channels: Channels,
    /// Channels of each socket, picked from the list; 0 = all of them, patterns as they stand.
    #[serde(default)]
    pub per_socket: usize,
    /// How they are picked.
    #[serde(default)]
    pub pick: Pick,
    /// `json`, `msgpack` or `protobuf`.
    #[serde(default = "json", deserialize_with = "encoding")]
    pub encoding: Encoding,
    /// Offer permessage-deflate.
    #[serde(default)]
    pub deflate: bool,
    /// Ask for batch messages.
    #[serde(default)]
    pub batch: bool,
    /// Some of them read slowly.
    pub slow: Option<Slow>,
}

/// What a group subscribes to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Channels {
    /// Only `"all"`: everything the server has.
    Word(String),
    /// Channels and patterns.
    List(Vec<String>),
}

/// How channels are picked from a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// One socket after the other goes on where the last one ended.
    #[default]
    Turn,
    /// By the plan's seed.
    Random,
}

/// Readers that are too slow, from the measurement's start on.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// Share of the group's sockets.
    pub share: f64,
    /// What each of them reads, bytes a second; 0 = nothing.
    #[serde(default)]
    pub bytes_per_s: u64,
    /// Their kernel's receive buffer; 0 = as the system sets it.
    #[serde(default)]
    pub receive_buffer_bytes: usize,
}

/// Sockets that leave and come back together.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Seconds from one to the next.
    pub every_s: f64,
    /// Share of all sockets, each time others.
    pub share: f64,
    /// They come back with `from` and miss nothing.
    #[serde(default = "yes")]
    pub resume: bool,
    /// They leave by a reset instead of an orderly end.
    #[serde(default = "yes")]
    pub abrupt: bool,
}

const fn ten() -> f64 {
    10.0
}

const fn two() -> f64 {
    2.0
}

const fn one() -> usize {
    1
}

const fn yes() -> bool {
    true
}

const fn json() -> Encoding {
    Encoding::Json
}

fn encoding<'de, D: Deserializer<'de>>(from: D) -> Result<Encoding, D::Error> {
    let word = String::deserialize(from)?;
    let known = Encoding::ALL.into_iter().find(|known| known.as_str() == word);
    known.ok_or_else(|| serde::de::Error::custom("encoding is json, msgpack or protobuf"))
}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// The file, or what is wrong in it.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let size = std::fs::metadata(path).with_context(|| name.to_string())?.len();
        anyhow::ensure!(size <= PLAN_BYTES_MAX, "{name}: too large for a plan");
        let text = std::fs::read_to_string(path).with_context(|| name.to_string())?;
        Self::parse(&text).with_context(|| name.to_string())
    }

    /// Reads and checks a plan's text.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let plan: Self = toml::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// `sockets` of one channel each, that are held for `seconds`.
    #[must_use]
    pub fn idle(sockets: usize, channel: &str, seconds: f64) -> Self {
        let group = Group {
            sockets,
            channels: Channels::List(vec![channel.to_owned()]),
            per_socket: 0,
            pick: Pick::Turn,
            encoding: Encoding::Json,
            deflate: false,
            batch: false,
            slow: None,
        };
        Self {
            name: format!("idle: {sockets} sockets"),
            server: Vec::new(),
            seconds,
            settle_seconds: two(),
            threads: 1,
            ramp_per_s: 0.0,
            sources: 0,
            seed: 0,
            read_every_ms: 0,
            reconnect: false,
            storm: None,
            rate: 0.0,
            burst: 1,
            groups: vec![group],
        }
    }

    /// The same at another rate: the yardstick's and the server's arguments follow, and with them how
    /// many messages come at once.
    #[must_use]
    pub fn at_rate(&self, rate: f64) -> Self {
        let times = rate / self.rate;
        let burst = (self.burst as f64 * times).round().max(1.0);
        let mut plan = Self { rate, burst: burst as usize, ..self.clone() };
        for at in 1..plan.server.len() {
            let scaled = match plan.server[at - 1].as_str() {
                "--burst" => Some(burst),
                "--trades-per-s" | "--book-updates-per-s" => {
                    plan.server[at].parse::<f64>().ok().map(|value| value * times)
                }
                _ => None,
            };
            if let Some(scaled) = scaled {
                plan.server[at] = scaled.to_string();
            }
        }
        plan
    }

    /// Sockets of all groups.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.groups.iter().map(|group| group.sockets).sum()
    }

    /// Source addresses to spread over.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.sources.max(self.sockets().div_ceil(SOCKETS_PER_SOURCE)).max(1)
    }

    /// The group of a socket, and its place in it.
    #[must_use]
    pub fn group_of(&self, socket: usize) -> Option<(usize, usize)> {
        let mut first = 0;
        for (index, group) in self.groups.iter().enumerate() {
            if socket < first + group.sockets {
                return Some((index, socket - first));
            }
            first += group.sockets;
        }
        None
    }

    /// Reports every mistake at once.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let mut mistakes = Vec::new();
        let mut want = |holds: bool, text: String| {
            if !holds {
                mistakes.push(text);
            }
        };
        let share = |share: f64| (0.0..=1.0).contains(&share);
        let time = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        want((1..=SOCKETS_MAX).contains(&self.sockets()), format!("sockets: 1 to {SOCKETS_MAX}"));
        want((1..=THREADS_MAX).contains(&self.threads), format!("threads: 1 to {THREADS_MAX}"));
        want(self.sources() <= 250, "sources: at most 250".into());
        want(time(self.seconds) && self.seconds > 0.0, "seconds: more than 0".into());
        want(time(self.settle_seconds), "settle_seconds: 0 or more".into());
        want(time(self.ramp_per_s) && time(self.rate), "ramp_per_s and rate: 0 or more".into());
        want(self.burst > 0, "burst: 1 or more".into());
        if let Some(storm) = self.storm {
            want(share(storm.share), "storm.share: 0 to 1".into());
            want(time(storm.every_s) && storm.every_s > 0.0, "storm.every_s: more than 0".into());
        }
        for (index, group) in self.groups.iter().enumerate() {
            let at = format!("group {}", index + 1);
            want(group.sockets > 0, format!("{at}: no sockets"));
            let channels = match &group.channels {
                Channels::Word(word) => word == "all",
                Channels::List(list) => (1..=CHANNELS_MAX).contains(&list.len()),
            };
            want(channels, format!("{at}: channels is a list, or \"all\""));
            let slow = group.slow.map_or(0.0, |slow| slow.share);
            want(share(slow), format!("{at}: slow.share: 0 to 1"));
        }
        anyhow::ensure!(mistakes.is_empty(), "{}", mistakes.join("; "));
        Ok(())
    }
}

impl Group {
    /// Whether its `nth` socket is one of the slow ones, which lie evenly among the others.
    #[must_use]
    pub fn is_slow(&self, nth: usize) -> bool {
        let share = self.slow.map_or(0.0, |slow| slow.share);
        ((nth + 1) as f64 * share).floor() > (nth as f64 * share).floor()
    }

    /// The channels of its `nth` socket, out of what the list has become.
    #[must_use]
    pub fn channels_of<'a>(&self, nth: usize, seed: u64, list: &'a [String]) -> Vec<&'a str> {
        let count = if self.per_socket == 0 { list.len() } else { self.per_socket.min(list.len()) };
        if list.is_empty() || count == list.len() {
            return list.iter().map(String::as_str).collect();
        }
        let picked: Vec<usize> = match self.pick {
            Pick::Turn => (0..count).map(|more| (nth * count + more) % list.len()).collect(),
            Pick::Random => random_picks(seed ^ (nth as u64) << 20, count, list.len()),
        };
        picked.into_iter().filter_map(|at| list.get(at)).map(String::as_str).collect()
    }
}

/// `count` different places below `below`, the same for the same seed.
fn random_picks(seed: u64, count: usize, below: usize) -> Vec<usize> {
    let mut picked = Vec::with_capacity(count);
    let mut state = seed;
    while picked.len() < count {
        // SplitMix64: any seed gives a good sequence.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let at = ((word ^ (word >> 31)) % below as u64) as usize;
        if !picked.contains(&at) {
            picked.push(at);
        }
    }
    picked
}

#[cfg(test)]
mod tests;
