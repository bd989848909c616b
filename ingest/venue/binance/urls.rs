//! Where Binance spot is and how to ask it. Owns stream names, request paths and their weights;
//! sends nothing.

use fantail_model::CandleInterval;

use crate::venue::Request;

/// Market data only: no account can be reached through these hosts.
pub(super) const WS: &str = "wss://data-stream.binance.vision";
pub(super) const REST: &str = "https://data-api.binance.vision";

/// Streams in one SUBSCRIBE: some 5 KB, well below what the venue takes.
const STREAMS_PER_MESSAGE: usize = 200;

/// Combined streams: every frame names its stream, even those whose payload names nothing.
pub(super) fn ws(base: &str) -> String {
    format!("{}/stream", base.trim_end_matches('/'))
}

/// `{"method":"SUBSCRIBE","params":["btcusdt@trade",…],"id":1}`
pub(super) fn subscribe(natives: &[String], candles: &[CandleInterval]) -> Vec<String> {
    let streams: Vec<String> = natives.iter().flat_map(|native| streams(native, candles)).collect();
    let chunks = streams.chunks(STREAMS_PER_MESSAGE).enumerate();
    chunks
        .map(|(index, params)| {
            let message =
                serde_json::json!({"method": "SUBSCRIBE", "params": params, "id": index + 1});
            message.to_string()
        })
        .collect()
}

/// Streams of one symbol.
pub(super) fn streams_per_symbol(candles: &[CandleInterval]) -> usize {
    4 + candles.len()
}

fn streams(native: &str, candles: &[CandleInterval]) -> Vec<String> {
    let name = native.to_lowercase();
    let mut streams: Vec<String> = ["depth@100ms", "trade", "bookTicker", "ticker"]
        .iter()
        .map(|stream| format!("{name}@{stream}"))
        .collect();
    streams.extend(candles.iter().map(|length| format!("{name}@kline_{}", length.as_str())));
    streams
}

pub(super) fn exchange_info(base: &str) -> Request {
    Request { url: format!("{}/api/v3/exchangeInfo", base.trim_end_matches('/')), weight: 20 }
}

/// The snapshot deep enough for the view: 1,000 levels cost 50, 5,000 cost 250.
pub(super) fn depth(base: &str, native: &str, book_depth: usize) -> Request {
    let (limit, weight) =
        if (1..=1_000).contains(&book_depth) { (1_000, 50) } else { (5_000, 250) };
    let base = base.trim_end_matches('/');
    let symbol = escape(native);
    Request { url: format!("{base}/api/v3/depth?symbol={symbol}&limit={limit}"), weight }
}

/// The newest 1,000 trades.
pub(super) fn trades(base: &str, native: &str) -> Request {
    let base = base.trim_end_matches('/');
    let symbol = escape(native);
    Request { url: format!("{base}/api/v3/trades?symbol={symbol}&limit=1000"), weight: 25 }
}

/// Percent-encodes what is not plain: symbols may be non-ASCII.
fn escape(native: &str) -> String {
    let mut out = String::with_capacity(native.len());
    for byte in native.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
