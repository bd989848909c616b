//! Venues, workers and gateways as processes on somebody's brokers: started by the front door,
//! hurt and ended by their ids.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fantail_tests::harness::{http, wait};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStdout;

use super::PATIENCE;
use crate::end_to_end::cli::fantail;

/// The end of a log that a failed test shows.
const LOG_LINES_SHOWN: usize = 30;

/// A process with what it said on its first line.
pub(super) struct Process {
    child: Child,
    said: Value,
    log: PathBuf,
}

/// What runs, and how to start more of it.
pub(super) struct Deployment {
    set: Vec<String>,
    pub(super) gateways: Vec<Process>,
    pub(super) workers: Vec<Process>,
    /// Symbols of the first market of each venue: `binance:BTC-USDT`.
    pub(super) markets: Vec<String>,
    _venues: Process,
    /// Dropped behind the processes, which log into it.
    folder: TempDir,
}

impl Process {
    /// Starts it and waits for its first line, which is JSON.
    async fn start(args: &[String], log: PathBuf) -> Self {
        let mut child = Command::new(fantail())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("it starts");
        let out = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(ChildStdout::from_std(out).expect("a pipe")).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("in time").expect("readable").expect("a line before the end");
        let said = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, said, log }
    }

    /// Where clients connect.
    pub(super) fn addr(&self) -> SocketAddr {
        address(&self.said["ws"])
    }

    /// Its admin listener.
    pub(super) fn admin(&self) -> SocketAddr {
        address(&self.said["admin"])
    }

    /// Sends `KILL`, `TERM`, `STOP` or `CONT`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill runs").success(), "kill -{name} {id}");
    }

    async fn ready(&self) {
        let ready = wait::until(PATIENCE, async || {
            let (status, _) = http::get(self.admin(), "/ready").await.ok()?;
            (status == 200).then_some(())
        });
        ready.await.expect("it becomes ready");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is fine; a stopped process dies of KILL, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("--- {}\n{}", self.log.display(), shown.join("\n"));
        }
    }
}

/// `ws://127.0.0.1:1234/v1/stream` as an address.
fn address(url: &Value) -> SocketAddr {
    let url = url.as_str().expect("a URL");
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().and_then(|host| host.parse().ok()).expect("an address in the URL")
}

impl Deployment {
    /// Starts venues, topics, one worker and `gateways` gateways, and waits until every market is
    /// live at each of them.
    pub(super) async fn start(brokers: &str, gateways: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The topics remember earlier markets: another seed numbers its trades elsewhere, as a venue
        // that began again with the same numbers would be taken for one that repeats itself.
        let seed: u32 = rand::random();
        eprintln!("venues of seed {seed}");
        let play = format!(
            "simulate --json --calm --seed {seed} --symbols 1 --trades-per-s 20 \
             --book-updates-per-s 20"
        );
        let play: Vec<String> = play.split_whitespace().map(str::to_owned).collect();
        let venues = Process::start(&play, folder.path().join("venues.log")).await;
        let list = |key: &str| -> Vec<String> {
            let all = venues.said[key].as_array().into_iter().flatten();
            all.filter_map(|it| it.as_str().map(str::to_owned)).collect()
        };
        let market = |venue: &str| Some(format!("{venue}:{}", list(venue).first()?));
        let markets = ["binance", "coinbase"].into_iter().filter_map(market).collect();
        let (set, workers) = (list("set"), Vec::new());
        let mut deployment =
            Self { set, gateways: Vec::new(), workers, markets, _venues: venues, folder };
        std::fs::write(deployment.file(), configuration(brokers)).expect("a configuration");
        deployment.make_topics();
        deployment.add_worker().await;
        for _ in 0..gateways {
            deployment.add_gateway().await;
        }
        deployment.live().await;
        deployment
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("fantail.toml")
    }

    fn args(&self, command: &[&str]) -> Vec<String> {
        let file = self.file().display().to_string();
        let set = self.set.iter().flat_map(|flag| ["--set", flag.as_str()]);
        let all = command.iter().copied().chain(["--config", &file]).chain(set);
        all.map(str::to_owned).collect()
    }

    fn make_topics(&self) {
        let made = Command::new(fantail()).args(self.args(&["topics", "create"])).output();
        let made = made.expect("it runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Starts one more worker.
    pub(super) async fn add_worker(&mut self) {
        let log = self.folder.path().join(format!("worker-{}.log", self.workers.len()));
        let args = self.args(&["run", "--json", "--role", "ingest"]);
        let worker = Process::start(&args, log).await;
        self.workers.push(worker);
    }

    /// Starts one more gateway and waits until it has caught up.
    pub(super) async fn add_gateway(&mut self) {
        self.add_gateway_with(&[]).await;
    }

    /// The same, of a configuration of its own: `KEY=VALUE` each.
    pub(super) async fn add_gateway_with(&mut self, own: &[String]) {
        let log = self.folder.path().join(format!("gateway-{}.log", self.gateways.len()));
        let mut args = self.args(&["run", "--json", "--role", "gateway"]);
        args.extend(own.iter().flat_map(|flag| ["--set".to_owned(), flag.clone()]));
        let gateway = Process::start(&args, log).await;
        gateway.ready().await;
        self.gateways.push(gateway);
    }

    /// Waits until every feed is live at every gateway.
    pub(super) async fn live(&self) {
        for gateway in &self.gateways {
            let live = wait::until(PATIENCE, async || {
                let (_, body) = http::get(gateway.addr(), "/v1/status").await.ok()?;
                let answer: Value = serde_json::from_str(&body).ok()?;
                let feeds = answer["feeds"].as_array()?;
                let is_live = |market: &String| {
                    let venue = market.split(':').next();
                    feeds
                        .iter()
                        .any(|feed| feed["venue"].as_str() == venue && feed["state"] == "live")
                };
                self.markets.iter().all(is_live).then_some(())
            });
            live.await.expect("every market is live");
        }
    }
}

fn configuration(brokers: &str) -> String {
    let brokers: Vec<&str> = brokers.split(',').collect();
    format!(
        r#"[listen]
addr = "127.0.0.1:0"

[admin]
addr = "127.0.0.1:0"

[auth]
anonymous = true

[gateway]
shards = 1
heartbeat = "15s"
drain = "2s"

[bus]
kind = "kafka"
partitions = 8

[bus.kafka]
brokers = {brokers:?}
replication = 1
"#
    )
}
