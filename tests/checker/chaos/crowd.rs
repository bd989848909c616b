//! The recording clients of a run: who follows what, their files, and the ways to reach them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Away, Heads, Identity, ORDERS_LEN, Order, Progress, Wires, run};
use crate::clock::Clock;
use crate::cluster::{Cluster, HISTORIES};

/// How often the crowd is looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// All clients.
pub(crate) struct Crowd {
    orders: Vec<mpsc::Sender<Order>>,
    progress: Vec<Arc<Progress>>,
    heads: watch::Sender<Option<Heads>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<Vec<Away>>>,
}

/// How many clients, and how much each follows.
pub(crate) struct Size {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    /// One symbol's book and trades each, for thousands of them.
    pub(crate) light: bool,
}

/// What the crowd has received, and how it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) clients: usize,
    pub(crate) live: usize,
    pub(crate) level: usize,
    pub(crate) deliveries: u64,
}

impl Crowd {
    /// Starts all clients.
    pub(crate) fn start(
        cluster: &Cluster,
        dir: &Path,
        size: &Size,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let folder = histories(dir);
        std::fs::create_dir_all(&folder).context("the folder of histories")?;
        let nodes = cluster.gateways.iter().map(|node| (node.name.clone(), node.addr)).collect();
        let nodes = Arc::new(nodes);
        let (heads, stop) = (watch::Sender::new(None), watch::Sender::new(false));
        let (orders, progress, tasks) = (Vec::new(), Vec::new(), JoinSet::new());
        let mut crowd = Self { orders, progress, heads, stop, tasks };
        for number in 0..size.clients {
            let seed = size.seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u64);
            let mut rng = SmallRng::seed_from_u64(seed);
            let path = folder.join(format!("client-{number:04}.history"));
            let history = File::create(&path).with_context(|| path.display().to_string())?;
            let channels = match size.light {
                true => few_channels(&cluster.symbols, number),
                false => channels(&cluster.symbols, number % 3 == 0, &mut rng),
            };
            let (nodes, batch) = (Arc::clone(&nodes), number % 2 == 1);
            let identity = Identity { seed, channels, batch, nodes, history };
            let (sender, orders) = mpsc::channel(ORDERS_LEN);
            let progress = Arc::new(Progress::default());
            let wires = Wires {
                clock,
                orders,
                heads: crowd.heads.subscribe(),
                stop: crowd.stop.subscribe(),
                progress: Arc::clone(&progress),
            };
            crowd.orders.push(sender);
            crowd.progress.push(progress);
            crowd.tasks.spawn(run(identity, wires));
        }
        Ok(crowd)
    }

    /// Ways to give orders, for the nemesis.
    pub(crate) fn orders(&self) -> Vec<mpsc::Sender<Order>> {
        self.orders.clone()
    }

    pub(crate) fn standing(&self) -> Standing {
        let mut standing = Standing { clients: self.progress.len(), ..Standing::default() };
        for progress in &self.progress {
            standing.live += usize::from(progress.live.load(Ordering::Relaxed));
            standing.level += usize::from(progress.level.load(Ordering::Relaxed));
            standing.deliveries += progress.deliveries.load(Ordering::Relaxed);
        }
        standing
    }

    /// Waits until the condition holds, but not longer than `most`; says whether it does.
    pub(crate) async fn until(&self, most: Duration, holds: impl Fn(Standing) -> bool) -> bool {
        let wait = async {
            while !holds(self.standing()) {
                sleep(LOOK).await;
            }
        };
        timeout(most, wait).await.is_ok()
    }

    /// Tells everybody where the channels end.
    pub(crate) fn tell_heads(&self, heads: Heads) {
        self.heads.send_replace(Some(heads));
    }

    /// Ends everybody and closes their histories; when who was away.
    pub(crate) async fn end(mut self) -> anyhow::Result<Vec<Away>> {
        self.stop.send_replace(true);
        let mut away = Vec::new();
        while let Some(outcome) = self.tasks.join_next().await {
            away.extend(outcome.context("a client ended in a panic")??);
        }
        Ok(away)
    }
}

/// Where the histories lie.
pub(crate) fn histories(dir: &Path) -> PathBuf {
    dir.join(HISTORIES)
}

/// Book and trades of one symbol, in turn.
fn few_channels(symbols: &[(String, String)], number: usize) -> Vec<String> {
    let symbol = symbols.iter().cycle().nth(number % symbols.len().max(1));
    let of = |(venue, symbol): &(String, String)| {
        ["book", "trade"].map(|kind| format!("{kind}:{venue}:{symbol}")).to_vec()
    };
    symbol.map(of).unwrap_or_default()
}

/// At least half of the symbols, all kinds; some clients also derived channels.
fn channels(symbols: &[(String, String)], derived: bool, rng: &mut SmallRng) -> Vec<String> {
    let wanted = rng.random_range(symbols.len().div_ceil(2)..=symbols.len());
    let first = rng.random_range(0..symbols.len());
    let mut channels = Vec::new();
    for (venue, symbol) in symbols.iter().cycle().skip(first).take(wanted) {
        for kind in ["book", "trade", "bbo", "ticker", "status"] {
            channels.push(format!("{kind}:{venue}:{symbol}"));
        }
        channels.push(format!("candle:{venue}:{symbol}:1m"));
        if derived {
            channels.push(format!("book:{venue}:{symbol}@250ms"));
            channels.push(format!("bbo:{venue}:{symbol}@100ms"));
        }
    }
    channels
}
