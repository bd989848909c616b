//! Generated markets: sound in themselves, and followed over the sockets as a client follows the
//! live venues.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::super::catalogue::listings;
use super::super::market::{Happening, Market, Side, Speed};
use super::super::{SeededConfig, Source, Venue};
use super::{Client, get, get_json, start};

fn config() -> SeededConfig {
    SeededConfig {
        seed: 42,
        symbols: 3,
        trades_per_s: 20.0,
        book_updates_per_s: 100.0,
        burst: None,
        calm: true,
    }
}

#[test]
fn books_never_cross_and_deltas_chain() {
    for (at, listing) in listings(Venue::Binance, 30).into_iter().enumerate() {
        let start_ticks = listing.start_ticks;
        let mut market = Market::new(listing, at as u64, 0);
        let (mut bids, mut asks) = (market.bids.clone(), market.asks.clone());
        assert!(bids.len() >= 1_000 && asks.len() >= 1_000);
        let mut last_id = market.update_id;
        let mut happenings = Vec::new();
        for round in 0..400 {
            for _ in 0..25 {
                market.step_book(&mut happenings);
                market.step_trade(round, &mut happenings);
                let touch = market.touch();
                assert!(touch.bid.0 < touch.ask.0 && touch.bid.0 > 0, "crossed: {touch:?}");
            }
            let delta = market.take_delta(Speed::Fast).expect("changes");
            assert_eq!(delta.first_id, last_id + 1);
            last_id = delta.last_id;
            for (side, ticks, lots) in delta.changes {
                let levels = if side == Side::Bid { &mut bids } else { &mut asks };
                if lots == 0 {
                    levels.remove(&ticks)
                } else {
                    levels.insert(ticks, lots)
                };
            }
            assert!(bids == market.bids && asks == market.asks, "deltas lost a change");
        }
        let mid = i64::midpoint(market.touch().bid.0, market.touch().ask.0);
        assert!((mid - start_ticks).abs() < start_ticks / 3, "walked away: {start_ticks} to {mid}");
        assert!(market.bids.len() > 500 && market.asks.len() > 500);
    }
}

