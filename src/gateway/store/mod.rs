//! The channel store: every channel of this node, by number and by name. Owned by the tail alone.
//!
//! Channels come into being with their instrument's record; numbers are never reused in the life
//! of the node.

pub(crate) mod channel;
pub(crate) mod derived;
pub(crate) mod rejoin;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod ring;

use std::collections::HashMap;
use std::sync::Arc;

use fantail_model::{Channel, Instrument, Kind, Micros, Position};
use fantail_wire::client::Reply;

use crate::group::ChannelInfo;
use crate::limits;
use crate::link::WantItem;
use crate::past::Past;
use crate::seed::Part;
use crate::variant::{Variants, base_index, base_number, is_derived};
use channel::ChannelState;
use derived::Derived;
use resume::{Replay, Start};

/// Every channel and instrument.
#[derive(Debug)]
pub(crate) struct Store {
    channels: Vec<ChannelState>,
    by_name: HashMap<Arc<str>, u32, foldhash::fast::RandomState>,
    instruments: Vec<Instrument>,
    variants: Variants,
    /// Places of the channels that something is derived from.
    deriving: Vec<usize>,
    /// Estimated bytes all rings together may keep.
    ring_bytes: usize,
}

impl Store {
    pub(crate) fn new(ring_bytes: usize, variants: Variants) -> Self {
        let (channels, instruments) = (Vec::new(), Vec::new());
        let deriving = Vec::new();
        Self { channels, by_name: HashMap::default(), instruments, variants, deriving, ring_bytes }
    }

    /// The number of a channel, by name.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// A base channel by number; a derived one's parent.
    pub(crate) fn channel(&self, ch: u32) -> Option<&ChannelState> {
        self.channels.get(base_index(ch))
    }

    /// A base channel by number; a derived one's parent.
    pub(crate) fn channel_mut(&mut self, ch: u32) -> Option<&mut ChannelState> {
        self.channels.get_mut(base_index(ch))
    }

    /// Starts a channel for one subscriber, and notes the interest of its shard (a bit). `past` is
    /// what the base channel said after the wanted position, if it was read back. `None`: there is
    /// no such channel.
    pub(crate) fn start(
        &mut self,
        want: &WantItem,
        past: Option<&Past>,
        shard: u64,
        now: Micros,
    ) -> Option<Start> {
        let parent = self.channels.get_mut(base_index(want.ch))?;
        if !is_derived(want.ch) {
            let mut start = resume::start(parent, want, past, now);
            tell_silence(&mut start, &parent.info, parent.silent());
            parent.interest |= if matches!(start, Start::Seed(_)) { shard } else { 0 };
            return Some(start);
        }
        let mut all = std::mem::take(&mut parent.derived);
        let at = match all.iter().position(|derived| derived.info.ch == want.ch) {
            Some(at) => at,
            None => {
                let Some(channel) = self.variants.channel(want.ch, &parent.info.channel) else {
                    parent.derived = all;
                    return None;
                };
                let name = channel.to_string().into();
                let info = Arc::new(ChannelInfo { ch: want.ch, name, channel });
                all.push(Derived::new(info, parent));
                if !self.deriving.contains(&base_index(want.ch)) {
                    self.deriving.push(base_index(want.ch));
                }
                all.len() - 1
            }
        };
        let mut start = rejoin::start_derived(parent, &mut all[at], want, past, now);
        tell_silence(&mut start, &all[at].info, parent.silent());
        all[at].interest |= if matches!(start, Start::Seed(_)) { shard } else { 0 };
        parent.derived = all;
        Some(start)
    }

    /// Whether a start would need what its channel said before the ring (or before the reading
    /// that was made).
    pub(crate) fn is_older(&self, want: &WantItem, past: Option<&Past>) -> bool {
        let (Some(parent), Some(from)) = (self.channel(want.ch), want.from.as_ref()) else {
            return false;
        };
        let derived = is_derived(want.ch);
        if want.repeat || (derived && rejoin::needs_state(parent, from)) {
            return false;
        }
        let from = Position::new(from.epoch, from.seq);
        matches!(resume::replay(parent, from, past), Replay::Older)
    }

    /// A shard has no subscribers of a channel any more. Nobody's derived channel is forgotten.
    pub(crate) fn leave(&mut self, ch: u32, shard: u64) {
        let Some(parent) = self.channels.get_mut(base_index(ch)) else { return };
        if !is_derived(ch) {
            parent.interest &= !shard;
            return;
        }
        for derived in &mut parent.derived {
            if derived.info.ch == ch {
                derived.interest &= !shard;
            }
        }
        parent.derived.retain(|derived| derived.interest != 0);
        if parent.derived.is_empty() {
            self.deriving.retain(|place| *place != base_index(ch));
        }
    }

    /// A channel is not read any more: it holds nothing until it begins again.
    pub(crate) fn forget(&mut self, ch: u32) {
        if let Some(channel) = self.channels.get_mut(base_index(ch)) {
            channel.forget();
        }
        self.deriving.retain(|place| *place != base_index(ch));
    }

    /// The channels that something is derived from.
    pub(crate) fn for_each_deriving(&mut self, mut visit: impl FnMut(&mut ChannelState)) {
        for place in &self.deriving {
            if let Some(channel) = self.channels.get_mut(*place) {
                visit(channel);
            }
        }
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
        if self.by_name.contains_key(&name) || channel.is_derived() {
            return None;
        }
        let ch = base_number(self.channels.len())?;
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

/// Who comes while nobody speaks for a channel is told so, as those before were.
fn tell_silence(start: &mut Start, info: &ChannelInfo, silent: Option<&'static str>) {
    if let (Start::Seed(seed), Some(reason)) = (start, silent) {
        let (channel, ch, reason) = (info.name.to_string(), info.ch, reason.to_owned());
        seed.parts.push(Part::Notice(Reply::Stale { channel, ch, reason }));
    }
}

#[cfg(test)]
mod tests;
