//! Encoded once, sent once: the promise every figure of the gateway rests on.

use std::net::SocketAddr;

use fantail_tests::harness::client::{Client, Options, events};
use fantail_tests::harness::http;
use fantail_tests::harness::stage::Server;
use fantail_wire::client::Encoding;

/// A figure of `/metrics`, summed over all series whose labels contain every word.
async fn figure(admin: SocketAddr, name: &str, words: &[&str]) -> f64 {
    let text = http::get(admin, "/metrics").await.expect("metrics").1;
    let of_name = text
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    of_name
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_subscribers_share_one_encoding_and_one_write_each() {
    let server = Server::start(&["gateway.shards=1"]).await.expect("a server");
    let (addr, admin) = (server.addr(), server.admin());
    let mut clients = Vec::new();
    for number in 0..100 {
        let encoding = Encoding::ALL[number % 3];
        let options = Options { encoding, ..Options::default() };
        let mut client = Client::connect(addr, options).await.expect("in");
        client.follow(&["trade:binance:BTC-USDT"]).await.expect("followed");
        clients.push(client);
    }
    let frames = "fantail_gateway_frames_encoded_total";
    let names = ["fantail_gateway_writes_total", "fantail_gateway_batches_total"];
    let before = [
        figure(admin, frames, &["\"json\""]).await,
        figure(admin, names[0], &[]).await,
        figure(admin, names[1], &[]).await,
    ];
    let mut trades = 0;
    for client in &mut clients {
        let mut mine = 0;
        while mine < 20 {
            mine += events(&client.message().await.expect("messages")).len();
        }
        trades += mine;
    }
    let after = [
        figure(admin, frames, &["\"json\""]).await,
        figure(admin, names[0], &[]).await,
        figure(admin, names[1], &[]).await,
    ];
    let [encoded, writes, batches] = [0, 1, 2].map(|at| after[at] - before[at]);
    assert!(trades >= 2_000 && writes >= 1_900.0, "{trades} {writes}");
    // One encoding per publication and kind: publications arrive in batches of this channel.
    let published = figure(admin, "fantail_gateway_batch_events_total", &[]).await;
    assert!(encoded <= published, "{encoded} encodings of {published} publications");
    assert!(encoded <= batches * 2.0, "{encoded} encodings in {batches} batches");
    // One write per socket and batch; nothing else is sent meanwhile but a heartbeat or two.
    assert!(writes <= 100.0 * batches + 200.0, "{writes} writes in {batches} batches");
    assert_eq!(figure(admin, "fantail_gateway_sessions", &[]).await, 100.0);
}
