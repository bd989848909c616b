//! The truth: what the bus holds, channel by channel, as an independent reader finds it.
//!
//! Input: every record of every event topic, in offset order per partition. Output: per channel and
//! epoch the facts by seq. The rule of the fence is applied as the protocol states it: once a record
//! of a higher epoch stands in the log, lower ones behind it are nobody's. What is wrong with the log
//! itself (holes, two owners speaking with one epoch) is kept as findings.
//!
//! Memory: 32 bytes for each distinct event of the run, however many clients were sent it.

mod channel;
mod feed;

use std::collections::{BTreeMap, HashMap};

pub(crate) use channel::ChannelTruth;
use feed::Feed;
pub use feed::FeedFigures;

use crate::check::Property;
use crate::place::Place;
use crate::record::{self, Unreadable};

/// Everything the bus holds.
#[derive(Debug, Default)]
pub struct Truth {
    channels: HashMap<String, ChannelTruth>,
    /// Trades by the venue's own numbers.
    pub(crate) feed: Feed,
    findings: Vec<Finding>,
    records: u64,
}

/// What is wrong with the log, whoever reads it.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) property: Property,
    pub(crate) channel: String,
    pub(crate) place: Place,
    pub(crate) detail: String,
}

/// A record that can't be judged, and where it lies.
#[derive(Debug, thiserror::Error)]
#[error("{topic}[{partition}] at {offset}: {why}")]
pub struct BadRecord {
    topic: String,
    partition: i32,
    offset: i64,
    why: String,
}

/// Where a record lies in the bus.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

impl Truth {
    /// Takes one record of an event topic.
    ///
    /// # Errors
    /// It can't be read: then nothing can be proven, so nothing is skipped.
    pub fn take(&mut self, spot: Spot<'_>, value: &[u8]) -> Result<(), BadRecord> {
        self.records += 1;
        let taken = record::read(value, |name, epoch, event| {
            let channel = match self.channels.get_mut(name) {
                Some(channel) => channel,
                None => self.channels.entry(name.to_owned()).or_insert(ChannelTruth::new(name)),
            };
            let found = channel.take(Place::new(epoch, event.seq), event, spot.offset);
            if channel.is_last(Place::new(epoch, event.seq)) {
                self.feed.take(name, event);
            }
            if let Some((property, place, detail)) = found {
                let channel = name.to_owned();
                self.findings.push(Finding { property, channel, place, detail });
            }
        });
        taken.map(drop).map_err(|why: Unreadable| BadRecord {
            topic: spot.topic.to_owned(),
            partition: spot.partition,
            offset: spot.offset,
            why: why.to_string(),
        })
    }

    /// The log lost the end of this channel's epoch (a fault that was made on purpose): what clients
    /// were sent of it is not held against the server.
    pub fn rolled_back(&mut self, channel: &str, epoch: u64) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.rolled_back.push(epoch);
        }
    }

    /// Retention removed what lies before this place: told gaps up to there are honest.
    pub fn retained_from(&mut self, channel: &str, place: Place) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.floor = Some(place);
        }
    }

    /// A channel; a derived one is judged by its parent.
    pub(crate) fn channel(&self, name: &str) -> Option<&ChannelTruth> {
        self.channels.get(parent(name))
    }

    /// What is wrong with the log itself.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Names and last places, for those who wait until a client is level.
    #[must_use]
    pub fn heads(&self) -> BTreeMap<String, Place> {
        let head =
            |(name, channel): (&String, &ChannelTruth)| Some((name.clone(), channel.high()?));
        self.channels.iter().filter_map(head).collect()
    }

    /// Figures for the report.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let sum = |of: fn(&ChannelTruth) -> u64| self.channels.values().map(of).sum();
        Figures {
            records: self.records,
            channels: self.channels.len() as u64,
            events: sum(|channel| channel.facts()),
            epochs: sum(|channel| channel.epochs()),
            fenced: sum(|channel| channel.fenced),
            repeated: sum(|channel| channel.repeated),
        }
    }
}

/// What the bus held.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Figures {
    /// Records read.
    pub records: u64,
    /// Channels among them.
    pub channels: u64,
    /// Events that count.
    pub events: u64,
    /// Epochs of all channels.
    pub epochs: u64,
    /// Records of an owner that had been replaced: nobody's.
    pub fenced: u64,
    /// Records written twice with the same content.
    pub repeated: u64,
}

/// `book:a:B-C@250ms` is made of `book:a:B-C`.
pub(crate) fn parent(name: &str) -> &str {
    name.split_once('@').map_or(name, |(parent, _)| parent)
}
