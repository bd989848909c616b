//! Coinbase Exchange bytes → [`Message`]. Pure; never panics.

use std::borrow::Cow;

use fantail_model::{
    BookChange, Candle, Decimal, InstrumentState, Kind, Level, Micros, Side, Symbol, Ticker, Trade,
};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::messages::{
    CandleRow, Head, MatchData, ProductData, SnapshotData, TickerData, UpdateData,
};
use crate::venue::{Delta, Fact, Listed, Message, PastTrade, Snapshot, Unreadable};

/// Reads one frame.
pub(super) fn frame(text: &str) -> Result<Message<'_>, Unreadable> {
    let head: Head<'_> = serde_json::from_str(text)?;
    let (read, kind) = match &*head.kind {
        "l2update" => (update(text), Kind::Book),
        "match" => (trade(text, false), Kind::Trade),
        "last_match" => (trade(text, true), Kind::Trade),
        "ticker" => (ticker(text), Kind::Ticker),
        "snapshot" => (snapshot(text), Kind::Book),
        "heartbeat" => (Ok(Fact::Alive), Kind::Status),
        "subscriptions" => return Ok(Message::Acknowledged),
        "error" => return Ok(Message::Refused(refusal(&head))),
        _ => return Ok(Message::Unknown),
    };
    let native = head.product_id.ok_or_else(|| Unreadable::malformed("no product_id"))?;
    match read {
        Ok(fact) => Ok(Message::Fact { native, fact }),
        Err(error) => Err(error.about(&native, kind)),
    }
}

fn refusal(head: &Head<'_>) -> String {
    let part = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    format!("{} {}", part(&head.message), part(&head.reason)).trim().to_owned()
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Unreadable> {
    Ok(serde_json::from_str(text)?)
}

fn trade(text: &str, earlier: bool) -> Result<Fact, Unreadable> {
    let data: MatchData<'_> = read(text)?;
    let (number, ts) = (data.trade_id, Some(micros(data.time)?));
    Ok(Fact::Trade { number, trade: taken(&data)?, ts, earlier })
}

fn taken(data: &MatchData<'_>) -> Result<Trade, Unreadable> {
    Ok(Trade {
        id: data.trade_id.to_string(),
        price: positive(data.price)?,
        size: positive(data.size)?,
        // The message has the maker's side; ours is the taker's.
        side: match data.side {
            "buy" => Side::Sell,
            "sell" => Side::Buy,
            _ => return Err(Unreadable::malformed("a side that is neither buy nor sell")),
        },
    })
}

/// GET /products/X/trades: matches without their product, newest first.
pub(super) fn past_trades(body: &str) -> Result<Vec<PastTrade>, Unreadable> {
    let rows: Vec<MatchData<'_>> = read(body)?;
    rows.into_iter().rev().map(past_trade).collect()
}

fn past_trade(data: MatchData<'_>) -> Result<PastTrade, Unreadable> {
    let (number, ts) = (data.trade_id, Some(micros(data.time)?));
    Ok(PastTrade { number, trade: taken(&data)?, ts })
}

fn ticker(text: &str) -> Result<Fact, Unreadable> {
    let data: TickerData<'_> = read(text)?;
    let number = |text: Option<&str>| text.map(Decimal::parse).transpose();
    let ticker = Ticker {
        last: Decimal::parse(data.price)?,
        open: number(data.open_24h)?,
        high: number(data.high_24h)?,
        low: number(data.low_24h)?,
        volume: number(data.volume_24h)?,
    };
    let top = number(data.best_bid)?.zip(number(data.best_ask)?);
    Ok(Fact::Ticker { ticker, ts: data.time.map(micros).transpose()?, top })
}

fn snapshot(text: &str) -> Result<Fact, Unreadable> {
    let data: SnapshotData<'_> = read(text)?;
    let levels = BookChange { bids: levels(&data.bids)?, asks: levels(&data.asks)? };
    let ts = data.time.map(micros).transpose()?;
    Ok(Fact::Snapshot(Snapshot { last_id: None, levels, ts }))
}

fn update(text: &str) -> Result<Fact, Unreadable> {
    let data: UpdateData<'_> = read(text)?;
    let mut change = BookChange::default();
    for (side, price, size) in &data.changes {
        match *side {
            "buy" => change.bids.push(level(price, size)?),
            "sell" => change.asks.push(level(price, size)?),
            _ => return Err(Unreadable::malformed("a side that is neither buy nor sell")),
        }
    }
    let ts = data.time.map(micros).transpose()?;
    Ok(Fact::Delta(Delta { ids: None, change, ts, rx: Micros::default() }))
}

/// GET /products. Names outside the symbol grammar are left out.
pub(super) fn instruments(body: &str) -> Result<Vec<Listed>, Unreadable> {
    let products: Vec<ProductData<'_>> = read(body)?;
    Ok(products.iter().filter_map(listed).collect())
}

fn listed(product: &ProductData<'_>) -> Option<Listed> {
    let step = |text: &Option<Cow<'_, str>>| {
        Decimal::parse(text.as_deref()?).ok().filter(|step| !step.is_zero())
    };
    let state = match product.status.as_deref() {
        Some("delisted") => InstrumentState::Delisted,
        Some("online") | None if !product.trading_disabled => InstrumentState::Trading,
        _ => InstrumentState::Halted,
    };
    Some(Listed {
        symbol: Symbol::pair(&product.base_currency, &product.quote_currency).ok()?,
        native: product.id.clone().into_owned(),
        tick: step(&product.quote_increment),
        lot: step(&product.base_increment),
        state,
    })
}

/// GET /products/X/candles, newest first.
pub(super) fn candles(body: &str) -> Result<Vec<Candle>, Unreadable> {
    let rows: Vec<CandleRow<'_>> = read(body)?;
    rows.iter().map(candle).collect()
}

fn candle(row: &CandleRow<'_>) -> Result<Candle, Unreadable> {
    let CandleRow(seconds, low, high, open, close, volume) = row;
    Ok(Candle {
        start: Micros(seconds.saturating_mul(1_000_000)),
        open: Decimal::parse(open.get())?,
        high: Decimal::parse(high.get())?,
        low: Decimal::parse(low.get())?,
        close: Decimal::parse(close.get())?,
        volume: Decimal::parse(volume.get())?,
        is_final: false,
        partial: true,
    })
}

fn levels(pairs: &[(&str, &str)]) -> Result<Vec<Level>, Unreadable> {
    pairs.iter().map(|(price, size)| level(price, size)).collect()
}

fn level(price: &str, size: &str) -> Result<Level, Unreadable> {
    let level = Level { price: positive(price)?, size: Decimal::parse(size)? };
    if level.size.is_negative() {
        return Err(Unreadable::malformed("a negative size"));
    }
    Ok(level)
}

fn positive(text: &str) -> Result<Decimal, Unreadable> {
    let value = Decimal::parse(text)?;
    if value.is_negative() || value.is_zero() {
        return Err(Unreadable::malformed("a price or size that is not positive"));
    }
    Ok(value)
}

fn micros(text: &str) -> Result<Micros, Unreadable> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(Unreadable::malformed)?;
    let micros = time.unix_timestamp_nanos() / 1_000;
    i64::try_from(micros).map(Micros).map_err(Unreadable::malformed)
}
