//! Decimals, names and patterns: parse and print without loss, order by value.

use proptest::prelude::*;

use crate::{Channel, Decimal, DecimalError, Interval, Pattern};

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn decimals_print_canonically() {
    for (text, printed) in [
        ("67012.01000000", "67012.01"),
        ("0.00000000", "0"),
        ("-0.0", "0"),
        ("007.50", "7.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.5E-8", "0.000000015"),
        ("-12.340", "-12.34"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
    ] {
        assert_eq!(decimal(text).to_string(), printed, "{text}");
    }
}

#[test]
fn bad_decimals_are_refused_with_the_reason() {
    for text in ["", ".", "-", "1.2.3", "1,5", "0x10", "NaN", "1e", "١", " 1", "1 ", "0.-10000"] {
        assert_eq!(Decimal::parse(text), Err(DecimalError::Syntax), "{text}");
    }
    for text in ["1e999999", "1e-65", &"9".repeat(40), &"1".repeat(200)] {
        assert_eq!(Decimal::parse(text), Err(DecimalError::Range), "{text}");
    }
}

proptest! {
    #[test]
    fn decimals_round_trip(mantissa in any::<i128>(), exponent in -64..=0_i32) {
        let value = Decimal::new(mantissa, exponent).unwrap();
        prop_assert_eq!(decimal(&value.to_string()), value);
        prop_assert_eq!(Decimal::new(value.mantissa(), value.exponent()).unwrap(), value);
        prop_assert!(value.exponent() <= 0);
        prop_assert!(value.exponent() == 0 || value.mantissa() % 10 != 0);
    }

    #[test]
    fn decimals_order_by_value(a in -10_000_i64..10_000, b in -10_000_i64..10_000, s in 0..6_i32, t in 0..6_i32) {
        let (left, right) = (Decimal::new(a.into(), -s).unwrap(), Decimal::new(b.into(), -t).unwrap());
        let scaled = |v: i64, scale: i32| i128::from(v) * 10_i128.pow((6 - scale) as u32);
        prop_assert_eq!(left.cmp(&right), scaled(a, s).cmp(&scaled(b, t)));
    }

    #[test]
    fn order_survives_numbers_too_wide_to_align(a in any::<i128>(), b in any::<i128>(), s in 0..64_i32, t in 0..64_i32) {
        let (left, right) = (Decimal::new(a, -s).unwrap(), Decimal::new(b, -t).unwrap());
        prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
        prop_assert_eq!(left == right, left.cmp(&right).is_eq());
    }

    #[test]
    fn names_never_panic(text in "\\PC{0,80}") {
        let _ = text.parse::<Channel>();
        let _ = text.parse::<Pattern>();
        let _ = Decimal::parse(&text);
    }
}

#[test]
fn channels_print_as_they_are_written() {
    for name in [
        "book:binance:BTC-USDT",
        "book:binance:BTC-USDT:10@250ms",
        "ticker:coinbase:ETH-USD@1s",
        "candle:binance:BTC-USDT:1m",
        "status:binance",
        "status:binance:BTC-USDT",
        "cbbo:BTC-USDT",
        "trade:binance-usdm:BTC-USDT-PERP",
    ] {
        assert_eq!(name.parse::<Channel>().unwrap().to_string(), name);
    }
}

#[test]
fn names_outside_the_grammar_are_refused_with_a_suggestion() {
    for name in [
        "",
        "book",
        "book:binance",
        "Book:binance:BTC-USDT",
        "book:Binance:BTC-USDT",
        "book:binance:btc-usdt",
        "book:binance:BTC-USDT:7",
        "trade:binance:BTC-USDT:5",
        "candle:binance:BTC-USDT",
        "candle:binance:BTC-USDT:2m",
        "book:binance:BTC-USDT@",
        "book:binance:BTC-USDT@1000ms",
        "book:binance:BTC-USDT@0s",
        "book:binance:*",
        "book:binance:BTC-USDT.:",
        "book:binance:ВТС-USDT",
        "book:binance:BTC-USDT:10:x",
        "book:bin.ance:BTC-USDT",
        "book::BTC-USDT",
        "book:binance:BTC--USDT",
        &format!("book:binance:{}", "A".repeat(10_240)),
    ] {
        let error = name.parse::<Channel>().expect_err(name);
        assert!(!error.suggestion.is_empty());
    }
}

#[test]
fn patterns_match_and_grant() {
    let pattern = |text: &str| text.parse::<Pattern>().unwrap();
    let channel = |text: &str| text.parse::<Channel>().unwrap();
    assert!(pattern("ticker:*:BTC-USDT@250ms").matches(&channel("ticker:kraken:BTC-USDT@250ms")));
    assert!(!pattern("ticker:*:BTC-USDT@250ms").matches(&channel("ticker:kraken:BTC-USDT")));
    assert!(pattern("book:binance:*").grants(&channel("book:binance:BTC-USDT:10@1s")));
    assert!(!pattern("book:binance:*").grants(&channel("book:coinbase:BTC-USD")));
    assert!(!pattern("book:binance:*").grants(&channel("trade:binance:BTC-USDT")));
    assert!(pattern("trade:binance:BTC-USDT").grants(&channel("status:binance")));
    assert!(pattern("trade:binance:BTC-USDT").grants(&channel("status:binance:BTC-USDT")));
    assert!(!pattern("trade:binance:BTC-USDT").grants(&channel("status:binance:ETH-USDT")));
    assert!(!pattern("trade:binance:BTC-USDT").grants(&channel("status:coinbase")));
    assert!(pattern("book:*:*").is_wildcard());
    assert_eq!(Interval::parse("5s").unwrap().millis(), 5_000);
}
