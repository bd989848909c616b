//! Coinbase Exchange's payloads from a seeded market's facts: channels and REST bodies. Input:
//! ticks, lots, times in microseconds; output: JSON text in the venue's own key order. Written by
//! hand on purpose: it shares nothing with the parser it is there to test.

use time::OffsetDateTime;

use crate::simulator::candles::Candle;
use crate::simulator::catalogue::Listing;
use crate::simulator::decimal_text::{fixed, trimmed, unit};
use crate::simulator::market::{Delta, Market, Side, Trade};

/// Digits of level sizes.
const SIZE_PLACES: u32 = 8;

/// `match`, or `last_match` when `kind` says so. `side` is the maker's.
pub(in crate::simulator) fn matched(listing: &Listing, trade: &Trade, kind: &str) -> String {
    format!(
        concat!(
            r#"{{"type":"{}","trade_id":{},"maker_order_id":"{}","taker_order_id":"{}","side":"{}","#,
            r#""size":"{}","price":"{}","product_id":"{}","sequence":{},"time":"{}"}}"#
        ),
        kind,
        trade.id,
        order_id(trade.orders.0, trade.orders.1),
        order_id(trade.orders.1, trade.orders.0),
        maker_side(trade.buyer_is_maker),
        trimmed(trade.lots.into(), listing.lot_decimals),
        trimmed(trade.ticks.into(), listing.price_decimals),
        listing.native,
        trade.sequence,
        stamp(trade.at_us)
    )
}

pub(in crate::simulator) fn ticker(market: &Market) -> String {
    let (listing, day, touch) = (&market.listing, &market.day, market.touch());
    let price = |ticks: i64| trimmed(ticks.into(), listing.price_decimals);
    let level = |ticks: i64| fixed(ticks.into(), listing.price_decimals, listing.price_decimals);
    let size = |lots: i128| fixed(lots, listing.lot_decimals, SIZE_PLACES);
    format!(
        concat!(
            r#"{{"type":"ticker","sequence":{},"product_id":"{}","price":"{}","open_24h":"{}","#,
            r#""volume_24h":"{}","low_24h":"{}","high_24h":"{}","volume_30d":"{}","#,
            r#""best_bid":"{}","best_bid_size":"{}","best_ask":"{}","best_ask_size":"{}","#,
            r#""side":"{}","time":"{}","trade_id":{},"last_size":"{}"}}"#
        ),
        market.update_id,
        listing.native,
        price(day.last),
        price(day.open),
        size(day.lots),
        price(day.low),
        price(day.high),
        size(day.lots * 30),
        level(touch.bid.0),
        size(touch.bid.1.into()),
        level(touch.ask.0),
        size(touch.ask.1.into()),
        if day.buyer_is_maker { "sell" } else { "buy" },
        stamp(day.last_at_us),
        day.last_trade_id,
        trimmed(day.last_lots.into(), listing.lot_decimals)
    )
}

