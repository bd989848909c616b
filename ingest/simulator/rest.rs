//! REST calls of both venues: which paths exist and what each asks. Input: path and query;
//! output: a [`Call`] for the engine or a refusal. Bodies are made by the engines.

use super::binance::frames;

/// Status and body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn ok(body: String) -> Self {
        Self { status: 200, body }
    }

    /// Binance's refusal of a symbol it does not list.
    pub(super) fn invalid_symbol() -> Self {
        Self { status: 400, body: frames::error(-1121, "Invalid symbol.") }
    }

    /// Coinbase's refusal of a product (or path) it does not have.
    pub(super) fn not_found() -> Self {
        Self { status: 404, body: r#"{"message":"NotFound"}"#.to_owned() }
    }
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// All symbols when none is named.
    ExchangeInfo {
        symbols: Vec<String>,
    },
    Depth {
        symbol: String,
        limit: usize,
    },
    Klines {
        symbol: String,
        interval: String,
        limit: usize,
    },
    Ticker24h {
        symbols: Vec<String>,
    },
    Trades {
        symbol: String,
        limit: usize,
        aggregated: bool,
    },
    Time,
    Ping,
    Products,
    Product {
        id: String,
    },
    Book {
        id: String,
        level: u8,
    },
    Candles {
        id: String,
        granularity_s: i64,
    },
    Matches {
        id: String,
        limit: usize,
    },
}

/// Reads a request; what no venue has is answered at once.
pub(super) fn parse(path: &str, query: &str) -> Result<Call, Answer> {
    match path.strip_prefix("/api/v3/") {
        Some(name) => binance(name, query),
        None => coinbase(path.strip_prefix("/coinbase").unwrap_or(path), query),
    }
}

fn binance(name: &str, query: &str) -> Result<Call, Answer> {
    let limit = |usual: usize, max: usize| {
        value(query, "limit").and_then(|text| text.parse().ok()).unwrap_or(usual).clamp(1, max)
    };
    let symbol = || {
        value(query, "symbol").filter(|symbol| !symbol.is_empty()).ok_or_else(|| Answer {
            status: 400,
            body: frames::error(
                -1102,
                "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
            ),
        })
    };
    Ok(match name {
        "ping" => Call::Ping,
        "time" => Call::Time,
        "exchangeInfo" => Call::ExchangeInfo { symbols: symbols(query)? },
        "ticker/24hr" => Call::Ticker24h { symbols: symbols(query)? },
        "depth" => Call::Depth { symbol: symbol()?, limit: limit(100, 5_000) },
        "klines" => Call::Klines {
            symbol: symbol()?,
            interval: value(query, "interval").unwrap_or_default(),
            limit: limit(500, 1_000),
        },
        "trades" => Call::Trades { symbol: symbol()?, limit: limit(500, 1_000), aggregated: false },
        "aggTrades" => {
            Call::Trades { symbol: symbol()?, limit: limit(500, 1_000), aggregated: true }
        }
        _ => return Err(Answer { status: 404, body: "<html>404 Not found</html>".to_owned() }),
    })
}

fn coinbase(path: &str, query: &str) -> Result<Call, Answer> {
    let mut segments = path.trim_matches('/').split('/');
    if segments.next() != Some("products") {
        return Err(Answer::not_found());
    }
    let Some(id) = segments.next() else { return Ok(Call::Products) };
    let id = percent_decoded(id);
    let number = |name: &str, usual: i64| {
        value(query, name).and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let call = match segments.next() {
        None => Call::Product { id },
        Some("book") => Call::Book { id, level: u8::try_from(number("level", 1)).unwrap_or(1) },
        Some("candles") => Call::Candles { id, granularity_s: number("granularity", 60) },
        Some("trades") => {
            let limit = usize::try_from(number("limit", 100)).unwrap_or(100).clamp(1, 1_000);
            Call::Matches { id, limit }
        }
        Some(_) => return Err(Answer::not_found()),
    };
    if segments.next().is_some() { Err(Answer::not_found()) } else { Ok(call) }
}

/// `symbol=X` or `symbols=["X","Y"]`.
fn symbols(query: &str) -> Result<Vec<String>, Answer> {
    if let Some(symbol) = value(query, "symbol") {
        return Ok(vec![symbol]);
    }
    match value(query, "symbols") {
        None => Ok(Vec::new()),
        Some(list) => serde_json::from_str(&list).map_err(|_| Answer {
            status: 400,
            body: frames::error(-1100, "Illegal characters found in parameter 'symbols'."),
        }),
    }
}

/// The first value of a query key, decoded.
pub(super) fn value(query: &str, key: &str) -> Option<String> {
    query.split('&').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        (name == key).then(|| percent_decoded(value))
    })
}

/// Percent signs that start no byte stay as they are.
pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
