//! Feeds for the units this worker owns: started above the epoch to outbid, ended when another
//! worker owns them, started again when the bus lost what they said. Where a venue wants standbys,
//! feeds run for the other units too, silent until they are promoted.

use std::collections::HashMap;
use std::sync::Arc;

use fantail_bus::Bus;
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record::RecordFormat;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::IngestError;
use crate::feed::{Ended, LastTrades, Promotion};
use crate::limits;
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
    /// None while it stands by.
    epoch: Option<u64>,
    stop: Shutdown,
    promote: mpsc::Sender<Promotion>,
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

    /// Ends what is not ours and what was outbid, promotes standbys, starts what is ours and doesn't
    /// run.
    fn settle(&mut self) {
        if self.shared.shutdown.has_begun() {
            return;
        }
        for at in 0..self.units.len() {
            let floor = self.owned.get(&at).copied();
            let wants_standby = self.units[at].venue.standby;
            match (self.running.get(&at).map(|running| running.epoch), floor) {
                (Some(Some(_)), None) => self.stop(at, "another worker owns this feed"),
                (Some(Some(epoch)), Some(Some(floor))) if floor > epoch => {
                    self.stop(at, "another owner spoke with a higher epoch");
                }
                (Some(None), Some(floor)) => self.promote(at, floor),
                (None, Some(floor)) => self.start(at, Some(self.next_epoch(at, floor))),
                (None, None) if wants_standby => self.start(at, None),
                _ => {}
            }
        }
    }

    fn stop(&self, at: usize, reason: &'static str) {
        if let Some(running) = self.running.get(&at) {
            running.stop.begin(reason);
        }
    }

    /// Above every owner heard and above our own last one.
    fn next_epoch(&self, at: usize, floor: Option<u64>) -> (u64, bool) {
        let floor = floor.max(self.own_epochs.get(&at).copied());
        (Sequencer::epoch_after(floor, self.shared.clock.wall_micros()), floor.is_some())
    }

    /// The standby is told its epoch once the earlier owner's last trades are known.
    fn promote(&mut self, at: usize, floor: Option<u64>) {
        let (epoch, _) = self.next_epoch(at, floor);
        let Some(running) = self.running.get_mut(&at) else { return };
        running.epoch = Some(epoch);
        let (promote, stop) = (running.promote.clone(), running.stop.clone());
        let (bus, unit) = (Arc::clone(&self.shared.bus), self.units[at].clone());
        tokio::spawn(async move {
            let last_trades = last_trades(&bus, &unit).await;
            // A feed that was stopped meanwhile needs no promotion.
            if !stop.has_begun() {
                let _ = promote.send(Promotion { epoch, last_trades }).await;
            }
        });
    }

    /// Starts an owner with its epoch, and whether there was one before it; or a standby.
    fn start(&mut self, at: usize, epoch: Option<(u64, bool)>) {
        let unit = self.units[at].clone();
        let (venue, group) = (&unit.venue.id, unit.group);
        match epoch {
            Some((epoch, is_takeover)) => {
                tracing::info!(%venue, group, epoch, is_takeover, "owning a feed");
            }
            None => tracing::info!(%venue, group, "standing by"),
        }
        let stop = self.shared.shutdown.part();
        let (promote, promotions) = mpsc::channel(limits::PROMOTIONS_MAX);
        let feed = feed(self.shared.clone(), unit, epoch, promotions, stop.clone());
        let epoch = epoch.map(|(epoch, _)| epoch);
        self.running.insert(at, Running { epoch, stop, promote });
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
                    self.own_epochs.extend(running.epoch.map(|epoch| (at, epoch)));
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
    epoch: Option<(u64, bool)>,
    promotions: mpsc::Receiver<Promotion>,
    stop: Shutdown,
) -> Result<Ended, IngestError> {
    let Shared { bus, format, clock, metrics, .. } = shared;
    let is_takeover = epoch.is_some_and(|(_, is_takeover)| is_takeover);
    let trades = if is_takeover { last_trades(&bus, &unit).await } else { LastTrades::new() };
    let name = if unit.venue.groups > 1 {
        format!("{}/{}", unit.venue.id, unit.group)
    } else {
        unit.venue.id.to_string()
    };
    let dependencies = startup::Dependencies {
        producer: bus.producer()?,
        epoch: epoch.map(|(epoch, _)| epoch),
        promotions,
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
async fn last_trades(bus: &Arc<dyn Bus>, unit: &Unit) -> LastTrades {
    let (bus, venue) = (Arc::clone(bus), unit.venue.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let consumer = bus.consumer().map_err(|error| error.to_string())?;
        last_trades::read(consumer, &venue).map_err(|error| error.to_string())
    });
    match reading.await {
        Ok(Ok(trades)) => trades,
        Ok(Err(error)) => {
            tracing::warn!(%error, "trades of the earlier owner can't be read");
            LastTrades::new()
        }
        Err(error) => {
            tracing::error!(%error, "reading the earlier owner's trades failed");
            LastTrades::new()
        }
    }
}
