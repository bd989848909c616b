//! The channel store: every channel of this node, by number and by name. Owned by the tail alone.
//!
//! Channels come into being with their instrument's record; numbers are never reused in the life
//! of the node.

pub(crate) mod channel;
pub(crate) mod resume;
pub(crate) mod ring;

use std::collections::HashMap;
use std::sync::Arc;

use fantail_model::{Channel, Instrument, Kind};

use crate::group::ChannelInfo;
use crate::limits;
use channel::ChannelState;

/// Every channel and instrument.
#[derive(Debug)]
pub(crate) struct Store {
    channels: Vec<ChannelState>,
    by_name: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
    instruments: Vec<Instrument>,
    /// Estimated bytes all rings together may keep.
    ring_bytes: usize,
}

impl Store {
    pub(crate) fn new(ring_bytes: usize) -> Self {
        let (channels, instruments) = (Vec::new(), Vec::new());
        Self { channels, by_name: HashMap::default(), instruments, ring_bytes }
    }

    /// The number of a channel, by name.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// A channel by number.
    pub(crate) fn channel(&self, ch: u32) -> Option<&ChannelState> {
        self.channels.get(ch as usize)
    }

    /// A channel by number.
    pub(crate) fn channel_mut(&mut self, ch: u32) -> Option<&mut ChannelState> {
        self.channels.get_mut(ch as usize)
    }

    /// Every channel.
    pub(crate) fn channels(&self) -> &[ChannelState] {
        &self.channels
    }

    /// Every channel.
    pub(crate) fn channels_mut(&mut self) -> &mut [ChannelState] {
        &mut self.channels
    }

    /// Every instrument.
    pub(crate) fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Takes an instrument (new or changed) and returns the channels that are new with it.
    pub(crate) fn list(&mut self, instrument: Instrument) -> Vec<Arc<ChannelInfo>> {
        let venue_status = Channel::status(instrument.venue.clone(), None);
        let mut added: Vec<_> = self.open(venue_status).into_iter().collect();
        for channel in &instrument.channels {
            added.extend(self.open(channel.clone()));
        }
        let known = self
            .instruments
            .iter_mut()
            .find(|i| i.venue == instrument.venue && i.symbol == instrument.symbol);
        match known {
            Some(known) => *known = instrument,
            None => self.instruments.push(instrument),
        }
        added
    }

    /// Opens a channel that does not exist yet.
    pub(crate) fn open(&mut self, channel: Channel) -> Option<Arc<ChannelInfo>> {
        let name: Arc<str> = channel.to_string().into();
        if self.by_name.contains_key(&name) {
            return None;
        }
        let ch = u32::try_from(self.channels.len()).ok()?;
        let info = Arc::new(ChannelInfo { ch, name: Arc::clone(&name), channel });
        self.by_name.insert(name, ch);
        self.channels.push(ChannelState::new(Arc::clone(&info)));
        Some(info)
    }

    /// The status channel of a venue or of one of its symbols.
    pub(crate) fn status_channels(&self) -> impl Iterator<Item = &ChannelState> {
        self.channels.iter().filter(|state| state.info.channel.kind == Kind::Status)
    }

    /// Bytes one channel's ring may keep: a fair share of all of them.
    pub(crate) fn ring_share(&self) -> usize {
        let share = self.ring_bytes / self.channels.len().max(1);
        share.clamp(limits::RING_CHANNEL_BYTES_MIN, limits::RING_CHANNEL_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests;
