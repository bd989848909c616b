//! Feeds for the units this worker owns: started above the epoch to outbid, ended when another
//! worker owns them, started again when the bus lost what they said.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fantail_bus::Bus;
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record::RecordFormat;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::IngestError;
use crate::feed::Ended;
use crate::metrics::IngestMetrics;
use crate::ownership::{Owned, Told};
use crate::sequencer::Sequencer;
use crate::unit::Unit;
use crate::{last_trades, startup};

/// What every feed is started with.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) format: RecordFormat,
    pub(crate) clock: Clock,
    pub(crate) metrics: IngestMetrics,
    pub(crate) shutdown: Shutdown,
}

/// A feed that runs, or is on its way to its end.
struct Running {
    epoch: u64,
    stop: Shutdown,
}

/// The feeds of a worker.
pub(crate) struct Worker {
    shared: Shared,
    units: Vec<Unit>,
    running: HashMap<usize, Running>,
    feeds: JoinSet<(usize, Result<Ended, IngestError>)>,
    /// Units whose last feed was ours and lost something: their next epoch is above its own.
    own_epochs: HashMap<usize, u64>,
    owned: Owned,
}

impl Worker {
    pub(crate) fn new(shared: Shared, units: Vec<Unit>) -> Self {
        let (running, feeds) = (HashMap::new(), JoinSet::new());
        Self { shared, units, running, feeds, own_epochs: HashMap::new(), owned: Owned::new() }
    }

    /// Runs until shutdown, or until a feed can't go on.
    pub(crate) async fn run(
        mut self,
        mut told: watch::Receiver<Option<Told>>,
    ) -> Result<(), IngestError> {
        let shutdown = self.shared.shutdown.clone();
        while !shutdown.has_begun() {
            tokio::select! {
                () = shutdown.begun() => {}
                Some(joined) = self.feeds.join_next() => self.joined(joined)?,
                changed = told.changed() => {
                    // The thread that tells ends with the process only.
                    if changed.is_err() {
                        break;
                    }
                    if let Some(told) = told.borrow_and_update().clone() {
                        self.owned = told?;
                        self.settle();
                    }
                }
            }
        }
        while let Some(joined) = self.feeds.join_next().await {
            self.joined(joined)?;
        }
        Ok(())
    }

    /// Ends what is not ours and what was outbid, starts what is ours and doesn't run.
    fn settle(&mut self) {
        if self.shared.shutdown.has_begun() {
            return;
        }
        for (at, running) in &self.running {
            match self.owned.get(at) {
                None => running.stop.begin("another worker owns this feed"),
                Some(floor) if floor.is_some_and(|floor| floor > running.epoch) => {
                    running.stop.begin("another owner spoke with a higher epoch");
                }
                Some(_) => {}
            }
        }
        let idle: HashSet<usize> =
            self.owned.keys().filter(|at| !self.running.contains_key(at)).copied().collect();
        idle.into_iter().for_each(|at| self.start(at));
    }

    fn start(&mut self, at: usize) {
        let Some(unit) = self.units.get(at).cloned() else { return };
        let floor = self.owned.get(&at).copied().flatten().max(self.own_epochs.get(&at).copied());
        let sequencer = Sequencer::new(floor, self.shared.clock.wall_micros());
        let (epoch, stop) = (sequencer.epoch(), self.shared.shutdown.part());
        tracing::info!(venue = %unit.venue.id, group = unit.group, epoch, ?floor, "owning a feed");
        let feed = feed(self.shared.clone(), unit, sequencer, floor.is_some(), stop.clone());
        self.running.insert(at, Running { epoch, stop });
        self.feeds.spawn(async move { (at, feed.await) });
    }

    fn joined(
        &mut self,
        joined: Result<(usize, Result<Ended, IngestError>), tokio::task::JoinError>,
    ) -> Result<(), IngestError> {
        let (at, outcome) = joined.map_err(|error| IngestError::Panicked(error.to_string()))?;
        let ended = self.running.remove(&at);
        match outcome {
            Ok(Ended::Told) => {}
            Ok(Ended::Lost) => {
                tracing::error!("the bus lost records it had taken; a new epoch tells readers so");
                if let Some(running) = ended {
                    running.stop.begin("records were lost");
                    self.own_epochs.insert(at, running.epoch);
                }
            }
            Err(_) if self.shared.shutdown.has_begun() => {}
            Err(error) => return Err(error),
        }
        self.settle();
        Ok(())
    }
}

/// Builds a feed, continues another owner's trades where there was one, and runs it.
async fn feed(
    shared: Shared,
    unit: Unit,
    sequencer: Sequencer,
    is_takeover: bool,
    stop: Shutdown,
) -> Result<Ended, IngestError> {
    let Shared { bus, format, clock, metrics, .. } = shared;
    let trades = if is_takeover { last_trades(&bus, &unit).await } else { HashMap::new() };
    let name = if unit.venue.groups > 1 {
        format!("{}/{}", unit.venue.id, unit.group)
    } else {
        unit.venue.id.to_string()
    };
    let dependencies = startup::Dependencies {
        producer: bus.producer()?,
        sequencer,
        clock,
        metrics: metrics.venue(&name),
        shutdown: stop,
    };
    let mut feed = startup::feed(unit, format, dependencies)?;
    if is_takeover {
        feed.take_over(&trades);
    }
    feed.run().await
}

/// What can't be read back is told as a gap by the feed.
async fn last_trades(bus: &Arc<dyn Bus>, unit: &Unit) -> HashMap<String, u64> {
    let (bus, venue) = (Arc::clone(bus), unit.venue.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let consumer = bus.consumer().map_err(|error| error.to_string())?;
        last_trades::read(consumer, &venue).map_err(|error| error.to_string())
    });
    match reading.await {
        Ok(Ok(trades)) => trades,
        Ok(Err(error)) => {
            tracing::warn!(%error, "trades of the earlier owner can't be read");
            HashMap::new()
        }
        Err(error) => {
            tracing::error!(%error, "reading the earlier owner's trades failed");
            HashMap::new()
        }
    }
}
