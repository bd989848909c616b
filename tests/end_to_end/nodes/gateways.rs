//! Gateways that die, leave and stand still.

use std::time::Duration;

use fantail_tests::harness::client::{Client, Options};
use fantail_wire::client::{Reply, ServerMessage};

use super::line::{Ended, Line};
use super::{Deployment, kafka};

/// A feed owner silent for longer than this is told as stale; a gateway stopped for longer has
/// missed that many signs of life.
const STOPPED: Duration = Duration::from_secs(8);
const CLIENTS: usize = 5;

/// Clients of the first gateway and a witness at the second, each with some trades.
async fn crowd(deployment: &Deployment) -> (Vec<Line>, Line) {
    let [leaving, staying] = &deployment.gateways[..] else { panic!("two gateways") };
    let mut witness = Line::join(staying.addr(), &deployment.markets[0]).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Line::join(leaving.addr(), &deployment.markets[0]).await);
    }
    for line in clients.iter_mut().chain([&mut witness]) {
        line.advance(10).await;
    }
    (clients, witness)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d01_clients_of_a_killed_gateway_go_on_at_another() {
    let Some((brokers, _turn)) = kafka().await else { return };
    let deployment = Deployment::start(&brokers, 2).await;
    let (mut clients, mut witness) = crowd(&deployment).await;
    deployment.gateways[0].signal("KILL");
    for client in &mut clients {
        assert_eq!(client.ended().await, Ended::default(), "no word from the dead");
    }
    witness.advance(20).await;
    for client in &mut clients {
        client.resume(deployment.gateways[1].addr()).await;
        client.is_level_with(&witness).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d02_clients_of_a_draining_gateway_go_on_at_another() {
    let Some((brokers, _turn)) = kafka().await else { return };
    let mut deployment = Deployment::start(&brokers, 2).await;
    let (mut clients, mut witness) = crowd(&deployment).await;
    deployment.gateways[0].signal("TERM");
    for client in &mut clients {
        assert_eq!(client.ended().await, Ended { code: Some(1012), goodbye: true });
        client.resume(deployment.gateways[1].addr()).await;
    }
    witness.advance(20).await;
    for client in &mut clients {
        client.is_level_with(&witness).await;
    }
    // The rolling restart goes on: its successor comes, the other one leaves, everybody moves back.
    deployment.add_gateway().await;
    deployment.gateways[1].signal("TERM");
    for line in clients.iter_mut().chain([&mut witness]) {
        assert_eq!(line.ended().await, Ended { code: Some(1012), goodbye: true });
        line.resume(deployment.gateways[2].addr()).await;
    }
    witness.advance(20).await;
    for client in &mut clients {
        client.is_level_with(&witness).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_gateway_that_stood_still_catches_up_or_lets_go_and_tells_no_past_as_present() {
    let Some((brokers, _turn)) = kafka().await else { return };
    let deployment = Deployment::start(&brokers, 2).await;
    let (mut clients, mut witness) = crowd(&deployment).await;
    let [stopped, other] = &deployment.gateways[..] else { panic!("two gateways") };
    stopped.signal("STOP");
    let since = witness.rx;
    // Who comes meanwhile waits in the listener's queue.
    let market = deployment.markets[0].clone();
    let addr = stopped.addr();
    let present = since + i64::try_from(STOPPED.as_micros()).expect("some seconds");
    let newcomer = tokio::spawn(async move { arrives(addr, &market, present).await });
    witness.until(|line| line.rx > present).await;
    stopped.signal("CONT");
    for client in &mut clients {
        loop {
            match client.next().await {
                // It missed our pongs while it stood still: allowed, and it says so.
                Some(ended) => {
                    assert_eq!(ended.code, Some(4408), "{ended:?}");
                    client.resume(other.addr()).await;
                    break;
                }
                None if client.rx >= present => break,
                None => {}
            }
        }
        client.is_level_with(&witness).await;
    }
    newcomer.await.expect("no panic").expect("it is served").check(present);
}

/// What somebody was told who came while the node stood still: the receive times of what it was
/// shown, in order, `None` where it was told that it is stale.
struct Shown(Vec<Option<i64>>);

/// Follows the last value of a market until the present.
async fn arrives(addr: std::net::SocketAddr, market: &str, present: i64) -> anyhow::Result<Shown> {
    let channel = format!("bbo:{market}");
    let mut client = Client::connect(addr, Options::default()).await?;
    client.follow(&[&channel]).await?;
    let mut shown = Vec::new();
    while shown.last().copied().flatten().is_none_or(|rx| rx < present) {
        match client.message().await? {
            ServerMessage::Reply(Reply::Stale { .. }) => shown.push(None),
            ServerMessage::Data(data) => shown.push(Some(data.event.rx.0)),
            _ => {}
        }
    }
    anyhow::ensure!(client.holes.is_empty(), "{:?}", client.holes);
    Ok(Shown(shown))
}

impl Shown {
    /// Whatever was older than an owner may be silent came with word of that.
    fn check(&self, present: i64) {
        let silence = Duration::from_secs(5);
        let old = present - i64::try_from(silence.as_micros()).expect("some seconds");
        let past = self.0.iter().flatten().filter(|rx| **rx < old).count();
        let (first, all) = (self.0.first(), self.0.len());
        let is_told = past == 0 || self.0.contains(&None);
        assert!(
            is_told,
            "the past as the present: {past} of {all}, first {first:?}, now {present}"
        );
    }
}
