//! Records in, one batch out: the middle of the tail's cycle.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fantail_bus::Delivered;
use fantail_bus::limits::RECORD_BYTES_MAX;
use fantail_model::{Event, Kind, Micros};
use fantail_wire::record::{self, Record, RecordError};

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
    pub(super) fn add(&mut self, ch: u32, published: Published) {
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
    pub(super) fn derive(&mut self, parent: &mut ChannelState, published: &Published, now: Micros) {
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
        if delivered.record.topic.as_str() == record::SNAPSHOT {
            let is_value = delivered.record.value.is_some();
            self.metrics.records.fetch_add(u64::from(is_value), Ordering::Relaxed);
            return self.take_snapshot(delivered, now);
        }
        let Some(value) = &delivered.record.value else { return };
        self.metrics.records.fetch_add(1, Ordering::Relaxed);
        if value.len() > RECORD_BYTES_MAX {
            let reason = format!("{} bytes are more than a record may have", value.len());
            return self.unreadable(&RecordError::Malformed { reason }, delivered);
        }
        match record::decode(value) {
            Ok(Record::Event { channel, event }) => {
                let late = self.is_late(delivered, now);
                self.take_event(&channel, event, (now, late));
            }
            Ok(Record::Heartbeat(heartbeat)) if !self.is_late(delivered, now) => {
                self.take_heartbeat(&heartbeat, now);
            }
            Ok(Record::Heartbeat(_)) => {}
            Ok(Record::Instrument(instrument)) => {
                for info in self.store.list(instrument) {
                    self.tell_all(&ToShard::Channel(info));
                }
            }
            Err(error) => self.unreadable(&error, delivered),
        }
    }

    /// Takes an event; one that is `late` says nothing about whether its owner lives.
    fn take_event(&mut self, name: &str, event: Event, (now, late): (Micros, bool)) {
        let Some(ch) = self.number_or_open(name) else {
            self.metrics.poison(1);
            return;
        };
        if let Some(hole) = self.store.channel(ch).and_then(|c| c.hole_before(&event)) {
            self.tell_hole(ch, hole, self.reason_of_hole(ch), now);
        }
        let Some(channel) = self.store.channel_mut(ch) else { return };
        self.metrics.lag_ingest_to_tail(now.since(event.rx));
        match channel.apply(event) {
            Ok((published, _)) => {
                if !late {
                    channel.mark_heard();
                }
                let awaits = channel.awaits_snapshot();
                self.cycle.derive(channel, &published, now);
                self.cycle.add(ch, published);
                if awaits {
                    self.mend_waiting(ch, now);
                }
            }
            Err(Refused::LowerEpoch) => drop(self.metrics.fenced.fetch_add(1, Ordering::Relaxed)),
            Err(Refused::Duplicate) => {
                // Until it has caught up, it reads what its snapshots have seen already.
                if self.ends.are_reached() && self.interest.is_level() {
                    self.metrics.duplicates.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(Refused::BadBook) => {
                self.metrics.poison(1);
                tracing::warn!(channel = name, "book change refused; out of sync until a reset");
            }
        }
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
