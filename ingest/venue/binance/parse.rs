//! Binance spot bytes → [`Message`]. The stream's name says what a payload is and of which symbol,
//! so that even an unreadable one can be told to the right channel. Pure; never panics.

use std::borrow::Cow;

use fantail_model::{
    Bbo, BookChange, Candle, CandleInterval, Decimal, InstrumentState, Kind, Level, Micros, Side,
    Symbol, Ticker, Trade,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::messages::{
    BookTickerData, DepthAnswer, DepthData, ExchangeInfo, Frame, KlineData, PastTradeData,
    SymbolInfo, TickerData, TradeData,
};
use crate::venue::{Delta, Fact, Listed, Message, PastTrade, Snapshot, Unreadable};

/// Reads one frame of a combined stream.
pub(super) fn frame(text: &str) -> Result<Message<'_>, Unreadable> {
    let frame: Frame<'_> = serde_json::from_str(text)?;
    match (&frame.stream, frame.data) {
        (Some(stream), Some(data)) => stream_data(stream, data),
        (Some(_), None) => Err(Unreadable::malformed("a stream without data")),
        _ => Ok(answer(&frame)),
    }
}

fn answer<'a>(frame: &Frame<'_>) -> Message<'a> {
    if frame.e.as_deref() == Some("serverShutdown") {
        Message::Leaving
    } else if let Some(error) = frame.error {
        Message::Refused(error.get().to_owned())
    } else if let Some(reason) = &frame.msg {
        Message::Refused(reason.clone().into_owned())
    } else if frame.id.is_some() {
        Message::Acknowledged
    } else {
        Message::Unknown
    }
}

fn stream_data<'a>(stream: &str, data: &'a RawValue) -> Result<Message<'a>, Unreadable> {
    if stream == "!serverShutdown" {
        return Ok(Message::Leaving);
    }
    let Some((name, what)) = stream.split_once('@') else { return Ok(Message::Unknown) };
    let data = data.get();
    let (read, kind) = match what {
        "trade" => (trade(data), Kind::Trade),
        "bookTicker" => (book_ticker(data), Kind::Bbo),
        "ticker" => (ticker(data), Kind::Ticker),
        "depth@100ms" | "depth" => (depth(data), Kind::Book),
        _ if what.starts_with("kline_") => (kline(data), Kind::Candle),
        _ => return Ok(Message::Unknown),
    };
    read.map_err(|error| error.about(&name.to_uppercase(), kind))
}

fn fact(native: Cow<'_, str>, fact: Fact) -> Result<Message<'_>, Unreadable> {
    Ok(Message::Fact { native, fact })
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Unreadable> {
    Ok(serde_json::from_str(data)?)
}

fn trade(data: &str) -> Result<Message<'_>, Unreadable> {
    let data: TradeData<'_> = read(data)?;
    let trade = Trade {
        id: data.t.to_string(),
        price: positive(data.p)?,
        size: positive(data.q)?,
        side: if data.m { Side::Sell } else { Side::Buy },
    };
    let ts = Some(Micros::from_millis(data.time));
    fact(data.s, Fact::Trade { number: data.t, trade, ts, earlier: false })
}

fn book_ticker(data: &str) -> Result<Message<'_>, Unreadable> {
    let data: BookTickerData<'_> = read(data)?;
    let bbo = Bbo { bid: side(data.bid, data.bid_size)?, ask: side(data.ask, data.ask_size)? };
    fact(data.s, Fact::Bbo { bbo, vseq: Some(data.u), ts: None })
}

/// An empty side is written as zeros.
fn side(price: &str, size: &str) -> Result<Option<Level>, Unreadable> {
    let level = level(price, size)?;
    Ok((!level.price.is_zero() && !level.size.is_zero()).then_some(level))
}

fn ticker(data: &str) -> Result<Message<'_>, Unreadable> {
    let data: TickerData<'_> = read(data)?;
    let ticker = Ticker {
        last: Decimal::parse(data.last)?,
        open: Some(Decimal::parse(data.open)?),
        high: Some(Decimal::parse(data.high)?),
        low: Some(Decimal::parse(data.low)?),
        volume: Some(Decimal::parse(data.volume)?),
    };
    let ts = Some(Micros::from_millis(data.event_time));
    fact(data.s, Fact::Ticker { ticker, ts, top: None })
}

