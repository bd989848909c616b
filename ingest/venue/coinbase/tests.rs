//! Coinbase: what frames mean, and every branch of the book rules.

use std::time::Duration;

use fantail_model::{BookChange, CandleInterval, Decimal, InstrumentState, Kind, Micros, Side};

use super::sync::CoinbaseSync;
use super::{parse, urls};
use crate::venue::{BadInput, BookSync, Delta, Fact, Message, Snapshot, Step};

const SECOND: Duration = Duration::from_secs(1);

fn fact(text: &str) -> (String, Fact) {
    match parse::frame(text).unwrap() {
        Message::Fact { native, fact } => (native.into_owned(), fact),
        other => panic!("{other:?}"),
    }
}

fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn the_makers_side_becomes_the_takers() {
    let text = |kind: &str, side: &str| {
        format!(
            r#"{{"type":"{kind}","trade_id":1568268,"maker_order_id":"c","taker_order_id":"3",
            "side":"{side}","size":"450","price":"0.7910","product_id":"SKL-USD",
            "sequence":201390075,"time":"2021-04-17T16:43:37.121358Z"}}"#
        )
    };
    for (kind, side, taker, before) in
        [("match", "sell", Side::Buy, false), ("last_match", "buy", Side::Sell, true)]
    {
        let (native, made) = fact(&text(kind, side));
        let Fact::Trade { number: id, trade, ts, earlier } = made else { panic!() };
        assert_eq!(
            (native.as_str(), id, trade.side, earlier),
            ("SKL-USD", 1_568_268, taker, before)
        );
        assert_eq!((trade.price, ts), (number("0.791"), Some(Micros(1_618_677_817_121_358))));
    }
}

