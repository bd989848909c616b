//! Two gateways behind HAProxy with the very file docker-compose.yml mounts: upgrades pass,
//! addresses are right, and a gateway that leaves is left alone.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantail_tests::harness::client::{Client, Options, events};
use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, require, wait};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// HAProxy, ended by its id when dropped.
struct Balancer {
    process: Child,
    addr: SocketAddr,
}

impl Balancer {
    /// In front of these two, or `None` after saying that there is no HAProxy.
    fn start(servers: [&Server; 2]) -> Option<Self> {
        if Command::new("haproxy").arg("-v").stdout(Stdio::null()).status().is_err() {
            require::skip("haproxy", "there is no haproxy (apt-get install haproxy)");
            return None;
        }
        // HAProxy cannot be asked which port it got, so one is chosen for it.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let addr = free.expect("a free port");
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/haproxy/haproxy.cfg");
        let health = servers.map(|server| server.admin().port().to_string());
        let process = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(file)
            .env("FANTAIL_MAXCONN", "1000")
            .env("FANTAIL_BIND", addr.to_string())
            .env("FANTAIL_GATEWAY_1", servers[0].addr().to_string())
            .env("FANTAIL_GATEWAY_2", servers[1].addr().to_string())
            .env("FANTAIL_HEALTH_1", &health[0])
            .env("FANTAIL_HEALTH_2", &health[1])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("haproxy starts");
        Some(Self { process, addr })
    }

    async fn up(&self) {
        let up = wait::until(PATIENCE, async || {
            let (status, _) = http::get(self.addr, "/v1/status").await.ok()?;
            (status == 200).then_some(())
        });
        up.await.expect("haproxy answers");
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Clients of a server as its operator sees them.
async fn peers(server: &Server) -> Vec<String> {
    let (_, body) = http::get(server.admin(), "/v1/sessions").await.expect("a list");
    let shards: Value = serde_json::from_str(&body).expect("JSON");
    let sessions = shards.as_array().expect("shards").iter();
    let sessions = sessions.filter_map(|shard| shard["sessions"].as_array()).flatten();
    sessions.filter_map(|one| one["peer"].as_str()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_behind_haproxy() {
    let set = ["listen.trusted_proxies=127.0.0.1", "gateway.drain=1s"];
    let first = Server::start(&set).await.expect("a server");
    let second = Server::start(&set).await.expect("another");
    let Some(balancer) = Balancer::start([&first, &second]) else { return };
    balancer.up().await;

    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(balancer.addr, Options::default()).await.expect("in");
        client.follow(&["trade:*:*", "book:*:*"]).await.expect("followed");
        clients.push(client);
    }
    for client in &mut clients {
        client.until(|message| events(message).first().map(drop)).await.expect("data flows");
    }
    let (here, there) = (peers(&first).await, peers(&second).await);
    assert_eq!(here.len() + there.len(), 8);
    assert!(!here.is_empty() && !there.is_empty(), "both serve: {here:?} {there:?}");
    // The balancer's own sockets have ports; what it forwards is an address alone.
    let forwarded = |peer: &String| peer == "127.0.0.1:0";
    assert!(here.iter().chain(&there).all(forwarded), "{here:?} {there:?}");

    // One leaves: its clients are told and reach the other through the same address.
    first.begin_end();
    let mut stayed = 0;
    for mut client in clients {
        let told = tokio::time::timeout(Duration::from_secs(3), client.closed()).await;
        match told {
            Ok(frame) => {
                let code = frame.expect("it ends").map(|frame| u16::from(frame.code));
                assert_eq!(code, Some(1012));
                let again = wait::until(PATIENCE, async || {
                    Client::connect(balancer.addr, Options::default()).await.ok()
                });
                let mut again = again.await.expect("somebody takes it");
                again.follow(&["trade:*:*"]).await.expect("followed");
            }
            Err(_) => stayed += 1,
        }
        assert_eq!(client.holes, Vec::<String>::new());
    }
    assert_eq!(stayed, there.len(), "nobody of the other was disturbed");
}
