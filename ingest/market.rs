//! One symbol of a venue: its book, trail of trades, candles and condition, and how facts about it
//! become events in its channels.
//!
//! Input: facts, the connection's fate, REST answers, time. Output: drafts to the publisher, and
//! [`BookAsk`], what it wants from the venue. It does no I/O.

use fantail_model::{
    Bbo, Body, Candle, CandleInterval, Instrument, InstrumentState, Kind, Micros, Ticker, Trade,
};

use crate::ask::BookAsk;
use crate::backfill::{Backfill, Heard};
use crate::books::{BookOutcome, KeptBook};
use crate::candles::CandleBuilder;
use crate::channels::{Channels, Outlet};
use crate::publisher::Draft;
use crate::sequencer::SlotId;
use crate::standby::Recent;
use crate::status::{Condition, Link, Pulse};
use crate::trail::{TradeTrail, Verdict};
use crate::venue::{BadInput, Derives, Fact, Snapshot, Unreadable};

mod takeover;

/// One symbol of a venue.
pub(crate) struct Market {
    pub(crate) instrument: Instrument,
    /// Which connection carries it.
    pub(crate) connection: usize,
    pub(crate) condition: Condition,
    pub(crate) ask: BookAsk,
    pub(crate) candles: Vec<CandleBuilder>,
    pub(crate) channels: Channels,
    derives: Derives,
    pulse: Pulse,
    book: KeptBook,
    trail: TradeTrail,
    backfill: Backfill,
    recent: Recent,
    last_bbo: Option<(Bbo, Option<u64>)>,
    outcomes: Vec<BookOutcome>,
}

impl Market {
    pub(crate) fn new(
        instrument: Instrument,
        connection: usize,
        channels: Channels,
        book: KeptBook,
        derives: Derives,
        pulse: Pulse,
    ) -> Self {
        let lengths = channels.candles.iter().map(|(length, _)| *length);
        let candles =
            if derives.candles { lengths.map(CandleBuilder::new).collect() } else { vec![] };
        Self {
            instrument,
            connection,
            condition: Condition::new(),
            ask: BookAsk::default(),
            candles,
            channels,
            derives,
            pulse,
            book,
            trail: TradeTrail::default(),
            backfill: Backfill::Idle,
            recent: Recent::default(),
            last_bbo: None,
            outcomes: Vec::new(),
        }
    }

    /// Its connection is subscribed.
    pub(crate) fn connected(&mut self, outlet: &mut Outlet<'_>) {
        self.condition.link = Link::Up;
        self.condition.quiet = false;
        self.pulse.restart(outlet.now);
        self.trail.reconnected();
        self.settle(outlet);
        self.book.connected(outlet.now, &mut self.outcomes);
        self.tell_book(outlet);
    }

    /// Its connection is gone.
    pub(crate) fn disconnected(&mut self, reason: &str, outlet: &mut Outlet<'_>) {
        self.condition.link = Link::Down(reason.to_owned());
        self.book.disconnected();
        self.condition.book_waits = Some("waiting for a new snapshot".to_owned());
        self.ask.cancel();
        self.last_bbo = None;
        self.candles.iter_mut().for_each(CandleBuilder::lost);
        self.settle(outlet);
    }

    /// A fact came.
    pub(crate) fn fact(&mut self, fact: Fact, rx: Micros, outlet: &mut Outlet<'_>) {
        self.pulse.beat(outlet.now);
        if std::mem::take(&mut self.condition.quiet) {
            self.settle(outlet);
        }
        match fact {
            Fact::Trade { number, trade, ts, earlier } => {
                outlet.metrics.fact(Kind::Trade, ts.filter(|_| !earlier).map(|ts| rx.since(ts)));
                let heard = Heard { number, trade, ts, rx, earlier };
                if outlet.publisher.is_standby() {
                    self.recent.note(&heard);
                }
                if let Some(heard) = self.backfill.hold(heard) {
                    self.trade(heard, outlet);
                }
            }
            Fact::Bbo { bbo, vseq, ts } => {
                outlet.metrics.fact(Kind::Bbo, ts.map(|ts| rx.since(ts)));
                self.bbo(bbo, vseq, (ts, rx), outlet);
            }
            Fact::Ticker { ticker, ts, top } => {
                outlet.metrics.fact(Kind::Ticker, ts.map(|ts| rx.since(ts)));
                self.ticker(ticker, (ts, rx), outlet);
                if let Some(top) = top {
                    self.book.ticker_top(top, outlet.now, &mut self.outcomes);
                    self.tell_book(outlet);
                }
            }
            Fact::Delta(delta) => {
                outlet.metrics.fact(Kind::Book, delta.ts.map(|ts| rx.since(ts)));
                self.book.delta(delta, outlet.now, &mut self.outcomes);
                self.tell_book(outlet);
            }
            Fact::Snapshot(snapshot) => self.snapshot(snapshot, rx, outlet),
            Fact::Candle { length, candle, ts } => {
                outlet.metrics.fact(Kind::Candle, ts.map(|ts| rx.since(ts)));
                self.publish_candle(length, candle, (ts, rx), outlet);
            }
            Fact::Alive => outlet.metrics.fact(Kind::Status, None),
        }
    }

