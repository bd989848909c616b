//! Networks that fail (rows D11, D12): slow and chopped wires corrupt nothing, and a wire that was
//! cut one way is noticed by both ends, after which a client goes on without a hole.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use fantail_model::{Body, Book};
use fantail_tests::harness::client::{Client, Options, events};
use fantail_tests::harness::relay::{Habit, Relay, Way};
use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, wait};
use fantail_wire::client::{DataMessage, Encoding, From, Reply, ServerMessage, SubscribeItem};
use serde_json::Value;

use super::cli;

const PATIENCE: Duration = Duration::from_secs(20);
const TRADES: &str = "trade:binance:BTC-USDT";
const BOOK: &str = "book:binance:BTC-USDT";

/// A server whose sessions show that they live twice a second.
async fn lively() -> Server {
    Server::start(&["gateway.shards=1", "gateway.heartbeat=500ms"]).await.expect("a server")
}

/// Follows the trades until some came. The epoch, and the client.
async fn following(addr: std::net::SocketAddr) -> (u64, Client) {
    let mut client = Client::connect(addr, Options::default()).await.expect("in");
    let Reply::Subscribed { channels, .. } = client.follow(&[TRADES]).await.expect("ack") else {
        panic!("not an acknowledgement")
    };
    client.until(|message| events(message).last().map(drop)).await.expect("an event");
    (channels[0].epoch.expect("it has begun"), client)
}

/// Goes on at `addr` from where `client` was.
async fn goes_on(addr: std::net::SocketAddr, epoch: u64, seq: u64) {
    let mut again = Client::connect(addr, Options::default()).await.expect("in again");
    let from = Some(From { epoch, seq, rx: None });
    let item = SubscribeItem { channel: TRADES.to_owned(), from, history: None };
    let Reply::Subscribed { channels, .. } = again.subscribe(vec![item]).await.expect("ack") else {
        panic!("not an acknowledgement")
    };
    assert_eq!((channels[0].resumed, channels[0].seq), (true, Some(seq)));
    let next = again.until(|message| events(message).first().map(|data| data.event.prev));
    assert_eq!(next.await.expect("an event"), seq);
    assert_eq!(again.holes, Vec::<String>::new());
}