fn depth(data: &str) -> Result<Message<'_>, Unreadable> {
    let data: DepthData<'_> = read(data)?;
    if data.first > data.last {
        return Err(Unreadable::malformed("U is above u"));
    }
    let ts = Some(Micros::from_millis(data.event_time));
    let change = BookChange { bids: levels(&data.b)?, asks: levels(&data.a)? };
    let ids = Some((data.first, data.last));
    fact(data.s, Fact::Delta(Delta { ids, change, ts, rx: Micros::default() }))
}

fn kline(data: &str) -> Result<Message<'_>, Unreadable> {
    let data: KlineData<'_> = read(data)?;
    let Some(length) = CandleInterval::parse(data.k.interval) else { return Ok(Message::Unknown) };
    let candle = Candle {
        start: Micros::from_millis(data.k.start),
        open: Decimal::parse(data.k.open)?,
        high: Decimal::parse(data.k.high)?,
        low: Decimal::parse(data.k.low)?,
        close: Decimal::parse(data.k.close)?,
        volume: Decimal::parse(data.k.volume)?,
        is_final: data.k.closed,
        partial: false,
    };
    let ts = Some(Micros::from_millis(data.event_time));
    fact(data.s, Fact::Candle { length, candle, ts })
}

/// GET /api/v3/depth.
pub(super) fn snapshot(body: &str) -> Result<Snapshot, Unreadable> {
    let answer: DepthAnswer<'_> = read(body)?;
    let levels = BookChange { bids: levels(&answer.bids)?, asks: levels(&answer.asks)? };
    Ok(Snapshot { last_id: Some(answer.last_update_id), levels, ts: None })
}

/// GET /api/v3/trades, oldest first.
pub(super) fn past_trades(body: &str) -> Result<Vec<PastTrade>, Unreadable> {
    let rows: Vec<PastTradeData<'_>> = read(body)?;
    rows.iter().map(past_trade).collect()
}

fn past_trade(row: &PastTradeData<'_>) -> Result<PastTrade, Unreadable> {
    let trade = Trade {
        id: row.id.to_string(),
        price: positive(row.price)?,
        size: positive(row.qty)?,
        side: if row.buyer_is_maker { Side::Sell } else { Side::Buy },
    };
    Ok(PastTrade { number: row.id, trade, ts: Some(Micros::from_millis(row.time)) })
}

/// GET /api/v3/exchangeInfo. Names outside the symbol grammar are left out.
pub(super) fn instruments(body: &str) -> Result<Vec<Listed>, Unreadable> {
    let info: ExchangeInfo<'_> = read(body)?;
    Ok(info.symbols.iter().filter_map(listed).collect())
}

fn listed(info: &SymbolInfo<'_>) -> Option<Listed> {
    let step = |kind: &str, price: bool| {
        let filter = info.filters.iter().find(|filter| filter.kind == kind)?;
        let text = if price { &filter.tick_size } else { &filter.step_size };
        Decimal::parse(text.as_deref()?).ok().filter(|step| !step.is_zero())
    };
    Some(Listed {
        symbol: Symbol::pair(&info.base, &info.quote).ok()?,
        native: info.symbol.clone().into_owned(),
        tick: step("PRICE_FILTER", true),
        lot: step("LOT_SIZE", false),
        state: match &*info.status {
            "TRADING" => InstrumentState::Trading,
            _ => InstrumentState::Halted,
        },
    })
}

fn levels(pairs: &[(&str, &str)]) -> Result<Vec<Level>, Unreadable> {
    pairs.iter().map(|(price, size)| level(price, size)).collect()
}

fn level(price: &str, size: &str) -> Result<Level, Unreadable> {
    let level = Level { price: Decimal::parse(price)?, size: Decimal::parse(size)? };
    if level.price.is_negative() || level.size.is_negative() {
        return Err(Unreadable::malformed("a negative price or size"));
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