#[test]
fn trades_happen_at_the_touch() {
    let mut market = Market::new(listings(Venue::Coinbase, 1).remove(0), 3, 0);
    let mut happenings = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..2_000 {
        market.step_book(&mut happenings);
        happenings.clear();
        let before = market.touch();
        market.step_trade(0, &mut happenings);
        for happening in &happenings {
            let Happening::Trade(trade) = happening else { continue };
            let (ticks, lots) = if trade.buyer_is_maker { before.bid } else { before.ask };
            assert!(trade.ticks == ticks && trade.lots > 0 && trade.lots <= lots);
            ids.push(trade.id);
        }
    }
    assert!(ids.len() > 1_000 && ids.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn the_same_seed_makes_the_same_market() {
    let play = |seed: u64| {
        let mut market = Market::new(listings(Venue::Binance, 1).remove(0), seed, 0);
        let mut happenings = Vec::new();
        (0..500).for_each(|_| market.step_book(&mut happenings));
        (0..50).for_each(|_| market.step_trade(0, &mut happenings));
        (happenings, market.bids)
    };
    assert!(play(9) == play(9) && play(9) != play(10));
}

/// A book of decimal texts; equal prices have equal texts on one venue.
#[derive(Debug, Default, PartialEq)]
struct Levels(BTreeMap<(char, String), String>);

impl Levels {
    fn of(message: &Value) -> Self {
        let mut levels = Self::default();
        levels.set('b', &message["bids"]);
        levels.set('a', &message["asks"]);
        levels
    }

    fn set(&mut self, side: char, rows: &Value) {
        for row in rows.as_array().expect("rows") {
            let text = |at: usize| row[at].as_str().expect("text").to_owned();
            if text(1).bytes().all(|byte| byte == b'0' || byte == b'.') {
                self.0.remove(&(side, text(0)));
            } else {
                self.0.insert((side, text(0)), text(1));
            }
        }
    }
}

#[tokio::test]
async fn binance_book_is_followed_as_documented() {
    let (simulator, _stop) = start(Source::Seeded(config())).await;
    let at = simulator.endpoints();
    let mut client = Client::open(&format!(
        "{}/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker",
        at.binance_ws
    ))
    .await;
    let is_depth = |m: &Value| m["stream"] == "btcusdt@depth@100ms";
    let first = client.until(is_depth).await;
    let path = "/api/v3/depth?symbol=BTCUSDT&limit=5000";
    let snapshot = get_json(&at.binance_rest, path).await;
    let mut last = snapshot["lastUpdateId"].as_i64().expect("an id");
    assert!(last >= first["data"]["U"].as_i64().expect("an id") - 1);
    let mut book = Levels::of(&snapshot);
    let mut applied = 0;
    while applied < 20 {
        let event = client.until(is_depth).await;
        let data = &event["data"];
        let (from, to) = (data["U"].as_i64().expect("U"), data["u"].as_i64().expect("u"));
        if to <= last {
            continue;
        }
        assert!(
            if applied == 0 { from <= last + 1 } else { from == last + 1 },
            "{from} after {last}"
        );
        book.set('b', &data["b"]);
        book.set('a', &data["a"]);
        (last, applied) = (to, applied + 1);
    }
    // A later snapshot, reached by events, must be the same book.
    let later = get_json(&at.binance_rest, path).await;
    let target = later["lastUpdateId"].as_i64().expect("an id");
    let mut exact = target == last;
    while last < target {
        let event = client.until(is_depth).await;
        let data = &event["data"];
        book.set('b', &data["b"]);
        book.set('a', &data["a"]);
        last = data["u"].as_i64().expect("u");
        exact = last == target;
    }
    if exact {
        assert_eq!(book, Levels::of(&later));
    }
    assert_eq!(get(&at.binance_rest, "/api/v3/depth?symbol=NOPE").await.0, 400);
}

#[tokio::test]
async fn binance_rest_and_raw_streams() {
    let (simulator, _stop) = start(Source::Seeded(config())).await;
    let at = simulator.endpoints();
    let info = get_json(
        &at.binance_rest,
        "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D",
    )
    .await;
    assert_eq!(info["symbols"].as_array().map(Vec::len), Some(2));
    let klines =
        get_json(&at.binance_rest, "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=100").await;
    let klines = klines.as_array().expect("rows");
    assert_eq!(klines.len(), 100);
    assert!(klines.windows(2).all(|w| w[1][0].as_i64() == w[0][0].as_i64().map(|t| t + 60_000)));
    assert_eq!(
        get_json(&at.binance_rest, "/api/v3/ticker/24hr?symbol=BTCUSDT").await["symbol"],
        "BTCUSDT"
    );
    let mut client = Client::open(&format!("{}/ws/btcusdt@trade", at.binance_ws)).await;
    assert_eq!(client.json().await["e"], "trade");
    client
        .say(r#"{"method":"SUBSCRIBE","params":["ethusdt@ticker","ethusdt@kline_1s"],"id":7}"#)
        .await;
    client.until(|m| m["id"] == 7 && m["result"].is_null()).await;
    client.until(|m| m["e"] == "24hrTicker" && m["s"] == "ETHUSDT").await;
    client.until(|m| m["e"] == "kline" && m["k"]["i"] == "1s").await;
}

#[tokio::test]
async fn a_burst_is_one_moment() {
    let config = SeededConfig { trades_per_s: 40.0, burst: Some(4), ..config() };
    let (simulator, _stop) = start(Source::Seeded(config)).await;
    let url = format!("{}/ws/btcusdt@trade", simulator.endpoints().binance_ws);
    let mut client = Client::open(&url).await;
    let mut moments = BTreeMap::<i64, usize>::new();
    for _ in 0..40 {
        let trade = client.until(|message| message["e"] == "trade").await;
        *moments.entry(trade["T"].as_i64().expect("a time")).or_default() += 1;
    }
    // A busy machine may bring two moments together, and a dry book leave a trade out.
    let whole = moments.values().filter(|trades| **trades == 4).count();
    assert!(whole >= 3, "{moments:?}");
}

#[tokio::test]
async fn coinbase_book_is_followed() {
    let (simulator, _stop) = start(Source::Seeded(config())).await;
    let at = simulator.endpoints();
    assert_eq!(get_json(&at.coinbase_rest, "/products").await.as_array().map(Vec::len), Some(3));
    assert_eq!(get_json(&at.coinbase_rest, "/products/BTC-USD").await["id"], "BTC-USD");
    assert_eq!(get(&at.coinbase_rest, "/products/NO-PE").await.0, 404);
    let rows = get_json(&at.coinbase_rest, "/products/BTC-USD/candles?granularity=60").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(300));
    let mut client = Client::open(&at.coinbase_ws).await;
    client
        .say(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch","ticker","matches","heartbeat"]}"#)
        .await;
    assert_eq!(client.json().await["type"], "subscriptions");
    let snapshot = client.until(|m| m["type"] == "snapshot").await;
    let mut book = Levels::of(&snapshot);
    client.until(|m| m["type"] == "match").await;
    client.until(|m| m["type"] == "heartbeat").await;
    client.until(|m| m["type"] == "ticker").await;
    for _ in 0..20 {
        let update = client.until(|m| m["type"] == "l2update").await;
        for change in update["changes"].as_array().expect("changes") {
            let side = if change[0] == "buy" { 'b' } else { 'a' };
            book.set(side, &serde_json::json!([[change[1], change[2]]]));
        }
    }
    assert!(book.0.len() > 2_000);
}

#[tokio::test]
async fn faults_are_carried_out_and_told() {
    let (simulator, _stop) = start(Source::Seeded(config())).await;
    let (at, faults) = (simulator.endpoints(), simulator.faults());
    let mut events = simulator.events();
    let mut client =
        Client::open(&format!("{}/ws/btcusdt@depth@100ms/ethusdt@depth@100ms", at.binance_ws))
            .await;
    let mut last = BTreeMap::new();
    let mut holes = Vec::new();
    faults.skip_delta(Venue::Binance, "BTC-USDT").await;
    for _ in 0..40 {
        let event = client.until(|m| m["e"] == "depthUpdate").await;
        let symbol = event["s"].as_str().expect("a symbol").to_owned();
        let before = last.insert(symbol.clone(), event["u"].as_i64().expect("u"));
        if before.is_some_and(|before| event["U"].as_i64() != Some(before + 1)) {
            holes.push(symbol);
        }
    }
    // The skipped one may have been the first of all, which nobody can miss.
    assert!(holes.len() <= 1 && holes.iter().all(|symbol| symbol == "BTCUSDT"), "{holes:?}");
    let told = events.recv().await.expect("an event");
    assert_eq!((told.kind, told.symbol.as_deref()), ("skip", Some("BTC-USDT")));
    faults.garbage(Venue::Binance).await;
    loop {
        let text = client.text().await.expect("an open connection");
        if serde_json::from_str::<Value>(&text).is_err() {
            break;
        }
    }
    faults.freeze(Venue::Binance, "ETHUSDT", Duration::from_secs(3_600)).await;
    faults.burst(50.0, Duration::from_millis(100)).await;
    faults.drop_connection(Venue::Binance).await;
    while client.text().await.is_some() {}
    let kinds: Vec<&str> =
        [events.recv().await, events.recv().await, events.recv().await, events.recv().await]
            .map(|event| event.expect("an event").kind)
            .into();
    assert_eq!(kinds, ["garbage", "freeze", "burst", "drop"]);
}
