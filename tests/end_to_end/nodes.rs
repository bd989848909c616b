//! Several nodes on a real Apache Kafka, each a process of its own (rows D01–D05): whichever of them
//! ends, stops or leaves, a client goes on elsewhere with exactly what it would have been sent.
//!
//! Needs `FANTAIL_KAFKA`, the brokers' addresses; without it each test says that it is skipped. All
//! tests share the topics and the workers' group, so they take turns.

mod brokers;
mod deployment;
mod gateways;
mod line;
mod workers;

use std::time::Duration;

use fantail_tests::harness::require;
use tokio::sync::{Mutex, MutexGuard};

use deployment::Deployment;

/// How long a node may take to start, and a fault to pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// One deployment at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// The brokers and the turn, or `None` after saying what is missing.
async fn kafka() -> Option<(String, MutexGuard<'static, ()>)> {
    let addresses = std::env::var("FANTAIL_KAFKA").unwrap_or_default();
    if addresses.is_empty() {
        require::skip(
            "kafka",
            "FANTAIL_KAFKA names no broker: tests/kafka/broker.sh start, then set \
             FANTAIL_KAFKA=127.0.0.1:19092 (or `just test-kafka`)",
        );
        return None;
    }
    Some((addresses, TURN.lock().await))
}