/// Waits until the server has closed that many sessions for their silence.
async fn noticed(server: &Server, wanted: usize) {
    let closed = wait::until(PATIENCE, async || {
        let (_, body) = http::get(server.admin(), "/closes").await.ok()?;
        let answer: Value = serde_json::from_str(&body).ok()?;
        let closes = answer["closes"].as_array()?;
        let silent = closes.iter().filter(|close| close["code"] == 4408).count();
        (silent == wanted).then_some(())
    });
    closed.await.expect("the server notices");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d12_a_client_that_cannot_be_heard_is_told_and_resumes() {
    let server = lively().await;
    let relay = Relay::start(server.addr(), Habit::PLAIN).await.expect("a wire");
    let (epoch, mut client) = following(relay.addr()).await;
    relay.cut(Way::ToServer);
    // It can still hear the server, which misses its pongs.
    let frame = client.closed().await.expect("closed").expect("a close frame");
    assert_eq!(u16::from(frame.code), 4408, "{frame:?}");
    noticed(&server, 1).await;
    assert_eq!(client.holes, Vec::<String>::new());
    goes_on(server.addr(), epoch, client.seq(TRADES).expect("a place")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d12_a_server_that_cannot_be_heard_lets_go_and_the_client_resumes() {
    let server = lively().await;
    let relay = Relay::start(server.addr(), Habit::PLAIN).await.expect("a wire");
    let (epoch, client) = following(relay.addr()).await;
    let seq = client.seq(TRADES).expect("a place");
    relay.cut(Way::ToClient);
    // The client's pongs answer pings it never gets.
    noticed(&server, 1).await;
    drop(client);
    goes_on(server.addr(), epoch, seq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d12_tap_notices_a_silent_server_and_goes_on_at_the_next_node() {
    let server = lively().await;
    let relay = Relay::start(server.addr(), Habit::PLAIN).await.expect("a wire");
    let nodes = format!("ws://{},ws://{}", relay.addr(), server.addr());
    let mut tap = Command::new(cli::fantail())
        .args(["tap", &nodes, "trade:*:*", BOOK, "--count", "600"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tap starts");
    let lines = BufReader::new(tap.stdout.take().expect("its output")).lines();
    let (some, reached) = tokio::sync::oneshot::channel();
    let reading = tokio::task::spawn_blocking(move || {
        let mut some = Some(some);
        let count = lines.map_while(Result::ok).enumerate().map(|(number, _)| {
            if number == 20 {
                // Nobody waits for it any more only if the test has failed.
                let _ = some.take().map(|some| some.send(()));
            }
        });
        count.count()
    });
    reached.await.expect("tap prints");
    relay.cut(Way::ToClient);
    let ended = tokio::task::spawn_blocking(move || tap.wait_with_output());
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("in time").expect("no panic");
    let ended = ended.expect("an end");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("silent") && said.contains("trying the next node"), "{said}");
    assert!(ended.status.success(), "no hole: {said}");
    assert!(reading.await.expect("no panic") >= 600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d11_pieces_and_delays_corrupt_nothing() {
    let server = Server::start(&["gateway.shards=1"]).await.expect("a server");
    for encoding in Encoding::ALL {
        let habit = Habit { piece_bytes: 1..=13, delay: Duration::ZERO };
        let relay = Relay::start(server.addr(), habit).await.expect("a wire");
        let options = Options { encoding, ..Options::default() };
        let mut client = Client::connect(relay.addr(), options).await.expect("in");
        client.follow(&[TRADES, BOOK]).await.expect("ack");
        reads_on(&mut client, 100, 2).await;
    }
    let habit = Habit { piece_bytes: 400..=1_400, delay: Duration::from_millis(20) };
    let relay = Relay::start(server.addr(), habit).await.expect("a wire");
    let mut client = Client::connect(relay.addr(), Options::default()).await.expect("in");
    client.follow(&[TRADES, BOOK]).await.expect("ack");
    reads_on(&mut client, 100, 2).await;
}

/// Reads until so many events and checked checksums came, without a hole. How many of the messages
/// stood for several events.
async fn reads_on(client: &mut Client, wanted: usize, checks: usize) -> usize {
    let (mut book, mut count, mut checked, mut merged) = (Book::new(0), 0, 0, 0);
    while count < wanted || checked < checks {
        let message = client.message().await.expect("messages");
        for data in events(&message) {
            count += 1;
            merged += usize::from(data.n.is_some_and(|n| n > 1));
            checked += usize::from(took(&mut book, data));
        }
        if let ServerMessage::Snapshot(snapshot) = message {
            book.replace(&snapshot.levels).expect("a good book");
            assert_eq!(book.checksum(), snapshot.crc);
        }
    }
    assert_eq!(client.holes, Vec::<String>::new());
    merged
}

/// Applies a book change; true if a checksum came with it, which then holds.
fn took(book: &mut Book, data: &DataMessage) -> bool {
    let Body::Book(change) = &data.event.body else { return false };
    match data.event.reset {
        true => book.replace(change).expect("a good book"),
        false => drop(book.apply(change).expect("a good change")),
    }
    data.crc.map(|crc| assert_eq!(book.checksum(), crc)).is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d11_a_wire_too_narrow_for_the_market_is_merged_and_never_corrupted() {
    let mut args = fantail_node::testing::demo_args();
    (args.markets.book_updates_per_s, args.markets.trades_per_s) = (400.0, 1.0);
    let set = ["gateway.shards=1", "gateway.conflate_after=200ms"];
    let server = Server::play(args, &set).await.expect("a server");
    // Some 30 kB a second, of several hundred.
    let habit = Habit { piece_bytes: 600..=600, delay: Duration::from_millis(20) };
    let relay = Relay::start(server.addr(), habit).await.expect("a wire");
    let mut client = Client::connect(relay.addr(), Options::default()).await.expect("in");
    client.follow(&["book:*:*", "bbo:*:*"]).await.expect("ack");
    let merged = tokio::time::timeout(PATIENCE, async {
        let mut merged = 0;
        while merged < 5 {
            let message = client.message().await.expect("messages");
            merged += events(&message).iter().filter(|data| data.n > Some(1)).count();
        }
    });
    merged.await.expect("the slow policy fires");
    assert_eq!(client.holes, Vec::<String>::new());
}
