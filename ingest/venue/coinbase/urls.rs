//! Where Coinbase Exchange is and how to ask it. Owns channel names, request paths and their
//! weights; sends nothing.

use fantail_model::CandleInterval;

use crate::venue::Request;

/// The market-data feed that needs no key.
pub(super) const WS: &str = "wss://ws-feed.exchange.coinbase.com";
pub(super) const REST: &str = "https://api.exchange.coinbase.com";

/// `{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch",…]}`
pub(super) fn subscribe(natives: &[String]) -> String {
    message("subscribe", natives, &["heartbeat", "ticker", "matches", "level2_batch"])
}

/// Leaves and joins one product's book: the venue answers a subscription with a whole book.
pub(super) fn resubscribe_book(native: &str) -> Vec<String> {
    let natives = [native.to_owned()];
    ["unsubscribe", "subscribe"].map(|kind| message(kind, &natives, &["level2_batch"])).to_vec()
}

fn message(kind: &str, natives: &[String], channels: &[&str]) -> String {
    let message = serde_json::json!({"type": kind, "product_ids": natives, "channels": channels});
    message.to_string()
}

/// The newest 1,000 trades.
pub(super) fn trades(base: &str, native: &str) -> Request {
    let base = base.trim_end_matches('/');
    Request { url: format!("{base}/products/{native}/trades?limit=1000"), weight: 1 }
}

pub(super) fn products(base: &str) -> Request {
    Request { url: format!("{}/products", base.trim_end_matches('/')), weight: 1 }
}

/// The newest 300 candles; the venue knows 1m, 5m, 15m, 1h, 6h and 1d.
pub(super) fn candles(base: &str, native: &str, length: CandleInterval) -> Option<Request> {
    let known = [
        CandleInterval::M1,
        CandleInterval::M5,
        CandleInterval::M15,
        CandleInterval::H1,
        CandleInterval::D1,
    ];
    if !known.contains(&length) {
        return None;
    }
    let seconds = length.micros() / 1_000_000;
    let base = base.trim_end_matches('/');
    let url = format!("{base}/products/{native}/candles?granularity={seconds}");
    Some(Request { url, weight: 1 })
}
