//! Against a recording: real bytes through real sockets, counted.

use std::io::Read;
use std::path::PathBuf;

use fantail_model::Body;
use flate2::read::GzDecoder;

use super::harness::Harness;
use crate::simulator::{RecordedConfig, Source, Speed, StartGate};

/// Where recordings are, if anywhere.
fn recording(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FANTAIL_RECORDINGS").map(PathBuf::from).or_else(|| {
        let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recordings");
        beside.is_dir().then_some(beside)
    });
    let found = root.map(|root| root.join(path)).filter(|file| file.is_file());
    if found.is_none() {
        let required = std::env::var("FANTAIL_REQUIRE").unwrap_or_default();
        assert!(!required.contains("recordings"), "recordings are required: {path} is missing");
        eprintln!("SKIPPED: no recording {path}; set FANTAIL_RECORDINGS");
    }
    found
}

/// Ids of trades and of depth events in the file, by plain text search: no code of ours.
struct Expected {
    trades: Vec<String>,
    /// `u` of each depth event.
    depths: Vec<u64>,
    tickers: usize,
    snapshot: u64,
}

fn expected(file: &PathBuf) -> Expected {
    let mut text = String::new();
    let compressed = std::fs::File::open(file).unwrap();
    GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
    let number = |line: &str, key: &str| -> u64 {
        let at = line.find(key).unwrap() + key.len();
        let digits: String = line[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let mut all = Expected { trades: vec![], depths: vec![], tickers: 0, snapshot: 0 };
    for line in text.lines() {
        if line.contains("@trade\"") {
            all.trades.push(number(line, "\"t\":").to_string());
        } else if line.contains("@depth@") {
            all.depths.push(number(line, "\"u\":"));
        } else if line.contains("@bookTicker") {
            all.tickers += 1;
        } else if line.contains("lastUpdateId") {
            all.snapshot = number(line, "\"lastUpdateId\":");
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_day_comes_through_whole() {
    let Some(file) = recording("binance-spot/hftbacktest/btcusdt_20240808.gz") else { return };
    let all = expected(&file);
    let start = StartGate::new();
    start.open();
    let source = RecordedConfig { files: vec![file], speed: Speed::Max, start };
    let mut harness = Harness::start(Source::Recorded(source), &["BTC-USDT"], &[]).await;
    let (trade, book, bbo) =
        ("trade:binance:BTC-USDT", "book:binance:BTC-USDT", "bbo:binance:BTC-USDT");
    let kept: Vec<u64> = all.depths.iter().copied().filter(|u| *u > all.snapshot).collect();
    harness.until("the whole file", |ledger| {
        ledger.facts(trade) >= all.trades.len()
            && ledger.facts(book) > kept.len()
            && ledger.facts(bbo) >= all.tickers
    });
    let ledger = harness.stop().await;
    let ids = ledger.of(trade).iter().filter_map(|event| match &event.body {
        Body::Trade(trade) => Some(trade.id.clone()),
        _ => None,
    });
    assert!(ids.eq(all.trades.iter().cloned()), "every trade once, in order");
    let books = ledger.of(book).iter().filter(|event| matches!(event.body, Body::Book(_)));
    let vseqs: Vec<u64> = books.filter_map(|event| event.vseq).collect();
    assert_eq!(vseqs.first(), Some(&all.snapshot));
    assert_eq!(vseqs[1..], kept, "every depth message is exactly one event");
    assert_eq!(ledger.facts(bbo), all.tickers);
    assert!(ledger.gaps(trade).is_empty() && ledger.gaps(book).is_empty());
}

/// How many lines of a cryptofeed file hold both texts.
fn count(file: &PathBuf, texts: [&str; 2]) -> usize {
    let mut all = String::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut all).unwrap();
    all.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_coinbase_products_come_through_whole() {
    let Some(file) = recording("coinbase-exchange/cryptofeed/COINBASE.ws.28.0.gz") else { return };
    let products = ["BAND-GBP", "SKL-USD", "YFI-BTC", "DASH-BTC", "NU-GBP"];
    let start = StartGate::new();
    start.open();
    let files = vec![file.clone()];
    let source = Source::Recorded(RecordedConfig { files, speed: Speed::Max, start });
    let mut harness = Harness::start(source, &[], &products).await;
    let expected = products.map(|product| {
        let product_id = format!("\"product_id\":\"{product}\"");
        let of = |kind: &str| count(&file, [&format!("\"type\":\"{kind}\""), &product_id]);
        (format!("coinbase:{product}"), of("l2update"), of("match"))
    });
    harness.until("the whole file", |ledger| {
        expected.iter().all(|(name, updates, matches)| {
            ledger.facts(&format!("book:{name}")) > *updates
                && ledger.facts(&format!("trade:{name}")) >= *matches
        })
    });
    let ledger = harness.stop().await;
    for (name, updates, matches) in expected {
        let (book, trade) = (format!("book:{name}"), format!("trade:{name}"));
        assert_eq!(ledger.facts(&book), updates + 1, "a snapshot, then each update once: {name}");
        assert_eq!((ledger.resets(&book), ledger.facts(&trade)), (1, matches), "{name}");
        assert!(ledger.gaps(&book).is_empty() && ledger.gaps(&trade).is_empty(), "{name}");
    }
}
