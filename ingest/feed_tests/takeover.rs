//! Two workers on one bus: the work is shared, and who is left takes over what another left.

use fantail_model::Body;

use super::harness::{Harness, Ledger};
use crate::RawVenue;
use crate::simulator::{SeededConfig, Source};

const COINBASE: &str = "trade:coinbase:BTC-USD";
const BINANCE: &str = "trade:binance:BTC-USDT";

fn calm() -> Source {
    let (seed, symbols, trades_per_s, book_updates_per_s) = (3, 2, 50.0, 60.0);
    let (burst, calm) = (None, true);
    Source::Seeded(SeededConfig { seed, symbols, trades_per_s, book_updates_per_s, burst, calm })
}

/// The simulator's trades of a symbol have consecutive ids.
fn assert_unbroken(ledger: &Ledger, channel: &str) {
    let ids = ledger.trade_ids(channel);
    let broken = ids.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!(broken, None, "{channel}: {:?}", ledger.gaps(channel));
    assert_eq!(ledger.gaps(channel), Vec::<String>::new(), "{channel}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_worker_shares_and_then_takes_over_without_losing_a_trade() {
    let mut harness = Harness::start(calm(), &["BTC-USDT"], &["BTC-USD"]).await;
    harness.until("both venues", |l| l.facts(COINBASE) > 20 && l.facts(BINANCE) > 20);

    harness.join();
    harness.until("one venue moved", |l| l.epochs(COINBASE) + l.epochs(BINANCE) == 3);
    let trades = (harness.ledger.facts(COINBASE), harness.ledger.facts(BINANCE));
    harness.until("both go on", |l| {
        l.facts(COINBASE) > trades.0 + 50 && l.facts(BINANCE) > trades.1 + 50
    });

    harness.leave(0).await;
    harness.until("the other moved", |l| l.epochs(COINBASE) == 2 && l.epochs(BINANCE) == 2);
    let (coinbase, binance) = ("book:coinbase:BTC-USD", "book:binance:BTC-USDT");
    let books = (harness.ledger.facts(coinbase), harness.ledger.facts(binance));
    harness.until("books are taken anew and go on", |l| {
        l.resets(coinbase) == 2
            && l.resets(binance) == 2
            && l.facts(coinbase) > books.0 + 20
            && l.facts(binance) > books.1 + 20
    });
    let ledger = harness.stop().await;
    assert_unbroken(&ledger, COINBASE);
    assert_unbroken(&ledger, BINANCE);
    assert_eq!(ledger.gaps(coinbase), ["owner_change"]);
    assert_eq!(ledger.gaps(binance), ["owner_change"]);
    assert_eq!(ledger.gaps("bbo:binance:BTC-USDT"), ["owner_change"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_without_a_known_last_trade_tells_the_change() {
    let mut harness = Harness::start(calm(), &["BTC-USDT"], &[]).await;
    harness.until("trades", |l| l.facts(BINANCE) > 5);
    // Nobody's trade is within reach of the reader: the topic's end is another symbol's.
    harness.bury(BINANCE);
    harness.join();
    harness.leave(0).await;
    harness.until("the change", |l| l.epochs(BINANCE) == 2);
    let facts = harness.ledger.facts(BINANCE);
    harness.until("life after it", |l| l.facts(BINANCE) > facts + 20);
    let ledger = harness.stop().await;
    assert_eq!(ledger.gaps(BINANCE), ["owner_change"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_silent_until_it_continues_without_a_missing_trade() {
    let standby = |raw: &mut RawVenue| raw.standby = true;
    let mut harness = Harness::start_with(calm(), &["BTC-USDT"], &[], standby).await;
    harness.until("trades", |l| l.facts(BINANCE) > 20);
    harness.join();
    // The only unit stays with the first worker; the second opens a line of its own.
    let facts = harness.ledger.facts(BINANCE);
    harness.until("the owner goes on", |l| l.facts(BINANCE) > facts + 100);
    assert_eq!(harness.ledger.epochs(BINANCE), 1, "a standby says nothing");

    harness.leave(0).await;
    harness.until("the standby speaks", |l| l.epochs(BINANCE) == 2);
    let book = "book:binance:BTC-USDT";
    let facts = (harness.ledger.facts(BINANCE), harness.ledger.facts(book));
    harness.until("life after it", |l| {
        l.facts(BINANCE) > facts.0 + 50 && l.facts(book) > facts.1 + 20
    });
    let ledger = harness.stop().await;
    assert_unbroken(&ledger, BINANCE);
    assert_eq!(ledger.resets(book), 2);
    assert_eq!(ledger.gaps(book), ["owner_change"]);
    let after = ledger.of(book).iter().rev().find(|event| event.position.seq == 2).unwrap();
    assert!(after.reset, "the book follows the gap at once: {after:?}");
    let candle = ledger.of("candle:binance:BTC-USDT:1m").iter().rev();
    let candle = candle.clone().find(|event| event.position.seq == 2).unwrap();
    assert!(matches!(candle.body, Body::Candle(_)), "a quiet channel has its value: {candle:?}");
}
