//! The wire structs of Binance spot, each beside the payload it reads. Borrowed from the frame;
//! unknown fields are ignored everywhere. Owns shapes only; numbers are read in `parse`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// `{"stream":"btcusdt@trade","data":{…}}`, an answer `{"result":null,"id":1}`, or an error
/// `{"code":2,"msg":"…"}`, also seen as `{"error":{"code":2,"msg":"…"},"id":1}`.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    #[serde(borrow)]
    pub(super) stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) e: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
}

/// `{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63","q":"0.02",
/// "T":1723161255342,"m":true,"M":true}`
#[derive(Deserialize)]
pub(super) struct TradeData<'a> {
    #[serde(borrow)]
    pub(super) s: Cow<'a, str>,
    pub(super) t: u64,
    pub(super) p: &'a str,
    pub(super) q: &'a str,
    #[serde(rename = "T")]
    pub(super) time: i64,
    /// The buyer is the maker: the taker sold.
    pub(super) m: bool,
}

/// `{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,
/// "b":[["61737.63","0.00"]],"a":[["61837.64","1.5"]]}`
#[derive(Deserialize)]
pub(super) struct DepthData<'a> {
    #[serde(rename = "E")]
    pub(super) event_time: i64,
    #[serde(borrow)]
    pub(super) s: Cow<'a, str>,
    #[serde(rename = "U")]
    pub(super) first: u64,
    #[serde(rename = "u")]
    pub(super) last: u64,
    #[serde(borrow)]
    pub(super) b: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    pub(super) a: Vec<(&'a str, &'a str)>,
}

/// `{"u":50093239212,"s":"BTCUSDT","b":"61837.63","B":"3.78826","a":"61837.64","A":"1.54698"}`
#[derive(Deserialize)]
pub(super) struct BookTickerData<'a> {
    pub(super) u: u64,
    #[serde(borrow)]
    pub(super) s: Cow<'a, str>,
    #[serde(rename = "b")]
    pub(super) bid: &'a str,
    #[serde(rename = "B")]
    pub(super) bid_size: &'a str,
    #[serde(rename = "a")]
    pub(super) ask: &'a str,
    #[serde(rename = "A")]
    pub(super) ask_size: &'a str,
}

/// `{"e":"24hrTicker","E":1672515782136,"s":"BNBBTC","c":"0.0025","o":"0.0010","h":"0.0025",
/// "l":"0.0010","v":"10000",…}`
#[derive(Deserialize)]
pub(super) struct TickerData<'a> {
    #[serde(rename = "E")]
    pub(super) event_time: i64,
    #[serde(borrow)]
    pub(super) s: Cow<'a, str>,
    #[serde(rename = "c")]
    pub(super) last: &'a str,
    #[serde(rename = "o")]
    pub(super) open: &'a str,
    #[serde(rename = "h")]
    pub(super) high: &'a str,
    #[serde(rename = "l")]
    pub(super) low: &'a str,
    #[serde(rename = "v")]
    pub(super) volume: &'a str,
}

/// `{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{…}}`
#[derive(Deserialize)]
pub(super) struct KlineData<'a> {
    #[serde(rename = "E")]
    pub(super) event_time: i64,
    #[serde(borrow)]
    pub(super) s: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) k: Kline<'a>,
}

/// `{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010",
/// "c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,…}`
#[derive(Deserialize)]
pub(super) struct Kline<'a> {
    #[serde(rename = "t")]
    pub(super) start: i64,
    #[serde(rename = "i")]
    pub(super) interval: &'a str,
    #[serde(rename = "o")]
    pub(super) open: &'a str,
    #[serde(rename = "c")]
    pub(super) close: &'a str,
    #[serde(rename = "h")]
    pub(super) high: &'a str,
    #[serde(rename = "l")]
    pub(super) low: &'a str,
    #[serde(rename = "v")]
    pub(super) volume: &'a str,
    #[serde(rename = "x")]
    pub(super) closed: bool,
}

/// GET /api/v3/depth: `{"lastUpdateId":50093239218,"bids":[["61837.63","3.7"]],"asks":[…]}`
#[derive(Deserialize)]
pub(super) struct DepthAnswer<'a> {
    #[serde(rename = "lastUpdateId")]
    pub(super) last_update_id: u64,
    #[serde(borrow)]
    pub(super) bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    pub(super) asks: Vec<(&'a str, &'a str)>,
}

/// GET /api/v3/trades, oldest first: `[{"id":28457,"price":"4.00000100","qty":"12.00000000",
/// "quoteQty":"48.000012","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true}]`
#[derive(Deserialize)]
pub(super) struct PastTradeData<'a> {
    pub(super) id: u64,
    pub(super) price: &'a str,
    pub(super) qty: &'a str,
    pub(super) time: i64,
    #[serde(rename = "isBuyerMaker")]
    pub(super) buyer_is_maker: bool,
}

/// GET /api/v3/exchangeInfo: `{"symbols":[{…}],…}`
#[derive(Deserialize)]
pub(super) struct ExchangeInfo<'a> {
    #[serde(borrow)]
    pub(super) symbols: Vec<SymbolInfo<'a>>,
}

/// `{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[…]}`
#[derive(Deserialize)]
pub(super) struct SymbolInfo<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(borrow, rename = "baseAsset")]
    pub(super) base: Cow<'a, str>,
    #[serde(borrow, rename = "quoteAsset")]
    pub(super) quote: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) filters: Vec<Filter<'a>>,
}

/// `{"filterType":"PRICE_FILTER","tickSize":"0.01",…}` or `{"filterType":"LOT_SIZE",
/// "stepSize":"0.00001",…}`
#[derive(Deserialize)]
pub(super) struct Filter<'a> {
    #[serde(borrow, rename = "filterType")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, rename = "tickSize")]
    pub(super) tick_size: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "stepSize")]
    pub(super) step_size: Option<Cow<'a, str>>,
}
