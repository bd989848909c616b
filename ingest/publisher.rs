//! Drafts of events → positioned, encoded once, sent to the bus.
//!
//! Owns the routes (topic, key, partition) of a feed's channels, their positions and what happens
//! when the bus refuses: a refused event breaks its channel, and the next accepted one is a book's
//! `reset` or a `venue_gap` of reason `overload`. Decides nothing about markets.

use bytes::Bytes;
use fantail_bus::{Headers, Producer, Record, SendError, TopicName, stable_partition};
use fantail_model::{
    Body, Channel, Event, Instrument, Kind, Micros, Position, State, Status, VenueGap, VenueId,
};
use fantail_wire::record::{self, FeedHeartbeat, RecordFormat, RecordRef};

use crate::metrics::FeedMetrics;
use crate::sequencer::{Sequencer, SlotId};

/// An event before it has a position.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) ts: Option<Micros>,
    pub(crate) rx: Micros,
    pub(crate) vseq: Option<u64>,
    /// What a client holds is to be replaced.
    pub(crate) reset: bool,
    pub(crate) body: Body,
}

/// One channel's way to the bus.
#[derive(Debug)]
struct Route {
    name: String,
    kind: Kind,
    topic: TopicName,
    key: Bytes,
    partition: u32,
    /// An event of this channel was refused since the last accepted one.
    broken: bool,
    /// The latest value, where the channel has one; a book's is kept by its market.
    last: Option<Event>,
    /// The latest word on its feed inside it; `None` as long as nothing ever went wrong.
    state: Option<Event>,
    /// The last ticker or candle while standing by: told at the promotion.
    held: Option<Draft>,
}

/// A feed's outlet to the bus.
pub(crate) struct Publisher {
    producer: Box<dyn Producer>,
    sequencer: Sequencer,
    routes: Vec<Route>,
    format: RecordFormat,
    metrics: FeedMetrics,
    scratch: Vec<u8>,
    closed: bool,
    /// Another worker is the owner: everything is done as if it were published, and isn't.
    is_standby: bool,
}

impl Draft {
    /// A fact of ours about a channel, not of the venue.
    pub(crate) fn own(body: Body, rx: Micros) -> Self {
        Self { ts: None, rx, vseq: None, reset: false, body }
    }
}

impl Route {
    /// Keeps what a gateway that starts has to be told.
    fn keep(&mut self, event: Event) {
        match (&event.body, self.kind) {
            (Body::Status(_), Kind::Status) => self.last = Some(event),
            (Body::Status(_), _) => self.state = Some(event),
            (Body::Book(_) | Body::Trade(_) | Body::VenueGap(_), _) => {}
            _ => self.last = Some(event),
        }
    }
}

impl Publisher {
    pub(crate) fn new(
        producer: Box<dyn Producer>,
        sequencer: Sequencer,
        format: RecordFormat,
        metrics: FeedMetrics,
    ) -> Self {
        let (routes, scratch) = (Vec::new(), Vec::with_capacity(4 * 1024));
        let (closed, is_standby) = (false, false);
        Self { producer, sequencer, routes, format, metrics, scratch, closed, is_standby }
    }

    /// Opens a channel of this feed.
    pub(crate) fn open(&mut self, channel: &Channel) -> SlotId {
        let name = channel.to_string();
        let topic = TopicName::from_static(record::topic(channel.kind));
        let key = Bytes::copy_from_slice(record::key(&name).as_bytes());
        let partition = self.partition(&topic, &key);
        let (kind, broken, last, state) = (channel.kind, false, None, None);
        let held = None;
        self.routes.push(Route { name, kind, topic, key, partition, broken, last, state, held });
        self.sequencer.open()
    }

    /// Says nothing until promoted.
    pub(crate) fn stand_by(&mut self) {
        self.is_standby = true;
    }

    /// Speaks from now on, in this epoch.
    pub(crate) fn promote(&mut self, epoch: u64) {
        self.is_standby = false;
        self.sequencer.restart(epoch);
    }

    /// Tells the last tickers and candles heard while standing by: a quiet channel has its value.
    pub(crate) fn tell_held(&mut self) {
        for slot in 0..self.routes.len() {
            if let Some(draft) = self.routes.get_mut(slot).and_then(|route| route.held.take()) {
                self.send_event(SlotId(slot), draft);
            }
        }
    }

