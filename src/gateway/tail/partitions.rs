//! Begins to read partitions somebody wants, and gives up those nobody wants any more.
//!
//! The tail's side of [`super::interest`]: commands and questions that need a partition wait here
//! until it is live, or are refused; a partition begins at its shelved snapshots once the scout has
//! told where, and ends by forgetting its channels. Nothing here waits for the bus.

use std::sync::Arc;
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer, Delivered, Offset, Start};
use fantail_model::Micros;

use super::Tail;
use super::interest::{Opening, Phase, Shelved, Tracked};
use super::layout::Place;
use super::requests::Waiting;
use super::warm::{start, start_time};
use crate::limits;
use crate::query::Asked;
use crate::scout::Question;
use crate::store::restore::Kept;
use crate::variant::base_index;

impl Tail {
    /// Learns where new channels travel.
    fn place_channels(&mut self) {
        let known = self.interest.of_channel.len();
        for channel in self.store.channels().iter().skip(known) {
            let place = self.layout.place(channel.info.channel.kind, &channel.info.name);
            self.interest.of_channel.push(self.interest.by_place.get(&place).copied());
        }
    }

    /// Keeps a snapshot where a later start of its partition finds it. Returns whether its channel is
    /// read now, so that it may be of use at once.
    pub(super) fn shelve(&mut self, key: &str, name: &str, delivered: &Delivered) -> bool {
        let number = match delivered.record.value {
            Some(_) => self.number_or_open(name),
            None => self.store.number(name),
        };
        let Some(ch) = number else {
            self.metrics.poison(usize::from(delivered.record.value.is_some()));
            return false;
        };
        self.place_channels();
        if self.interest.of(ch).is_some() {
            self.interest.shelve(key, delivered.clone());
        }
        self.interest.is_read(ch)
    }

    /// Lets a command wait for the partitions it names. Gives it back when all of them are live,
    /// or will not be in time: then what is not live is refused.
    pub(super) fn await_partitions(&mut self, want: Waiting) -> Option<Waiting> {
        if !self.interest.is_on() {
            return Some(want);
        }
        self.place_channels();
        let now = self.clock.monotonic();
        let mut all_live = true;
        for item in &want.items {
            self.interest.want(item.ch, now);
            all_live &= self.interest.is_live(item.ch);
        }
        let has_room = self.interest.waiting.len() < limits::WAKING_MAX;
        let is_late = now.saturating_sub(want.since) >= limits::WAKE_WAIT;
        if all_live || is_late || !has_room {
            return Some(want);
        }
        self.interest.waiting.push(want);
        self.ask_scout();
        None
    }

    /// Whether a question about a channel can be answered; if not, its partition is wanted now.
    pub(super) fn is_answerable(&mut self, ch: u32) -> bool {
        if !self.interest.is_on() {
            return true;
        }
        self.place_channels();
        self.interest.want(ch, self.clock.monotonic());
        self.ask_scout();
        self.interest.is_live(ch)
    }

    /// Lets a question wait for its partition; gives it back where too many do.
    pub(super) fn hold_question(&mut self, asked: Asked) -> Option<Asked> {
        if self.interest.questions.len() >= limits::QUERIES_MAX {
            return Some(asked);
        }
        self.interest.questions.push(asked);
        None
    }

    /// Asks where to begin with what is wanted.
    fn ask_scout(&mut self) {
        let (now, elapsed) = (Micros(self.clock.wall_micros()), self.clock.monotonic());
        for at in 0..self.interest.tracked.len() {
            let tracked = &self.interest.tracked[at];
            if tracked.phase != Phase::Wanted || elapsed < tracked.ask_at {
                continue;
            }
            let (place, oldest) = (self.interest.tracked[at].place, self.oldest_young(at, now));
            let time = start_time(oldest.as_ref(), now);
            if !self.scout.ask(Question::Bounds { place, time }) {
                return;
            }
            self.interest.tracked[at].phase = Phase::Asked;
        }
    }

