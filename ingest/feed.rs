//! A venue's feed: the one task that owns everything known of the venue.
//!
//! Input: frames and fates of its connections, REST answers, ticks. It reads each frame once,
//! hands the fact to its market and lets the market speak to the publisher. Output: records, orders
//! to connections, REST requests. It decides nothing about books (`venue::*::sync`) or positions
//! (`sequencer`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fantail_model::{Micros, State, Status};
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::IngestError;
use crate::channels::{OpenChannel, Outlet};
use crate::connection::{Inbound, Order};
use crate::limits;
use crate::market::Market;
use crate::metrics::FeedMetrics;
use crate::publisher::Publisher;
use crate::rest::{Answer, Purpose, Rest};
use crate::status::Link;
use crate::venue::{Fact, Message, Unreadable, Venue};

mod answers;
mod listing;
mod ownership;
mod timers;
pub(crate) use ownership::{LastTrades, Promotion};
pub(crate) use timers::Timers;

/// A feed, ready to run.
pub(crate) struct Feed {
    pub(crate) venue: Arc<dyn Venue>,
    /// Which group of the venue's symbols.
    pub(crate) group: u32,
    /// Of how many; 0 where they are not divided.
    pub(crate) groups: u32,
    /// Whether it tells how the venue as a whole is doing.
    pub(crate) leads: bool,
    pub(crate) clock: Clock,
    pub(crate) shutdown: Shutdown,
    pub(crate) metrics: FeedMetrics,
    pub(crate) publisher: Publisher,
    pub(crate) rest: Rest,
    pub(crate) inbound: mpsc::Receiver<Inbound>,
    pub(crate) answers: mpsc::Receiver<Answer>,
    pub(crate) connections: Vec<ConnectionState>,
    pub(crate) markets: Vec<Market>,
    pub(crate) by_native: HashMap<String, usize>,
    pub(crate) status: OpenChannel,
    pub(crate) timers: Timers,
    /// A standby hears here that it is the owner.
    pub(crate) promotions: mpsc::Receiver<Promotion>,
}

/// Why a feed ended, where nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to.
    Told,
    /// The bus took records and lost them: only a new epoch tells readers so.
    Lost,
}

/// A connection as its feed knows it.
pub(crate) struct ConnectionState {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) link: Link,
}

impl Feed {
    /// Runs until it is told to end, or has to start again.
    pub(crate) async fn run(mut self) -> Result<Ended, IngestError> {
        let shutdown = self.shutdown.clone();
        let _guard = shutdown.guard("feed");
        let mut ticks = tokio::time::interval(limits::TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(limits::INBOUND_BATCH);
        self.settle_all();
        while !self.publisher.is_closed() {
            if self.publisher.lost() > 0 {
                return Ok(Ended::Lost);
            }
            tokio::select! {
                () = shutdown.begun() => return Ok(Ended::Told),
                _ = ticks.tick() => self.tick(),
                Some(promotion) = self.promotions.recv() => self.promoted(&promotion),
                Some(answer) = self.answers.recv() => self.answer(answer),
                count = self.inbound.recv_many(&mut batch, limits::INBOUND_BATCH) => {
                    if count == 0 {
                        return Ok(Ended::Told); // every connection has ended: so has the process
                    }
                    batch.drain(..).for_each(|inbound| self.inbound(inbound));
                }
            }
        }
        Err(IngestError::BusClosed { venue: self.venue.id().to_string() })
    }

    fn inbound(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Frame { connection, text, rx } => self.frame(connection, &text, rx),
            Inbound::Up { connection } => self.up(connection),
            Inbound::Down { connection, cause, reason } => self.down(connection, cause, &reason),
            Inbound::Renewed => self.metrics.reconnect("planned"),
            Inbound::Binary => self.metrics.bad_frame("binary"),
        }
    }

