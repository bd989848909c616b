//! The warm start: where a gateway that starts begins, and when it has caught up.
//!
//! First the compacted topics are read to their ends: instruments, then every channel's latest
//! state. Then, per partition of events, reading starts at the time of its oldest young snapshot,
//! a little earlier; what a snapshot has seen already is dropped by its position. The node is
//! ready when every partition has reached the end it had at that moment. Partitions that are consumed
//! only while somebody wants them (`interest`) are left out of it. Decides the starts;
//! what a snapshot means to a channel is `store/restore`'s.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use fantail_bus::{ConsumeError, Consumer, Delivered, Offset, Start};
use fantail_model::Micros;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record::{self, Record};

use super::Tail;
use super::layout::{Layout, Place};
use crate::limits;
use crate::link::ToShard;
use crate::store::restore::Kept;

/// Partitions that have not reached the ends they had at some moment.
#[derive(Debug, Default)]
pub(super) struct Ends(HashMap<Place, u64>);

impl Ends {
    /// A partition to be read from `from` to `end`.
    pub(super) fn expect(&mut self, place: Place, from: u64, end: u64) {
        if from < end {
            self.0.insert(place, end);
        }
    }

    /// Everything before `next` of a partition is past.
    pub(super) fn passed(&mut self, place: Place, next: u64) {
        if self.0.get(&place).is_some_and(|end| next >= *end) {
            self.0.remove(&place);
        }
    }

    /// Whether a partition has not reached its end.
    pub(super) fn expects(&self, place: Place) -> bool {
        self.0.contains_key(&place)
    }

    pub(super) fn are_reached(&self) -> bool {
        self.0.is_empty()
    }
}

/// The latest record of each key, and where reading goes on.
#[derive(Debug, Default)]
struct Compacted {
    latest: HashMap<(&'static str, Bytes), Delivered>,
    next: HashMap<Place, u64>,
}

/// Time of the oldest young snapshot of each partition of events, µs.
type Oldest = HashMap<Place, i64>;

impl Tail {
    /// Loads what is kept and assigns everything. False when the end came first.
    pub(super) fn warm_start(&mut self, consumer: &mut dyn Consumer, end: &Shutdown) -> bool {
        let began = self.clock.monotonic();
        while !end.has_begun() {
            match self.try_warm_start(consumer, end) {
                Ok(done) => {
                    let took = self.clock.monotonic().saturating_sub(began);
                    let channels = self.store.channels().len();
                    tracing::info!(channels, ?took, "states loaded; catching up with the bus");
                    return done;
                }
                Err(ConsumeError::Closed) => return false,
                Err(error) => {
                    self.count_bus_error(&error);
                    // Nothing to read: only waits, and a waker ends it.
                    let _ = consumer.assign(Vec::new());
                    let _ = consumer.poll(1, 1, limits::LOAD_RETRY, &mut Vec::new());
                }
            }
        }
        false
    }

    fn try_warm_start(
        &mut self,
        consumer: &mut dyn Consumer,
        end: &Shutdown,
    ) -> Result<bool, ConsumeError> {
        let compacted = self.read_compacted(consumer, end)?;
        let now = Micros(self.clock.wall_micros());
        let next = compacted.next.clone();
        let oldest = self.load(compacted, now);
        self.assign_events(consumer, &next, &oldest, now)?;
        Ok(!end.has_begun())
    }

    /// Reads the compacted topics to the ends they have now.
    fn read_compacted(
        &mut self,
        consumer: &mut dyn Consumer,
        shutdown: &Shutdown,
    ) -> Result<Compacted, ConsumeError> {
        let (mut ends, mut starts, mut read) = (Ends::default(), Vec::new(), Compacted::default());
        for place in Layout::COMPACTED.into_iter().flat_map(|topic| self.layout.places_of(topic)) {
            let low = consumer.low_offset(&place.topic_name(), place.partition)?;
            ends.expect(place, low, consumer.end_offset(&place.topic_name(), place.partition)?);
            read.next.insert(place, low);
            starts.push(start(place, Offset::At(low)));
        }
        consumer.assign(starts)?;
        let (mut delivered, mut heard) = (Vec::new(), self.clock.monotonic());
        while !ends.are_reached() && !shutdown.has_begun() {
            let (records, bytes) = (limits::CYCLE_RECORDS_MAX, limits::CYCLE_BYTES_MAX);
            let polled = consumer.poll(records, bytes, limits::CYCLE_WAIT, &mut delivered);
            let now = self.clock.monotonic();
            match polled {
                Ok(0) if now.saturating_sub(heard) >= limits::LOAD_SILENCE => {
                    // The last record of a compacted partition is always kept, unless somebody
                    // deleted it: the states that are missing are told as stale.
                    tracing::error!("the compacted topics do not end where the bus says");
                    break;
                }
                Ok(0) => {}
                Ok(_) => heard = now,
                Err(ConsumeError::OffsetOutOfRange { topic, partition, low, .. }) => {
                    consumer.seek(Start { topic, partition, from: Offset::At(low) })?;
                }
                Err(error) => return Err(error),
            }
            for record in delivered.drain(..) {
                let Some(topic) = self.layout.topic(&record.record.topic) else { continue };
                let place = Place { topic, partition: record.record.partition };
                read.next.insert(place, record.offset + 1);
                ends.passed(place, record.offset + 1);
                read.latest.insert((topic, record.record.key.clone()), record);
            }
        }
        Ok(read)
    }

