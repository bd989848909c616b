//! Generated frames have the keys and value types of recorded ones, stream by stream. The judge is
//! the recording: neither the parser nor the formatter says what is right.

use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::super::Venue;
use super::super::binance::frames as binance;
use super::super::candles::INTERVALS;
use super::super::catalogue::listings;
use super::super::coinbase::frames as coinbase;
use super::super::market::{Happening, Market, Speed};

const NOW_US: i64 = 1_790_000_000_123_456;

/// The first recorded payload that holds all the marks (with the combined envelope taken off).
fn recorded(file: &Path, marks: &[&str]) -> Value {
    let input = MultiGzDecoder::new(std::fs::File::open(file).expect("a recording"));
    let line = BufReader::new(input)
        .lines()
        .map(|line| line.expect("text"))
        .find(|line| marks.iter().all(|mark| line.contains(mark)))
        .unwrap_or_else(|| panic!("no {marks:?} in {}", file.display()));
    let json = &line[line.find(['{', '[']).expect("JSON")..];
    let value: Value = serde_json::from_str(json).expect("JSON");
    value.get("data").cloned().unwrap_or(value)
}

/// What a value is, without what it says.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "float",
        Value::String(text) if is_decimal(text) => "decimal text",
        Value::String(_) => "text",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Same keys, same types, at every depth; `added` keys are known to be newer than the recording.
fn assert_same(generated: &Value, recorded: &Value, place: &str, added: &[&str]) {
    assert_eq!(kind(generated), kind(recorded), "at {place}: {generated} / {recorded}");
    match (generated, recorded) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let ours_only = ours.keys().filter(|key| !added.contains(&key.as_str()));
            let (a, b): (Vec<_>, Vec<_>) = (ours_only.collect(), theirs.keys().collect());
            assert_eq!(a, b, "keys at {place}");
            for (key, value) in theirs {
                assert_same(&ours[key], value, &format!("{place}.{key}"), added);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            if place.ends_with("[]") {
                assert_eq!(ours.len(), theirs.len(), "length at {place}");
                for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
                    assert_same(our, their, &format!("{place}{at}"), added);
                }
            } else if let (Some(our), Some(their)) = (ours.first(), theirs.first()) {
                assert_same(our, their, &format!("{place}[]"), added);
            }
        }
        _ => {}
    }
}

fn market(venue: Venue) -> (Market, Vec<Happening>) {
    let listing = listings(venue, 1).remove(0);
    let mut market = Market::new(listing, 7, NOW_US);
    let mut happenings = Vec::new();
    for _ in 0..200 {
        market.step_book(&mut happenings);
        market.step_trade(NOW_US, &mut happenings);
    }
    (market, happenings)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn binance_streams() {
    let Some(root) = super::recordings("binance_streams") else { return };
    let hft = root.join("binance-spot/hftbacktest/btcusdt_20240808.gz");
    let feed = root.join("binance-spot/cryptofeed/BINANCE.ws.1.0.gz");
    let (mut market, happenings) = market(Venue::Binance);
    let delta = market.take_delta(Speed::Fast).expect("changes");
    let listing = &market.listing;
    let trade =
        happenings.iter().find_map(|h| if let Happening::Trade(t) = h { Some(*t) } else { None });
    let touch =
        happenings.iter().find_map(|h| if let Happening::Touch(t) = h { Some(*t) } else { None });
    let (trade, touch) = (trade.expect("a trade"), touch.expect("a touch"));
    let candle = market.candles.current(1);
    let check = |text: String, file: &Path, marks: &[&str]| {
        assert_same(&parsed(&text), &recorded(file, marks), marks[0], &[]);
    };
    check(binance::trade(listing, &trade, NOW_US), &hft, &["@trade\",\"data\""]);
    check(binance::book_ticker(listing, &touch), &hft, &["@bookTicker\",\"data\""]);
    check(binance::depth_update(listing, &delta, NOW_US), &hft, &["@depth@100ms\",\"data\""]);
    check(binance::depth_body(&market, 1_000), &hft, &["\"lastUpdateId\""]);
    check(binance::agg_trade(listing, &trade, NOW_US), &feed, &["@aggTrade\",\"data\""]);
    assert_eq!(INTERVALS[1].0, "1m");
    check(binance::kline(listing, 1, &candle, false, NOW_US), &feed, &["@kline_1m\",\"data\""]);

    // The one recorded 24hrTicker is a text file of its own.
    let file = root.join("binance-spot/gocryptotrader/wsHandleData_public.jsonl");
    let lines = std::fs::read_to_string(file).expect("a recording");
    let line = lines.lines().find(|line| line.contains("24hrTicker")).expect("a ticker");
    assert_same(
        &parsed(&binance::ticker(&market, NOW_US)),
        &parsed(line)["data"],
        "24hrTicker",
        &[],
    );
}

#[test]
fn binance_listing_has_the_recorded_keys() {
    let Some(root) = super::recordings("binance_listing") else { return };
    let info = recorded(&root.join("binance-spot/cryptofeed/BINANCE.0.gz"), &["exchangeInfo ->"]);
    let ours = parsed(&binance::exchange_info(
        &[binance::symbol_info("BTCUSDT", "BTC", "USDT", 2, 5)],
        NOW_US,
    ));
    for (key, theirs) in info["symbols"][0].as_object().expect("a symbol") {
        assert_eq!(kind(&ours["symbols"][0][key]), kind(theirs), "{key}");
    }
    for filter in ours["symbols"][0]["filters"].as_array().expect("filters") {
        let theirs = info["symbols"][0]["filters"].as_array().expect("filters");
        let same = theirs.iter().find(|f| f["filterType"] == filter["filterType"]).expect("known");
        assert_same(filter, same, "filter", &[]);
    }
}

#[test]
fn coinbase_channels() {
    let Some(root) = super::recordings("coinbase_channels") else { return };
    let feed = root.join("coinbase-exchange/cryptofeed/COINBASE.ws.28.0.gz");
    let (mut market, happenings) = market(Venue::Coinbase);
    let delta = market.take_delta(Speed::Fast).expect("changes");
    let trade =
        happenings.iter().find_map(|h| if let Happening::Trade(t) = h { Some(*t) } else { None });
    let trade = trade.expect("a trade");
    let check = |text: String, mark: &str, added: &[&str]| {
        assert_same(&parsed(&text), &recorded(&feed, &[mark]), mark, added);
    };
    check(coinbase::snapshot(&market), r#""type":"snapshot""#, &[]);
    check(coinbase::l2update(&market.listing, &delta, NOW_US), r#""type":"l2update""#, &[]);
    check(coinbase::matched(&market.listing, &trade, "match"), r#""type":"match""#, &[]);
    check(coinbase::matched(&market.listing, &trade, "last_match"), r#""type":"last_match""#, &[]);
    // Sent since 2022; the recording is of 2021.
    check(coinbase::ticker(&market), r#""type":"ticker""#, &["best_bid_size", "best_ask_size"]);
    let stamp = parsed(&coinbase::matched(&market.listing, &trade, "match"))["time"].clone();
    assert_eq!(stamp, "2026-09-21T14:13:20.123456Z");
}
