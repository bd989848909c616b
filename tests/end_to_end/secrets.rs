//! Secrets in every place a client can put them reach no log line, no figure and no list of closes.

use std::process::Stdio;

use fantail_tests::harness::http;

use super::cli::Server;

/// What must be found nowhere.
const CANARIES: [&str; 4] =
    ["canary-in-header", "canary-in-query", "canary-in-protocol", "canary-in-api-key"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_a15_no_secret_reaches_a_log_a_metric_or_a_close() {
    let log = tempfile::NamedTempFile::new().expect("a log");
    let file = log.reopen().expect("the log again");
    let args = ["demo", "--calm", "--symbols", "1", "--set", "log.level=trace"];
    let server = Server::logging_to(&args, Stdio::from(file));
    let place = |word: &str| {
        let url = server.1[word].as_str().expect("an address");
        let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        host.and_then(|host| host.parse().ok()).expect("ip:port")
    };
    let (public, admin) = (place("ws"), place("admin"));
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let attempts = [
        ("", format!("Authorization: Bearer eyJ.{}.x\r\n", CANARIES[0])),
        ("?token=canary-in-query", String::new()),
        ("", format!("Sec-WebSocket-Protocol: fantail.v1.json, bearer.{}\r\n", CANARIES[2])),
        ("", format!("X-API-Key: ftk_a_{}\r\n", CANARIES[3])),
    ];
    let mut seen = String::new();
    for (query, header) in &attempts {
        let request =
            format!("GET /v1/stream{query} HTTP/1.1\r\nHost: {public}\r\n{upgrade}{header}\r\n");
        let answer = http::raw(public, request.as_bytes()).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
        seen.push_str(&answer);
    }
    for path in ["/metrics", "/closes", "/v1/sessions"] {
        seen.push_str(&http::get(admin, path).await.expect(path).1);
    }
    let token = server.1["token"].as_str().expect("a token").to_owned();
    drop(server);
    seen.push_str(&std::fs::read_to_string(log.path()).expect("the log"));
    assert!(seen.contains("TRACE") || seen.contains("DEBUG"), "the log says everything");
    for canary in CANARIES {
        assert!(!seen.contains(canary), "{canary} was told");
    }
    assert!(!seen.contains(&token), "the demo's own token was told");
}
