//! Feed owners speak every second; one that falls silent cannot announce its own death, so the
//! tail says it.

use std::collections::HashMap;
use std::time::Duration;

use fantail_model::{Micros, VenueId};

use super::Tail;
use crate::limits;
use crate::link::ToShard;

/// Reason of the unpositioned `stale` message.
const SILENT: &str = "ingest_silent";

/// When each venue's owner was last heard.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    heard: HashMap<VenueId, Heard>,
}

#[derive(Debug)]
struct Heard {
    at: Duration,
    told_silent: bool,
}

impl Feeds {
    /// Notes a sign of life; true when the venue had been told silent.
    fn heard(&mut self, venue: &VenueId, now: Duration) -> bool {
        let heard = Heard { at: now, told_silent: false };
        match self.heard.get_mut(venue) {
            Some(known) => std::mem::replace(known, heard).told_silent,
            None => self.heard.insert(venue.clone(), heard).is_some(),
        }
    }

    /// Expects a venue to be heard from now on.
    fn expect(&mut self, venue: &VenueId, now: Duration) {
        if !self.heard.contains_key(venue) {
            self.heard.insert(venue.clone(), Heard { at: now, told_silent: false });
        }
    }

    /// Venues that fell silent since the last look.
    fn newly_silent(&mut self, now: Duration) -> Vec<VenueId> {
        let silent = |heard: &Heard| {
            !heard.told_silent && now.saturating_sub(heard.at) >= limits::OWNER_SILENCE
        };
        let mut venues = Vec::new();
        for (venue, heard) in &mut self.heard {
            if silent(heard) {
                heard.told_silent = true;
                venues.push(venue.clone());
            }
        }
        venues
    }
}

impl Tail {
    /// Takes a sign of life of a venue's owner.
    pub(super) fn take_heartbeat(&mut self, venue: &VenueId) {
        if self.feeds.heard(venue, self.clock.monotonic()) {
            for state in self.store.channels_mut() {
                if state.info.channel.venue.as_ref() == Some(venue) {
                    state.mark_heard();
                }
            }
        }
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

    /// Tells every channel of a venue whose owner is silent that it is stale.
    pub(super) fn tell_silence(&mut self, now: Micros, elapsed: Duration) {
        for venue in self.feeds.newly_silent(elapsed) {
            tracing::warn!(%venue, "no heartbeat of its feed owner; its channels are stale");
            let mut channels = Vec::new();
            for state in self.store.channels_mut() {
                if state.info.channel.venue.as_ref() == Some(&venue) {
                    state.mark_silent(SILENT, now);
                    channels.push(state.info.ch);
                }
            }
            self.tell_all(&ToShard::Stale { channels: channels.into(), reason: SILENT });
        }
    }
}
