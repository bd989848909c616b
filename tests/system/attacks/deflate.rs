//! Rows W08, W13, W14 and W15: compression as a weapon.

use serde_json::json;

use super::Scene;
use crate::system::http;
use crate::system::raw::{DEFLATE, RSV1, Raw, TEXT, deflate, handshake, masked};

const PONG: &[u8] = br#"{"op":"ping","id":"small"}"#;

#[tokio::test]
async fn w08_the_size_limit_counts_inflated_bytes() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let mut text = PONG.to_vec();
    text.resize(65_536, b' ');
    let mut raw = Raw::open(scene.addr(), DEFLATE).await?;
    raw.send(&masked(TEXT | RSV1, &deflate(&text)?)).await?;
    assert_eq!(raw.json("pong").await?["id"], "small");
    text.push(b' ');
    raw.send(&masked(TEXT | RSV1, &deflate(&text)?)).await?;
    let (code, reason) = raw.closed().await?;
    assert!(code == 1_009 && reason.contains("65536"), "{code} {reason}");
    scene.end().await
}

#[tokio::test]
async fn w13_bombs_stop_at_the_limit() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    // A thousand times smaller than what it becomes.
    let bomb = masked(TEXT | RSV1, &deflate(&vec![b' '; 64 * 1_024 * 1_024])?);
    let mut many = Vec::new();
    for _ in 0..50 {
        many.push(Raw::open(scene.addr(), DEFLATE).await?);
    }
    for raw in &mut many {
        raw.send(&bomb).await?;
    }
    for mut raw in many {
        let (code, reason) = raw.closed().await?;
        assert_eq!(code, 1_009, "{reason}");
    }
    scene.end().await
}

#[tokio::test]
async fn w14_every_form_of_deflate_is_read_and_garbage_is_not() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let mut raw = Raw::open(scene.addr(), DEFLATE).await?;
    // One stored block, not final.
    let length = PONG.len() as u16;
    let mut stored = vec![0];
    stored.extend_from_slice(&length.to_le_bytes());
    stored.extend_from_slice(&(!length).to_le_bytes());
    stored.extend_from_slice(PONG);
    raw.send(&masked(TEXT | RSV1, &stored)).await?;
    assert_eq!(raw.json("pong").await?["id"], "small");
    // The same, as a final block (RFC 7692 §7.2.3.5), whose message ends with an empty block.
    stored[0] = 1;
    stored.push(0);
    raw.send(&masked(TEXT | RSV1, &stored)).await?;
    assert_eq!(raw.json("pong").await?["id"], "small");
    // Nothing, compressed: no command, but no broken stream.
    raw.send(&masked(TEXT | RSV1, &[0])).await?;
    assert_eq!(raw.json("error").await?["code"], "BAD_REQUEST");
    // Not compressed at all, though it could be.
    raw.is_served().await?;

    let cut = deflate(PONG)?;
    for broken in [&[0xFF; 40][..], b"\x06", &cut[..cut.len() / 2]] {
        let mut raw = Raw::open(scene.addr(), DEFLATE).await?;
        raw.send(&masked(TEXT | RSV1, broken)).await?;
        let (code, reason) = raw.closed().await?;
        assert_eq!(code, 1_007, "{broken:?}: {reason}");
        Raw::open(scene.addr(), DEFLATE).await?.is_served().await?;
    }
    scene.end().await
}

#[tokio::test]
async fn w15_odd_offers_are_declined() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let addr = scene.addr();
    let offer = |parameters: &str| {
        format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}\r\n")
    };
    for parameters in [
        "; client_max_window_bits=7",
        "; client_max_window_bits=16",
        "; client_max_window_bits=x",
        "; server_max_window_bits=8",
        "; server_max_window_bits",
        "; server_no_context_takeover; server_no_context_takeover",
        "; made_up",
    ] {
        let mut raw = Raw::open(addr, &offer(parameters)).await?;
        let head = raw.head.to_ascii_lowercase();
        assert!(!head.contains("sec-websocket-extensions"), "{parameters}: {head}");
        raw.is_served().await?;
    }
    for parameters in ["", "; client_max_window_bits", "; client_max_window_bits=9", "; made_up, permessage-deflate"] {
        let mut raw = Raw::open(addr, &offer(parameters)).await?;
        let head = raw.head.to_ascii_lowercase();
        for promised in ["server_no_context_takeover", "client_no_context_takeover"] {
            assert!(head.contains(promised), "{parameters}: {head}");
        }
        raw.is_served().await?;
    }
    let many = offer(&", permessage-deflate; made_up".repeat(100));
    Raw::open(addr, &many).await?.is_served().await?;
    let long = offer(&format!("; made_up={}", "x".repeat(8_192)));
    let answer = http::exchange(addr, handshake(addr, &long).as_bytes());
    let answer = tokio::time::timeout(std::time::Duration::from_secs(1), answer).await;
    // Accepted without it (then the connection stays open), or refused: never a crash.
    if let Ok(answer) = answer {
        assert!(answer?.starts_with("HTTP/1.1 4"));
    }
    scene.end().await
}

#[tokio::test]
async fn what_is_compressed_is_public_and_inflates_to_the_same() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let book = scene.channel("book");
    let mut raw = Raw::open(scene.addr(), DEFLATE).await?;
    let subscribe = json!({ "op": "subscribe", "id": 1, "channels": [book] }).to_string();
    raw.send(&masked(TEXT, subscribe.as_bytes())).await?;
    let (mut compressed, mut last) = (0, None);
    while compressed < 20 {
        let Some(frame) = raw.frame().await? else { anyhow::bail!("the end") };
        let is_compressed = frame.lead & RSV1 != 0;
        let text = match is_compressed {
            true => crate::system::raw::inflate(&frame.payload)?,
            false => frame.payload,
        };
        if frame.lead & 0x0F != 1 {
            continue;
        }
        let message: serde_json::Value = serde_json::from_slice(&text)?;
        if message["channel"].is_null() {
            assert!(!is_compressed, "an own reply is compressed: {message}");
            continue;
        }
        if message["type"] == "book" {
            assert!(last.is_none_or(|last| message["prev"] == last), "{message} after {last:?}");
            last = message["seq"].as_u64();
        }
        compressed += u32::from(is_compressed);
    }
    scene.end().await
}