    /// Time of the oldest young snapshot of a partition, µs.
    fn oldest_young(&self, at: usize, now: Micros) -> Option<i64> {
        let shelved = |ch| {
            let channel = self.store.channel(ch)?;
            self.interest.shelf.get(&*channel.info.name)
        };
        let records = self.interest.channels_of(at).filter_map(shelved);
        let times = records.flat_map(Shelved::records).map(|d| d.record.timestamp_micros);
        let young =
            |time: &i64| now.since(Micros(*time)) < limits::SNAPSHOT_AGE_MAX.as_micros() as i64;
        times.filter(young).min()
    }

    /// The scout's answer: the channels of the partition are opened, then reading begins.
    pub(super) fn open_partition(
        &mut self,
        (place, time): (Place, i64),
        found: Result<(u64, u64), ConsumeError>,
    ) {
        let Some(&at) = self.interest.by_place.get(&place) else { return };
        match found {
            Ok(bounds) => {
                self.place_channels();
                let channels = self.interest.channels_of(at).collect();
                self.interest.tracked[at].phase = Phase::Opening;
                self.interest.opening.push_back(Opening { at, time, bounds, channels });
            }
            Err(error) => self.put_off(at, &error),
        }
    }

    /// The bus does not let a partition begin now: once more, a little later.
    fn put_off(&mut self, at: usize, error: &ConsumeError) {
        let ask_at = self.clock.monotonic() + limits::LOAD_RETRY;
        let tracked = &mut self.interest.tracked[at];
        (tracked.phase, tracked.ask_at) = (Phase::Wanted, ask_at);
        if !std::mem::replace(&mut tracked.is_failing, true) {
            self.count_bus_error(error);
        }
    }

    /// Opens some channels; a partition that has all of them open is read.
    fn go_on_opening(&mut self, consumer: &mut dyn Consumer) {
        let mut left = limits::OPENED_PER_CYCLE;
        while let Some(mut opening) = self.interest.opening.pop_front() {
            while left > 0
                && let Some(ch) = opening.channels.pop()
            {
                self.open_at_snapshot(ch, opening.time);
                left -= 1;
            }
            if !opening.channels.is_empty() {
                return self.interest.opening.push_front(opening);
            }
            self.begin_partition(consumer, &opening);
        }
    }

    fn begin_partition(&mut self, consumer: &mut dyn Consumer, opening: &Opening) {
        let (at, (from, end)) = (opening.at, opening.bounds);
        let place = self.interest.tracked[at].place;
        if let Err(error) = consumer.add(start(place, Offset::At(from))) {
            self.forget_channels(at);
            return self.put_off(at, &error);
        }
        tracing::info!(topic = place.topic, partition = place.partition, "partition is wanted");
        self.metrics.woken();
        let tracked = &mut self.interest.tracked[at];
        (tracked.is_failing, tracked.phase) = (false, Phase::CatchingUp);
        self.interest.ends.expect(place, from, end);
    }

    /// Opens a channel at its latest snapshot; everything since `time` will be read.
    fn open_at_snapshot(&mut self, ch: u32, time: i64) {
        let first = time.saturating_add(limits::SNAPSHOT_SLACK.as_micros() as i64);
        let Some(channel) = self.store.channel(ch) else { return };
        let name = Arc::clone(&channel.info.name);
        let Some(shelved) = self.interest.shelf.get(&*name) else { return };
        let records: Vec<Delivered> = shelved.records().cloned().collect();
        // Every event after a snapshot that is no older than where reading begins is read.
        let young = records.iter().any(|d| d.record.timestamp_micros >= first);
        let mut kept = Kept { young, ..Kept::default() };
        for delivered in &records {
            self.keep(&name, delivered, &mut kept);
        }
        if let Some(channel) = self.store.channel_mut(ch) {
            channel.restore(kept);
        }
    }

    /// Partitions that have caught up are live; who waited for them is answered.
    pub(super) fn settle_partitions(&mut self, consumer: &mut dyn Consumer, now: Micros) {
        if !self.interest.is_on() {
            return;
        }
        self.go_on_opening(consumer);
        for tracked in &mut self.interest.tracked {
            if tracked.phase == Phase::CatchingUp && !self.interest.ends.expects(tracked.place) {
                tracked.phase = Phase::Live;
                self.interest.has_news = true;
            }
        }
        if std::mem::take(&mut self.interest.has_news) {
            self.answer_waiting(now);
        }
    }

