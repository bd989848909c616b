//! A gateway that reads only what somebody wants: who subscribes gets an exact book, partitions
//! nobody asks for stay unread, and one that was given up begins exactly again.

use std::time::Duration;

use fantail_model::{Body, Book};
use fantail_tests::harness::client::{Client, Options};
use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, wait};
use fantail_wire::client::{Command, DataMessage, Reply, ServerMessage};

const BOOK: &str = "book:binance:BTC-USDT";
const TRADES: &str = "trade:binance:BTC-USDT";
/// Partitions of each topic; feed states are always read.
const PARTITIONS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(30);
const BY_INTEREST: [&str; 3] =
    ["gateway.consume=interest", "gateway.partition_linger=1s", "bus.partitions=4"];

/// A figure of the node.
async fn figure(server: &Server, name: &str) -> Option<u64> {
    let (_, text) = http::get(server.admin(), "/metrics").await.ok()?;
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn consumed(server: &Server, wanted: u64) {
    let mut last = None;
    let reached = wait::until(PATIENCE, async || {
        last = figure(server, "fantail_gateway_partitions_consumed").await;
        (last == Some(wanted)).then_some(())
    });
    let reached = reached.await;
    assert!(reached.is_some(), "{wanted} partitions are to be consumed, not {last:?}");
}

/// Follows the book until its checksum has been compared so often.
async fn is_exact(client: &mut Client, checks: usize) {
    client.follow(&[BOOK]).await.expect("followed");
    let (mut book, mut checked) = (Book::new(0), 0);
    while checked < checks {
        let (levels, reset, crc) = match client.message().await.expect("messages") {
            ServerMessage::Snapshot(snapshot) => (snapshot.levels, true, Some(snapshot.crc)),
            ServerMessage::Data(DataMessage { event, crc, .. }) => match event.body {
                Body::Book(levels) => (levels, event.reset, crc),
                _ => continue,
            },
            _ => continue,
        };
        let applied = match reset {
            true => book.replace(&levels),
            false => book.apply(&levels).map(drop),
        };
        applied.expect("a good change");
        if let Some(crc) = crc {
            assert_eq!(book.checksum(), crc);
            checked += 1;
        }
    }
    assert_eq!(client.holes, Vec::<String>::new());
}

async fn leave(client: &mut Client) {
    client
        .send(&Command::Unsubscribe { id: None, channels: vec![BOOK.into()] })
        .await
        .expect("sent");
    let left = client.reply(|reply| matches!(reply, Reply::Unsubscribed { .. }));
    left.await.expect("left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_wanted_partitions_are_read_and_every_start_is_exact() {
    let server = Server::start(&BY_INTEREST).await.expect("a server");
    consumed(&server, PARTITIONS).await;
    let total = figure(&server, "fantail_gateway_partitions").await.expect("a figure");
    assert!(total > 4 * PARTITIONS, "{total} partitions of events");
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    is_exact(&mut client, 3).await;
    consumed(&server, PARTITIONS + 1).await;
    // A question keeps the partition it needs for a while, and no longer.
    let (status, body) =
        http::get(server.addr(), &format!("/v1/trades/{TRADES}")).await.expect("trades");
    assert_eq!(status, 200, "{body}");
    consumed(&server, PARTITIONS + 2).await;
    consumed(&server, PARTITIONS + 1).await;
    leave(&mut client).await;
    consumed(&server, PARTITIONS).await;
    is_exact(&mut client, 3).await;
    consumed(&server, PARTITIONS + 1).await;
    assert_eq!(figure(&server, "fantail_gateway_partitions_woken_total").await, Some(3));
    assert_eq!(figure(&server, "fantail_gateway_holes_total").await, Some(0));
}