    pub(crate) fn is_standby(&self) -> bool {
        self.is_standby
    }

    /// The bus is gone for good.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether an event of this channel was refused and the loss is not told yet.
    pub(crate) fn is_broken(&self, slot: SlotId) -> bool {
        self.routes.get(slot.0).is_some_and(|route| route.broken)
    }

    /// Gives the draft its position and sends it; false if the bus refused it.
    pub(crate) fn publish(&mut self, slot: SlotId, draft: Draft) -> bool {
        if self.is_broken(slot) && !draft.reset && !self.mend(slot, draft.rx) {
            self.metrics.refused.inc();
            return false;
        }
        self.send_event(slot, draft)
    }

    /// Tells the loss of refused events, if it can be told without the book.
    pub(crate) fn mend(&mut self, slot: SlotId, rx: Micros) -> bool {
        let is_book = self.routes.get(slot.0).is_some_and(|route| route.kind == Kind::Book);
        if !self.is_broken(slot) || is_book {
            return !self.is_broken(slot);
        }
        let gap = Body::VenueGap(VenueGap { reason: "overload".to_owned() });
        self.send_event(slot, Draft::own(gap, rx))
    }

    /// Writes a book to the compacted topic, at its channel's last position.
    pub(crate) fn snapshot(&mut self, slot: SlotId, draft: Draft) {
        let now = draft.rx;
        self.write_state(slot, event(Position::default(), 0, draft), false, now);
    }

    /// Writes a channel's last value to the compacted topic, and the state of its feed where the
    /// value alone would not tell it or the channel has none: a trade channel's place is known to
    /// who starts by its state alone.
    pub(crate) fn write_last(&mut self, slot: SlotId, now: Micros) {
        let Some(route) = self.routes.get(slot.0) else { return };
        let (last, state) = (route.last.clone(), route.state.clone());
        let is_live = state.as_ref().is_none_or(
            |event| matches!(&event.body, Body::Status(status) if status.state == State::Live),
        );
        if (last.is_none() && route.kind != Kind::Book) || !is_live {
            let live = || Body::Status(Status { state: State::Live, reason: String::new() });
            let state =
                state.unwrap_or_else(|| event(Position::default(), 0, Draft::own(live(), now)));
            self.write_state(slot, state, true, now);
        }
        if let Some(last) = last {
            self.write_state(slot, last, false, now);
        }
    }

    /// Takes a channel out of the compacted topic.
    pub(crate) fn forget(&mut self, slot: SlotId, now: Micros) {
        for is_state in [false, true] {
            self.send_state(slot, is_state, None, now);
        }
    }

    fn write_state(&mut self, slot: SlotId, state: Event, is_state: bool, now: Micros) {
        let Some(route) = self.routes.get(slot.0) else { return };
        let last = self.sequencer.last(slot);
        if route.broken || last == 0 {
            return;
        }
        let position = Position::new(self.sequencer.epoch(), last);
        let event = Event { position, prev: last - 1, ..state };
        self.scratch.clear();
        let what = RecordRef::Event { channel: &route.name, event: &event };
        record::encode(what, self.format, &mut self.scratch);
        let value = Bytes::copy_from_slice(&self.scratch);
        self.send_state(slot, is_state, Some(value), now);
    }

    fn send_state(&mut self, slot: SlotId, is_state: bool, value: Option<Bytes>, now: Micros) {
        let Some(route) = self.routes.get(slot.0) else { return };
        let topic = TopicName::from_static(record::SNAPSHOT);
        let partition = self.partition(&topic, &route.key);
        let key = if is_state { record::state_key(&route.name) } else { route.name.clone() };
        self.send_side(topic, partition, Bytes::from(key), value, now);
    }

    /// An instrument as it now is.
    pub(crate) fn instrument(&mut self, instrument: &Instrument, now: Micros) {
        let topic = TopicName::from_static(record::INSTRUMENT);
        let key = Bytes::from(format!("{}:{}", instrument.venue, instrument.symbol));
        let partition = self.partition(&topic, &key);
        let value = self.encode(RecordRef::Instrument(instrument));
        self.send_side(topic, partition, key, Some(value), now);
    }