    fn frame(&mut self, connection: usize, text: &str, rx: Micros) {
        self.metrics.frames.inc();
        self.metrics.bytes.inc_by(text.len() as u64);
        let venue = Arc::clone(&self.venue);
        match venue.parse(text) {
            Ok(Message::Fact { native, fact }) => self.fact(&native, fact, rx),
            Ok(Message::Acknowledged) => {}
            Ok(Message::Unknown) => self.metrics.ignored("unknown_message"),
            Ok(Message::Leaving) => {
                tracing::info!(venue = %venue.id(), connection, "the venue announced a shutdown");
                self.order(connection, Order::Renew(None));
            }
            Ok(Message::Refused(reason)) => {
                self.metrics.bad_frame("refused");
                tracing::warn!(venue = %venue.id(), connection, %reason, "request refused");
            }
            Err(bad) => self.bad_frame(text, &bad),
        }
    }

    fn fact(&mut self, native: &str, mut fact: Fact, rx: Micros) {
        let Some(&index) = self.by_native.get(native) else {
            self.metrics.ignored("unknown_symbol");
            return;
        };
        if let Fact::Delta(delta) = &mut fact {
            delta.rx = rx;
        }
        self.with_market(index, |market, outlet| market.fact(fact, rx, outlet));
        self.ask_for_book(index);
    }

    fn bad_frame(&mut self, text: &str, bad: &Unreadable) {
        self.metrics.bad_frame(match bad.fault {
            crate::venue::BadInput::Malformed => "malformed",
            crate::venue::BadInput::NumberRange => "number_range",
        });
        if self.timers.may_log(self.clock.monotonic()) {
            let start: String = text.chars().take(limits::BAD_FRAME_LOG_BYTES / 4).collect();
            tracing::warn!(venue = %self.venue.id(), error = %bad, %start, "unreadable frame");
        }
        let Some((native, kind)) = &bad.about else { return };
        let Some(&index) = self.by_native.get(native) else { return };
        self.with_market(index, |market, outlet| market.unreadable(*kind, bad, outlet));
        self.ask_for_book(index);
    }

    fn up(&mut self, connection: usize) {
        tracing::info!(venue = %self.venue.id(), connection, "connected");
        self.link(connection, Link::Up);
        for index in self.carried_by(connection) {
            self.with_market(index, Market::connected);
            self.ask_for_book(index);
            self.ask_for_candles(index);
            self.ask_for_trades(index);
        }
        self.settle_venue();
    }

    fn down(&mut self, connection: usize, cause: &'static str, reason: &str) {
        tracing::warn!(venue = %self.venue.id(), connection, cause, reason, "connection down");
        self.metrics.reconnect(cause);
        let reason = format!("{cause}: {reason}");
        self.link(connection, Link::Down(reason.clone()));
        for index in self.carried_by(connection) {
            self.with_market(index, |market, outlet| market.disconnected(&reason, outlet));
        }
        self.settle_venue();
    }

    fn tick(&mut self) {
        let now = self.clock.monotonic();
        let due = self.timers.due(now);
        if due.heartbeat {
            let wall = Micros(self.clock.wall_micros());
            self.publisher.heartbeat(self.venue.id(), (self.group, self.groups), wall);
        }
        if due.snapshots {
            self.publisher.write_last(self.status.slot, Micros(self.clock.wall_micros()));
        }
        if due.instruments {
            self.rest.ask(Purpose::Instruments, self.venue.instruments());
        }
        for index in 0..self.markets.len() {
            self.with_market(index, |market, outlet| {
                market.tick(outlet);
                if due.snapshots {
                    market.write_snapshot(outlet);
                }
            });
            self.ask_for_book(index);
        }
        self.settle_venue();
    }

    fn ask_for_book(&mut self, index: usize) {
        let now = self.clock.monotonic();
        let Some(market) = self.markets.get_mut(index) else { return };
        let is_up = market.condition.link == Link::Up && market.condition.unlisted.is_none();
        if !is_up || !market.ask.take_due(now) {
            return;
        }
        let native = &market.instrument.native;
        let messages = self.venue.resubscribe_book(native);
        if messages.is_empty() {
            market.ask.started();
            let request = self.venue.snapshot(native);
            self.rest.ask(Purpose::Snapshot { market: index }, request);
        } else {
            let connection = market.connection;
            self.order(connection, Order::Send(messages));
        }
    }

