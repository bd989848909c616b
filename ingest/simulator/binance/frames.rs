//! Binance spot's payloads from a seeded market's facts: streams and REST bodies. Input: ticks,
//! lots, times in microseconds; output: JSON text in the venue's own key order and number of
//! decimals (eight, whatever the tick). Written by hand on purpose: it shares nothing with the
//! parser it is there to test.

use crate::simulator::candles::{Candle, INTERVALS};
use crate::simulator::catalogue::Listing;
use crate::simulator::decimal_text::{fixed, unit};
use crate::simulator::market::{Delta, Market, Side, Touch, Trade};

/// Digits Binance prints after every point.
const PLACES: u32 = 8;

pub(in crate::simulator) fn trade(listing: &Listing, trade: &Trade, now_us: i64) -> String {
    format!(
        r#"{{"e":"trade","E":{},"s":"{}","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}}"#,
        ms(now_us),
        listing.native,
        trade.id,
        price(listing, trade.ticks),
        size(listing, trade.lots.into()),
        ms(trade.at_us),
        trade.buyer_is_maker
    )
}

pub(in crate::simulator) fn agg_trade(listing: &Listing, trade: &Trade, now_us: i64) -> String {
    format!(
        r#"{{"e":"aggTrade","E":{},"s":"{}","a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{},"m":{},"M":true}}"#,
        ms(now_us),
        listing.native,
        trade.id,
        price(listing, trade.ticks),
        size(listing, trade.lots.into()),
        trade.id,
        trade.id,
        ms(trade.at_us),
        trade.buyer_is_maker
    )
}

pub(in crate::simulator) fn book_ticker(listing: &Listing, touch: &Touch) -> String {
    format!(
        r#"{{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
        touch.update_id,
        listing.native,
        price(listing, touch.bid.0),
        size(listing, touch.bid.1.into()),
        price(listing, touch.ask.0),
        size(listing, touch.ask.1.into())
    )
}

pub(in crate::simulator) fn depth_update(listing: &Listing, delta: &Delta, now_us: i64) -> String {
    let side = |wanted: Side| {
        let levels: Vec<String> = delta
            .changes
            .iter()
            .filter(|(side, ..)| *side == wanted)
            .map(|(_, ticks, lots)| level(listing, *ticks, *lots))
            .collect();
        levels.join(",")
    };
    format!(
        r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{},"u":{},"b":[{}],"a":[{}]}}"#,
        ms(now_us),
        listing.native,
        delta.first_id,
        delta.last_id,
        side(Side::Bid),
        side(Side::Ask)
    )
}

pub(in crate::simulator) fn ticker(market: &Market, now_us: i64) -> String {
    let (listing, day, touch) = (&market.listing, &market.day, market.touch());
    let change = day.last - day.open;
    format!(
        concat!(
            r#"{{"e":"24hrTicker","E":{},"s":"{}","p":"{}","P":"{}","w":"{}","x":"{}","c":"{}","Q":"{}","#,
            r#""b":"{}","B":"{}","a":"{}","A":"{}","o":"{}","h":"{}","l":"{}","v":"{}","q":"{}","#,
            r#""O":{},"C":{},"F":{},"L":{},"n":{}}}"#
        ),
        ms(now_us),
        listing.native,
        price(listing, change),
        percent(change, day.open),
        price(listing, average(day.turnover, day.lots)),
        price(listing, day.open),
        price(listing, day.last),
        size(listing, day.last_lots.into()),
        price(listing, touch.bid.0),
        size(listing, touch.bid.1.into()),
        price(listing, touch.ask.0),
        size(listing, touch.ask.1.into()),
        price(listing, day.open),
        price(listing, day.high),
        price(listing, day.low),
        size(listing, day.lots),
        turnover(listing, day.turnover),
        ms(day.open_us),
        ms(now_us),
        day.first_trade_id,
        day.last_trade_id,
        day.count()
    )
}

