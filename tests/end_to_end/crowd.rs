//! Many sockets on one core: nothing lost, nothing reordered; and ten thousand that only wait.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use fantail_tests::harness::client::{Client, Options, events};
use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, wait};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Where the child of `ten_thousand_idle_sockets` is told to connect.
const TARGET: &str = "FANTAIL_IDLE_TARGET";
/// How many idle sockets: both ends of them fit two processes of 20,000 descriptors each.
const IDLE: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sockets_on_one_shard_lose_and_reorder_nothing() {
    let server = Server::start(&["gateway.shards=1", "limits.connections_per_ip=2000"])
        .await
        .expect("a server");
    let addr = server.addr();
    let channels: Vec<String> =
        server.stage.channels.iter().filter(|name| !name.starts_with("book")).cloned().collect();
    let mut readers = Vec::new();
    for number in 0..1_000 {
        let mine = channels[number % channels.len()].clone();
        readers.push(tokio::spawn(async move {
            let mut client = Client::connect(addr, Options::default()).await?;
            client.follow(&[&mine, "trade:binance:BTC-USDT"]).await?;
            let mut seen = 0;
            while seen < 60 {
                seen += events(&client.message().await?).len();
            }
            anyhow::Ok(client.holes)
        }));
    }
    for reader in readers {
        let holes = reader.await.expect("no panic").expect("it reads");
        assert_eq!(holes, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_sockets() {
    if let Ok(target) = std::env::var(TARGET) {
        return hold(target.parse().expect("an address")).await;
    }
    let server = Server::start(&[]).await.expect("a server");
    let (addr, admin) = (server.addr(), server.admin());
    // The clients live in a process of their own: this very test, told where to connect.
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "end_to_end::crowd::ten_thousand_idle_sockets", "--nocapture"])
        .env(TARGET, addr.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let connected = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("all connected") {
                return true;
            }
        }
        false
    };
    let connected = tokio::time::timeout(Duration::from_secs(120), connected).await;
    assert_eq!(connected, Ok(true), "the child connects");
    let sessions = async |wanted: usize| {
        wait::until(Duration::from_secs(30), async || {
            let text = http::get(admin, "/metrics").await.ok()?.1;
            let gauges = text.lines().filter(|line| line.starts_with("fantail_gateway_sessions{"));
            let sum: f64 = gauges.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum();
            (sum as usize == wanted).then_some(())
        })
        .await
    };
    assert!(sessions(IDLE).await.is_some(), "all are sessions");
    let mut one_more = Client::connect(addr, Options::default()).await.expect("room for one more");
    one_more.follow(&["trade:*:*"]).await.expect("followed");
    one_more.until(|message| events(message).first().map(drop)).await.expect("data flows");
    drop(one_more);
    drop(child.stdin.take());
    child.wait().await.expect("the child ends");
    assert!(sessions(0).await.is_some(), "all are gone");
}

/// The child: connects, says so, and holds on until its input ends.
async fn hold(addr: SocketAddr) {
    let mut sockets = Vec::with_capacity(IDLE);
    while sockets.len() < IDLE {
        let ip = std::net::Ipv4Addr::new(127, 0, 0, 2);
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((ip, 0))).expect("a source address");
        let mut stream: TcpStream = socket.connect(addr).await.expect("a connection");
        let request = format!(
            "GET /v1/stream HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.expect("an answer");
        assert_eq!(&head, b"HTTP/1.1 101");
        sockets.push(stream);
    }
    println!("all connected");
    // Ends when the parent drops its end.
    let waited =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = waited.await;
}
