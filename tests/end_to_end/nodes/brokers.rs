//! A broker that one gateway alone cannot reach.

use std::net::{Ipv4Addr, SocketAddr};

use fantail_tests::harness::relay::{Habit, Relay, Way};
use fantail_tests::harness::{http, wait};
use serde_json::Value;

use super::line::Line;
use super::{Deployment, PATIENCE, kafka};

/// Where broker 1 listens for those who come by the detour, and where it sends them:
/// `tests/kafka/broker.sh` says so, relative to the port everybody else knows.
fn detour(brokers: &str) -> (SocketAddr, SocketAddr) {
    let first = brokers.split(',').next().and_then(|one| one.rsplit_once(':'));
    let port: u16 = first.and_then(|(_, port)| port.parse().ok()).expect("a broker's port");
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    (at(port + 2), at(port + 3))
}

/// Whether a gateway tells that some owner of a feed is silent.
async fn misses_an_owner(addr: SocketAddr) -> Option<()> {
    let (_, body) = http::get(addr, "/v1/status").await.ok()?;
    let answer: Value = serde_json::from_str(&body).ok()?;
    let feeds = answer["feeds"].as_array()?;
    feeds.iter().any(|feed| feed["stale"] == true || feed["state"] == "stale").then_some(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d05_a_gateway_cut_off_from_its_broker_tells_so_and_goes_on_in_order() {
    let Some((brokers, _turn)) = kafka().await else { return };
    let (listens, sends) = detour(&brokers);
    let wire = Relay::start_at(sends, listens, Habit::PLAIN).await.expect("the way is free");
    let mut deployment = Deployment::start(&brokers, 1).await;
    deployment.add_gateway_with(&[format!("bus.kafka.brokers=[\"{sends}\"]")]).await;
    deployment.live().await;
    let [well, cut] = &deployment.gateways[..] else { panic!("two gateways") };
    let mut witness = Line::join(well.addr(), &deployment.markets[0]).await;
    let mut client = Line::join(cut.addr(), &deployment.markets[0]).await;
    witness.advance(10).await;
    client.advance(10).await;

    wire.cut(Way::ToServer);
    wire.cut(Way::ToClient);
    client.until(|line| line.stale > 0).await;
    let told = wait::until(PATIENCE, async || misses_an_owner(cut.addr()).await);
    told.await.expect("REST says so, too");
    // Nobody else notices.
    assert_eq!(misses_an_owner(well.addr()).await, None);
    witness.advance(40).await;
    assert_eq!(witness.stale, 0);

    wire.mend(Way::ToServer);
    wire.mend(Way::ToClient);
    client.is_level_with(&witness).await;
    witness.advance(20).await;
    client.is_level_with(&witness).await;
}
