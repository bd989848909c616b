//! Rows W01 to W12, W16, W17 and W19: bytes that are no WebSocket, or too much of one.

use std::time::Duration;

use fantail_tests::harness::wait;

use super::Scene;
use crate::system::raw::{CLOSE, PING, Raw, TEXT, masked};

/// The default of `limits.message_bytes`.
const MESSAGE_BYTES: usize = 65_536;

#[tokio::test]
async fn w01_unmasked_frames_are_refused() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    scene.refused(b"\x81\x05Hello", 1_002, "client frames must be masked").await?;
    scene.end().await
}

#[tokio::test]
async fn w02_reserved_bits_are_refused_after_what_was_whole() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    for bit in [0x40, 0x20, 0x10] {
        let mut raw = Raw::open(scene.addr(), "").await?;
        let mut bytes = masked(TEXT, br#"{"op":"ping","id":"before"}"#);
        bytes.extend(masked(TEXT | bit, b"{}"));
        raw.send(&bytes).await?;
        assert_eq!(raw.json("pong").await?["id"], "before");
        let (code, reason) = raw.closed().await?;
        assert_eq!((code, reason.as_str()), (1_002, "PROTOCOL_ERROR: reserved bits must be zero"));
    }
    scene.end().await
}

#[tokio::test]
async fn w03_reserved_opcodes_are_refused() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    for opcode in (3..8).chain(11..16) {
        scene.refused(&masked(0x80 | opcode, b""), 1_002, "opcode").await?;
    }
    scene.end().await
}

#[tokio::test]
async fn w04_control_frames_are_short_whole_and_plain() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    scene.refused(&masked(PING, &[0; 126]), 1_002, "125 bytes").await?;
    scene.refused(&masked(0x09, b""), 1_002, "fragmented").await?;
    scene.refused(&masked(PING | 0x40, b""), 1_002, "reserved bits").await?;
    scene.end().await
}

#[tokio::test]
async fn w05_fragments_follow_their_message() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    scene.refused(&masked(0x80, b"x"), 1_002, "nothing to continue").await?;
    scene.refused(&masked(0x00, b"x"), 1_002, "nothing to continue").await?;
    let inside = [masked(0x01, b"{"), masked(TEXT, b"}")].concat();
    scene.refused(&inside, 1_002, "not finished").await?;
    scene.end().await
}

#[tokio::test]
async fn w06_lengths_are_checked_before_anything_is_kept() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let length = |bits: u8, bytes: &[u8]| [&[TEXT, 0x80 | bits], bytes, &[0; 4]].concat();
    scene.refused(&length(127, &(1_u64 << 63).to_be_bytes()), 1_002, "length").await?;
    scene.refused(&length(126, &5_u16.to_be_bytes()), 1_002, "length").await?;
    scene.refused(&length(127, &200_u64.to_be_bytes()), 1_002, "length").await?;
    scene.refused(&length(127, &((1_u64 << 63) - 1).to_be_bytes()), 1_009, "65536").await?;
    scene.end().await
}

#[tokio::test]
async fn w07_a_declared_gigabyte_is_refused_from_its_header() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let mut header = vec![TEXT, 0xFF];
    header.extend_from_slice(&(1_u64 << 30).to_be_bytes());
    header.extend_from_slice(&[0; 14]);
    let mut many = Vec::new();
    for _ in 0..200 {
        let mut raw = Raw::open(scene.addr(), "").await?;
        raw.send(&header).await?;
        many.push(raw);
    }
    for mut raw in many {
        assert_eq!(raw.closed().await?.0, 1_009);
    }
    scene.end().await
}

#[tokio::test]
async fn w08_the_size_limit_is_exact() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let command = |bytes: usize| {
        let mut text = br#"{"op":"ping","id":"long"}"#.to_vec();
        text.resize(bytes, b' ');
        text
    };
    let mut raw = Raw::open(scene.addr(), "").await?;
    raw.send(&masked(TEXT, &command(MESSAGE_BYTES))).await?;
    assert_eq!(raw.json("pong").await?["id"], "long");
    let whole = command(MESSAGE_BYTES);
    let halves = [masked(0x01, &whole[..40_000]), masked(0x80, &whole[40_000..])].concat();
    raw.send(&halves).await?;
    assert_eq!(raw.json("pong").await?["id"], "long");

    let over = command(MESSAGE_BYTES + 1);
    scene.refused(&masked(TEXT, &over), 1_009, "65536").await?;
    let halves = [masked(0x01, &over[..40_000]), masked(0x80, &over[40_000..])].concat();
    scene.refused(&halves, 1_009, "65536").await?;
    scene.end().await
}

#[tokio::test]
async fn w09_fragments_are_counted_even_when_empty() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let text = br#"{"op":"ping","id":"bits"}"#;
    let pieces = |empty: usize| {
        let mut bytes = masked(0x01, text);
        (0..empty).for_each(|_| bytes.extend(masked(0x00, b"")));
        bytes.extend(masked(0x80, b""));
        bytes
    };
    let mut raw = Raw::open(scene.addr(), "").await?;
    raw.send(&pieces(30)).await?;
    assert_eq!(raw.json("pong").await?["id"], "bits");
    scene.refused(&pieces(31), 1_008, "32 fragments").await?;
    scene.refused(&pieces(10_000), 1_008, "32 fragments").await?;
    scene.end().await
}

