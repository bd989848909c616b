//! Makes the planned faults, and heals each after its time. Faults overlap; those that would meet the
//! same process wait for one another, and so do those of brokers and of workers, because a cluster
//! with two of three brokers down, or no worker at all, has nothing to prove but patience.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::faultlog::FaultLog;
use super::plan::{Kind, Planned};
use crate::client::Order;
use crate::clock::Clock;
use crate::cluster::{Brokers, Node, Signal};
use crate::kafka;

/// The topic whose leader is hit.
const TOPIC: &str = "fantail.book";

/// Everything that can be hurt. Locks are held for as long as a fault lasts: that is their purpose.
pub(crate) struct Arena {
    pub(crate) gateways: Vec<Mutex<Node>>,
    pub(crate) workers: Mutex<Vec<Node>>,
    pub(crate) brokers: Mutex<Brokers>,
    pub(crate) venues: Mutex<Option<ChildStdin>>,
    pub(crate) symbols: Vec<(String, String)>,
    pub(crate) clients: Vec<mpsc::Sender<Order>>,
    pub(crate) log: FaultLog,
}

/// Makes all faults of the plan; returns when the last one is healed.
///
/// # Errors
/// A process that did not come back: the cluster is broken, not the promise.
pub(crate) async fn rage(
    arena: Arc<Arena>,
    plan: Vec<Planned>,
    clock: Clock,
) -> anyhow::Result<()> {
    let start = clock.elapsed();
    let mut faults = JoinSet::new();
    for (number, planned) in (1..).zip(plan) {
        let due = start + Duration::from_millis(planned.at_ms);
        sleep(due.saturating_sub(clock.elapsed())).await;
        let arena = Arc::clone(&arena);
        faults.spawn(async move {
            let fault = Fault { arena: &arena, number, planned };
            let outcome = fault.make().await;
            if let Err(error) = &outcome {
                fault.tell("failed", &format!("{error:#}"));
            }
            outcome.with_context(|| format!("fault #{number} {:?}", planned.kind))
        });
    }
    let mut outcome = Ok(());
    while let Some(fault) = faults.join_next().await {
        outcome = outcome.and(fault.context("a fault ended in a panic").and_then(|made| made));
    }
    outcome
}

/// Starts again what ended by itself, as any supervisor would; nothing that a fault holds.
pub(crate) fn supervise(arena: &Arena) {
    for gateway in &arena.gateways {
        if let Ok(mut node) = gateway.try_lock() {
            revive(arena, &mut node);
        }
    }
    if let Ok(mut workers) = arena.workers.try_lock() {
        workers.iter_mut().for_each(|worker| revive(arena, worker));
    }
}

fn revive(arena: &Arena, node: &mut Node) {
    if node.process.has_ended() {
        let outcome = node.process.again();
        let failed = outcome.err().map(|error| format!(", and can't be started: {error}"));
        let text = format!("{} ended by itself{}", node.name, failed.unwrap_or_default());
        // No fault of the plan.
        arena.log.tell(0, "Ended", "note", &text);
    }
}

struct Fault<'a> {
    arena: &'a Arena,
    number: u32,
    planned: Planned,
}

