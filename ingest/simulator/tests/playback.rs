//! Recordings played over the sockets arrive whole, in order and untouched, and can be followed by
//! the venues' documented procedures.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::super::recorded::{What, read};
use super::super::{RecordedConfig, Simulator, Source, Speed, StartGate};
use super::{Client, get, start};

async fn played(
    files: &[PathBuf],
    speed: Speed,
) -> (Simulator, StartGate, tokio_util::sync::DropGuard) {
    let gate = StartGate::new();
    let config = RecordedConfig { files: files.to_vec(), speed, start: gate.clone() };
    let (simulator, stop) = start(Source::Recorded(config)).await;
    (simulator, gate, stop)
}

fn files(folder: &str, names: &[&str]) -> Option<Vec<PathBuf>> {
    let root = super::recordings(folder)?;
    Some(names.iter().map(|name| root.join(folder).join(name)).collect())
}

/// The recorded texts of all streams, in order.
fn recorded_texts(files: &[PathBuf]) -> Vec<String> {
    let script = read(files).expect("a readable recording");
    let text = |what: &What| match what {
        What::Stream { text, .. } | What::Feed { text, .. } => Some(text.to_string()),
        What::Depth { .. } => None,
    };
    script.entries.iter().filter_map(|entry| text(&entry.what)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hftbacktest_arrives_whole_and_untouched() {
    let names = ["btcusdt_20240808.gz", "btcusdt_20240809.gz"];
    let Some(files) = files("binance-spot/hftbacktest", &names) else { return };
    let expected = recorded_texts(&files);
    let (simulator, gate, _stop) = played(&files, Speed::Max).await;
    let at = simulator.endpoints();
    let streams = "btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade";
    let mut client = Client::open(&format!("{}/stream?streams={streams}", at.binance_ws)).await;
    let base = at.binance_rest.clone();
    // Asked before anything plays: held until the recorded answer's moment.
    let asked =
        tokio::spawn(async move { get(&base, "/api/v3/depth?symbol=BTCUSDT&limit=1000").await });
    gate.open();
    for (place, text) in expected.iter().enumerate() {
        assert_eq!(client.text().await.as_ref(), Some(text), "message {place}");
    }
    let (status, body) = asked.await.expect("an answer");
    assert_eq!(status, 200);
    assert!(body.starts_with(r#"{"lastUpdateId":50093239218,"#));
    let progress = simulator.progress().expect("a recording");
    assert_eq!((progress.played, progress.total), (99_574, 99_574));
}

/// Follows every symbol's book as Binance documents it; returns last ids and tops.
async fn follow(client: &mut Client, base: &str, events: usize) -> BTreeMap<String, i64> {
    let mut last: HashMap<String, i64> = HashMap::new();
    let mut bridged: HashMap<String, bool> = HashMap::new();
    for _ in 0..events {
        let event = client.until(|m| m["data"]["e"] == "depthUpdate").await;
        let data = &event["data"];
        let symbol = data["s"].as_str().expect("a symbol").to_owned();
        let (from, to) = (data["U"].as_i64().expect("U"), data["u"].as_i64().expect("u"));
        if !last.contains_key(&symbol) {
            let path = format!("/api/v3/depth?symbol={symbol}&limit=1000");
            let (status, body) = get(base, &path).await;
            assert_eq!(status, 200, "{symbol}: {body}");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let id = body["lastUpdateId"].as_i64().expect("an id");
            assert!(id >= from - 1, "{symbol}: {id} before {from}");
            last.insert(symbol.clone(), id);
        }
        let held = last[&symbol];
        if to > held {
            let first = !bridged.contains_key(&symbol);
            assert!(
                if first { from <= held + 1 } else { from == held + 1 },
                "{symbol}: {from} after {held}"
            );
            bridged.insert(symbol.clone(), true);
            last.insert(symbol, to);
        }
    }
    last.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cryptofeed_books_bridge_and_aggregates_become_trades() {
    let names = ["BINANCE.0.gz", "BINANCE.http.0.0.gz", "BINANCE.ws.1.0.gz"];
    let Some(files) = files("binance-spot/cryptofeed", &names) else { return };
    let (simulator, gate, _stop) = played(&files, Speed::Max).await;
    gate.open();
    let at = simulator.endpoints();
    let mut trades =
        Client::open(&format!("{}/ws/nknusdt@trade/lrcbtc@trade", at.binance_ws)).await;
    let streams: Vec<String> = ["nknusdt", "blzeth", "lrcbtc", "runeeur"]
        .iter()
        .map(|symbol| format!("{symbol}@depth@100ms"))
        .collect();
    let url = format!("{}/stream?streams={}", at.binance_ws, streams.join("/"));
    let mut client = Client::open(&url).await;
    let last = follow(&mut client, &at.binance_rest, 177).await;
    assert_eq!(last.len(), 4);
    for (symbol, id) in last {
        let path = format!("/api/v3/depth?symbol={symbol}&limit=5");
        let body: Value =
            serde_json::from_str(&get(&at.binance_rest, &path).await.1).expect("JSON");
        assert_eq!(body["lastUpdateId"].as_i64(), Some(id), "{symbol}");
    }
    let trade = trades.json().await;
    assert_eq!(
        (&trade["e"], &trade["t"], &trade["p"]),
        (&"trade".into(), &15_683_430.into(), &"0.35280000".into())
    );
    assert_eq!(trades.json().await["s"], "LRCBTC");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_without_a_snapshot_is_refused() {
    let names = ["BINANCE_TR.http.0.0.gz", "BINANCE_TR.ws.1.0.gz"];
    let Some(files) = files("binance-spot/cryptofeed", &names) else { return };
    let (simulator, _gate, _stop) = played(&files, Speed::Max).await;
    let at = simulator.endpoints();
    let (status, body) = get(&at.binance_rest, "/api/v3/depth?symbol=ELFBUSD").await;
    assert_eq!(status, 400);
    assert_eq!(body, r#"{"code":-1121,"msg":"No snapshot of this symbol was recorded."}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coinbase_level2_is_served_as_batch() {
    let names = ["COINBASE.0.gz", "COINBASE.ws.28.0.gz"];
    let Some(files) = files("coinbase-exchange/cryptofeed", &names) else { return };
    let expected = recorded_texts(&files);
    let (simulator, gate, _stop) = played(&files, Speed::Max).await;
    let at = simulator.endpoints();
    let products: Vec<String> =
        simulator.symbols().iter().map(|symbol| format!("\"{}\"", symbol.native)).collect();
    let subscribe = format!(
        r#"{{"type":"subscribe","product_ids":[{}],"channels":["level2_batch","ticker","matches","heartbeat"]}}"#,
        products.join(",")
    );
    let mut client = Client::open(&at.coinbase_ws).await;
    client.say(&subscribe).await;
    assert_eq!(client.json().await["type"], "subscriptions");
    gate.open();
    for (place, text) in expected.iter().enumerate() {
        let got = loop {
            let got = client.text().await.expect("an open connection");
            if !got.contains(r#""type":"heartbeat""#) {
                break got;
            }
        };
        assert_eq!(&got, text, "message {place}");
    }
    client.until(|m| m["type"] == "heartbeat").await;
    // A late subscriber starts from the book as played.
    let mut late = Client::open(&at.coinbase_ws).await;
    late.say(&subscribe).await;
    let snapshot = late.until(|m| m["type"] == "snapshot").await;
    assert!(snapshot["bids"].as_array().is_some_and(|rows| !rows.is_empty()));
    late.until(|m| m["type"] == "last_match").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_plays_before_the_gate_opens_and_a_skip_leaves_one_hole() {
    let names = ["BINANCE.http.0.0.gz", "BINANCE.ws.1.0.gz"];
    let Some(files) = files("binance-spot/cryptofeed", &names) else { return };
    let (simulator, gate, _stop) = played(&files, Speed::Times(1_000.0)).await;
    let at = simulator.endpoints();
    let mut client = Client::open(&format!("{}/ws/nknusdt@depth", at.binance_ws)).await;
    let silence = tokio::time::timeout(Duration::from_millis(700), client.text()).await;
    assert!(silence.is_err() && simulator.progress().is_some_and(|p| p.played == 0));
    gate.open();
    let first = client.json().await;
    simulator.faults().skip_delta(super::super::Venue::Binance, "NKN-USDT").await;
    let (_, _) = get(&at.binance_rest, "/api/v3/depth?symbol=NKNUSDT").await;
    let mut last = first["u"].as_i64().expect("u");
    let mut holes = 0;
    while last < 499_869_900 && holes == 0 {
        let event = client.json().await;
        holes += usize::from(event["U"].as_i64() != Some(last + 1));
        last = event["u"].as_i64().expect("u");
    }
    assert_eq!(holes, 1);
}
