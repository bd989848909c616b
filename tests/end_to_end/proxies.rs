//! Row H10 by the front door: whose address counts for limits, lists and failed attempts, behind
//! proxies that may be believed and clients that may not. Every form of both is in the gateway's
//! own tests; here is what follows from it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const PATIENCE: Duration = Duration::from_secs(10);
const TRUSTED: &str = "listen.trusted_proxies=127.0.0.1";
/// A wrong API key: a failed attempt.
const WRONG_KEY: &str = "X-API-Key: ftk_desk_0000000000000000\r\n";
/// TCP over IPv4 from 203.0.113.9:4711, by the PROXY protocol's version 2.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\x12\x67\0\x50";
const V1: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n";

/// An upgrade from this loopback address, behind `before`: its status, and the connection.
async fn upgrade(
    addr: SocketAddr,
    from: u8,
    before: &[u8],
    headers: &str,
) -> anyhow::Result<(u16, TcpStream)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, from), 0)))?;
    let mut stream = socket.connect(addr).await?;
    let request = format!(
        "GET /v1/stream HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         {headers}\r\n"
    );
    stream.write_all(&[before, request.as_bytes()].concat()).await?;
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, reading).await??;
    let head = String::from_utf8(head)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or_else(|| anyhow::anyhow!("no status: {head}"))?, stream))
}

async fn status(addr: SocketAddr, from: u8, headers: &str) -> u16 {
    upgrade(addr, from, b"", headers).await.expect("an answer").0
}

fn forwarded(entries: &str) -> String {
    format!("X-Forwarded-For: {entries}\r\n")
}

