//! A node that leaves (row D02): everybody is told, one after the other, and loses nothing that
//! was sent before.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use fantail_tests::harness::client::{Client, Next, Options};
use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, wait};
use fantail_wire::client::{Reply, ServerMessage};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::cli;

const PATIENCE: Duration = Duration::from_secs(20);
const TRADES: &str = "trade:binance:BTC-USDT";
const BOOK: &str = "book:binance:BTC-USDT";

/// How a session ended.
#[derive(Debug)]
struct Left {
    code: Option<u16>,
    retry_after_ms: Option<u64>,
    /// The last position of the trades.
    seq: u64,
    holes: Vec<String>,
}

/// Follows trades and a book to the end.
async fn follow(addr: SocketAddr) -> anyhow::Result<Client> {
    let mut client = Client::connect(addr, Options::default()).await?;
    client.follow(&[TRADES, BOOK]).await?;
    Ok(client)
}

async fn to_the_end(mut client: Client) -> anyhow::Result<Left> {
    let mut retry = None;
    loop {
        match client.next().await? {
            Next::Message(message) => {
                if let ServerMessage::Reply(Reply::Goodbye { retry_after_ms, .. }) = *message {
                    retry = retry_after_ms;
                }
            }
            Next::Closed(frame) => {
                let code = frame.map(|frame| frame.code.into());
                let seq = client.seq(TRADES).unwrap_or(0);
                return Ok(Left { code, retry_after_ms: retry, seq, holes: client.holes });
            }
        }
    }
}

async fn crowd(addr: SocketAddr, size: usize) -> JoinSet<anyhow::Result<Left>> {
    let mut connecting = JoinSet::new();
    (0..size).for_each(|_| drop(connecting.spawn(follow(addr))));
    let mut leaving = JoinSet::new();
    while let Some(client) = connecting.join_next().await {
        let client = client.expect("no panic").expect("it follows");
        leaving.spawn(to_the_end(client));
    }
    leaving
}

async fn post_drain(admin: SocketAddr) -> String {
    let request = format!(
        "POST /drain HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let answer = http::raw(admin, request.as_bytes()).await.expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d02_sessions_leave_one_by_one_and_lose_nothing() {
    const SESSIONS: usize = 150;
    let server = Server::start(&["gateway.shards=1", "gateway.drain=2s"]).await.expect("a server");
    let (addr, admin) = (server.addr(), server.admin());
    let mut leaving = crowd(addr, SESSIONS).await;
    assert_eq!(http::get(admin, "/ready").await.expect("an answer").0, 200);

    let answer = post_drain(admin).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let first = leaving.join_next().await.expect("a first").expect("no panic").expect("it ends");
    // While the others still read: unready, and nobody new comes in.
    assert_eq!(http::get(admin, "/ready").await.expect("an answer").0, 503);
    let closed =
        wait::until(PATIENCE, async || TcpStream::connect(addr).await.is_err().then_some(()));
    assert!(closed.await.is_some(), "it still accepts");
    assert!(!leaving.is_empty());

    let mut all = vec![first];
    while let Some(left) = leaving.join_next().await {
        all.push(left.expect("no panic").expect("it ends"));
    }
    assert_eq!(all.len(), SESSIONS);
    for left in &all {
        assert_eq!(left.code, Some(1012), "{left:?}");
        assert_eq!(left.holes, Vec::<String>::new());
    }
    let waits: BTreeSet<u64> = all.iter().filter_map(|left| left.retry_after_ms).collect();
    assert!(waits.len() > SESSIONS / 2, "spread: {waits:?}");
    assert!(waits.iter().all(|wait| (100..2_100).contains(wait)), "{waits:?}");
    // Who left last was served until then: the market went on meanwhile.
    let seqs: Vec<u64> = all.iter().map(|left| left.seq).collect();
    assert!(seqs.last() > seqs.first(), "{seqs:?}");
    assert_eq!(server.drained().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d02_a_second_signal_ends_at_once() {
    const SESSIONS: usize = 200;
    let args = ["demo", "--calm", "--symbols", "1"];
    let paced = ["--set", "gateway.shards=1", "--set", "gateway.drain=1m"];
    let args: Vec<&str> = args.into_iter().chain(paced).collect();
    let mut server = cli::Server::logging_to(&args, Stdio::null());
    let ws = server.1["ws"].as_str().expect("an address").to_owned();
    let addr = ws.trim_start_matches("ws://").split('/').next().and_then(|text| text.parse().ok());
    let mut leaving = crowd(addr.expect("an address"), SESSIONS).await;
    let pid = server.1["pid"].to_string();
    let signal = || {
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
    };
    signal();
    let mut all = vec![leaving.join_next().await.expect("one").expect("no panic").expect("an end")];
    assert!(leaving.len() > SESSIONS / 2, "the drain is paced");
    signal();
    while let Some(left) = leaving.join_next().await {
        all.push(left.expect("no panic").expect("an end"));
    }
    assert!(all.iter().all(|left| left.code == Some(1012)), "told all the same: {all:?}");
    let ended = wait::until(PATIENCE, async || server.0.try_wait().ok().flatten()).await;
    ended.expect("the process ends");
}