#[test]
fn books_and_tickers_are_read() {
    let text = r#"{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1.5","2.0"],
        ["sell","3","0.00000000"]],"time":"2021-04-17T16:43:37.1Z"}"#;
    let (_, Fact::Delta(delta)) = fact(text) else { panic!() };
    assert_eq!((delta.ids, delta.change.bids.len()), (None, 1));
    assert!(delta.change.asks[0].size.is_zero());
    let text = r#"{"type":"snapshot","product_id":"BTC-USD","bids":[["1","2"]],"asks":[]}"#;
    let (_, Fact::Snapshot(snapshot)) = fact(text) else { panic!() };
    assert_eq!((snapshot.levels.bids.len(), snapshot.ts), (1, None));
    let text = r#"{"type":"ticker","sequence":1,"product_id":"BTC-USD","price":"14.7775",
        "open_24h":"14.6647","volume_24h":"94381.28","low_24h":"14.3691","high_24h":"16.55",
        "best_bid":"14.7550","best_ask":"14.8060","time":"2021-04-17T16:43:30.244075Z"}"#;
    let (_, Fact::Ticker { ticker, top, .. }) = fact(text) else { panic!() };
    assert_eq!((ticker.last, ticker.high), (number("14.7775"), Some(number("16.55"))));
    assert_eq!(top, Some((number("14.755"), number("14.806"))));
    assert_eq!(fact(r#"{"type":"heartbeat","product_id":"BTC-USD"}"#).1, Fact::Alive);
}

#[test]
fn other_frames_are_told_apart() {
    let frame = |text| parse::frame(text).unwrap();
    assert_eq!(frame(r#"{"type":"subscriptions","channels":[]}"#), Message::Acknowledged);
    assert_eq!(frame(r#"{"type":"auction"}"#), Message::Unknown);
    let refused = r#"{"type":"error","message":"Failed","reason":"no such product"}"#;
    assert_eq!(frame(refused), Message::Refused("Failed no such product".to_owned()));
    let about = |kind| Some(("A-B".to_owned(), kind));
    for (text, fault, expected) in [
        ("{", BadInput::Malformed, None),
        (r#"{"type":"match"}"#, BadInput::Malformed, None),
        (r#"{"type":"match","product_id":"A-B"}"#, BadInput::Malformed, about(Kind::Trade)),
        (
            r#"{"type":"l2update","product_id":"A-B","changes":[["bid","1","1"]]}"#,
            BadInput::Malformed,
            about(Kind::Book),
        ),
        (
            r#"{"type":"l2update","product_id":"A-B","changes":[["buy","1","1e99"]]}"#,
            BadInput::NumberRange,
            about(Kind::Book),
        ),
        (
            r#"{"type":"match","product_id":"A-B","trade_id":1,"side":"buy","size":"0.-10000","price":"1","time":"2021-04-17T16:43:37Z"}"#,
            BadInput::Malformed,
            about(Kind::Trade),
        ),
    ] {
        let bad = parse::frame(text).unwrap_err();
        assert_eq!((bad.fault, bad.about), (fault, expected), "{text}");
    }
}

#[test]
fn rest_answers_are_read_without_a_float() {
    let body = r#"[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD",
        "quote_increment":"0.01","base_increment":"0.00000001","status":"online"},
        {"id":"OLD-USD","base_currency":"OLD","quote_currency":"USD","status":"delisted"},
        {"id":"OFF-USD","base_currency":"OFF","quote_currency":"USD","status":"online",
         "trading_disabled":true}]"#;
    let listed = parse::instruments(body).unwrap();
    let states: Vec<_> = listed.iter().map(|listed| listed.state).collect();
    let expected = [InstrumentState::Trading, InstrumentState::Delisted, InstrumentState::Halted];
    assert_eq!(states, expected);
    assert_eq!(listed[0].lot, Some(number("0.00000001")));
    let candles = parse::candles("[[60, 0.1, 0.30000000000000004, 0.2, 0.25, 12.5]]").unwrap();
    assert_eq!((candles[0].start, candles[0].low), (Micros(60_000_000), number("0.1")));
    assert_eq!(candles[0].high, number("0.30000000000000004"), "exact");
    let request = urls::candles("http://h", "BTC-USD", CandleInterval::M5).unwrap();
    assert_eq!(request.url, "http://h/products/BTC-USD/candles?granularity=300");
    assert_eq!(urls::candles("http://h", "BTC-USD", CandleInterval::S1), None);
}

fn delta() -> Step {
    Step::Apply(change())
}

fn change() -> Delta {
    Delta { ids: None, change: BookChange::default(), ts: None, rx: Micros(0) }
}

fn whole() -> Snapshot {
    Snapshot { last_id: None, levels: BookChange::default(), ts: None }
}

/// A sync that is live at time 0, and the steps it makes from then on.
fn live() -> (CoinbaseSync, Vec<Step>) {
    let (mut sync, mut steps) = (CoinbaseSync::default(), Vec::new());
    sync.connected(Duration::ZERO, &mut steps);
    sync.delta(change(), &mut steps);
    assert!(steps.is_empty(), "1: what comes before the snapshot is in it");
    sync.snapshot(whole(), &mut steps);
    sync.delta(change(), &mut steps);
    assert_eq!(steps, [Step::Replace(whole()), delta()]);
    steps.clear();
    (sync, steps)
}

fn top(bid: &str, ask: &str) -> (Decimal, Decimal) {
    (number(bid), number(ask))
}

#[test]
fn a_wrong_book_is_taken_anew() {
    let (mut sync, mut steps) = live();
    sync.restart("crossed", SECOND, &mut steps);
    assert_eq!(steps, [Step::Gap("crossed"), Step::Resubscribe]);
    steps.clear();
    sync.delta(change(), &mut steps);
    sync.tick(2 * SECOND, &mut steps);
    assert!(steps.is_empty());
    sync.tick(20 * SECOND, &mut steps);
    assert_eq!(steps, [Step::Resubscribe], "5: the snapshot did not come");
    steps.clear();
    sync.snapshot(whole(), &mut steps);
    assert_eq!(steps, [Step::Replace(whole())]);
}

#[test]
fn a_reconnect_is_a_loss() {
    let (mut sync, mut steps) = live();
    sync.disconnected();
    sync.delta(change(), &mut steps);
    assert!(steps.is_empty() && !sync.is_live());
    sync.connected(SECOND, &mut steps);
    assert_eq!(steps, [Step::Gap("reconnect")]);
}

#[test]
fn only_lasting_disagreement_with_the_ticker_is_evidence() {
    let (mut sync, mut steps) = live();
    sync.book_top(top("1", "2"));
    sync.ticker_top(top("1", "2"), Duration::ZERO, &mut steps);
    sync.ticker_top(top("1.1", "2"), SECOND, &mut steps);
    sync.tick(60 * SECOND, &mut steps);
    assert!(steps.is_empty(), "a quiet ticker proves nothing");
    sync.book_top(top("1.1", "2"));
    sync.ticker_top(top("1.2", "2"), 61 * SECOND, &mut steps);
    sync.ticker_top(top("1.3", "2"), 65 * SECOND, &mut steps);
    assert!(steps.is_empty(), "the book had caught up in between");
    sync.ticker_top(top("1.4", "2"), 66 * SECOND, &mut steps);
    assert_eq!(steps, [Step::Gap("ticker_disagrees"), Step::Resubscribe]);
}