    /// Opens every channel at its latest state. Returns how far back events have to be read.
    fn load(&mut self, compacted: Compacted, now: Micros) -> Oldest {
        let mut states: HashMap<String, Vec<(Delivered, bool)>> = HashMap::new();
        let mut oldest = Oldest::new();
        for ((topic, key), delivered) in compacted.latest {
            if delivered.record.value.is_none() {
                continue;
            }
            if topic == record::INSTRUMENT {
                self.take(&delivered, now);
                continue;
            }
            let name = record::snapshot_channel(std::str::from_utf8(&key).unwrap_or_default());
            let age = now.since(Micros(delivered.record.timestamp_micros));
            let young = age < limits::SNAPSHOT_AGE_MAX.as_micros() as i64;
            states.entry(name.to_owned()).or_default().push((delivered, young));
        }
        for (name, records) in states {
            let Some(ch) = self.number_or_open(&name) else {
                self.metrics.poison(records.len());
                continue;
            };
            let place =
                self.store.channel(ch).map(|c| self.layout.place(c.info.channel.kind, &name));
            if place.is_some_and(|place| self.interest.tracks(place)) {
                // It begins when somebody wants it.
                for (delivered, _) in records {
                    let key = String::from_utf8_lossy(&delivered.record.key).into_owned();
                    self.interest.shelve(&key, delivered);
                }
                continue;
            }
            let young = records.iter().any(|(_, young)| *young);
            let mut kept = Kept { young, ..Kept::default() };
            for (delivered, is_young) in &records {
                self.keep(&name, delivered, &mut kept);
                if let (true, Some(place)) = (*is_young, place) {
                    let time = delivered.record.timestamp_micros;
                    oldest.entry(place).and_modify(|o| *o = time.min(*o)).or_insert(time);
                }
            }
            if let Some(channel) = self.store.channel_mut(ch) {
                channel.restore(kept);
            }
        }
        self.expect_feeds();
        oldest
    }

    pub(super) fn keep(&mut self, name: &str, delivered: &Delivered, kept: &mut Kept) {
        let Some(value) = &delivered.record.value else { return };
        match record::decode(value) {
            Ok(Record::Event { channel, event }) if channel == name => {
                let is_state = delivered.record.key.len() > name.len();
                if is_state { kept.state = Some(event) } else { kept.value = Some(event) }
            }
            Ok(_) => self.metrics.poison(1),
            Err(error) => self.unreadable(&error, delivered),
        }
    }

    /// Assigns everything: the compacted topics where they were left, events where they are needed
    /// from.
    fn assign_events(
        &mut self,
        consumer: &mut dyn Consumer,
        next: &HashMap<Place, u64>,
        oldest: &Oldest,
        now: Micros,
    ) -> Result<(), ConsumeError> {
        let mut starts: Vec<Start> =
            next.iter().map(|(place, next)| start(*place, Offset::At(*next))).collect();
        let mut ends = Ends::default();
        let control = self
            .layout
            .places_of(record::CONTROL)
            .map(|place| (place, now.0.saturating_sub(limits::OWNER_SILENCE.as_micros() as i64)));
        let events: Vec<Place> =
            self.layout.event_places().filter(|place| !self.interest.tracks(*place)).collect();
        let events = events.into_iter().map(|place| (place, start_time(oldest.get(&place), now)));
        for (place, time) in control.chain(events) {
            let (topic, partition) = (place.topic_name(), place.partition);
            let from = consumer.offset_for_time(&topic, partition, time)?;
            ends.expect(place, from, consumer.end_offset(&topic, partition)?);
            starts.push(start(place, Offset::At(from)));
        }
        consumer.assign(starts)?;
        self.ends = ends;
        Ok(())
    }

    /// The number of a channel; one that does not exist yet is opened.
    pub(super) fn number_or_open(&mut self, name: &str) -> Option<u32> {
        if let Some(ch) = self.store.number(name) {
            return Some(ch);
        }
        let info = self.store.open(name.parse().ok()?)?;
        let ch = info.ch;
        self.tell_all(&ToShard::Channel(info));
        Some(ch)
    }
}

pub(super) fn start(place: Place, from: Offset) -> Start {
    Start { topic: place.topic_name(), partition: place.partition, from }
}

/// When the first event needed of a partition was received, µs. A healthy owner rewrites its
/// snapshots all the time, so a channel that has none yet began less than one turn ago.
pub(super) fn start_time(oldest_snapshot: Option<&i64>, now: Micros) -> i64 {
    let back = |from: i64, by: Duration| from.saturating_sub(by.as_micros() as i64);
    let turn = back(now.0, limits::SNAPSHOT_TURN);
    let oldest = match oldest_snapshot {
        Some(oldest) => turn.min(*oldest),
        None => back(now.0, limits::SNAPSHOT_AGE_MAX),
    };
    back(oldest, limits::SNAPSHOT_SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_the_oldest_young_snapshot_and_at_least_one_turn_back() {
        let now = Micros(1_000_000_000);
        let second = 1_000_000;
        let seconds_back = |oldest: Option<i64>| {
            let oldest = oldest.map(|age| now.0 - age * second);
            (now.0 - start_time(oldest.as_ref(), now)) / second
        };
        assert_eq!(seconds_back(Some(90)), 95);
        assert_eq!(seconds_back(Some(3)), 45, "a channel may have begun since the last turn");
        assert_eq!(seconds_back(None), 125);
    }

    #[test]
    fn an_end_is_reached_when_everything_before_it_is_past() {
        let place = Place { topic: record::SNAPSHOT, partition: 1 };
        let mut ends = Ends::default();
        ends.expect(place, 4, 4);
        assert!(ends.are_reached(), "there is nothing to read");
        ends.expect(place, 4, 9);
        ends.passed(place, 8);
        ends.passed(Place { partition: 2, ..place }, 99);
        assert!(!ends.are_reached());
        ends.passed(place, 9);
        assert!(ends.are_reached());
    }
}
