//! The admin listener over real loopback sockets, as a probe, a scraper and a web page see it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::access::is_loopback_host;
use super::{AdminConfig, AdminError, AdminHandle, AdminState, DrainHook, serve};
use crate::clock::Clock;
use crate::closes::{CloseEntry, CloseLog};
use crate::health::{Liveness, Readiness};
use crate::logging::{LogConfig, subscriber};
use crate::metrics::{BuildInfo, Metrics};
use crate::secret::Secret;
use crate::shutdown::Shutdown;

struct Fixture {
    admin: AdminHandle,
    state: AdminState,
    shutdown: Shutdown,
    /// Keeps the reloadable filter alive.
    _subscriber: Box<dyn Send>,
}

async fn start(token: Option<&str>) -> Fixture {
    let clock = Clock::system();
    let build = BuildInfo { version: "0", commit: "0", role: "all".to_owned() };
    let (subscriber, logs) = subscriber(LogConfig::default()).unwrap();
    let shutdown = Shutdown::new();
    let state = AdminState {
        metrics: Metrics::new(build, &clock),
        readiness: Readiness::new(),
        liveness: Liveness::new(clock),
        closes: CloseLog::default(),
        logs,
        drain: DrainHook::shutdown(shutdown.clone()),
    };
    let config = AdminConfig {
        addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        token: token.map(|token| Secret::new(token.to_owned())),
    };
    let more = Router::new().route("/sessions", get(|| async { "[]" }));
    let admin = serve(config, state.clone(), more).await.unwrap();
    Fixture { admin, state, shutdown, _subscriber: Box::new(subscriber) }
}

impl Fixture {
    /// Sends a request with a loopback `Host` and these header lines; gives status and body.
    async fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        let host = self.admin.addr();
        self.ask_raw(request, &format!("Host: {host}\r\n{headers}"), body).await
    }

    async fn ask_raw(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(self.admin.addr()).await.unwrap();
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        socket.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = socket.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), "", "").await
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let fixture = start(None).await;
    let latch = fixture.state.readiness.latch("bus");
    let (status, body) = fixture.get("/ready").await;
    assert_eq!((status, &json(&body)["missing"][0]), (503, &Value::from("bus")));
    latch.release();
    assert_eq!(fixture.get("/ready").await.0, 200);
    fixture.state.readiness.warn("topic", Some("a topic is gone".into()));
    let (status, body) = fixture.get("/ready").await;
    assert_eq!((status, &json(&body)["warnings"][0]), (200, &Value::from("a topic is gone")));
    fixture.state.readiness.unready();
    assert_eq!(fixture.get("/ready").await.0, 503);
    assert_eq!(fixture.get("/live").await.0, 200, "draining is alive");
}

#[tokio::test]
async fn shows_metrics_closes_and_other_parts_routes() {
    let fixture = start(None).await;
    let (status, text) = fixture.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("fantail_build_info"), "{text}");
    fixture.state.closes.push(CloseEntry {
        time_micros: 1,
        session: "s1".to_owned(),
        user: None,
        peer: "127.0.0.1:9".to_owned(),
        code: 4409,
        name: "SLOW_CONSUMER".to_owned(),
        reason: "backlog".to_owned(),
        bytes_sent: 10,
        duration_ms: 20,
    });
    let closes = json(&fixture.get("/closes").await.1);
    assert_eq!(closes["closes"][0]["code"], 4409);
    assert_eq!(fixture.get("/sessions").await, (200, "[]".to_owned()));
    assert_eq!(fixture.get("/nothing").await.0, 404);
}

#[tokio::test]
async fn the_log_level_can_be_read_and_set() {
    let fixture = start(None).await;
    assert_eq!(json(&fixture.get("/log-level").await.1)["filter"], "info");
    let (status, body) = fixture.ask("PUT /log-level", "", "warn,fantail_gateway=debug\n").await;
    assert_eq!(status, 200, "{body}");
    let filter = fixture.state.logs.filter();
    assert!(filter.contains("fantail_gateway=debug"), "{filter}");
    assert_eq!(fixture.ask("PUT /log-level", "", "loud").await.0, 400);
    assert_eq!(fixture.ask("PUT /log-level", "", &"x".repeat(5_000)).await.0, 413);
    assert_eq!(fixture.state.logs.filter(), filter, "the old one stays");
}

#[tokio::test]
async fn drain_begins_the_end_and_stays_watchable() {
    let fixture = start(None).await;
    assert_eq!(fixture.get("/drain").await.0, 405);
    assert!(!fixture.shutdown.has_begun());
    assert_eq!(fixture.ask("POST /drain", "", "").await.0, 202);
    fixture.shutdown.begun().await;
    assert_eq!(fixture.get("/metrics").await.0, 200);
}

#[tokio::test]
async fn a_token_guards_all_but_the_probes() {
    let fixture = start(Some("canary-token")).await;
    let auth = "Authorization: Bearer canary-token\r\n";
    for path in ["/metrics", "/closes", "/log-level", "/sessions", "/nothing"] {
        let request = format!("GET {path}");
        assert_eq!(fixture.ask(&request, "", "").await.0, 401, "{path}");
        let wrong = "Authorization: Bearer canary-tokem\r\n";
        assert_eq!(fixture.ask(&request, wrong, "").await.0, 401, "{path}");
        assert_ne!(fixture.ask(&request, auth, "").await.0, 401, "{path}");
    }
    assert_eq!(fixture.ask("POST /drain", "", "").await.0, 401);
    assert!(!fixture.shutdown.has_begun());
    assert_eq!(fixture.get("/live").await.0, 200);
    assert_eq!(fixture.get("/ready").await.0, 200);
}

#[tokio::test]
async fn web_pages_may_not_ask() {
    let fixture = start(None).await;
    let origin = "Origin: https://evil.example\r\n";
    assert_eq!(fixture.ask("POST /drain", origin, "").await.0, 403);
    let rebound = "Host: evil.example:8081\r\n";
    assert_eq!(fixture.ask_raw("GET /closes", rebound, "").await.0, 403);
    assert!(!fixture.shutdown.has_begun());
}

#[test]
fn loopback_hosts() {
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:80", "[::1]"] {
        assert!(is_loopback_host(host), "{host}");
    }
    let others = ["", "evil", "10.0.0.1", "localhost.evil:80", "127.0.0.1.evil", "[::2]:80", "["];
    for host in others {
        assert!(!is_loopback_host(host), "{host}");
    }
}

#[tokio::test]
async fn elsewhere_than_on_loopback_a_token_is_needed() {
    let fixture = start(None).await;
    for token in [None, Some(Secret::new(String::new()))] {
        let config = AdminConfig { addr: SocketAddr::from(([0, 0, 0, 0], 0)), token };
        let refused = serve(config, fixture.state.clone(), Router::new()).await;
        assert!(matches!(refused, Err(AdminError::TokenNeeded(_))));
    }
    let config = AdminConfig { addr: fixture.admin.addr(), token: None };
    let taken = serve(config, fixture.state.clone(), Router::new()).await;
    assert!(matches!(taken, Err(AdminError::Bind(..))));
}