#[tokio::test]
async fn w10_bytes_may_come_one_by_one() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let mut raw = Raw::open(scene.addr(), "").await?;
    for byte in masked(TEXT, br#"{"op":"ping","id":"slow","#) {
        raw.send(&[byte]).await?;
    }
    assert_eq!(raw.json("error").await?["code"], "BAD_REQUEST");
    for byte in masked(TEXT, br#"{"op":"ping","id":"slow"}"#) {
        raw.send(&[byte]).await?;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.json("pong").await?["id"], "slow");
    scene.end().await
}

#[tokio::test]
async fn w11_text_is_utf8_to_the_byte() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let wrong: [&[u8]; 5] =
        [b"\"\xFF\"", b"\xED\xA0\x80", b"\xC0\xAF", b"\xF4\x90\x80\x80", b"\"\xE2\x82"];
    for text in wrong {
        scene.refused(&masked(TEXT, text), 1_007, "UTF-8").await?;
    }
    // At the first impossible byte, though the message isn't finished.
    scene.refused(&masked(0x01, b"abc\xFF"), 1_007, "UTF-8").await?;
    let across = [masked(0x01, b"\xE2\x82"), masked(0x00, b"(")].concat();
    scene.refused(&across, 1_007, "UTF-8").await?;
    scene.refused(&masked(CLOSE, b"\x03\xE8\xFF\xFE"), 1_007, "UTF-8").await?;

    let mut raw = Raw::open(scene.addr(), "").await?;
    let euro = [masked(0x01, b"{\"op\":\"ping\",\"id\":\"\xE2"), masked(0x80, b"\x82\xAC\"}")];
    raw.send(&euro.concat()).await?;
    assert_eq!(raw.json("pong").await?["id"], "€");
    scene.end().await
}

#[tokio::test]
async fn w12_close_frames_are_checked_and_end_everything() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    for code in [0_u16, 999, 1_004, 1_005, 1_006, 1_015, 1_016, 2_999, 5_000, 65_535] {
        scene.refused(&masked(CLOSE, &code.to_be_bytes()), 1_002, "close frame").await?;
    }
    scene.refused(&masked(CLOSE, b"\x03"), 1_002, "close frame").await?;
    for code in [1_000_u16, 1_001, 3_000, 4_999] {
        let mut raw = Raw::open(scene.addr(), "").await?;
        // What follows a close frame is not looked at.
        let bytes = [masked(CLOSE, &code.to_be_bytes()), masked(0x83, b"x")].concat();
        raw.send(&bytes).await?;
        let answered = raw.closed().await?.0;
        assert!(answered == code || answered == 1_000, "{code} is answered by {answered}");
    }
    let mut raw = Raw::open(scene.addr(), "").await?;
    raw.send(&masked(CLOSE, b"")).await?;
    raw.closed().await?;
    scene.end().await
}

#[tokio::test]
async fn w16_a_ping_flood_ends_its_session_and_a_pong_flood_nothing() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let mut raw = Raw::open(scene.addr(), "").await?;
    let pongs = masked(0x8A, &[7; 125]).repeat(2_000);
    raw.send(&pongs).await?;
    raw.is_served().await?;
    let pings = masked(PING, &[7; 125]).repeat(1_000);
    scene.refused(&pings, 1_008, "pings a second").await?;
    scene.end().await
}

#[tokio::test]
async fn w17_who_never_answers_is_let_go() -> anyhow::Result<()> {
    let scene = Scene::set("[gateway]\nheartbeat = \"300ms\"\n").await?;
    let mut raw = Raw::open(scene.addr(), "").await?;
    let (code, reason) = raw.closed().await?;
    assert_eq!(code, 4_408, "{reason}");
    assert!(reason.starts_with("HEARTBEAT_MISSED"), "{reason}");
    let left = wait::until(Duration::from_secs(5), async || {
        scene.sessions().await.ok().filter(|sessions| *sessions <= 1.0)
    });
    assert!(left.await.is_some(), "its slot is not free");
    scene.end().await
}

#[tokio::test]
async fn w19_odd_but_legal_is_served_and_binary_is_no_json() -> anyhow::Result<()> {
    let scene = Scene::set("").await?;
    let mut raw = Raw::open(scene.addr(), "").await?;
    let text = br#"{"op":"ping","id":"zero"}"#;
    let mut plain = vec![TEXT, 0x80 | text.len() as u8, 0, 0, 0, 0];
    plain.extend_from_slice(text);
    raw.send(&plain).await?;
    assert_eq!(raw.json("pong").await?["id"], "zero");
    raw.send(&masked(TEXT, b"\0\0")).await?;
    assert_eq!(raw.json("error").await?["code"], "BAD_REQUEST");
    scene.refused(&masked(0x82, text), 1_003, "JSON").await?;
    scene.end().await
}
