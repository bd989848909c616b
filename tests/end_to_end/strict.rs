//! Strict clients of other people on the broadcast path: what each of them makes of our frames is,
//! byte for byte and in order, what an independent reader of plain frames was sent.
//!
//! Three servers: one that never compresses, one with the default window, one with the smallest.
//! Each client offers what its mode says; whether it was agreed on is asked of the admin listener.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use fantail_node::testing::demo_args;
use fantail_tests::browser::Browser;
use fantail_tests::harness::client::{Client, Options};
use fantail_tests::harness::stage::Server;
use fantail_tests::harness::{http, strict, wait};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Messages of market data compared for each client and mode.
const MESSAGES: usize = 10_000;
/// Books are compressed, trades are too small for it, derived channels stand between: all mixed.
const CHANNELS: [&str; 6] =
    ["book:*:*", "trade:*:*", "bbo:*:*", "book:*:*@50ms", "book:*:*:50", "trade:*:*@100ms"];
/// Nobody is merged, however busy the machine: what is compared is what was published.
const PATIENT: [&str; 2] = ["gateway.conflate_after=5m", "gateway.slow_after=5m"];
/// How long all clients may take to connect.
const AGREEING: Duration = Duration::from_secs(30);
/// How long ten thousand messages may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// Clients as processes: requirement, program, its first arguments, whether it can deflate.
fn programs() -> Vec<(&'static str, Vec<PathBuf>, bool)> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("strict_clients");
    let rust = |name: &str| ["rust/debug/strict-clients".into(), PathBuf::from(name)].to_vec();
    vec![
        ("websockets", vec!["python3".into(), here.join("websockets_client.py")], true),
        ("ws", vec!["node".into(), here.join("ws_client.cjs")], true),
        ("strict-rust", rust("tungstenite"), false),
        ("strict-rust", rust("fastwebsockets"), false),
        ("strict-rust", rust("yawc"), true),
        // Its client never offers an extension.
        ("strict-rust", rust("sockudo"), false),
    ]
}

/// What must be installed for a requirement, inside the folder of strict clients.
fn witness(requirement: &str) -> &'static str {
    match requirement {
        "websockets" => "py/websockets",
        "ws" => "node_modules/ws",
        _ => "rust/debug/strict-clients",
    }
}

