//! Workers that die and stand still while others take over, and a broker that stands still.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::line::Line;
use super::{Deployment, kafka};

/// One line a market.
async fn lines(deployment: &Deployment) -> Vec<Line> {
    let mut lines = Vec::new();
    for market in &deployment.markets {
        lines.push(Line::join(deployment.gateways[0].addr(), market).await);
    }
    for line in &mut lines {
        line.advance(5).await;
    }
    lines
}

/// Epochs of a line, in order, each once.
fn epochs(line: &Line) -> Vec<u64> {
    let mut epochs: Vec<u64> = line.steps.iter().map(|step| step.epoch).collect();
    epochs.dedup();
    epochs
}

/// The venues number their trades: one that is missing between two epochs is told, none comes twice.
fn feed_is_whole_or_told(line: &Line) {
    let (mut last, mut told) = (None::<u64>, false);
    for step in &line.steps {
        match step.what.parse::<u64>() {
            Ok(id) => {
                assert!(last.is_none_or(|last| last < id), "{id} after {last:?}");
                let next = last.is_none_or(|last| last + 1 == id);
                assert!(next || told, "{id} after {last:?}, and nobody told");
                (last, told) = (Some(id), false);
            }
            Err(_) => told |= step.what.starts_with("venue_gap"),
        }
    }
}

/// Reads all lines until one of them has a new owner.
async fn taken_over(lines: &mut [Line]) {
    let before: Vec<u64> =
        lines.iter().map(|line| line.steps[line.steps.len() - 1].epoch).collect();
    let changed = |line: &Line, before: u64| line.steps[line.steps.len() - 1].epoch > before;
    while !lines.iter().zip(&before).any(|(line, before)| changed(line, *before)) {
        for line in lines.iter_mut() {
            // A market whose owner is gone is silent: the others are looked at meanwhile.
            let _ = tokio::time::timeout(Duration::from_millis(200), line.next()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_a_killed_owner_is_replaced_and_a_stopped_one_is_fenced_when_it_wakes() {
    let Some((brokers, _turn)) = kafka().await else { return };
    let mut deployment = Deployment::start(&brokers, 1).await;
    let mut lines = lines(&deployment).await;
    // The first owns everything, or shares it with the second as soon as that has joined.
    deployment.add_worker().await;
    deployment.workers[0].signal("KILL");
    taken_over(&mut lines).await;
    for line in &mut lines {
        line.advance(20).await;
    }
    // Now the second owns everything. It stands still, a third takes over, and it wakes.
    deployment.add_worker().await;
    deployment.workers[1].signal("STOP");
    taken_over(&mut lines).await;
    deployment.workers[1].signal("CONT");
    for line in &mut lines {
        line.advance(60).await;
        // `Line` has checked that no place came twice and none went back: nobody interleaves.
        feed_is_whole_or_told(line);
    }
    assert!(lines.iter().any(|line| epochs(line).len() >= 3), "two owners were replaced");
}

/// Plays a fault of the broker that `tests/kafka/broker.sh` started.
fn broker(fault: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/broker.sh");
    let done = Command::new(script).args([fault, "1"]).status().expect("the script runs");
    assert!(done.success(), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d05_a_broker_that_stands_still_costs_time_and_nothing_else() {
    let Some((brokers, _turn)) = kafka().await else { return };
    if brokers.contains(',') {
        eprintln!("SKIPPED d05: the bus has its own test for several brokers");
        return;
    }
    let deployment = Deployment::start(&brokers, 1).await;
    let mut lines = lines(&deployment).await;
    broker("pause");
    for line in &mut lines {
        // What was on its way still comes; then nothing does.
        while tokio::time::timeout(Duration::from_secs(2), line.advance(1)).await.is_ok() {}
    }
    broker("resume");
    for line in &mut lines {
        line.advance(40).await;
        // A worker whose group is away for longer than a session may not trust what it holds, and
        // begins anew: then what is missing in between was asked for, or is told.
        feed_is_whole_or_told(line);
    }
}
