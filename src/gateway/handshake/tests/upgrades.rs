//! The upgrade itself: H03 (each header wrong in each way), H05 (what comes behind it).

use super::*;

#[tokio::test]
async fn a_good_upgrade_is_accepted() {
    let mut server = open_server().await;
    let (_client, head) = server.open(upgrade_request("/v1/stream", "", &[]).as_bytes()).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
    let session = server.session().await;
    assert!(head.contains(&format!("x-session-id: {}", session.id)), "{head}");
    assert_eq!((session.user.as_str(), session.encoding), ("anonymous", Encoding::Json));
    assert!(session.early.is_empty() && !session.batch && session.deflate.is_none());
}

#[tokio::test]
async fn h03_each_wrong_header_is_named() {
    let server = open_server().await;
    let key = "Sec-WebSocket-Key";
    let cases: &[(&str, Lines<'_>, &str)] = &[
        ("Upgrade", &[], "upgrade is missing"),
        ("", &[("Upgrade", "websocket")], "upgrade is given twice"),
        ("Upgrade", &[("Upgrade", "h2c")], "upgrade must be websocket"),
        ("Connection", &[], "connection is missing"),
        ("", &[("Connection", "Upgrade")], "connection is given twice"),
        ("Connection", &[("Connection", "keep-alive")], "connection must contain"),
        ("Sec-WebSocket-Version", &[], "sec-websocket-version is missing"),
        ("", &[("Sec-WebSocket-Version", "13")], "sec-websocket-version is given twice"),
        (key, &[], "sec-websocket-key is missing"),
        ("", &[(key, "dGhlIHNhbXBsZSBub25jZQ==")], "sec-websocket-key is given twice"),
        (key, &[(key, "dGhlIHNhbXBsZQ==")], "sec-websocket-key must be 16 bytes"),
        (key, &[(key, "dGhlIHNhbXBsZSBub25jZSE=")], "sec-websocket-key must be 16 bytes"),
        (key, &[(key, "dGhlIHNhbXBsZSBub25jZQ")], "sec-websocket-key must be 16 bytes"),
        (key, &[(key, "!!!!")], "sec-websocket-key must be 16 bytes"),
        ("Host", &[("Host", "a b")], "host is not a host"),
        ("", &[("Host", "127.0.0.1:8080")], "host is given twice"),
        ("", &[("Content-Length", "5")], "content-length must be"),
        ("", &[("Transfer-Encoding", "chunked")], "transfer-encoding is not allowed"),
    ];
    for (without, extra, expected) in cases {
        let answer = server.exchange(&upgrade_request("/v1/stream", without, extra)).await;
        let (status, code, message) = error_of(&answer);
        assert_eq!((status, code.as_str()), (400, "BAD_REQUEST"), "{expected}");
        assert!(message.contains(expected), "{message:?} should say {expected:?}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let missing_host = server.exchange(&upgrade_request("/v1/stream", "Host", &[])).await;
    assert!(missing_host.starts_with("HTTP/1.1 400"), "{missing_host}");
}

#[tokio::test]
async fn h03_another_version_is_told_ours() {
    let server = open_server().await;
    for version in ["8", "14", "13, 8", "abc"] {
        let extra = [("Sec-WebSocket-Version", version)];
        let request = upgrade_request("/v1/stream", "Sec-WebSocket-Version", &extra);
        let answer = server.exchange(&request).await;
        assert_eq!(error_of(&answer).0, 426, "{version}");
        assert!(answer.contains("sec-websocket-version: 13"), "{answer}");
    }
}

#[tokio::test]
async fn h03_another_method_or_protocol_is_refused() {
    let server = open_server().await;
    let good = upgrade_request("/v1/stream", "", &[]);
    let answer = server.exchange(&good.replacen("GET", "POST", 1)).await;
    assert_eq!(error_of(&answer).0, 405);
    assert!(answer.contains("allow: GET"), "{answer}");
    let answer = server.exchange(&good.replacen("HTTP/1.1", "HTTP/1.0", 1)).await;
    assert!(answer.starts_with("HTTP/1.0 400") && answer.contains("HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn h05_frames_behind_the_upgrade_are_kept() {
    let mut server = open_server().await;
    let frames = [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
    let mut bytes = upgrade_request("/v1/stream", "", &[]).into_bytes();
    bytes.extend_from_slice(&frames);
    let (mut client, head) = server.open(&bytes).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut session = server.session().await;
    let mut received = session.early.to_vec();
    // How the kernel cut the bytes decides how many of them came early.
    while received.len() < frames.len() {
        received.push(session.socket.read_u8().await.unwrap());
    }
    assert_eq!(received, frames);
    session.socket.write_all(b"frame").await.unwrap();
    drop((session.socket, session.slot));
    assert_eq!(read_to_end(&mut client).await, "frame", "the socket is ours alone");
}

#[tokio::test]
async fn h05_nothing_behind_a_refused_upgrade_is_parsed() {
    let server = open_server().await;
    let smuggled = "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
    for without in ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Upgrade"] {
        let refused = upgrade_request("/v1/stream", without, &[]);
        let answer = server.exchange(&format!("{refused}{smuggled}{smuggled}")).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
}
