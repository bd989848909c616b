//! The channels of one symbol: their places in the publisher's tables and what each was last told
//! of the feed's state.
//!
//! Owns which channels a symbol has and how a gap or a state reaches them. Knows no market rules.

use fantail_model::{
    Body, CandleInterval, Channel, Kind, Micros, Status, Symbol, VenueGap, VenueId,
};

use crate::metrics::FeedMetrics;
use crate::publisher::{Draft, Publisher};
use crate::sequencer::SlotId;
use crate::status::{Condition, Told};

/// Where events go, and when it is.
pub(crate) struct Outlet<'a> {
    pub(crate) publisher: &'a mut Publisher,
    pub(crate) metrics: &'a FeedMetrics,
    /// Monotonic.
    pub(crate) now: std::time::Duration,
    /// Wall clock.
    pub(crate) wall: Micros,
}

/// One open channel.
#[derive(Debug)]
pub(crate) struct OpenChannel {
    pub(crate) slot: SlotId,
    told: Told,
}

/// All channels of one symbol.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) trade: OpenChannel,
    pub(crate) bbo: OpenChannel,
    pub(crate) ticker: OpenChannel,
    pub(crate) book: OpenChannel,
    pub(crate) candles: Vec<(CandleInterval, OpenChannel)>,
    pub(crate) status: OpenChannel,
}

impl OpenChannel {
    pub(crate) fn new(publisher: &mut Publisher, channel: &Channel) -> Self {
        Self { slot: publisher.open(channel), told: Told::default() }
    }

    /// What was told went nowhere.
    pub(crate) fn forget_told(&mut self) {
        self.told = Told::default();
    }

    /// Publishes a status on a `status` channel if it is news.
    pub(crate) fn tell(&mut self, status: Status, outlet: &mut Outlet<'_>) {
        if let Some(status) = self.told.status(status) {
            outlet.publisher.publish(self.slot, Draft::own(Body::Status(status), outlet.wall));
        }
    }

    fn tell_market(&mut self, status: Status, condition: &Condition, outlet: &mut Outlet<'_>) {
        if let Some(status) = self.told.market(status, condition) {
            outlet.publisher.publish(self.slot, Draft::own(Body::Status(status), outlet.wall));
        }
    }

    fn gap(&self, reason: &str, outlet: &mut Outlet<'_>) {
        let body = Body::VenueGap(VenueGap { reason: reason.to_owned() });
        outlet.publisher.publish(self.slot, Draft::own(body, outlet.wall));
    }
}

impl Channels {
    /// Opens all channels of a symbol; also returns their names.
    pub(crate) fn open(
        publisher: &mut Publisher,
        venue: &VenueId,
        symbol: &Symbol,
        lengths: &[CandleInterval],
    ) -> (Self, Vec<Channel>) {
        let mut names = Vec::new();
        let mut open = |channel: Channel| {
            let opened = OpenChannel::new(publisher, &channel);
            names.push(channel);
            opened
        };
        let plain = |kind| Channel::new(kind, venue.clone(), symbol.clone());
        let channels = Self {
            trade: open(plain(Kind::Trade)),
            bbo: open(plain(Kind::Bbo)),
            ticker: open(plain(Kind::Ticker)),
            book: open(plain(Kind::Book)),
            candles: lengths
                .iter()
                .map(|length| {
                    (*length, open(Channel::candle(venue.clone(), symbol.clone(), *length)))
                })
                .collect(),
            status: open(Channel::status(venue.clone(), Some(symbol.clone()))),
        };
        (channels, names)
    }

    /// Tells every channel whose state has changed.
    pub(crate) fn settle(&mut self, condition: &Condition, outlet: &mut Outlet<'_>) {
        let (stream, book) = (condition.stream(), condition.book());
        self.status.tell(book.clone(), outlet);
        self.book.tell_market(book, condition, outlet);
        let rest = [&mut self.trade, &mut self.bbo, &mut self.ticker];
        for channel in rest.into_iter().chain(self.candles.iter_mut().map(|(_, open)| open)) {
            channel.tell_market(stream.clone(), condition, outlet);
        }
    }

    /// What was told went nowhere: states are told as if for the first time.
    pub(crate) fn forget_told(&mut self) {
        let plain = [&mut self.trade, &mut self.bbo, &mut self.ticker, &mut self.book];
        let candles = self.candles.iter_mut().map(|(_, open)| open);
        for open in plain.into_iter().chain(candles).chain([&mut self.status]) {
            open.forget_told();
        }
    }

    /// Tells the channels of a kind that events are lost.
    pub(crate) fn gap(&self, kind: Kind, reason: &'static str, outlet: &mut Outlet<'_>) {
        outlet.metrics.gap(reason);
        match kind {
            Kind::Trade => self.trade.gap(reason, outlet),
            Kind::Bbo => self.bbo.gap(reason, outlet),
            Kind::Ticker => self.ticker.gap(reason, outlet),
            Kind::Book => self.book.gap(reason, outlet),
            Kind::Candle => self.candles.iter().for_each(|(_, open)| open.gap(reason, outlet)),
            Kind::Funding | Kind::Status | Kind::Cbbo => {}
        }
    }

    /// Channels whose loss can be told without the book.
    pub(crate) fn mend(&self, outlet: &mut Outlet<'_>) {
        for open in self.plain() {
            outlet.publisher.mend(open.slot, outlet.wall);
        }
    }

    /// Writes every channel's last value and state to the compacted topic; the book itself is its
    /// market's.
    pub(crate) fn write_last(&self, outlet: &mut Outlet<'_>) {
        for open in self.plain().chain([&self.book]) {
            outlet.publisher.write_last(open.slot, outlet.wall);
        }
    }

    /// Takes every channel out of the compacted topic.
    pub(crate) fn forget(&self, outlet: &mut Outlet<'_>) {
        for open in self.plain().chain([&self.book]) {
            outlet.publisher.forget(open.slot, outlet.wall);
        }
    }

    /// All but the book.
    fn plain(&self) -> impl Iterator<Item = &OpenChannel> {
        let plain = [&self.trade, &self.bbo, &self.ticker, &self.status];
        plain.into_iter().chain(self.candles.iter().map(|(_, open)| open))
    }
}
