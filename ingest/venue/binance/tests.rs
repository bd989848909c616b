//! Binance: what frames mean, and every branch of the book procedure.

use std::time::Duration;

use fantail_model::{BookChange, Decimal, InstrumentState, Kind, Level, Micros, Side, Symbol};

use super::sync::BinanceSync;
use super::{parse, urls};
use crate::venue::{BadInput, BookSync, Delta, Fact, Message, Snapshot, Step};

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
fn trades_and_tops_are_read_exactly() {
    let text = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",
        "t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true,
        "new":{"field":[1]}}}"#;
    let (native, Fact::Trade { number: id, trade, ts, earlier }) = fact(text) else { panic!() };
    assert_eq!((native.as_str(), id, earlier), ("BTCUSDT", 3_735_683_259, false));
    assert_eq!((trade.price, trade.size), (number("61837.63"), number("0.02")));
    assert_eq!((trade.side, ts), (Side::Sell, Some(Micros(1_723_161_255_342_000))));

    let text = r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT",
        "b":"61837.63000000","B":"3.78826000","a":"0.00000000","A":"0.00000000"}}"#;
    let (_, Fact::Bbo { bbo, vseq, ts }) = fact(text) else { panic!() };
    assert_eq!((vseq, ts, bbo.ask), (Some(50_093_239_212), None, None), "an empty side is None");
    assert_eq!(bbo.bid.unwrap().size, number("3.78826"));
}

#[test]
fn tickers_and_candles_are_read() {
    let text = r#"{"stream":"bnbbtc@ticker","data":{"e":"24hrTicker","E":1672515782136,
        "s":"BNBBTC","p":"0.0015","c":"0.0025","o":"0.0010","h":"0.0026","l":"0.0009","v":"10000"}}"#;
    let (_, Fact::Ticker { ticker, top, .. }) = fact(text) else { panic!() };
    assert_eq!((ticker.last, ticker.volume), (number("0.0025"), Some(number("10000"))));
    assert_eq!((ticker.open, top), (Some(number("0.001")), None));

    let text = r#"{"stream":"bnbbtc@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BNBBTC",
        "k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":-1,"L":-1,"o":"1",
        "c":"2","h":"3","l":"0.5","v":"0","n":0,"x":true}}}"#;
    let (_, Fact::Candle { length, candle, .. }) = fact(text) else { panic!() };
    assert_eq!((length.as_str(), candle.start), ("1m", Micros(1_672_515_780_000_000)));
    assert!(candle.is_final && !candle.partial && candle.close == number("2"));
}