    /// Accepted records that never reached the bus, since the start: positions given away that no
    /// reader will see.
    pub(crate) fn lost(&self) -> u64 {
        self.producer.lost()
    }

    /// The feed's sign of life.
    pub(crate) fn heartbeat(&mut self, venue: &VenueId, (group, groups): (u32, u32), now: Micros) {
        let epoch = self.sequencer.epoch();
        let beat = FeedHeartbeat { venue: venue.clone(), group, groups, epoch, time: now };
        let topic = TopicName::from_static(record::CONTROL);
        let key = Bytes::copy_from_slice(venue.as_str().as_bytes());
        let partition = self.partition(&topic, &key);
        let value = self.encode(RecordRef::Heartbeat(&beat));
        self.send_side(topic, partition, key, Some(value), now);
    }

    fn send_event(&mut self, slot: SlotId, draft: Draft) -> bool {
        if self.is_standby {
            if let Some(route) = self.routes.get_mut(slot.0)
                && matches!(draft.body, Body::Ticker(_) | Body::Candle(_))
            {
                route.held = Some(draft);
            }
            return true;
        }
        let place = self.sequencer.peek(slot);
        let mut event = event(place.position, place.prev, draft);
        event.reset |= place.is_first;
        let Some(route) = self.routes.get(slot.0) else { return false };
        self.scratch.clear();
        let what = RecordRef::Event { channel: &route.name, event: &event };
        record::encode(what, self.format, &mut self.scratch);
        let record = Record {
            topic: route.topic.clone(),
            partition: route.partition,
            key: route.key.clone(),
            value: Some(Bytes::copy_from_slice(&self.scratch)),
            headers: headers(&event),
            timestamp_micros: event.rx.0,
        };
        let taken = match self.producer.send(record) {
            Ok(()) => true,
            Err(error) => {
                self.refused(&error);
                false
            }
        };
        if taken {
            self.sequencer.commit(slot);
        }
        if let Some(route) = self.routes.get_mut(slot.0) {
            route.broken = !taken;
            if taken {
                route.keep(event);
            }
        }
        taken
    }

    /// Records beside the channels: the next one of the same key replaces a refused one.
    fn send_side(
        &mut self,
        topic: TopicName,
        partition: u32,
        key: Bytes,
        value: Option<Bytes>,
        now: Micros,
    ) {
        if self.is_standby {
            return;
        }
        let headers = Headers::none();
        let record = Record { topic, partition, key, value, headers, timestamp_micros: now.0 };
        if let Err(error) = self.producer.send(record) {
            self.refused(&error);
        }
    }

    fn encode(&mut self, what: RecordRef<'_>) -> Bytes {
        self.scratch.clear();
        record::encode(what, self.format, &mut self.scratch);
        Bytes::copy_from_slice(&self.scratch)
    }

    fn partition(&self, topic: &TopicName, key: &[u8]) -> u32 {
        stable_partition(key, self.producer.partitions(topic).unwrap_or(0))
    }

    fn refused(&mut self, error: &SendError) {
        self.metrics.refused.inc();
        match error {
            // Told on the channel itself; one line per record would drown the log.
            SendError::QueueFull(_) => {}
            SendError::Closed if self.closed => {}
            SendError::Closed => {
                self.closed = true;
                tracing::warn!("the bus is closed");
            }
            other => tracing::error!(error = %other, "record refused"),
        }
    }
}

/// What a reader may want to know without reading the value.
fn headers(event: &Event) -> Headers {
    let (epoch, seq) = (event.position.epoch.to_be_bytes(), event.position.seq.to_be_bytes());
    let rx = event.rx.0.to_be_bytes();
    let pairs: [(&str, &[u8]); 4] =
        [("v", &[record::VERSION]), ("epoch", &epoch), ("seq", &seq), ("rx", &rx)];
    // Four short names and values are always within the bus's limits.
    Headers::from_pairs(&pairs).unwrap_or_default()
}

fn event(position: Position, prev: u64, draft: Draft) -> Event {
    let Draft { ts, rx, vseq, reset, body } = draft;
    Event { position, prev, reset, ts, rx, vseq, body }
}

#[cfg(test)]
#[path = "publisher_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "publisher_speed.rs"]
mod speed;
