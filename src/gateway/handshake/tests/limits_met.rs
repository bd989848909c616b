//! Requests that are too big or too slow (H01, H02).

use super::*;

#[tokio::test]
async fn h02_big_heads_are_refused() {
    let server = open_server().await;
    let long_uri = format!("/v1/stream?{}", "a".repeat(64 * 1024));
    let many: String = (0..2_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let some: String = (0..65).map(|n| format!("X-{n}: y\r\n")).collect();
    let big = |bytes: usize| format!("X-Big: {}\r\n", "a".repeat(bytes));
    let with = |lines: &str| format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
    let requests = [
        upgrade_request(&long_uri, "", &[]),
        with(&many),
        with(&some),
        with(&big(17 * 1024)),
        with(&big(1024 * 1024)),
    ];
    for request in requests {
        let answer = server.exchange(&request).await;
        let told = &request[..request.len().min(60)];
        // A peer that goes on sending may see the connection reset before the answer.
        let is_refused = answer.is_empty()
            || answer.starts_with("HTTP/1.1 431")
            || answer.starts_with("HTTP/1.1 414");
        assert!(is_refused, "{told}: {answer}");
    }
    let answer = server.exchange(&with(&some)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "65 headers: {answer}");
}

#[tokio::test]
async fn h01_an_unfinished_head_is_not_waited_for() {
    let server = open_server().await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET /v1/stream HTTP/1.1\r\nHost: loc").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(!answer.contains(" 101 ") && !answer.contains(" 200 "), "{answer}");
}