    /// Something about it came that could not be read.
    pub(crate) fn unreadable(&mut self, kind: Kind, bad: &Unreadable, outlet: &mut Outlet<'_>) {
        let reason = match bad.fault {
            BadInput::Malformed => "malformed",
            BadInput::NumberRange => "number_range",
        };
        match kind {
            Kind::Book => {
                self.book.restart(reason, outlet.now, &mut self.outcomes);
                self.tell_book(outlet);
            }
            Kind::Trade => {
                self.trail.unreadable();
                self.candles.iter_mut().for_each(CandleBuilder::lost);
                self.channels.gap(kind, reason, outlet);
            }
            _ => self.channels.gap(kind, reason, outlet),
        }
    }

    /// A whole book came.
    pub(crate) fn snapshot(&mut self, snapshot: Snapshot, rx: Micros, outlet: &mut Outlet<'_>) {
        self.book.snapshot(snapshot, rx, outlet.now, &mut self.outcomes);
        self.tell_book(outlet);
    }

    /// The snapshot asked for did not come.
    pub(crate) fn snapshot_failed(&mut self, reason: &str, outlet: &mut Outlet<'_>) {
        if !self.book.is_live() && self.condition.link == Link::Up {
            self.ask.again(outlet.now);
            self.condition.book_waits = Some(format!("no snapshot: {reason}"));
            self.settle(outlet);
        }
    }

    /// A candle to start one of the builders with.
    pub(crate) fn seed(&mut self, builder: usize, seed: Candle, outlet: &mut Outlet<'_>) {
        let Some(builder) = self.candles.get_mut(builder) else { return };
        let length = builder.length();
        if let Some(candle) = builder.seed(seed) {
            self.publish_candle(length, candle, (None, outlet.wall), outlet);
        }
    }

    /// Time passed.
    pub(crate) fn tick(&mut self, outlet: &mut Outlet<'_>) {
        if self.backfill.is_over(outlet.now) {
            self.past_trades(Vec::new(), outlet.wall, outlet);
        }
        let is_up = self.condition.link == Link::Up && self.condition.unlisted.is_none();
        if is_up && !self.condition.quiet && self.pulse.is_quiet(outlet.now) {
            self.condition.quiet = true;
            self.settle(outlet);
        }
        self.book.tick(outlet.now, &mut self.outcomes);
        self.tell_book(outlet);
        for index in 0..self.candles.len() {
            let Some(builder) = self.candles.get_mut(index) else { continue };
            let length = builder.length();
            if let Some(candle) = builder.tick(outlet.wall) {
                self.publish_candle(length, candle, (None, outlet.wall), outlet);
            }
        }
        self.channels.mend(outlet);
        let book = self.channels.book.slot;
        if self.book.is_live() && outlet.publisher.is_broken(book) {
            let draft = self.whole_book(outlet.wall);
            outlet.publisher.publish(book, draft);
        }
    }

    /// Writes the book, last values and states of what is listed to the compacted topic.
    pub(crate) fn write_snapshot(&self, outlet: &mut Outlet<'_>) {
        let is_listed = self.instrument.state != InstrumentState::Delisted;
        if is_listed {
            self.channels.write_last(outlet);
        }
        if is_listed && self.book.is_live() {
            let draft = self.whole_book(outlet.wall);
            outlet.publisher.snapshot(self.channels.book.slot, draft);
        }
    }

    /// Publishes what changed in the symbol's state.
    pub(crate) fn settle(&mut self, outlet: &mut Outlet<'_>) {
        self.channels.settle(&self.condition, outlet);
    }

