//! Feed owners speak every second; one that falls silent cannot announce its own death, so the
//! tail says it.
//!
//! A venue's symbols may be divided into groups, each with an owner of its own: silence is a
//! group's, and told to the channels of its symbols only. What the venue says as a whole is said by
//! the owner of its first group that has symbols, as ingest deals them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use fantail_bus::stable_partition;
use fantail_model::{Channel, Micros, VenueId};
use fantail_wire::record::FeedHeartbeat;

use super::Tail;
use crate::limits;
use crate::link::ToShard;

/// Reason of the unpositioned `stale` message.
const SILENT: &str = "ingest_silent";

/// When each venue's owners were last heard.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    venues: HashMap<VenueId, Venue>,
}

/// One venue's owners.
#[derive(Debug)]
struct Venue {
    /// The highest epoch spoken with by who divides it like this; 0 before anybody spoke.
    epoch: u64,
    /// By group.
    groups: Vec<Heard>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    at: Duration,
    told_silent: bool,
    /// Silent, and has symbols: a group without any has no owner.
    is_missed: bool,
    /// Some of its channels may have been told silent.
    may_be_marked: bool,
}

impl Heard {
    fn new(at: Duration) -> Self {
        Self { at, told_silent: false, is_missed: false, may_be_marked: false }
    }
}

/// How a sign of life divides its venue; `None` if it makes no sense.
fn division(beat: &FeedHeartbeat) -> Option<(u32, u32)> {
    let groups = beat.groups.max(1);
    // A writer that does not say how many there are speaks for all.
    let group =
        if beat.groups == 0 && beat.group < limits::FEED_GROUPS_MAX { 0 } else { beat.group };
    (group < groups && groups <= limits::FEED_GROUPS_MAX).then_some((group, groups))
}

impl Feeds {
    /// Notes a sign of life; true when channels of its group may have been told silent.
    fn heard(&mut self, beat: &FeedHeartbeat, (group, groups): (u32, u32), now: Duration) -> bool {
        let venue = match self.venues.entry(beat.venue.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Venue { epoch: 0, groups: Vec::new() }),
        };
        if venue.groups.len() != groups as usize {
            if venue.epoch >= beat.epoch && venue.epoch > 0 {
                // Somebody who was replaced still divides it as it was.
                return false;
            }
            let may_be_marked = venue.groups.iter().any(|heard| heard.may_be_marked);
            // Before anybody spoke, all groups were expected as one, and perhaps told silent so.
            let expected = venue.groups.first().filter(|_| venue.epoch == 0).copied();
            let heard = Heard { may_be_marked, ..expected.unwrap_or(Heard::new(now)) };
            venue.groups = vec![heard; groups as usize];
        }
        venue.epoch = venue.epoch.max(beat.epoch);
        let Some(heard) = venue.groups.get_mut(group as usize) else { return false };
        std::mem::replace(heard, Heard::new(now)).may_be_marked
    }

    /// Expects a venue to be heard from now on.
    fn expect(&mut self, venue: &VenueId, now: Duration) {
        if !self.venues.contains_key(venue) {
            let groups = vec![Heard::new(now)];
            self.venues.insert(venue.clone(), Venue { epoch: 0, groups });
        }
    }

    /// Groups that fell silent since the last look, each with how many its venue has.
    fn newly_silent(&mut self, now: Duration) -> Vec<(VenueId, u32, u32)> {
        let mut silent = Vec::new();
        for (name, venue) in &mut self.venues {
            let groups = venue.groups.len() as u32;
            for (group, heard) in (0..).zip(&mut venue.groups) {
                if !heard.told_silent && now.saturating_sub(heard.at) >= limits::OWNER_SILENCE {
                    (heard.told_silent, heard.may_be_marked) = (true, true);
                    silent.push((name.clone(), group, groups));
                }
            }
        }
        silent
    }

    /// A silent group that has symbols has lost its owner.
    fn miss(&mut self, venue: &VenueId, group: u32) {
        let groups = self.venues.get_mut(venue).map(|venue| &mut venue.groups);
        if let Some(heard) = groups.and_then(|groups| groups.get_mut(group as usize)) {
            heard.is_missed = true;
        }
    }

    /// Owners of whom nothing is heard.
    fn missed(&self) -> usize {
        let groups = self.venues.values().flat_map(|venue| &venue.groups);
        groups.filter(|heard| heard.is_missed).count()
    }
}

