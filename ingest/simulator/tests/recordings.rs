//! Recorded files are read whole: as many messages of each kind as their descriptions count.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::recorded::{What, read};

/// Messages by stream (or REST, or Coinbase kind).
fn counts(files: &[PathBuf]) -> BTreeMap<String, usize> {
    let script = read(files).expect("a readable recording");
    let mut counts = BTreeMap::new();
    for entry in &script.entries {
        let name = match &entry.what {
            What::Stream { stream, .. } => script.streams[*stream].suffix().to_owned(),
            What::Depth { .. } => "REST".to_owned(),
            What::Feed { kind, .. } => format!("{kind:?}"),
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

fn check(folder: &str, files: &[&str], expected: &[(&str, usize)]) {
    let Some(root) = super::recordings(folder) else { return };
    let files: Vec<PathBuf> = files.iter().map(|file| root.join(folder).join(file)).collect();
    let expected: BTreeMap<String, usize> =
        expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(counts(&files), expected);
}

#[test]
fn hftbacktest() {
    check(
        "binance-spot/hftbacktest",
        &["btcusdt_20240808.gz", "btcusdt_20240809.gz"],
        &[("depth@100ms", 6_495), ("bookTicker", 73_174), ("trade", 19_904), ("REST", 1)],
    );
}

#[test]
fn cryptofeed_binance_in_any_order() {
    let expected =
        [("depth@100ms", 177), ("bookTicker", 84), ("aggTrade", 2), ("kline_1m", 2), ("REST", 4)];
    let files = ["BINANCE.ws.1.0.gz", "BINANCE.0.gz", "BINANCE.http.0.0.gz"];
    check("binance-spot/cryptofeed", &files, &expected);
    check("binance-spot/cryptofeed", &[files[2], files[0]], &expected);
}

#[test]
fn cryptofeed_binance_tr() {
    check(
        "binance-spot/cryptofeed",
        &["BINANCE_TR.http.0.0.gz", "BINANCE_TR.ws.1.0.gz"],
        &[("depth@100ms", 84), ("bookTicker", 47), ("kline_1m", 8), ("REST", 3)],
    );
}

#[test]
fn listings_are_taken_as_recorded() {
    let Some(root) = super::recordings("listings") else { return };
    let folder = root.join("coinbase-exchange/cryptofeed");
    let script = read(&[folder.join("COINBASE.0.gz"), folder.join("COINBASE.ws.28.0.gz")])
        .expect("a readable recording");
    let names: Vec<&str> = script.products.iter().map(|product| product.native.as_str()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(
        script.products.iter().all(|product| product.listing.is_some() && product.has_snapshot)
    );
    let folder = root.join("binance-spot/cryptofeed");
    let script =
        read(&[folder.join("BINANCE_TR.http.0.0.gz"), folder.join("BINANCE_TR.ws.1.0.gz")])
            .expect("a readable recording");
    let without: Vec<&str> = script
        .symbols
        .iter()
        .filter(|symbol| !symbol.has_snapshot)
        .map(|symbol| symbol.native.as_str())
        .collect();
    assert_eq!(without, ["ELFBUSD"]);
    let ltc = script.symbols.iter().find(|symbol| symbol.native == "LTCBRL").expect("LTCBRL");
    assert_eq!((ltc.base.as_str(), ltc.quote.as_str(), ltc.price_decimals), ("LTC", "BRL", 2));
}

#[test]
fn what_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "dear diary\n\u{1f}\n").expect("written");
    assert!(read(&[file]).is_err());
    assert!(read(&[folder.path().join("absent.gz")]).is_err());
}
