//! The wire structs of Coinbase Exchange, each beside the payload it reads. Borrowed from the
//! frame; unknown fields are ignored. Owns shapes only; numbers are read in `parse`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What every message has: `{"type":"match","product_id":"BTC-USD",…}`.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) product_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) reason: Option<Cow<'a, str>>,
}

/// `{"type":"match","trade_id":1568268,"side":"sell","size":"450","price":"0.791",
/// "product_id":"SKL-USD","sequence":201390075,"time":"2021-04-17T16:43:37.121358Z",…}`
#[derive(Deserialize)]
pub(super) struct MatchData<'a> {
    pub(super) trade_id: u64,
    /// The maker's side.
    pub(super) side: &'a str,
    pub(super) size: &'a str,
    pub(super) price: &'a str,
    pub(super) time: &'a str,
}

/// `{"type":"ticker","sequence":333938798,"product_id":"BAND-GBP","price":"14.7775",
/// "open_24h":"14.6647","volume_24h":"94381.28","low_24h":"14.3691","high_24h":"16.55",
/// "best_bid":"14.7550","best_ask":"14.8060","time":"2021-04-17T16:43:30.244075Z",…}`
#[derive(Deserialize)]
pub(super) struct TickerData<'a> {
    pub(super) price: &'a str,
    pub(super) open_24h: Option<&'a str>,
    pub(super) high_24h: Option<&'a str>,
    pub(super) low_24h: Option<&'a str>,
    pub(super) volume_24h: Option<&'a str>,
    pub(super) best_bid: Option<&'a str>,
    pub(super) best_ask: Option<&'a str>,
    pub(super) time: Option<&'a str>,
}

/// `{"type":"snapshot","product_id":"BTC-USD","bids":[["p","s"]],"asks":[["p","s"]]}`, since 2026
/// with a `time`.
#[derive(Deserialize)]
pub(super) struct SnapshotData<'a> {
    #[serde(borrow)]
    pub(super) bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    pub(super) asks: Vec<(&'a str, &'a str)>,
    pub(super) time: Option<&'a str>,
}

/// `{"type":"l2update","product_id":"BTC-USD","changes":[["buy","p","s"]],"time":"…"}`
#[derive(Deserialize)]
pub(super) struct UpdateData<'a> {
    #[serde(borrow)]
    pub(super) changes: Vec<(&'a str, &'a str, &'a str)>,
    pub(super) time: Option<&'a str>,
}

/// GET /products: `[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD",
/// "quote_increment":"0.01","base_increment":"0.00000001","status":"online",
/// "trading_disabled":false,…}]`
#[derive(Deserialize)]
pub(super) struct ProductData<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) base_currency: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) quote_currency: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) quote_increment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) base_increment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) status: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) trading_disabled: bool,
}

/// GET /products/X/candles: `[[time, low, high, open, close, volume], …]`, JSON numbers whose text
/// is kept: no float touches them.
#[derive(Deserialize)]
pub(super) struct CandleRow<'a>(
    pub(super) i64,
    #[serde(borrow)] pub(super) &'a RawValue,
    #[serde(borrow)] pub(super) &'a RawValue,
    #[serde(borrow)] pub(super) &'a RawValue,
    #[serde(borrow)] pub(super) &'a RawValue,
    #[serde(borrow)] pub(super) &'a RawValue,
);