pub(in crate::simulator) fn kline(
    listing: &Listing,
    interval: usize,
    candle: &Candle,
    closed: bool,
    now_us: i64,
) -> String {
    let (name, length_us) = INTERVALS[interval];
    format!(
        concat!(
            r#"{{"e":"kline","E":{},"s":"{}","k":{{"t":{},"T":{},"s":"{}","i":"{}","f":{},"L":{},"#,
            r#""o":"{}","c":"{}","h":"{}","l":"{}","v":"{}","n":{},"x":{},"q":"{}","V":"{}","Q":"{}","B":"0"}}}}"#
        ),
        ms(now_us),
        listing.native,
        ms(candle.open_us),
        ms(candle.open_us + length_us) - 1,
        listing.native,
        name,
        candle.first_trade_id,
        candle.last_trade_id,
        price(listing, candle.open),
        price(listing, candle.close),
        price(listing, candle.high),
        price(listing, candle.low),
        size(listing, candle.lots),
        candle.count,
        closed,
        turnover(listing, candle.turnover),
        size(listing, candle.taker_lots),
        turnover(listing, candle.taker_turnover)
    )
}

/// One row of `/api/v3/klines`.
pub(in crate::simulator) fn kline_row(
    listing: &Listing,
    interval: usize,
    candle: &Candle,
) -> String {
    format!(
        r#"[{},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"]"#,
        ms(candle.open_us),
        price(listing, candle.open),
        price(listing, candle.high),
        price(listing, candle.low),
        price(listing, candle.close),
        size(listing, candle.lots),
        ms(candle.open_us + INTERVALS[interval].1) - 1,
        turnover(listing, candle.turnover),
        candle.count,
        size(listing, candle.taker_lots),
        turnover(listing, candle.taker_turnover)
    )
}

/// The body of `/api/v3/depth`.
pub(in crate::simulator) fn depth_body(market: &Market, limit: usize) -> String {
    let listing = &market.listing;
    let rows = |levels: &mut dyn Iterator<Item = (&i64, &i64)>| {
        let rows: Vec<String> =
            levels.take(limit).map(|(ticks, lots)| level(listing, *ticks, *lots)).collect();
        rows.join(",")
    };
    format!(
        r#"{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}"#,
        market.update_id,
        rows(&mut market.bids.iter().rev()),
        rows(&mut market.asks.iter())
    )
}

/// One element of `/api/v3/trades` (or, `aggregated`, of `/api/v3/aggTrades`).
pub(in crate::simulator) fn trade_row(
    listing: &Listing,
    trade: &Trade,
    aggregated: bool,
) -> String {
    let (ticks, lots) = (price(listing, trade.ticks), size(listing, trade.lots.into()));
    if aggregated {
        return format!(
            r#"{{"a":{0},"p":"{ticks}","q":"{lots}","f":{0},"l":{0},"T":{1},"m":{2},"M":true}}"#,
            trade.id,
            ms(trade.at_us),
            trade.buyer_is_maker
        );
    }
    format!(
        r#"{{"id":{},"price":"{ticks}","qty":"{lots}","quoteQty":"{}","time":{},"isBuyerMaker":{},"isBestMatch":true}}"#,
        trade.id,
        turnover(listing, i128::from(trade.ticks) * i128::from(trade.lots)),
        ms(trade.at_us),
        trade.buyer_is_maker
    )
}

/// One element of `/api/v3/ticker/24hr`.
pub(in crate::simulator) fn ticker_row(market: &Market, now_us: i64) -> String {
    let (listing, day, touch) = (&market.listing, &market.day, market.touch());
    let change = day.last - day.open;
    format!(
        concat!(
            r#"{{"symbol":"{}","priceChange":"{}","priceChangePercent":"{}","weightedAvgPrice":"{}","#,
            r#""prevClosePrice":"{}","lastPrice":"{}","lastQty":"{}","bidPrice":"{}","bidQty":"{}","#,
            r#""askPrice":"{}","askQty":"{}","openPrice":"{}","highPrice":"{}","lowPrice":"{}","#,
            r#""volume":"{}","quoteVolume":"{}","openTime":{},"closeTime":{},"firstId":{},"lastId":{},"count":{}}}"#
        ),
        listing.native,
        price(listing, change),
        percent(change, day.open),
        price(listing, average(day.turnover, day.lots)),
        price(listing, day.open),
        price(listing, day.last),
        size(listing, day.last_lots.into()),
        price(listing, touch.bid.0),
        size(listing, touch.bid.1.into()),
        price(listing, touch.ask.0),
        size(listing, touch.ask.1.into()),
        price(listing, day.open),
        price(listing, day.high),
        price(listing, day.low),
        size(listing, day.lots),
        turnover(listing, day.turnover),
        ms(day.open_us),
        ms(now_us),
        day.first_trade_id,
        day.last_trade_id,
        day.count()
    )
}