    /// Its state's word, for the figures.
    pub(crate) fn state(&self) -> &'static str {
        self.condition.book().state.as_str()
    }

    fn trade(&mut self, heard: Heard, outlet: &mut Outlet<'_>) {
        let Heard { number, trade, ts, rx, earlier } = heard;
        let verdict = self.trail.see(number, earlier);
        if let Verdict::After(reason) = verdict {
            self.channels.gap(Kind::Trade, reason, outlet);
            self.candles.iter_mut().for_each(CandleBuilder::lost);
        }
        if earlier && let Some(ts) = ts {
            self.candles.iter_mut().for_each(|builder| builder.listening_since(ts));
        }
        if verdict == Verdict::Known {
            outlet.metrics.ignored("known_trade");
            return;
        }
        for index in 0..self.candles.len() {
            let Some(builder) = self.candles.get_mut(index) else { continue };
            let length = builder.length();
            for candle in builder.trade(&trade, ts.unwrap_or(rx), rx) {
                self.publish_candle(length, candle, (ts, rx), outlet);
            }
        }
        self.publish_trade(trade, (ts, rx), outlet);
    }

    fn publish_trade(
        &self,
        trade: Trade,
        (ts, rx): (Option<Micros>, Micros),
        outlet: &mut Outlet<'_>,
    ) {
        let draft = Draft { ts, rx, vseq: None, reset: false, body: Body::Trade(trade) };
        outlet.publisher.publish(self.channels.trade.slot, draft);
    }

    fn bbo(
        &mut self,
        bbo: Bbo,
        vseq: Option<u64>,
        (ts, rx): (Option<Micros>, Micros),
        outlet: &mut Outlet<'_>,
    ) {
        if let Some((_, last)) = &self.last_bbo
            && vseq.is_some()
            && vseq <= *last
        {
            outlet.metrics.ignored("known_bbo");
            return;
        }
        self.last_bbo = Some((bbo.clone(), vseq));
        let draft = Draft { ts, rx, vseq, reset: false, body: Body::Bbo(bbo) };
        outlet.publisher.publish(self.channels.bbo.slot, draft);
    }

    fn ticker(
        &mut self,
        ticker: Ticker,
        (ts, rx): (Option<Micros>, Micros),
        outlet: &mut Outlet<'_>,
    ) {
        let draft = Draft { ts, rx, vseq: None, reset: false, body: Body::Ticker(ticker) };
        outlet.publisher.publish(self.channels.ticker.slot, draft);
    }

    fn publish_candle(
        &self,
        length: CandleInterval,
        candle: Candle,
        (ts, rx): (Option<Micros>, Micros),
        outlet: &mut Outlet<'_>,
    ) {
        let open = self.channels.candles.iter().find(|(known, _)| *known == length);
        if let Some((_, open)) = open {
            let draft = Draft { ts, rx, vseq: None, reset: false, body: Body::Candle(candle) };
            outlet.publisher.publish(open.slot, draft);
        }
    }

    fn tell_book(&mut self, outlet: &mut Outlet<'_>) {
        if self.outcomes.is_empty() {
            return;
        }
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for outcome in outcomes.drain(..) {
            match outcome {
                BookOutcome::Fetch | BookOutcome::Resubscribe => self.ask.wanted(outlet.now),
                BookOutcome::Gap(reason) => self.book_lost(reason, outlet),
                BookOutcome::Reset { view, vseq, ts, rx } => {
                    let draft = Draft { ts, rx, vseq, reset: true, body: Body::Book(view) };
                    outlet.publisher.publish(self.channels.book.slot, draft);
                    self.ask.answered(outlet.now);
                    self.condition.book_waits = None;
                    self.settle(outlet);
                    self.book_bbo((ts, rx), outlet);
                }
                BookOutcome::Change { change, vseq, ts, rx } => {
                    let slot = self.channels.book.slot;
                    let draft = Draft { ts, rx, vseq, reset: false, body: Body::Book(change) };
                    self.publish_change(slot, draft, outlet);
                    self.book_bbo((ts, rx), outlet);
                }
            }
        }
        // The vector is kept: a book changes ten times a second.
        outcomes.append(&mut self.outcomes);
        self.outcomes = outcomes;
    }

    fn publish_change(&self, slot: SlotId, draft: Draft, outlet: &mut Outlet<'_>) {
        let draft = if outlet.publisher.is_broken(slot) {
            // Earlier changes were refused: only the whole book continues from here.
            Draft { reset: true, body: Body::Book(self.book.view()), ..draft }
        } else {
            draft
        };
        outlet.publisher.publish(slot, draft);
    }

    fn book_lost(&mut self, reason: &'static str, outlet: &mut Outlet<'_>) {
        tracing::info!(
            venue = %self.instrument.venue, symbol = %self.instrument.symbol, reason,
            "book is taken anew"
        );
        self.channels.gap(Kind::Book, reason, outlet);
        self.ask.lost(outlet.now);
        self.condition.book_waits = Some(reason.to_owned());
        self.settle(outlet);
    }

    fn book_bbo(&mut self, times: (Option<Micros>, Micros), outlet: &mut Outlet<'_>) {
        if !self.derives.bbo || !self.book.is_live() {
            return;
        }
        let (bid, ask) = self.book.best();
        let bbo = Bbo { bid, ask };
        if self.last_bbo.as_ref().is_none_or(|(last, _)| *last != bbo) {
            self.bbo(bbo, None, times, outlet);
        }
    }

    fn whole_book(&self, wall: Micros) -> Draft {
        Draft { reset: true, ..Draft::own(Body::Book(self.book.view()), wall) }
    }
}
