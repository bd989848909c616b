//! Records in, one batch out: the middle of the tail's cycle.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fantail_bus::Delivered;
use fantail_model::{Event, Kind, Micros};
use fantail_wire::record::{self, Record};

use super::Tail;
use crate::group::{Batch, Group, Published};
use crate::link::ToShard;
use crate::store::channel::{ChannelState, Refused};
use crate::store::derived::Derived;
use crate::variant::base_index;

/// Events of the running cycle by channel, in order of first appearance.
#[derive(Debug, Default)]
pub(crate) struct Cycle {
    touched: Vec<u32>,
    events: Vec<Vec<Published>>,
    /// Emissions of derived channels, with their interest.
    derived: Vec<(Arc<Group>, u64)>,
}

impl Cycle {
    fn add(&mut self, ch: u32, published: Published) {
        let at = base_index(ch);
        if self.events.len() <= at {
            self.events.resize_with(at + 1, Vec::new);
        }
        if self.events[at].is_empty() {
            self.touched.push(ch);
        }
        self.events[at].push(published);
    }
}

impl Cycle {
    /// Hands an applied event to the channels derived from its own.
    fn derive(&mut self, parent: &mut ChannelState, published: &Published, now: Micros) {
        for mut derived in std::mem::take(&mut parent.derived) {
            let mut out = Vec::new();
            derived.take(published, parent, now, &mut out);
            self.emitted(&derived, out, now);
            parent.derived.push(derived);
        }
    }

    /// Closes the windows of a channel that are over.
    fn close_windows(&mut self, parent: &mut ChannelState, now: Micros) {
        for mut derived in std::mem::take(&mut parent.derived) {
            let mut out = Vec::new();
            derived.emit(parent, now, &mut out);
            self.emitted(&derived, out, now);
            parent.derived.push(derived);
        }
    }

    fn emitted(&mut self, derived: &Derived, events: Vec<Published>, now: Micros) {
        if !events.is_empty() {
            let is_batch = derived.info.channel.kind == Kind::Trade;
            let group = Group::merged(Arc::clone(&derived.info), now, events, is_batch);
            self.derived.push((Arc::new(group), derived.interest));
        }
    }
}

impl Tail {
    /// Takes one record. What cannot be read is counted and left: one poison record must not
    /// stop the stream.
    pub(super) fn take(&mut self, delivered: &Delivered, now: Micros) {
        let Some(value) = &delivered.record.value else { return };
        self.metrics.records.fetch_add(1, Ordering::Relaxed);
        match record::decode(value) {
            Ok(Record::Event { channel, event }) => self.take_event(&channel, event, now),
            Ok(Record::Heartbeat(heartbeat)) => self.take_heartbeat(&heartbeat.venue),
            Ok(Record::Instrument(instrument)) => {
                for info in self.store.list(instrument) {
                    self.tell_all(&ToShard::Channel(info));
                }
            }
            Err(error) => {
                self.metrics.poison.fetch_add(1, Ordering::Relaxed);
                let topic = &delivered.record.topic;
                tracing::warn!(%error, %topic, offset = delivered.offset, "record not understood");
            }
        }
    }

    fn take_event(&mut self, name: &str, event: Event, now: Micros) {
        let Some(ch) = self.store.number(name).or_else(|| self.open(name)) else {
            self.metrics.poison.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let Some(channel) = self.store.channel_mut(ch) else { return };
        self.metrics.lag_ingest_to_tail(now.since(event.rx));
        match channel.apply(event) {
            Ok((published, hole)) => {
                if hole {
                    self.metrics.holes.fetch_add(1, Ordering::Relaxed);
                }
                self.cycle.derive(channel, &published, now);
                self.cycle.add(ch, published);
            }
            Err(Refused::LowerEpoch) => drop(self.metrics.fenced.fetch_add(1, Ordering::Relaxed)),
            Err(Refused::Duplicate) => {
                self.metrics.duplicates.fetch_add(1, Ordering::Relaxed);
            }
            Err(Refused::BadBook) => {
                self.metrics.poison.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(channel = name, "book change refused; out of sync until a reset");
            }
        }
    }

    /// A channel whose instrument was not announced (yet): open it all the same.
    fn open(&mut self, name: &str) -> Option<u32> {
        let info = self.store.open(name.parse().ok()?)?;
        let ch = info.ch;
        self.tell_all(&ToShard::Channel(info));
        Some(ch)
    }

    /// Turns the cycle's events into groups, remembers them, and hands them to the shards.
    pub(super) fn publish(&mut self, now: Micros) {
        self.close_windows(now);
        if self.cycle.touched.is_empty() && self.cycle.derived.is_empty() {
            return;
        }
        let share = self.store.ring_share();
        let (mut groups, mut weight, mut interest) = (Vec::new(), 0, 0_u64);
        for ch in std::mem::take(&mut self.cycle.touched) {
            let events = std::mem::take(&mut self.cycle.events[base_index(ch)]);
            let Some(channel) = self.store.channel_mut(ch) else { continue };
            self.metrics.publications.fetch_add(events.len() as u64, Ordering::Relaxed);
            let group = Arc::new(Group::new(Arc::clone(&channel.info), now, events));
            if channel.interest != 0 {
                interest |= channel.interest;
                weight += group.weight();
                groups.push(Arc::clone(&group));
            }
            channel.remember(group, share);
        }
        for (group, wanted) in self.cycle.derived.drain(..) {
            self.metrics.derived.fetch_add(1, Ordering::Relaxed);
            interest |= wanted;
            weight += group.weight();
            groups.push(group);
        }
        if groups.is_empty() {
            return;
        }
        let batch = Arc::new(Batch { groups, weight });
        for (shard, lag) in self.shards.iter_mut().enumerate() {
            if interest & (1 << shard) != 0 {
                lag.push(ToShard::Batch(Arc::clone(&batch)), weight);
            }
        }
    }
}

impl Tail {
    /// Lets derived channels whose window is over emit; notes when the next one will be.
    fn close_windows(&mut self, now: Micros) {
        let mut next = None;
        let cycle = &mut self.cycle;
        self.store.for_each_deriving(|channel| {
            cycle.close_windows(channel, now);
            let dues = channel.derived.iter().filter_map(Derived::due);
            next = dues.chain(next).min();
        });
        self.next_window = next.map(Micros);
    }
}