/// One symbol of `/api/v3/exchangeInfo`, from names and decimal counts (a recording has those too).
pub(in crate::simulator) fn symbol_info(
    native: &str,
    base: &str,
    quote: &str,
    price_decimals: u32,
    lot_decimals: u32,
) -> String {
    let (tick, lot) = (unit(price_decimals, PLACES), unit(lot_decimals, PLACES));
    format!(
        concat!(
            r#"{{"symbol":"{native}","status":"TRADING","baseAsset":"{base}","baseAssetPrecision":8,"#,
            r#""quoteAsset":"{quote}","quotePrecision":8,"quoteAssetPrecision":8,"#,
            r#""baseCommissionPrecision":8,"quoteCommissionPrecision":8,"#,
            r#""orderTypes":["LIMIT","LIMIT_MAKER","MARKET","STOP_LOSS_LIMIT","TAKE_PROFIT_LIMIT"],"#,
            r#""icebergAllowed":true,"ocoAllowed":true,"quoteOrderQtyMarketAllowed":true,"#,
            r#""isSpotTradingAllowed":true,"isMarginTradingAllowed":true,"filters":["#,
            r#"{{"filterType":"PRICE_FILTER","minPrice":"{tick}","maxPrice":"1000000.00000000","tickSize":"{tick}"}},"#,
            r#"{{"filterType":"LOT_SIZE","minQty":"{lot}","maxQty":"9000000.00000000","stepSize":"{lot}"}}],"#,
            r#""permissions":["SPOT"],"permissionSets":[["SPOT"]]}}"#
        ),
        native = native,
        base = base,
        quote = quote,
        tick = tick,
        lot = lot
    )
}

/// The envelope of `/api/v3/exchangeInfo` around symbol objects.
pub(in crate::simulator) fn exchange_info(symbols: &[String], now_us: i64) -> String {
    format!(
        concat!(
            r#"{{"timezone":"UTC","serverTime":{},"rateLimits":["#,
            r#"{{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000}},"#,
            r#"{{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":61000}}],"#,
            r#""exchangeFilters":[],"symbols":[{}]}}"#
        ),
        ms(now_us),
        symbols.join(",")
    )
}

/// The body of every refused REST call.
pub(in crate::simulator) fn error(code: i32, message: &str) -> String {
    format!(r#"{{"code":{code},"msg":"{message}"}}"#)
}

fn level(listing: &Listing, ticks: i64, lots: i64) -> String {
    format!(r#"["{}","{}"]"#, price(listing, ticks), size(listing, lots.into()))
}

fn price(listing: &Listing, ticks: i64) -> String {
    fixed(ticks.into(), listing.price_decimals, PLACES)
}

fn size(listing: &Listing, lots: i128) -> String {
    fixed(lots, listing.lot_decimals, PLACES)
}

fn turnover(listing: &Listing, value: i128) -> String {
    fixed(value, listing.price_decimals + listing.lot_decimals, PLACES)
}

fn average(turnover: i128, lots: i128) -> i64 {
    if lots == 0 { 0 } else { i64::try_from(turnover / lots).unwrap_or(i64::MAX) }
}

fn percent(change: i64, open: i64) -> String {
    if open == 0 {
        return "0.000".to_owned();
    }
    fixed(i128::from(change) * 100_000 / i128::from(open), 3, 3)
}

fn ms(at_us: i64) -> i64 {
    at_us.div_euclid(1_000)
}
