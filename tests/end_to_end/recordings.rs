//! End to end on recordings: real bytes through the real sockets, judged by an oracle that shares
//! no code with the workspace.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fantail_model::BookChange;
use fantail_node::cli::Speed;
use fantail_node::testing;
use fantail_tests::harness::client::{Client, Next, Options, events};
use fantail_tests::harness::require;
use fantail_wire::client::{DataMessage, Encoding, Reply, ServerMessage};
use serde_json::Value;

/// Silence after which everything has come, once the recording is played.
const QUIET: Duration = Duration::from_secs(2);

/// On a busy machine a reader may fall behind; here it must still see each event by itself.
const PATIENT: [&str; 2] = ["gateway.conflate_after=60s", "gateway.slow_after=60s"];

/// What one client saw, in a form that is the same in every encoding.
#[derive(Debug, PartialEq)]
enum Seen {
    Event(Box<DataMessage>),
    Book(String, Option<u64>, BookChange),
}

fn files(folder: &str, names: &[&str]) -> Option<Vec<PathBuf>> {
    names.iter().map(|name| require::recording(&format!("{folder}/{name}"))).collect()
}

/// Plays the files to one client per encoding; the JSON client's history goes to the judge.
async fn play(files: Vec<PathBuf>, speed: Speed) -> anyhow::Result<(Vec<Vec<Seen>>, Vec<String>)> {
    let (stage, gate, shutdown) = testing::replay(files, speed, &PATIENT).await?;
    let addr = stage.addr;
    let played = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for encoding in Encoding::ALL {
        let mut client = Client::connect(addr, Options { encoding, ..Options::default() }).await?;
        client.history = (encoding == Encoding::Json).then(Vec::new);
        let reply = client.follow(&["book:*:*", "trade:*:*", "bbo:*:*"]).await?;
        assert!(matches!(reply, Reply::Subscribed { ref errors, .. } if errors.is_empty()));
        readers.push(tokio::spawn(read(client, Arc::clone(&played))));
    }
    fantail_node::replay::play(&stage, &gate, 3, true).await;
    played.store(true, Ordering::Relaxed);
    let (mut seen, mut history) = (Vec::new(), Vec::new());
    for reader in readers {
        let (facts, lines, holes) = reader.await??;
        assert_eq!(holes, Vec::<String>::new());
        seen.push(facts);
        history.extend(lines.unwrap_or_default());
    }
    shutdown.begin("played");
    Ok((seen, history))
}

type Read = (Vec<Seen>, Option<Vec<String>>, Vec<String>);

/// Reads until all is played and nothing more has come for a while.
async fn read(mut client: Client, played: Arc<AtomicBool>) -> anyhow::Result<Read> {
    let mut seen = Vec::new();
    loop {
        let message = match tokio::time::timeout(QUIET, client.next()).await {
            Ok(Ok(Next::Message(message))) => *message,
            Ok(Ok(Next::Closed(frame))) => anyhow::bail!("closed: {frame:?}"),
            Ok(Err(error)) => return Err(error),
            Err(_) if played.load(Ordering::Relaxed) => break,
            Err(_) => continue,
        };
        if let ServerMessage::Snapshot(snapshot) = &message {
            let seq = snapshot.position.map(|position| position.seq);
            seen.push(Seen::Book(snapshot.channel.clone(), seq, snapshot.levels.clone()));
        }
        for data in events(&message) {
            seen.push(Seen::Event(Box::new(DataMessage { ch: 0, ..data.clone() })));
        }
    }
    Ok((seen, client.history, client.holes))
}

/// Runs the judge over a history; its verdict.
fn judge(expected: &[PathBuf], history: &[String], extra: &[&str]) -> Value {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    for line in history {
        writeln!(file, "{line}").expect("writing the history");
    }
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/judge.py");
    let run = Command::new("python3")
        .arg("-B")
        .arg(&oracle)
        .args(expected)
        .arg("--history")
        .arg(file.path())
        .args(extra)
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let failed = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "the judge found mistakes: {said}{failed}");
    serde_json::from_str(&said).expect("a verdict")
}

/// Every encoding told the same: each channel's facts, in order (channels race one another).
fn same_in_every_encoding(seen: &[Vec<Seen>]) {
    let channel = |fact: &Seen| match fact {
        Seen::Event(data) => data.channel.clone(),
        Seen::Book(channel, ..) => channel.clone(),
    };
    let sorted = |facts: &[Seen]| {
        let mut order: Vec<usize> = (0..facts.len()).collect();
        order.sort_by_key(|at| (channel(&facts[*at]), *at));
        order
    };
    let first = sorted(&seen[0]);
    for other in &seen[1..] {
        let order = sorted(other);
        assert_eq!(first.len(), order.len());
        for (a, b) in first.iter().zip(&order) {
            assert_eq!(seen[0][*a], other[*b]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn btcusdt_is_exact_at_every_seq_in_every_encoding() {
    let names = ["btcusdt_20240808.gz", "btcusdt_20240809.gz"];
    let Some(files) = files("binance-spot/hftbacktest", &names) else { return };
    let (seen, history) = play(files.clone(), Speed::Times(20.0)).await.expect("it plays");
    same_in_every_encoding(&seen);
    let verdict = judge(&files, &history, &[]);
    assert_eq!(verdict["tops_equal"], 6_491);
    assert_eq!(verdict["trades"], 19_904);
    assert_eq!(verdict["books_checked"], 6_494);
    assert_eq!(verdict["gaps"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cryptofeeds_four_binance_books_are_exact() {
    let names = ["BINANCE.0.gz", "BINANCE.http.0.0.gz", "BINANCE.ws.1.0.gz"];
    let Some(files) = files("binance-spot/cryptofeed", &names) else { return };
    let (seen, history) = play(files.clone(), Speed::Times(20.0)).await.expect("it plays");
    same_in_every_encoding(&seen);
    let verdict = judge(&files, &history, &[]);
    assert_eq!(verdict["mismatches"], 0);
    let books = verdict["markets"].as_object().expect("markets");
    assert_eq!(books.keys().filter(|name| name.starts_with("book:")).count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coinbase_products_are_exact() {
    let Some(files) =
        files("coinbase-exchange/cryptofeed", &["COINBASE.0.gz", "COINBASE.ws.28.0.gz"])
    else {
        return;
    };
    let (seen, history) = play(files.clone(), Speed::Times(20.0)).await.expect("it plays");
    same_in_every_encoding(&seen);
    let verdict = judge(&files, &history, &[]);
    assert_eq!(verdict["mismatches"], 0);
    assert!(verdict["books_checked"].as_u64().expect("a count") > 4_000, "{verdict}");
}
