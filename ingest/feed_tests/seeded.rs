//! Against generated markets, with the faults of a bad day.

use std::time::Duration;

use fantail_model::{Body, InstrumentState, State};

use super::harness::Harness;
use crate::simulator::{SeededConfig, Source, Venue};

fn calm() -> Source {
    Source::Seeded(SeededConfig {
        seed: 7,
        symbols: 3,
        trades_per_s: 20.0,
        book_updates_per_s: 50.0,
        burst: None,
        calm: true,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_channel_of_both_venues_goes_live() {
    let mut harness = Harness::start(calm(), &["BTC-USDT", "ETH-USDT"], &["BTC-USD"]).await;
    harness.until("life on every channel", |ledger| {
        let alive = |symbol: &str| {
            ["trade", "bbo", "ticker", "book", "candle"].iter().all(|kind| {
                let tail = if *kind == "candle" { ":1m" } else { "" };
                ledger.facts(&format!("{kind}:{symbol}{tail}")) >= 2
            }) && ledger.states(&format!("status:{symbol}")).last() == Some(&State::Live)
        };
        ["binance:BTC-USDT", "binance:ETH-USDT", "coinbase:BTC-USD"].iter().all(|s| alive(s))
            && ledger.states("status:binance").last() == Some(&State::Live)
            && ledger.states("status:coinbase").last() == Some(&State::Live)
            && ledger.heartbeats > 1
            && ledger.instruments.values().all(|instrument| instrument.tick.is_some())
    });
    let figures = harness.figures();
    let ledger = harness.stop().await;
    assert_eq!(ledger.resets("book:binance:BTC-USDT"), 1);
    assert!(ledger.gaps("book:binance:BTC-USDT").is_empty());
    assert!(ledger.gaps("trade:binance:BTC-USDT").is_empty());
    let first = &ledger.of("book:coinbase:BTC-USD")[0];
    assert!(first.reset && matches!(first.body, Body::Book(_)), "a book begins with the book");
    let instrument = &ledger.instruments["binance:BTC-USDT"];
    assert_eq!((instrument.channels.len(), instrument.state), (6, InstrumentState::Trading));
    assert!(figures.contains("fantail_ingest_frames_total{venue=\"binance\"}"), "{figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skipped_delta_resyncs_exactly_that_symbol() {
    let mut harness = Harness::start(calm(), &["BTC-USDT", "ETH-USDT"], &[]).await;
    let (hit, other) = ("book:binance:BTC-USDT", "book:binance:ETH-USDT");
    harness.until("both books", |l| l.facts(hit) > 5 && l.facts(other) > 5);
    harness.faults().skip_delta(Venue::Binance, "BTCUSDT").await;
    harness.until("the resync", |l| l.resets(hit) == 2);
    let seen = harness.ledger.facts(other);
    harness.until("life after it", |l| {
        l.states(hit).last() == Some(&State::Live) && l.facts(other) > seen + 5
    });
    let ledger = harness.stop().await;
    assert_eq!(ledger.gaps(hit), ["sequence"]);
    assert_eq!(ledger.states(hit), [State::Resync, State::Live]);
    assert_eq!((ledger.resets(other), ledger.gaps(other).len()), (1, 0));
    assert!(ledger.states(other).is_empty(), "the other symbol never notices");
    assert!(ledger.gaps("trade:binance:BTC-USDT").is_empty(), "nor do other channels");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_connection_is_told_and_heals() {
    let mut harness = Harness::start(calm(), &["BTC-USDT"], &["BTC-USD"]).await;
    let books = ["book:binance:BTC-USDT", "book:coinbase:BTC-USD"];
    harness.until("both books", |l| books.iter().all(|book| l.facts(book) > 5));
    harness.faults().drop_connection(Venue::Binance).await;
    harness.faults().drop_connection(Venue::Coinbase).await;
    harness.until("both books again", |l| {
        let live = |book: &&str| l.states(book).last() == Some(&State::Live);
        books.iter().all(|book| l.resets(book) == 2 && live(book))
            && l.states("trade:binance:BTC-USDT").last() == Some(&State::Live)
    });
    let trades = harness.ledger.facts("trade:coinbase:BTC-USD");
    harness.until("trades again", |l| l.facts("trade:coinbase:BTC-USD") > trades + 2);
    let ledger = harness.stop().await;
    for book in books {
        assert_eq!(ledger.gaps(book), ["reconnect"], "{book}");
        assert_eq!(ledger.states(book), [State::Down, State::Resync, State::Live], "{book}");
    }
    let of_trades = ledger.gaps("trade:coinbase:BTC-USD");
    assert!(of_trades.iter().all(|reason| reason == "reconnect"), "{of_trades:?}");
    assert_eq!(
        ledger.states("status:binance"),
        [State::Down, State::Live, State::Down, State::Live]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_counted_and_harms_nothing() {
    let mut harness = Harness::start(calm(), &["BTC-USDT"], &["BTC-USD"]).await;
    let books = ["book:binance:BTC-USDT", "book:coinbase:BTC-USD"];
    harness.until("both books", |l| books.iter().all(|book| l.facts(book) > 5));
    harness.faults().garbage(Venue::Binance).await;
    harness.faults().garbage(Venue::Coinbase).await;
    let seen: Vec<_> = books.iter().map(|book| harness.ledger.facts(book)).collect();
    harness.until("life after it", |l| {
        books.iter().zip(&seen).all(|(book, seen)| l.facts(book) > seen + 20)
    });
    let figures = harness.figures();
    let ledger = harness.stop().await;
    assert!(figures.contains("ingest_bad_frames_total{venue=\"binance\",reason=\"malformed\"}"));
    assert!(figures.contains("ingest_bad_frames_total{venue=\"coinbase\",reason=\"malformed\"}"));
    for book in books {
        assert_eq!((ledger.resets(book), ledger.gaps(book).len()), (1, 0), "{book}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_symbol_is_stale_and_an_unlisted_one_is_down() {
    let mut harness = Harness::start(calm(), &["BTC-USDT", "ETH-USDT", "NOPE-USDT"], &[]).await;
    let trades = "trade:binance:BTC-USDT";
    harness.until("trades", |l| l.facts(trades) > 5);
    harness.faults().freeze(Venue::Binance, "BTCUSDT", Duration::from_secs(4)).await;
    harness.until("stale, then live", |l| l.states(trades) == [State::Stale, State::Live]);
    harness.until("the unlisted one", |l| {
        l.of("status:binance:NOPE-USDT").iter().any(|event| match &event.body {
            Body::Status(status) => status.reason.contains("does not list NOPE-USDT"),
            _ => false,
        })
    });
    let ledger = harness.stop().await;
    assert!(ledger.states("trade:binance:ETH-USDT").is_empty());
    assert_eq!(ledger.instruments["binance:NOPE-USDT"].state, InstrumentState::Delisted);
    assert_eq!(ledger.states("status:binance").last(), Some(&State::Live));
}
