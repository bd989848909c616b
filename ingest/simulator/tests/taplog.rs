//! What a tap recorded is played as its venue would have said it.

use super::super::recorded::{What, read};

const LINES: &str = r#"{"t":1,"m":{"type":"welcome","session":"01J"}}
{"t":2,"m":{"type":"snapshot","channel":"book:binance:BTC-USDT","epoch":5,"seq":9,"rx":2,"tx":2,"bids":[["10.5","1"]],"asks":[["11","2"]]}}
{"t":3,"m":{"type":"book","channel":"book:binance:BTC-USDT","seq":10,"prev":9,"ts":3000000,"rx":3,"tx":3,"bids":[["10.5","0"]],"asks":[]}}
{"t":4,"m":{"type":"batch","channel":"trade:binance:BTC-USDT","events":[{"type":"trade","seq":1,"prev":0,"ts":4000000,"rx":4,"tx":4,"id":"77","price":"11","size":"0.5","side":"buy"}]}}
{"t":5,"m":{"type":"bbo","channel":"bbo:binance:BTC-USDT","seq":3,"prev":2,"rx":5,"tx":5,"bid":["10.4","1"],"ask":["11","2"]}}
{"t":6,"m":{"type":"trade","channel":"trade:coinbase:BTC-USD","seq":1,"prev":0,"ts":1790000000123456,"rx":6,"tx":6,"id":"4101","price":"11.1","size":"2","side":"sell"}}
{"t":7,"m":{"type":"book","channel":"book:coinbase:BTC-USD","seq":1,"prev":0,"reset":true,"rx":7,"tx":7,"bids":[["1","2"]],"asks":[]}}
{"t":8,"m":{"type":"book","channel":"book:coinbase:BTC-USD@1s","seq":2,"prev":0,"rx":8,"tx":8,"bids":[],"asks":[]}}
{"t":9,"m":{"type":"snapshot","channel":"book:binance:BTC-USDT","epoch":6,"seq":1,"rx":9,"tx":9,"bids":[],"asks":[]}}
"#;

const EXPECTED: [&str; 7] = [
    r#"{"lastUpdateId":9,"bids":[["10.5","1"]],"asks":[["11","2"]]}"#,
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":3000,"s":"BTCUSDT","U":10,"u":10,"b":[["10.5","0"]],"a":[]}}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":4000,"s":"BTCUSDT","t":77,"p":"11","q":"0.5","T":4000,"m":false,"M":true}}"#,
    r#"{"stream":"btcusdt@bookTicker","data":{"u":3,"s":"BTCUSDT","b":"10.4","B":"1","a":"11","A":"2"}}"#,
    r#"{"type":"match","trade_id":4101,"maker_order_id":"00000000-0000-4000-a000-000000000000","taker_order_id":"00000000-0000-4000-a000-000000000000","side":"buy","size":"2","price":"11.1","product_id":"BTC-USD","sequence":1,"time":"2026-09-21T14:13:20.123456Z"}"#,
    r#"{"type":"snapshot","product_id":"BTC-USD","asks":[],"bids":[["1","2"]]}"#,
    // A new epoch continues nothing: its id leaves a hole.
    r#"{"lastUpdateId":12,"bids":[],"asks":[]}"#,
];

#[test]
fn a_tap_log_becomes_venue_frames() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tap.jsonl");
    std::fs::write(&file, LINES).expect("written");
    let script = read(&[file]).expect("a readable recording");
    let texts: Vec<&str> = script
        .entries
        .iter()
        .map(|entry| match &entry.what {
            What::Stream { text, .. } | What::Feed { text, .. } => text.as_str(),
            What::Depth { body, .. } => body.as_str(),
        })
        .collect();
    assert_eq!(texts, EXPECTED);
}
