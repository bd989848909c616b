//! REST beside the stream: every answer carries state, position and age; one shape for errors.

use fantail_tests::harness::client::{Client, Options, events};
use fantail_tests::harness::http;
use fantail_tests::harness::stage::Server;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_answers() {
    let server = Server::start(&[]).await.expect("a server");
    let addr = server.addr();
    let mut client = Client::connect(addr, Options::default()).await.expect("in");
    client.follow(&["trade:binance:BTC-USDT"]).await.expect("followed");
    client.until(|message| events(message).first().map(drop)).await.expect("a trade");
    let get = async |path: &str| -> (u16, Value) {
        let (status, body) = http::get(addr, path).await.expect(path);
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    };
    let (status, instruments) = get("/v1/instruments").await;
    assert_eq!((status, instruments["instruments"][0]["symbol"].as_str()), (200, Some("BTC-USDT")));
    assert_eq!(instruments["instruments"][0]["tick"], "0.01");
    for path in ["/v1/book/book:binance:BTC-USDT?depth=3", "/v1/trades/binance:BTC-USDT"] {
        let (status, answer) = get(path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        for field in ["state", "epoch", "seq", "age_ms"] {
            assert!(!answer[field].is_null(), "{field} is not in {path}: {answer}");
        }
        assert_eq!(answer["state"], "live", "{path}");
    }
    let (status, candles) = get("/v1/candles/candle:binance:BTC-USDT:1m").await;
    assert_eq!((status, candles["state"].as_str()), (200, Some("live")), "{candles}");
    let (_, book) = get("/v1/book/book:binance:BTC-USDT?depth=3").await;
    assert_eq!(book["bids"].as_array().map(Vec::len), Some(3));
    let (_, feeds) = get("/v1/status").await;
    assert!(feeds["feeds"].as_array().is_some_and(|feeds| feeds.len() == 6), "{feeds}");
    let (status, session) = get("/v1/session").await;
    assert_eq!((status, session["user"].as_str()), (200, Some("anonymous")));
    for path in ["/v1/book/book:binance:NO-PE", "/v1/nothing", "/v1/book/xyz"] {
        let (status, error) = get(path).await;
        assert!((400..500).contains(&status), "{path}: {status}");
        for field in ["code", "message", "details", "request_id"] {
            assert!(!error["error"][field].is_null(), "{field} is not in {path}: {error}");
        }
    }
    for name in ["client.proto", "market.proto", "client.asyncapi.yaml", "codes.toml"] {
        let (status, text) = http::get(addr, &format!("/schemas/{name}")).await.expect(name);
        assert!(status == 200 && text.len() > 500, "{name}");
    }
}
