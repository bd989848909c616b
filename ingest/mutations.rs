//! Seeded random and mutated input into each venue's parser: it may refuse, never panic.
//! `FANTAIL_FUZZ_BYTES` says how much.

use fantail_model::VenueId;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::config::{VenueConfig, VenueKind};
use crate::venue::binance::Binance;
use crate::venue::coinbase::Coinbase;
use crate::venue::{Fact, Message, Venue};

const BINANCE: [&str; 8] = [
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":9,"p":"1.5","q":"2","T":1,"m":true}}"#,
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1.5","0"]],"a":[["2e-3","3"]]}}"#,
    r#"{"stream":"btcusdt@bookTicker","data":{"u":5,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}}"#,
    r#"{"stream":"btcusdt@ticker","data":{"E":1,"s":"BTCUSDT","c":"1","o":"1","h":"1","l":"1","v":"1"}}"#,
    r#"{"stream":"btcusdt@kline_1m","data":{"E":1,"s":"BTCUSDT","k":{"t":0,"i":"1m","o":"1","c":"1","h":"1","l":"1","v":"0","x":true}}}"#,
    r#"{"result":null,"id":1}"#,
    r#"{"lastUpdateId":5,"bids":[["1.5","0"]],"asks":[]}"#,
    r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"LOT_SIZE","stepSize":"0.1"}]}]}"#,
];

const COINBASE: [&str; 8] = [
    r#"{"type":"match","trade_id":1,"side":"sell","size":"4","price":"0.7","product_id":"SKL-USD","time":"2021-04-17T16:43:37.121358Z"}"#,
    r#"{"type":"ticker","product_id":"BTC-USD","price":"1","open_24h":"1","best_bid":"1","best_ask":"2","time":"2021-04-17T16:43:37Z"}"#,
    r#"{"type":"snapshot","product_id":"BTC-USD","bids":[["1","2"]],"asks":[["3","4"]]}"#,
    r#"{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1","0.0"]],"time":"2021-04-17T16:43:37Z"}"#,
    r#"{"type":"heartbeat","product_id":"BTC-USD","sequence":1}"#,
    r#"{"type":"error","message":"no","reason":"no"}"#,
    r#"[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01","status":"online"}]"#,
    r#"[[60,1.5,2,1e0,2,3.25]]"#,
];

fn config(kind: VenueKind, id: &str) -> VenueConfig {
    VenueConfig {
        kind,
        id: VenueId::new(id).unwrap(),
        symbols: vec![],
        ws: None,
        rest: None,
        book_depth: 10,
        candles: vec![],
        stale_after: std::time::Duration::from_secs(5),
        rest_weight_per_minute: 1_000,
        groups: 1,
        standby: false,
    }
}

/// One input: noise, or a real message with a few bytes changed, removed, repeated or cut off.
fn mutated(rng: &mut StdRng, messages: &[&str]) -> String {
    let alphabet = br#"{}[]",:.-+e0123456789truefalsnABUuEstpq\@ "#;
    let mut bytes = match rng.random_range(0..10) {
        0 => (0..rng.random_range(0..200)).map(|_| rng.random()).collect(),
        1 => (0..rng.random_range(0..200))
            .map(|_| alphabet[rng.random_range(0..alphabet.len())])
            .collect(),
        _ => messages[rng.random_range(0..messages.len())].as_bytes().to_vec(),
    };
    for _ in 0..rng.random_range(0..6) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..5) {
            0 => bytes[at] = rng.random(),
            1 => bytes[at] = alphabet[rng.random_range(0..alphabet.len())],
            2 => drop(bytes.drain(at..(at + rng.random_range(1..8)).min(bytes.len()))),
            3 => bytes.insert(at, b"9-e.["[rng.random_range(0..5)]),
            _ => {
                let piece = bytes[at..(at + rng.random_range(1..40)).min(bytes.len())].to_vec();
                let times = rng.random_range(1..30);
                (0..times).for_each(|_| drop(bytes.splice(at..at, piece.iter().copied())));
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hammer(venue: &dyn Venue, messages: &[&str]) {
    let budget = std::env::var("FANTAIL_FUZZ_BYTES").ok().and_then(|text| text.parse().ok());
    let budget: usize = budget.unwrap_or(300_000);
    let seed = 20_240_808;
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut spent, mut read) = (0, 0_u32);
    let mut sync = venue.book_sync();
    let mut steps = Vec::new();
    sync.connected(std::time::Duration::ZERO, &mut steps);
    while spent < budget {
        let text = mutated(&mut rng, messages);
        spent += text.len() + 1;
        match venue.parse(&text) {
            Ok(Message::Fact { fact: Fact::Delta(delta), .. }) => sync.delta(delta, &mut steps),
            Ok(Message::Fact { fact: Fact::Snapshot(whole), .. }) => {
                sync.snapshot(whole, &mut steps)
            }
            _ => {}
        }
        if let Ok(snapshot) = venue.read_snapshot(&text) {
            sync.snapshot(snapshot, &mut steps);
        }
        read += u32::from(venue.read_instruments(&text).is_ok());
        read += u32::from(venue.read_candles(&text).is_ok());
        steps.clear();
    }
    assert!(read > 0, "seed {seed}: some input must stay readable");
}

#[test]
fn no_input_panics_the_binance_parser() {
    hammer(&Binance::new(&config(VenueKind::Binance, "binance")), &BINANCE);
}

#[test]
fn no_input_panics_the_coinbase_parser() {
    hammer(&Coinbase::new(&config(VenueKind::Coinbase, "coinbase")), &COINBASE);
}
