//! Control messages get the venues' documented answers, word for word.

use super::super::binance::control::{Streams, answer};
use super::super::coinbase::control::{Pair, Rules, answer as coinbase_answer};

#[test]
fn binance() {
    let mut streams = Streams::default();
    let mut check =
        |text: &str, expected: &str| assert_eq!(answer(text, &mut streams).text, expected);
    check(
        r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@depth"],"id":1}"#,
        r#"{"result":null,"id":1}"#,
    );
    check(
        r#"{"method":"UNSUBSCRIBE","params":["btcusdt@depth"],"id":"a1"}"#,
        r#"{"result":null,"id":"a1"}"#,
    );
    check(r#"{"method":"LIST_SUBSCRIPTIONS","id":3}"#, r#"{"result":["btcusdt@aggTrade"],"id":3}"#);
    check(
        r#"{"method":"GET_PROPERTY","params":["combined"],"id":2}"#,
        r#"{"result":false,"id":2}"#,
    );
    check(
        r#"{"method":"SET_PROPERTY","params":["combined",true],"id":5}"#,
        r#"{"result":null,"id":5}"#,
    );
    check(
        r#"{"method":"SET_PROPERTY","params":["combined",1],"id":5}"#,
        r#"{"code":1,"msg":"Invalid value type: expected Boolean"}"#,
    );
    check(
        r#"{"method":"GET_PROPERTY","params":["colour"],"id":6}"#,
        r#"{"code":0,"msg":"Unknown property","id":6}"#,
    );
    check(
        r#"{"method":"SUBSCRIBE","params":["a"],"id":[1]}"#,
        r#"{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}"#,
    );
    check("{", r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#);
}

#[test]
fn binance_bounds_streams() {
    let mut streams = Streams::default();
    let names: Vec<String> = (0..1_025).map(|at| format!("\"s{at}@trade\"")).collect();
    let text = format!(r#"{{"method":"SUBSCRIBE","params":[{}],"id":1}}"#, names.join(","));
    let expected = r#"{"code":2,"msg":"Invalid request: too many parameters"}"#;
    assert_eq!(answer(&text, &mut streams).text, expected);
    assert_eq!(streams.names.len(), 1_024);
}

#[test]
fn coinbase() {
    let rules = Rules { products: vec!["BTC-USD".into(), "ETH-USD".into()], level2_is_open: false };
    let mut held: Vec<Pair> = Vec::new();
    let mut check = |text: &str, expected: &str, added: usize| {
        let answer = coinbase_answer(text, &mut held, &rules);
        assert_eq!((answer.text.as_str(), answer.added.len()), (expected, added));
    };
    check(
        r#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["level2_batch",{"name":"ticker","product_ids":["BTC-USD"]}]}"#,
        r#"{"type":"subscriptions","channels":[{"name":"level2_batch","product_ids":["BTC-USD","ETH-USD"]},{"name":"ticker","product_ids":["BTC-USD"]}]}"#,
        3,
    );
    check(
        r#"{"type":"unsubscribe","product_ids":["BTC-USD"],"channels":["level2_batch"]}"#,
        r#"{"type":"subscriptions","channels":[{"name":"level2_batch","product_ids":["ETH-USD"]},{"name":"ticker","product_ids":["BTC-USD"]}]}"#,
        0,
    );
    check(
        r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2"]}"#,
        r#"{"type":"error","message":"Failed to subscribe","reason":"level2, level3, and full channels now require authentication"}"#,
        0,
    );
    check(
        r#"{"type":"subscribe","product_ids":["NO-PE"],"channels":["matches"]}"#,
        r#"{"type":"error","message":"Failed to subscribe","reason":"NO-PE is not a valid product"}"#,
        0,
    );
}