impl Fault<'_> {
    fn tell(&self, phase: &str, target: &str) {
        self.arena.log.tell(self.number, &format!("{:?}", self.planned.kind), phase, target);
    }

    async fn lasting(&self) {
        sleep(Duration::from_millis(self.planned.lasting_ms)).await;
    }

    async fn make(&self) -> anyhow::Result<()> {
        match self.planned.kind {
            Kind::GatewayKill => self.gateway(Signal::Kill).await,
            Kind::GatewayTerm => self.gateway(Signal::Term).await,
            Kind::GatewayPause => self.gateway(Signal::Stop).await,
            Kind::RollingRestart => self.rolling_restart().await,
            Kind::WorkerKill => self.worker(Signal::Kill).await,
            Kind::WorkerTerm => self.worker(Signal::Term).await,
            Kind::WorkerPause => self.worker(Signal::Stop).await,
            Kind::BrokerKill | Kind::BrokerPause => self.broker().await,
            Kind::ClientReset => self.clients(3, Order::Reset).await,
            Kind::ClientSlow => {
                let lasting = Duration::from_millis(self.planned.lasting_ms);
                self.clients(10, Order::Slow(lasting)).await
            }
            Kind::VenueDrop => self.venue("drop").await,
            Kind::VenueSkip => self.venue("skip").await,
        }
    }

    async fn gateway(&self, signal: Signal) -> anyhow::Result<()> {
        let at = self.planned.pick as usize % self.arena.gateways.len();
        let mut node = self.arena.gateways[at].lock().await;
        self.hurt(&mut node, signal).await?;
        self.back(&mut node).await
    }

    async fn rolling_restart(&self) -> anyhow::Result<()> {
        self.tell("begin", "all gateways");
        for gateway in &self.arena.gateways {
            let mut node = gateway.lock().await;
            node.process.signal(Signal::Term).await?;
            anyhow::ensure!(node.process.gone().await, "{} did not drain", node.name);
            node.process.again()?;
            let again = node.listening().await?;
            if again > 0 {
                self.tell("note", &format!("{} gave up {again} times at start", node.name));
            }
        }
        self.tell("end", "all gateways");
        Ok(())
    }

    async fn worker(&self, signal: Signal) -> anyhow::Result<()> {
        let mut workers = self.arena.workers.lock().await;
        let at = self.planned.pick as usize % workers.len();
        self.hurt(&mut workers[at], signal).await?;
        self.back(&mut workers[at]).await
    }

    /// Waits until the node serves again.
    async fn back(&self, node: &mut Node) -> anyhow::Result<()> {
        let again = node.listening().await?;
        let note =
            if again > 0 { format!(", gave up {again} times at start") } else { String::new() };
        self.tell("end", &format!("{}{note}", node.name));
        Ok(())
    }

    /// Sends the signal, waits, and undoes it.
    async fn hurt(&self, node: &mut Node, signal: Signal) -> anyhow::Result<()> {
        let id = node.process.id().unwrap_or(0);
        self.tell("begin", &format!("{} (pid {id})", node.name));
        node.process.signal(signal).await?;
        if signal == Signal::Stop {
            self.lasting().await;
            return node.process.signal(Signal::Cont).await;
        }
        let ended = node.process.gone().await;
        anyhow::ensure!(ended, "{} did not end within its time", node.name);
        self.lasting().await;
        node.process.again()
    }

    async fn broker(&self) -> anyhow::Result<()> {
        let brokers = self.arena.brokers.lock().await;
        let (addresses, partition) = (brokers.addresses.clone(), self.planned.pick as i32 % 4);
        let asking =
            tokio::task::spawn_blocking(move || kafka::leader(&addresses, TOPIC, partition.abs()));
        let leader = asking.await??;
        // Which broker that is, by its place in the list: ids begin at 1.
        self.tell("begin", &format!("broker {leader}"));
        if self.planned.kind == Kind::BrokerKill {
            brokers.kill(leader).await?;
            self.lasting().await;
            brokers.restart(leader).await?;
        } else {
            brokers.pause(leader).await?;
            self.lasting().await;
            brokers.resume(leader).await?;
        }
        self.tell("end", &format!("broker {leader}"));
        Ok(())
    }

    /// One of `share` clients gets the order.
    async fn clients(&self, share: usize, order: Order) -> anyhow::Result<()> {
        let first = self.planned.pick as usize % share;
        let chosen: Vec<_> = self.arena.clients.iter().skip(first).step_by(share).collect();
        self.tell("begin", &format!("{} clients", chosen.len()));
        for client in &chosen {
            // One that has no room has enough to do.
            let _ = client.try_send(order);
        }
        if matches!(order, Order::Slow(_)) {
            self.lasting().await;
        }
        self.tell("end", &format!("{} clients", chosen.len()));
        Ok(())
    }

    async fn venue(&self, order: &str) -> anyhow::Result<()> {
        let pick = self.planned.pick as usize % self.arena.symbols.len();
        let (venue, symbol) = &self.arena.symbols[pick];
        let line = match order {
            "skip" => format!("skip {venue} {symbol}"),
            order => format!("{order} {venue}"),
        };
        self.tell("begin", &line);
        let mut venues = self.arena.venues.lock().await;
        let stdin = venues.as_mut().context("the venues take no orders")?;
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
        stdin.flush().await?;
        self.tell("end", &line);
        Ok(())
    }
}