#[test]
fn control_frames_are_told_apart() {
    for (text, expected) in [
        (r#"{"result":null,"id":1}"#, Message::Acknowledged),
        (r#"{"result":["btcusdt@trade"],"id":3}"#, Message::Acknowledged),
        (r#"{"e":"serverShutdown","E":1770123456789}"#, Message::Leaving),
        (r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#, Message::Leaving),
        (r#"{"stream":"btcusdt@avgPrice","data":{"w":"1"}}"#, Message::Unknown),
        (r#"{"hello":1}"#, Message::Unknown),
        (r#"{"code":2,"msg":"Invalid request"}"#, Message::Refused("Invalid request".into())),
        (r#"{"error":{"code":2},"id":1}"#, Message::Refused(r#"{"code":2}"#.into())),
    ] {
        assert_eq!(parse::frame(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn the_unreadable_is_told_to_the_right_channel() {
    let about = |kind| Some(("BTCUSDT".to_owned(), kind));
    for (text, fault, expected) in [
        ("", BadInput::Malformed, None),
        ("[[[[", BadInput::Malformed, None),
        (r#"{"stream":"btcusdt@trade"}"#, BadInput::Malformed, None),
        (r#"{"stream":"btcusdt@trade","data":{}}"#, BadInput::Malformed, about(Kind::Trade)),
        (
            r#"{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"1e999","q":"1","T":1,"m":true}}"#,
            BadInput::NumberRange,
            about(Kind::Trade),
        ),
        (
            r#"{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"-1","q":"1","T":1,"m":true}}"#,
            BadInput::Malformed,
            about(Kind::Trade),
        ),
        (
            r#"{"stream":"btcusdt@depth@100ms","data":{"E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1","9999999999999999999999999999999999999999"]],"a":[]}}"#,
            BadInput::NumberRange,
            about(Kind::Book),
        ),
        (
            r#"{"stream":"btcusdt@depth@100ms","data":{"E":1,"s":"BTCUSDT","U":3,"u":2,"b":[],"a":[]}}"#,
            BadInput::Malformed,
            about(Kind::Book),
        ),
    ] {
        let bad = parse::frame(text).unwrap_err();
        assert_eq!((bad.fault, bad.about), (fault, expected), "{text}");
    }
}

#[test]
fn instruments_are_listed_with_their_steps() {
    let body = r#"{"timezone":"UTC","symbols":[
        {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[
          {"filterType":"PRICE_FILTER","minPrice":"0.01","tickSize":"0.01000000"},
          {"filterType":"LOT_SIZE","stepSize":"0.00001000"}]},
        {"symbol":"X","status":"BREAK","baseAsset":"币","quoteAsset":"USDT","filters":[]}]}"#;
    let listed = parse::instruments(body).unwrap();
    assert_eq!(listed.len(), 1, "names outside the grammar are left out");
    assert_eq!(listed[0].symbol, Symbol::new("BTC-USDT").unwrap());
    assert_eq!((listed[0].tick, listed[0].lot), (Some(number("0.01")), Some(number("0.00001"))));
    assert_eq!(listed[0].state, InstrumentState::Trading);
}

#[test]
fn requests_cost_what_they_need() {
    let request = urls::depth("http://h/", "BTCUSDT", 1_000);
    assert_eq!(request.url, "http://h/api/v3/depth?symbol=BTCUSDT&limit=1000");
    assert_eq!(request.weight, 50);
    assert_eq!(
        urls::depth("http://h", "币", 0).url,
        "http://h/api/v3/depth?symbol=%E5%B8%81&limit=5000"
    );
    assert_eq!(urls::depth("http://h", "A", 5_000).weight, 250);
    let natives: Vec<String> = (0..100).map(|n| format!("S{n}USDT")).collect();
    let messages = urls::subscribe(&natives, &[]);
    assert_eq!(messages.len(), 2);
    assert!(messages[0].contains(r#""s0usdt@depth@100ms""#), "{}", messages[0]);
}

fn delta(first: u64, last: u64) -> Delta {
    let level = Level { price: number("1"), size: number("1") };
    let change = BookChange { bids: vec![level], asks: vec![] };
    Delta { ids: Some((first, last)), change, ts: None, rx: Micros(0) }
}

fn whole(last_id: u64) -> Snapshot {
    Snapshot { last_id: Some(last_id), levels: BookChange::default(), ts: None }
}

/// What a sync does with a script: `+` connected, `-` disconnected, `!` restart, `t` a long tick,
/// `s5` snapshot, `5..9` delta.
fn script(text: &str) -> String {
    let mut sync = BinanceSync::default();
    let mut now = Duration::ZERO;
    let mut steps = Vec::new();
    for word in text.split_whitespace() {
        match word {
            "+" => sync.connected(now, &mut steps),
            "-" => sync.disconnected(),
            "!" => sync.restart("crossed", now, &mut steps),
            "t" => {
                now += Duration::from_secs(60);
                sync.tick(now, &mut steps);
            }
            _ => match (word.strip_prefix('s'), word.split_once("..")) {
                (Some(id), _) => sync.snapshot(whole(id.parse().unwrap()), &mut steps),
                (_, Some((first, last))) => {
                    let delta = delta(first.parse().unwrap(), last.parse().unwrap());
                    sync.delta(delta, &mut steps);
                }
                _ => panic!("{word}"),
            },
        }
    }
    let shown = steps.iter().map(|step| match step {
        Step::Fetch => "fetch".to_owned(),
        Step::Resubscribe => "resubscribe".to_owned(),
        Step::Gap(reason) => format!("gap:{reason}"),
        Step::Replace(snapshot) => format!("s{}", snapshot.last_id.unwrap()),
        Step::Apply(delta) => format!("{}", delta.ids.unwrap().1),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_procedure_in_every_branch() {
    for (given, expected, why) in [
        ("5..9", "", "offline: nothing"),
        ("+ 5..9 10..12", "fetch", "1, 2: buffer, ask once"),
        ("+ t", "fetch", "2: a quiet market has a book too"),
        ("+ t t", "fetch", "asked once"),
        ("+ 5..9 s3", "fetch fetch", "3: too old"),
        ("+ 5..9 s4", "fetch s4 9", "5: U = lastUpdateId + 1 continues it"),
        ("+ 1..4 5..9 10..12 s9", "fetch s9 12", "4: known ones are dropped"),
        ("+ 1..4 5..9 s7", "fetch s7 9", "5: bridged in the middle"),
        ("+ 5..9 s20 15..20 18..22", "fetch s20 22", "4: all of the buffer is older"),
        ("+ t s9 9..9 10..12 13..13", "fetch s9 12 13", "6, 7"),
        ("+ 5..9 s9 10..12 10..12 8..11 13..14", "fetch s9 12 14", "7: repetitions are ignored"),
        ("+ 5..9 s9 12..13", "fetch s9 gap:sequence fetch", "7: a hole"),
        ("+ 5..9 s9 12..13 s11", "fetch s9 gap:sequence fetch s11 13", "7: and back"),
        ("+ 5..9 s9 12..13 14..15 s10", "fetch s9 gap:sequence fetch fetch", "3 again"),
        ("+ 5..9 12..13 s9", "fetch fetch", "a hole in the buffer: only a newer snapshot"),
        ("+ 5..9 12..13 s11", "fetch s11 13", "which then bridges"),
        ("+ 5..9 s9 ! 10..12 s12 13..14", "fetch s9 gap:crossed fetch s12 14", "restart"),
        ("+ 5..9 ! s9 10..12", "fetch s9 12", "restart while waiting forgets the buffer"),
        ("+ 5..9 s9 - 10..12 + 20..22 s21", "fetch s9 gap:reconnect fetch s21 22", "reconnect"),
        ("+ 5..9 - s9 + 20..22", "fetch fetch", "nothing was held, nothing is lost"),
        ("+ 5..9 s9 s12 10..11", "fetch s9 11", "an unasked snapshot is ignored"),
    ] {
        assert_eq!(script(given), expected, "{why}: {given}");
    }
}

#[test]
fn a_buffer_without_room_starts_anew() {
    let mut sync = BinanceSync::default();
    let mut steps = Vec::new();
    sync.connected(Duration::ZERO, &mut steps);
    let most = crate::limits::BUFFERED_DELTAS_MAX as u64;
    (1..=most + 1).for_each(|id| sync.delta(delta(id, id), &mut steps));
    assert_eq!(steps, [Step::Fetch]);
    sync.snapshot(whole(10), &mut steps);
    assert_eq!(steps, [Step::Fetch, Step::Fetch], "too old for what is left");
    sync.snapshot(whole(most), &mut steps);
    assert!(sync.is_live());
}