pub(in crate::simulator) fn snapshot(market: &Market) -> String {
    let listing = &market.listing;
    let rows = |levels: &mut dyn Iterator<Item = (&i64, &i64)>| {
        let rows: Vec<String> = levels
            .map(|(ticks, lots)| {
                format!(r#"["{}","{}"]"#, level_price(listing, *ticks), level_size(listing, *lots))
            })
            .collect();
        rows.join(",")
    };
    format!(
        r#"{{"type":"snapshot","product_id":"{}","asks":[{}],"bids":[{}]}}"#,
        listing.native,
        rows(&mut market.asks.iter()),
        rows(&mut market.bids.iter().rev())
    )
}

pub(in crate::simulator) fn l2update(listing: &Listing, delta: &Delta, now_us: i64) -> String {
    let changes: Vec<String> = delta
        .changes
        .iter()
        .map(|(side, ticks, lots)| {
            let side = if *side == Side::Bid { "buy" } else { "sell" };
            format!(
                r#"["{side}","{}","{}"]"#,
                level_price(listing, *ticks),
                level_size(listing, *lots)
            )
        })
        .collect();
    format!(
        r#"{{"type":"l2update","product_id":"{}","changes":[{}],"time":"{}"}}"#,
        listing.native,
        changes.join(","),
        stamp(now_us)
    )
}

pub(in crate::simulator) fn heartbeat(
    product: &str,
    sequence: i64,
    last_trade_id: i64,
    now_us: i64,
) -> String {
    format!(
        r#"{{"type":"heartbeat","last_trade_id":{last_trade_id},"product_id":"{product}","sequence":{sequence},"time":"{}"}}"#,
        stamp(now_us)
    )
}

/// One product of `/products`, from names and decimal counts (a recording has those too).
pub(in crate::simulator) fn product(
    id: &str,
    base: &str,
    quote: &str,
    price_decimals: u32,
    lot_decimals: u32,
) -> String {
    let (tick, lot) = (unit(price_decimals, price_decimals), unit(lot_decimals, lot_decimals));
    format!(
        concat!(
            r#"{{"id":"{id}","base_currency":"{base}","quote_currency":"{quote}","#,
            r#""quote_increment":"{tick}","base_increment":"{lot}","display_name":"{base}-{quote}","#,
            r#""min_market_funds":"1","margin_enabled":false,"post_only":false,"limit_only":false,"#,
            r#""cancel_only":false,"status":"online","status_message":"","trading_disabled":false,"#,
            r#""fx_stablecoin":false,"max_slippage_percentage":"0.02000000","auction_mode":false,"#,
            r#""high_bid_limit_percentage":""}}"#
        ),
        id = id,
        base = base,
        quote = quote,
        tick = tick,
        lot = lot
    )
}

/// The body of `/products/<id>/book?level=2`; the third element counts orders.
pub(in crate::simulator) fn book_body(market: &Market, limit: usize, now_us: i64) -> String {
    let listing = &market.listing;
    let rows = |levels: &mut dyn Iterator<Item = (&i64, &i64)>| {
        let rows: Vec<String> = levels
            .take(limit)
            .map(|(ticks, lots)| {
                format!(
                    r#"["{}","{}",1]"#,
                    level_price(listing, *ticks),
                    level_size(listing, *lots)
                )
            })
            .collect();
        rows.join(",")
    };
    format!(
        r#"{{"bids":[{}],"asks":[{}],"sequence":{},"auction_mode":false,"auction":null,"time":"{}"}}"#,
        rows(&mut market.bids.iter().rev()),
        rows(&mut market.asks.iter()),
        market.update_id,
        stamp(now_us)
    )
}

/// One row of `/products/<id>/candles`: time, low, high, open, close, volume; bare numbers.
pub(in crate::simulator) fn candle_row(listing: &Listing, candle: &Candle) -> String {
    let price = |ticks: i64| trimmed(ticks.into(), listing.price_decimals);
    format!(
        "[{},{},{},{},{},{}]",
        candle.open_us.div_euclid(1_000_000),
        price(candle.low),
        price(candle.high),
        price(candle.open),
        price(candle.close),
        trimmed(candle.lots, listing.lot_decimals)
    )
}

/// One row of `/products/<id>/trades`.
pub(in crate::simulator) fn trade_row(listing: &Listing, trade: &Trade) -> String {
    format!(
        r#"{{"time":"{}","trade_id":{},"price":"{}","size":"{}","side":"{}"}}"#,
        stamp(trade.at_us),
        trade.id,
        fixed(trade.ticks.into(), listing.price_decimals, SIZE_PLACES),
        level_size(listing, trade.lots),
        maker_side(trade.buyer_is_maker)
    )
}

/// RFC 3339 with microseconds, in UTC.
pub(in crate::simulator) fn stamp(at_us: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.microsecond()
    )
}

fn maker_side(buyer_is_maker: bool) -> &'static str {
    if buyer_is_maker { "buy" } else { "sell" }
}

fn level_price(listing: &Listing, ticks: i64) -> String {
    fixed(ticks.into(), listing.price_decimals, listing.price_decimals)
}

fn level_size(listing: &Listing, lots: i64) -> String {
    fixed(lots.into(), listing.lot_decimals, SIZE_PLACES)
}

/// The shape of a version 4 UUID.
fn order_id(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
