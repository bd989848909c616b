//! A venue's configuration → a feed ready to run: its markets, their channels, its connections.
//!
//! Everything is opened and told at once: instruments and states are on the bus before the first
//! connection is tried.

use std::sync::Arc;
use std::time::Duration;

use fantail_bus::Producer;
use fantail_model::{Channel, Instrument, InstrumentState, Micros};
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record::RecordFormat;
use tokio::sync::mpsc;

use crate::IngestError;
use crate::books::KeptBook;
use crate::channels::{Channels, OpenChannel};
use crate::config::{VenueConfig, VenueKind};
use crate::connection::{Connection, Inbound, Pace, SharedPace};
use crate::feed::{ConnectionState, Feed, Promotion};
use crate::limits;
use crate::market::Market;
use crate::metrics::FeedMetrics;
use crate::publisher::Publisher;
use crate::rest::Rest;
use crate::sequencer::Sequencer;
use crate::status::{Link, Pulse};
use crate::unit::Unit;
use crate::venue::Venue;
use crate::venue::binance::Binance;
use crate::venue::coinbase::Coinbase;

/// What a feed takes from the process.
pub(crate) struct Dependencies {
    pub(crate) producer: Box<dyn Producer>,
    /// The epoch to speak with; a standby has none yet.
    pub(crate) epoch: Option<u64>,
    pub(crate) promotions: mpsc::Receiver<Promotion>,
    pub(crate) clock: Clock,
    pub(crate) metrics: FeedMetrics,
    pub(crate) shutdown: Shutdown,
}

/// Builds a unit's feed and starts its connections.
pub(crate) fn feed(
    unit: Unit,
    format: RecordFormat,
    dependencies: Dependencies,
) -> Result<Feed, IngestError> {
    let Dependencies { producer, epoch, promotions, clock, metrics, shutdown } = dependencies;
    let Unit { group, leads, venue: config } = unit;
    let groups = if config.groups > 1 { config.groups } else { 0 };
    let venue: Arc<dyn Venue> = match config.kind {
        VenueKind::Binance => Arc::new(Binance::new(&config)),
        VenueKind::Coinbase => Arc::new(Coinbase::new(&config)),
    };
    let sequencer = Sequencer::with_epoch(epoch.unwrap_or_default());
    let mut publisher = Publisher::new(producer, sequencer, format, metrics.clone());
    if epoch.is_none() {
        publisher.stand_by();
    }
    let status = OpenChannel::new(&mut publisher, &Channel::status(venue.id().clone(), None));
    let markets = markets(&config, &*venue, &mut publisher, clock.monotonic());
    let now = Micros(clock.wall_micros());
    for market in &markets {
        publisher.instrument(&market.instrument, now);
    }
    let (inbound_sender, inbound) = mpsc::channel(limits::INBOUND_FRAMES_MAX);
    let (answer_sender, answers) = mpsc::channel(limits::ANSWERS_MAX);
    let weight = config.rest_weight_per_minute;
    let rest =
        Rest::new(Arc::clone(&venue), weight, answer_sender, clock.clone(), shutdown.clone())?;
    let connections = connections(&markets, &*venue, &clock, &shutdown, &inbound_sender);
    let by_native = markets.iter().enumerate();
    let by_native = by_native.map(|(at, market)| (market.instrument.native.clone(), at)).collect();
    Ok(Feed {
        venue,
        group,
        groups,
        leads,
        clock,
        shutdown,
        metrics,
        publisher,
        rest,
        inbound,
        answers,
        connections,
        markets,
        by_native,
        status,
        timers: crate::feed::Timers::default(),
        promotions,
    })
}

fn markets(
    config: &VenueConfig,
    venue: &dyn Venue,
    publisher: &mut Publisher,
    now: Duration,
) -> Vec<Market> {
    let per_connection = venue.policy().symbols_per_connection;
    let symbols = config.symbols.iter().enumerate();
    symbols
        .map(|(index, symbol)| {
            let (channels, names) = Channels::open(publisher, venue.id(), symbol, &config.candles);
            let instrument = Instrument {
                venue: venue.id().clone(),
                symbol: symbol.clone(),
                native: venue.native_guess(symbol),
                tick: None,
                lot: None,
                state: InstrumentState::Trading,
                channels: names,
            };
            let book = KeptBook::new(venue.book_sync(), config.book_depth);
            let pulse = Pulse::new(config.stale_after, now);
            let connection = index / per_connection;
            Market::new(instrument, connection, channels, book, venue.derives(), pulse)
        })
        .collect()
}

fn connections(
    markets: &[Market],
    venue: &dyn Venue,
    clock: &Clock,
    shutdown: &Shutdown,
    feed: &mpsc::Sender<Inbound>,
) -> Vec<ConnectionState> {
    let policy = venue.policy();
    let (attempts, within) = policy.attempts;
    let attempts = SharedPace::new(Pace::new(attempts, within));
    let natives: Vec<String> =
        markets.iter().map(|market| market.instrument.native.clone()).collect();
    let groups = natives.chunks(policy.symbols_per_connection).enumerate();
    groups
        .map(|(index, natives)| {
            let (orders_sender, orders) = mpsc::channel(limits::ORDERS_MAX);
            let connection = Connection {
                index,
                url: venue.ws_url(),
                subscribe: venue.subscribe(natives),
                policy,
                attempts: attempts.clone(),
                clock: clock.clone(),
                shutdown: shutdown.clone(),
                feed: feed.clone(),
                orders,
            };
            tokio::spawn(connection.run());
            ConnectionState { orders: orders_sender, link: Link::Connecting }
        })
        .collect()
}