    fn ask_for_candles(&mut self, index: usize) {
        let Some(market) = self.markets.get(index) else { return };
        for (builder, length) in market.candles.iter().map(|b| b.length()).enumerate() {
            if let Some(request) = self.venue.candles(&market.instrument.native, length) {
                self.rest.ask(Purpose::Candles { market: index, builder }, request);
            }
        }
    }

    fn ask_for_trades(&mut self, index: usize) {
        let now = self.clock.monotonic();
        let Some(market) = self.markets.get_mut(index) else { return };
        if market.wants_trades(now) {
            let request = self.venue.trades(&market.instrument.native);
            self.rest.ask(Purpose::Trades { market: index }, request);
        }
    }

    /// An order that finds no room is lost; what needed it asks again by its own timer.
    fn order(&self, connection: usize, order: Order) {
        let Some(state) = self.connections.get(connection) else { return };
        if state.orders.try_send(order).is_err() {
            self.metrics.ignored("order_without_room");
        }
    }

    fn link(&mut self, connection: usize, link: Link) {
        if let Some(state) = self.connections.get_mut(connection) {
            state.link = link;
        }
        let up = self.connections.iter().filter(|state| state.link == Link::Up).count();
        self.metrics.connections.set(i64::try_from(up).unwrap_or(i64::MAX));
    }

    fn carried_by(&self, connection: usize) -> Vec<usize> {
        let markets = self.markets.iter().enumerate();
        markets.filter(|(_, m)| m.connection == connection).map(|(index, _)| index).collect()
    }

    fn settle_all(&mut self) {
        for index in 0..self.markets.len() {
            self.with_market(index, Market::settle);
        }
        self.settle_venue();
    }

    /// The venue's own state, and the figures of its symbols'.
    fn settle_venue(&mut self) {
        let status = self.venue_status();
        let wall = Micros(self.clock.wall_micros());
        let now = self.clock.monotonic();
        let (publisher, metrics) = (&mut self.publisher, &self.metrics);
        if self.leads {
            self.status.tell(status, &mut Outlet { publisher, metrics, now, wall });
        }
        for state in [State::Live, State::Stale, State::Resync, State::Down] {
            let word = state.as_str();
            let count = self.markets.iter().filter(|market| market.state() == word).count();
            self.metrics.symbols(word, count);
        }
    }

    fn venue_status(&self) -> Status {
        let links = || self.connections.iter().map(|state| &state.link);
        let reason = links().find_map(|link| match link {
            Link::Down(reason) => Some(reason.as_str()),
            _ => None,
        });
        let down = links().filter(|link| matches!(link, Link::Down(_))).count();
        let (state, reason) = match reason {
            Some(reason) if self.connections.len() > 1 => {
                (State::Down, format!("{down} of {} connections: {reason}", self.connections.len()))
            }
            Some(reason) => (State::Down, reason.to_owned()),
            None if links().any(|link| *link == Link::Connecting) => {
                (State::Down, "connecting".to_owned())
            }
            None if self.markets.iter().all(|market| market.condition.quiet) => {
                (State::Stale, "no message from the venue".to_owned())
            }
            None => (State::Live, String::new()),
        };
        Status { state, reason }
    }

    fn with_market(&mut self, index: usize, act: impl FnOnce(&mut Market, &mut Outlet<'_>)) {
        let Some(market) = self.markets.get_mut(index) else { return };
        let now: Duration = self.clock.monotonic();
        let wall = Micros(self.clock.wall_micros());
        let (publisher, metrics) = (&mut self.publisher, &self.metrics);
        act(market, &mut Outlet { publisher, metrics, now, wall });
    }
}
