//! Holes are told; channels that lost their state get it back from the compacted topic.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fantail_bus::Delivered;
use fantail_model::Micros;
use fantail_wire::record::{self, Record};

use super::Tail;
use super::reading::{MISSING, RETENTION};
use crate::limits;
use crate::link::{Missed, ToShard};
use crate::store::channel::Hole;
use crate::store::restore::Mended;

impl Tail {
    /// Takes a record of the compacted topic: of use only to channels that are out of order.
    pub(super) fn take_snapshot(&mut self, delivered: &Delivered, now: Micros) {
        let key = std::str::from_utf8(&delivered.record.key).unwrap_or_default();
        let name = record::snapshot_channel(key);
        if self.interest.is_on() && !self.shelve(key, name, delivered) {
            return;
        }
        let Some(value) = &delivered.record.value else { return };
        let known = self.store.number(name).and_then(|ch| self.store.channel(ch));
        if known.is_some_and(|channel| !channel.wants_snapshot()) {
            return;
        }
        let event = match record::decode(value) {
            Ok(Record::Event { channel, event }) if channel == name => event,
            Ok(_) => return self.metrics.poison(1),
            Err(error) => return self.unreadable(&error, delivered),
        };
        let Some(ch) = self.number_or_open(name) else { return self.metrics.poison(1) };
        // Its own earlier events of this cycle come first.
        self.publish(now);
        let elapsed = self.clock.monotonic();
        let mended = self.store.channel_mut(ch).and_then(|channel| channel.mend(event, elapsed));
        self.tell_mended(ch, mended, now);
    }

    /// A channel has moved: what waited to mend it may fit.
    pub(super) fn mend_waiting(&mut self, ch: u32, now: Micros) {
        self.publish(now);
        let mended = self.store.channel_mut(ch).and_then(|channel| channel.mend_waiting());
        self.tell_mended(ch, mended, now);
    }

    /// Channels whose missing events had time enough begin again at the snapshot after them.
    pub(super) fn mend_late(&mut self, elapsed: Duration, now: Micros) {
        let waiting: Vec<u32> = self
            .store
            .channels()
            .iter()
            .filter(|channel| channel.awaits_snapshot())
            .map(|channel| channel.info.ch)
            .collect();
        for ch in waiting {
            let wait = limits::MEND_WAIT;
            let mended =
                self.store.channel_mut(ch).and_then(|channel| channel.mend_late(elapsed, wait));
            self.tell_mended(ch, mended, now);
        }
    }

    fn tell_mended(&mut self, ch: u32, mended: Option<Mended>, now: Micros) {
        let Some(Mended { hole, state }) = mended else { return };
        self.metrics.mended.fetch_add(1, Ordering::Relaxed);
        if let Some(hole) = hole {
            self.tell_hole(ch, hole, RETENTION, now);
        }
        let (Some(state), Some(channel)) = (state, self.store.channel_mut(ch)) else { return };
        self.cycle.derive(channel, &state, now);
        self.cycle.add(ch, state);
    }

    /// Tells everyone subscribed, at its place in the stream, which events they will never get;
    /// from here on the ring is unbroken again.
    pub(super) fn tell_hole(&mut self, ch: u32, hole: Hole, reason: &'static str, now: Micros) {
        self.publish(now);
        self.metrics.holes.fetch_add(1, Ordering::Relaxed);
        let Some(channel) = self.store.channel_mut(ch) else { return };
        let after = fantail_model::Position::new(hole.epoch, hole.to);
        channel.ring.restart(after);
        tracing::warn!(
            channel = %channel.info.name, hole.epoch, hole.from, hole.to, reason,
            "events are missing"
        );
        let missed = |ch| Missed { ch, epoch: hole.epoch, from: hole.from, to: hole.to };
        let channels: Vec<(Missed, u64)> = channel
            .derived
            .iter()
            .map(|derived| (missed(derived.info.ch), derived.interest))
            .chain([(missed(ch), channel.interest)])
            .collect();
        for (shard, lag) in self.shards.iter_mut().enumerate() {
            let wanted = channels.iter().filter(|(_, interest)| interest & (1 << shard) != 0);
            let missed: Arc<[Missed]> = wanted.map(|(missed, _)| *missed).collect();
            if !missed.is_empty() {
                lag.push(ToShard::Missed { missed, reason }, 0);
            }
        }
    }

    /// Why a hole is there, as far as that is known.
    pub(super) fn reason_of_hole(&self, ch: u32) -> &'static str {
        self.store.channel(ch).and_then(|channel| channel.suspicion()).unwrap_or(MISSING)
    }
}