struct Process {
    name: String,
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

fn start(program: &[PathBuf], host: &str, mode: &str, command: &str) -> anyhow::Result<Process> {
    let folder = strict::folder();
    let first = match program[0].starts_with("rust") {
        true => folder.join(&program[0]),
        false => program[0].clone(),
    };
    let mut child = Command::new(first)
        .args(&program[1..])
        .args([host, mode, command])
        .env("PYTHONPATH", folder.join("py"))
        .env("NODE_PATH", folder.join("node_modules"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    let name = program.last().context("a program")?.display().to_string();
    Ok(Process { name, _child: child, lines })
}

/// Market data that everyone is sent alike: no answers, no states of this subscriber.
fn is_shared(text: &str) -> bool {
    let kinds = ["book", "trade", "bbo", "ticker", "batch"];
    let is_data = kinds.iter().any(|kind| text.starts_with(&format!("{{\"type\":\"{kind}\"")));
    is_data && !text.contains("\"snapshot\":true")
}

/// What a client has read. It stays connected until this is dropped.
struct Read {
    name: String,
    shared: Vec<String>,
    _process: Option<Process>,
    _page: Option<Browser>,
}

async fn read(mut process: Process) -> anyhow::Result<Read> {
    let mut shared = Vec::with_capacity(MESSAGES);
    let reading = async {
        while shared.len() < MESSAGES {
            let line = process.lines.next_line().await?.context("it ended")?;
            if is_shared(&line) {
                shared.push(line);
            }
        }
        anyhow::Ok(())
    };
    let outcome = tokio::time::timeout(PATIENCE, reading).await.context("not in time")?;
    outcome.with_context(|| process.name.clone())?;
    Ok(Read { name: process.name.clone(), shared, _process: Some(process), _page: None })
}

/// The reference: plain frames, another library, every text kept.
async fn reference(mut client: Client, done: Arc<AtomicBool>) -> anyhow::Result<Vec<String>> {
    while !done.load(Ordering::Relaxed) {
        client.message().await?;
    }
    ensure!(client.holes.is_empty(), "{:?}", client.holes);
    Ok(client.history.take().unwrap_or_default())
}

/// The same collected in a browser, which hands its lines over in pieces.
async fn browse(mut page: Browser, host: &str, command: &str) -> anyhow::Result<Read> {
    page.goto(&format!("http://{host}/")).await?;
    let script = format!(
        "((window.lines = []), (window.strict = new WebSocket('ws://{host}/v1/stream')),\
         (window.strict.onmessage = (m) => window.lines.push(m.data)),\
         (window.strict.onopen = () => window.strict.send({})), true)",
        Value::from(command)
    );
    page.eval(&script).await?;
    let mut shared = Vec::new();
    let reading = async {
        while shared.len() < MESSAGES {
            let piece = page.eval("window.lines.splice(0, 2000)").await?;
            let lines = piece.as_array().context("lines")?.iter().filter_map(Value::as_str);
            shared.extend(lines.filter(|line| is_shared(line)).map(str::to_owned));
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, reading).await.context("chromium: not in time")??;
    shared.truncate(MESSAGES);
    Ok(Read { name: "chromium".into(), shared, _process: None, _page: Some(page) })
}

/// Every message is the reference's, and nothing of it is missing in between.
fn compare(name: &str, places: &HashMap<&str, usize>, shared: &[String]) {
    let mut last = None;
    for (at, text) in shared.iter().enumerate() {
        let Some(&place) = places.get(text.as_str()) else {
            panic!("{name}: message {at} is not among the reference's: {text}");
        };
        assert!(last.is_none_or(|last| place == last + 1), "{name}: {last:?}, then {place}");
        last = Some(place);
    }
}

async fn sessions_with_deflate(server: &Server) -> usize {
    let (_, body) = http::get(server.admin(), "/v1/sessions").await.expect("sessions");
    let shards: Value = serde_json::from_str(&body).expect("JSON");
    let shards = shards.as_array().into_iter().flatten();
    let sessions = shards.flat_map(|shard| shard["sessions"].as_array().into_iter().flatten());
    sessions.filter(|session| session["deflate"] == true).count()
}

async fn broadcast(mode: &'static str, set: &[&str]) {
    let mut args = demo_args();
    let markets = &mut args.markets;
    (markets.symbols, markets.trades_per_s, markets.book_updates_per_s) = (4, 60.0, 200.0);
    let set: Vec<&str> = PATIENT.iter().chain(set).copied().collect();
    let server = Server::play(args, &set).await.expect("a server");
    let host = server.addr().to_string();
    let mut client = Client::connect(server.addr(), Options::default()).await.expect("in");
    client.history = Some(Vec::new());
    client.follow(&CHANNELS).await.expect("followed");
    let done = Arc::new(AtomicBool::new(false));
    let reference = tokio::spawn(reference(client, Arc::clone(&done)));

    let command = serde_json::json!({ "op": "subscribe", "id": 1, "channels": CHANNELS });
    let command = command.to_string();
    let (mut readers, mut deflating) = (Vec::new(), 0);
    for (requirement, program, can_deflate) in programs() {
        if strict::installed(requirement, witness(requirement)).is_none() {
            continue;
        }
        let process = start(&program, &host, mode, &command).expect("it starts");
        readers.push(tokio::spawn(read(process)));
        deflating += usize::from(can_deflate && mode != "plain");
    }
    if let Some(page) = Browser::start().await {
        let (host, command) = (host.clone(), command.clone());
        readers.push(tokio::spawn(async move { browse(page, &host, &command).await }));
        // Its own socket beside ours.
        deflating += if mode == "plain" { 0 } else { 2 };
    }
    let agreed = wait::until(AGREEING, async || {
        (sessions_with_deflate(&server).await == deflating).then_some(())
    });
    if agreed.await.is_none() {
        let (_, sessions) = http::get(server.admin(), "/v1/sessions").await.expect("sessions");
        panic!("{deflating} sessions should have agreed on deflate: {sessions}");
    }
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.await.expect("no panic").expect("it reads"));
    }
    done.store(true, Ordering::Relaxed);
    let reference = reference.await.expect("no panic").expect("the reference reads");
    let shared = reference.iter().filter(|text| is_shared(text)).enumerate();
    let places: HashMap<&str, usize> = shared.map(|(at, text)| (text.as_str(), at)).collect();
    for Read { name, shared, .. } in &all {
        assert_eq!(shared.len(), MESSAGES, "{name}");
        compare(name, &places, shared);
    }
    eprintln!("strict, {mode}: {MESSAGES} messages equal for {} clients", all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_frames_are_the_same_for_every_client() {
    broadcast("plain", &["gateway.deflate=false"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_frames_are_the_same_for_every_client() {
    broadcast("deflate", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_the_smallest_window_are_the_same_for_every_client() {
    broadcast("small", &["gateway.deflate_window_bits=9"]).await;
}