/// Whose channels a group's owner speaks for.
struct Spoken<'a> {
    venue: &'a VenueId,
    group: u32,
    groups: u32,
    /// Whether it speaks for the venue as a whole.
    leads: bool,
}

impl Spoken<'_> {
    fn covers(&self, channel: &Channel) -> bool {
        let group = |symbol: &str| stable_partition(symbol.as_bytes(), self.groups);
        let is_ours = match &channel.symbol {
            Some(symbol) => group(symbol.as_str()) == self.group,
            None => self.leads,
        };
        channel.venue.as_ref() == Some(self.venue) && is_ours
    }
}

impl Tail {
    /// Takes a sign of life of an owner.
    pub(super) fn take_heartbeat(&mut self, beat: &FeedHeartbeat, now: Micros) {
        let Some((group, groups)) = division(beat) else { return self.metrics.poison(1) };
        self.metrics.lag_bus(now.since(beat.time));
        if self.feeds.heard(beat, (group, groups), self.clock.monotonic()) {
            let leads = self.leads(&beat.venue, group, groups);
            let spoken = Spoken { venue: &beat.venue, group, groups, leads };
            let channels = self.store.channels().iter();
            let silent = channels.filter(|state| state.silent().is_some());
            let ours = silent.filter(|state| spoken.covers(&state.info.channel));
            let heard: Vec<u32> = ours.map(|state| state.info.ch).collect();
            self.await_level(&heard);
        }
    }

    /// Whether a group is the first of its venue that has symbols.
    fn leads(&self, venue: &VenueId, group: u32, groups: u32) -> bool {
        let channels = self.store.channels().iter().map(|state| &state.info.channel);
        let ours = channels.filter(|channel| channel.venue.as_ref() == Some(venue));
        let symbols = ours.filter_map(|channel| channel.symbol.as_ref());
        let first =
            symbols.map(|symbol| stable_partition(symbol.as_str().as_bytes(), groups)).min();
        first.unwrap_or(0) == group
    }

    /// Expects a sign of life of every venue that has channels: an owner that died before this
    /// node started is told as one that dies later.
    pub(super) fn expect_feeds(&mut self) {
        let now = self.clock.monotonic();
        for channel in self.store.channels() {
            if let Some(venue) = &channel.info.channel.venue {
                self.feeds.expect(venue, now);
            }
        }
    }

    /// Tells every channel whose owner is silent that it is stale.
    pub(super) fn tell_silence(&mut self, now: Micros, elapsed: Duration) {
        for (venue, group, groups) in self.feeds.newly_silent(elapsed) {
            let leads = self.leads(&venue, group, groups);
            let spoken = Spoken { venue: &venue, group, groups, leads };
            let mut channels = Vec::new();
            for state in self.store.channels_mut() {
                if spoken.covers(&state.info.channel) {
                    state.mark_silent(SILENT, now);
                    channels.push(state.info.ch);
                }
            }
            if channels.is_empty() {
                // A group without symbols has no owner.
                continue;
            }
            self.returning.forget(&channels);
            self.feeds.miss(&venue, group);
            tracing::warn!(%venue, group, groups, "no heartbeat of a feed owner; its channels are stale");
            self.tell_all(&ToShard::Stale { channels: channels.into(), reason: SILENT });
        }
        self.metrics.owners_silent(self.feeds.missed());
    }
}