    fn answer_waiting(&mut self, now: Micros) {
        for mut want in std::mem::take(&mut self.interest.waiting) {
            if want.items.iter().all(|item| self.interest.is_live(item.ch)) {
                // What it may have to wait for next is counted from here.
                want.since = self.clock.monotonic();
            }
            self.want(want, now, false);
        }
        for asked in std::mem::take(&mut self.interest.questions) {
            // Who asked has a patience of its own, and was told when that was over.
            if !asked.1.is_closed() {
                self.answer_query(asked);
            }
        }
    }

    /// Stops asking the bus about partitions nobody waits for any more.
    fn drop_unmet(&mut self, elapsed: Duration) {
        let linger = self.interest.linger;
        for tracked in &mut self.interest.tracked {
            let unused = elapsed.saturating_sub(tracked.used) >= linger;
            if unused && tracked.phase == Phase::Wanted {
                tracked.phase = Phase::Asleep;
            }
        }
    }

    /// Timers: questions to the bus again, refusals, and partitions nobody wants any more.
    pub(super) fn tick_partitions(&mut self, consumer: &mut dyn Consumer, now: Micros) {
        let total = self.layout.event_places().count();
        let untracked = total - self.interest.tracked.len();
        self.metrics.partitions(untracked + self.interest.consumed(), total);
        if !self.interest.is_on() {
            return;
        }
        self.place_channels();
        self.ask_scout();
        self.answer_waiting(now);
        self.note_use();
        let elapsed = self.clock.monotonic();
        self.drop_unmet(elapsed);
        let linger = self.interest.linger;
        let is_over =
            |t: &Tracked| t.phase == Phase::Live && elapsed.saturating_sub(t.used) >= linger;
        let tracked = self.interest.tracked.iter().enumerate();
        let over: Vec<usize> =
            tracked.filter(|(_, tracked)| is_over(tracked)).map(|(at, _)| at).collect();
        if !over.is_empty() {
            // What was taken of it is told before it is forgotten.
            self.publish(now);
        }
        for at in over {
            self.give_up_partition(consumer, at);
        }
    }

    /// A partition is in use while a shard is interested in one of its channels, or a command about
    /// one waits.
    fn note_use(&mut self) {
        let now = self.clock.monotonic();
        let interest = &mut self.interest;
        let (of_channel, tracked) = (&interest.of_channel, &mut interest.tracked);
        let mut used = |ch: u32| {
            if let Some(at) = of_channel.get(base_index(ch)).copied().flatten() {
                tracked[at].used = now;
            }
        };
        for channel in self.store.channels().iter().filter(|channel| channel.is_wanted()) {
            used(channel.info.ch);
        }
        let waiting = self.ahead.iter().chain(&self.reading).chain(&interest.waiting);
        waiting.flat_map(|want| &want.items).for_each(|item| used(item.ch));
    }

    /// Nobody wants a partition: it is not read any more, and its channels hold nothing that could
    /// be taken for the present.
    fn give_up_partition(&mut self, consumer: &mut dyn Consumer, at: usize) {
        let place = self.interest.tracked[at].place;
        if let Err(error) = consumer.remove(&place.topic_name(), place.partition) {
            return self.count_bus_error(&error);
        }
        tracing::info!(topic = place.topic, partition = place.partition, "partition is given up");
        let is_it = |start: &Start| {
            start.partition == place.partition && start.topic.as_str() == place.topic
        };
        self.standing.retain(|start| !is_it(start));
        self.forget_channels(at);
        self.interest.tracked[at].phase = Phase::Asleep;
    }

    fn forget_channels(&mut self, at: usize) {
        let channels: Vec<u32> = self.interest.channels_of(at).collect();
        for ch in channels {
            self.store.forget(ch);
        }
    }
}
