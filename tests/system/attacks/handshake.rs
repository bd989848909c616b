//! Rows H02, H03 and H05: requests that are no handshake.

use super::Scene;
use crate::system::http::{exchange, parse};
use crate::system::raw::{Raw, TEXT, handshake, masked};

#[tokio::test]
async fn h02_heads_are_bounded() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let addr = scene.addr();
    let lines = "x-one: 1\r\n".repeat(2_000);
    let long = format!("x-long: {}\r\n", "y".repeat(1_000_000));
    for headers in [lines, long] {
        let answer = exchange(addr, handshake(addr, &headers).as_bytes()).await?;
        let status = parse(&answer)?.status;
        assert_eq!(status, 431, "{answer}");
    }
    let path = format!("GET /{} HTTP/1.1\r\nHost: {addr}\r\n\r\n", "p".repeat(65_536));
    let answer = exchange(addr, path.as_bytes()).await?;
    let status = parse(&answer)?.status;
    assert!(status == 414 || status == 431, "{answer}");
    scene.end().await
}

#[tokio::test]
async fn h03_the_refusal_names_the_header() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let addr = scene.addr();
    let good = handshake(addr, "");
    let changes = [
        ("Upgrade: websocket\r\n", "", 400, "upgrade"),
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", 400, "upgrade"),
        ("Connection: Upgrade\r\n", "Connection: close\r\n", 400, "connection"),
        ("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 12\r\n", 426, "version"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dG9vIHNob3J0", 400, "key"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "!", 400, "key"),
        (
            "Sec-WebSocket-Version: 13\r\n",
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n",
            400,
            "version",
        ),
    ];
    for (part, instead, status, named) in changes {
        let answer = exchange(addr, good.replace(part, instead).as_bytes()).await?;
        let answer = parse(&answer)?;
        assert_eq!(answer.status, status, "{instead:?}: {}", answer.body);
        assert!(answer.body.to_ascii_lowercase().contains(named), "{}", answer.body);
        answer.error()?;
        let version = answer.headers.get("sec-websocket-version").map(String::as_str);
        assert_eq!(version, (status == 426).then_some("13"));
    }
    scene.end().await
}

#[tokio::test]
async fn h05_what_follows_a_handshake_is_frames_or_nothing() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let addr = scene.addr();
    // In one piece with the request: it is the first frame.
    let mut bytes = handshake(addr, "").into_bytes();
    bytes.extend(masked(TEXT, br#"{"op":"ping","id":"early"}"#));
    let mut raw = Raw::open_with(addr, &bytes).await?;
    assert_eq!(raw.json("pong").await?["id"], "early");

    // Behind a refused upgrade nothing is a request.
    let refused = handshake(addr, "").replace("Version: 13", "Version: 12");
    let smuggled = format!("{refused}GET /v1/instruments HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    let answer = exchange(addr, smuggled.as_bytes()).await?;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert!(!answer.contains("instruments\":"), "{answer}");
    scene.end().await
}