/// Waits until the operator's list of sessions names exactly these clients.
async fn listed(server: &Server, expected: &[&str]) {
    let mut told = Vec::new();
    let seen = wait::until(PATIENCE, async || {
        let (_, body) = http::get(server.admin(), "/v1/sessions").await.ok()?;
        let shards: serde_json::Value = serde_json::from_str(&body).ok()?;
        let sessions = shards.as_array()?.iter().flat_map(|shard| shard["sessions"].as_array());
        let peers = sessions.flatten().filter_map(|one| one["peer"].as_str());
        told = peers.map(str::to_owned).collect();
        told.sort();
        (told == expected).then_some(())
    });
    let seen = seen.await;
    assert!(seen.is_some(), "{told:?}, not {expected:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_behind_a_trusted_proxy_the_client_counts() {
    let server = Server::start(&[
        TRUSTED,
        "limits.connections_per_ip=2",
        "auth.ip_deny=203.0.113.66",
        "auth.failed_attempts_per_minute=2",
    ])
    .await
    .expect("a server");
    let addr = server.addr();
    let alice = forwarded("203.0.113.9");
    let (first, held) = upgrade(addr, 1, b"", &alice).await.expect("in");
    let mapped = forwarded("::ffff:203.0.113.9");
    let (second, also_held) = upgrade(addr, 1, b"", &mapped).await.expect("in");
    assert_eq!((first, second), (101, 101));
    assert_eq!(status(addr, 1, &alice).await, 429, "her limit");
    let lies = [
        "1.1.1.1, 203.0.113.9",
        "127.0.0.1, 203.0.113.9",
        "junk, 203.0.113.9",
        "203.0.113.9, 127.0.0.1",
    ];
    for lie in lies {
        assert_eq!(status(addr, 1, &forwarded(lie)).await, 429, "still hers: {lie}");
    }
    let split = forwarded("203.0.113.10") + &forwarded("203.0.113.9");
    assert_eq!(status(addr, 1, &split).await, 429, "the last header is the nearest hop's");
    let (other, bob) = upgrade(addr, 1, b"", &forwarded("2400::1")).await.expect("in");
    assert_eq!(other, 101, "somebody else's address");
    listed(&server, &["203.0.113.9:0", "203.0.113.9:0", "[2400::1]:0"]).await;
    drop((held, also_held, bob));

    for denied in ["203.0.113.66", "::ffff:203.0.113.66", "1.1.1.1,203.0.113.66"] {
        assert_eq!(status(addr, 1, &forwarded(denied)).await, 403, "{denied}");
    }
    let (rest, _) = rest_status(addr, &forwarded("203.0.113.66")).await;
    assert_eq!(rest, 403, "REST goes by the same address");

    let guesser = forwarded("198.51.100.7") + WRONG_KEY;
    assert_eq!(status(addr, 1, &guesser).await, 401);
    assert_eq!(status(addr, 1, &guesser).await, 401);
    assert_eq!(status(addr, 1, &guesser).await, 429, "it has to wait");
    let elsewhere = forwarded("198.51.100.8") + WRONG_KEY;
    assert_eq!(status(addr, 1, &elsewhere).await, 401, "others do not");
    let quiet = status(addr, 1, &forwarded("198.51.100.7")).await;
    assert_eq!(quiet, 101, "a12: whoever offers no key is not locked out by who guesses");
}

async fn rest_status(addr: SocketAddr, headers: &str) -> (u16, String) {
    let request =
        format!("GET /v1/session HTTP/1.1\r\nHost: {addr}\r\n{headers}Connection: close\r\n\r\n");
    let answer = http::raw(addr, request.as_bytes()).await.expect("an answer");
    let text = String::from_utf8_lossy(&answer).into_owned();
    (text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status"), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_nobody_else_is_believed() {
    let denied = "auth.ip_deny=203.0.113.66";
    let server = Server::start(&[TRUSTED, denied]).await.expect("a server");
    let lie = forwarded("203.0.113.66");
    let (accepted, stranger) = upgrade(server.addr(), 2, b"", &lie).await.expect("in");
    assert_eq!(accepted, 101, "127.0.0.2 is no proxy: what it says of itself is not read");
    assert_eq!(status(server.addr(), 1, &lie).await, 403, "127.0.0.1 is one");
    let from = stranger.local_addr().expect("an address").to_string();
    listed(&server, &[from.as_str()]).await;

    let without = Server::start(&[denied]).await.expect("a server");
    assert_eq!(status(without.addr(), 1, &lie).await, 101, "by default no peer is a proxy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_a_proxy_listener_requires_the_header() {
    let server = Server::start_at_once(&[
        TRUSTED,
        "listen.proxy_protocol=true",
        "auth.ip_deny=203.0.113.66",
    ])
    .await
    .expect("a server");
    let addr = server.addr();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let mut held = Vec::new();
    for (before, accepted) in [(V1, 101), (V2, 101), (&local[..], 101)] {
        let (status, stream) = upgrade(addr, 1, before, "").await.expect("an answer");
        assert_eq!(status, accepted, "{}", before.escape_ascii());
        held.push(stream);
    }
    let health_check = held[2].local_addr().expect("an address").to_string();
    listed(&server, &[&health_check, "203.0.113.9:4711", "203.0.113.9:4711"]).await;
    // The header's word replaces the peer; what that client says of itself is not believed.
    let spoof = upgrade(addr, 1, V1, &forwarded("203.0.113.66")).await.expect("an answer");
    assert_eq!(spoof.0, 101);
    let denied = b"PROXY TCP4 203.0.113.66 10.0.0.1 4711 80\r\n";
    assert_eq!(upgrade(addr, 1, denied, "").await.expect("an answer").0, 403);

    let refused: [(&str, u8, &[u8]); 4] = [
        ("none", 1, b""),
        ("of an untrusted peer", 2, V1),
        ("version 2 of an untrusted peer", 2, V2),
        ("garbage", 1, b"PROXY TCP4 nonsense\r\n"),
    ];
    for (name, from, before) in refused {
        let (status, mut stream) = upgrade(addr, from, before, "").await.expect(name);
        assert_eq!(status, 400, "{name}");
        let mut body = String::new();
        stream.read_to_string(&mut body).await.expect("the connection ends");
        let told = body.contains("listen.proxy_protocol") || body.contains("trusted_proxies");
        assert!(told, "{name}: {body}");
    }
    for whole in [V1, V2] {
        for length in [1, 13, whole.len() - 1] {
            let mut stream = TcpStream::connect(addr).await.expect("a connection");
            stream.write_all(&whole[..length]).await.expect("sent");
            stream.shutdown().await.expect("our side is closed");
            let mut answer = Vec::new();
            let reading = stream.read_to_end(&mut answer);
            tokio::time::timeout(PATIENCE, reading).await.expect("it ends").expect("read");
            assert!(answer.starts_with(b"HTTP/1.1 400"), "{}", answer.escape_ascii());
        }
    }
    let (_, metrics) = http::get(server.admin(), "/metrics").await.expect("metrics");
    let counted = "fantail_gateway_proxy_headers_refused_total 10";
    assert!(metrics.lines().any(|line| line == counted), "every refusal is counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_a_plain_listener_never_reads_a_proxy_header() {
    let server = Server::start(&[TRUSTED, "auth.ip_deny=203.0.113.9"]).await.expect("a server");
    for header in [V1, V2] {
        let status = upgrade(server.addr(), 1, header, "").await;
        assert!(matches!(status, Ok((400, _)) | Err(_)), "{status:?}");
    }
    assert_eq!(status(server.addr(), 1, "").await, 101, "and goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h01_a_trickling_head_is_answered_with_408() {
    let server = Server::start(&[]).await.expect("a server");
    let mut stream = TcpStream::connect(server.addr()).await.expect("a connection");
    let (mut reading, mut writing) = stream.split();
    let attack = async {
        // A byte now and then: the deadline must not start anew with each.
        let mut pace = tokio::time::interval(Duration::from_millis(250));
        for byte in b"GET /v1/stream HTTP/1.1\r\nHost: ".iter().chain(std::iter::repeat(&b'a')) {
            pace.tick().await;
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    let mut answer = [0; 12];
    let answered = async {
        tokio::select! {
            read = reading.read_exact(&mut answer) => read.map(drop),
            () = attack => Ok(()),
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("an end in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}
