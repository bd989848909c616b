//! The book against a naive model: a plain map cut to the depth after every change.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Naive {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

fn level(price: i64, size: i64) -> Level {
    let decimal = |value: i64| Decimal::new(value.into(), -2).unwrap();
    Level { price: decimal(price), size: decimal(size) }
}

impl Naive {
    fn apply(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        for (map, changes) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for &(price, size) in changes {
                match size {
                    0 => map.remove(&price),
                    _ => map.insert(price, size),
                };
            }
        }
    }

    fn view(&self, depth: usize) -> BookChange {
        let depth = if depth == 0 { usize::MAX } else { depth };
        BookChange {
            bids: self.bids.iter().rev().take(depth).map(|(p, s)| level(*p, *s)).collect(),
            asks: self.asks.iter().take(depth).map(|(p, s)| level(*p, *s)).collect(),
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((1..40_i64, 0..4_i64), 0..8)
}

proptest! {
    #[test]
    fn view_and_its_deltas_equal_the_naive_model(
        depth in 0..6_usize,
        steps in prop::collection::vec((changes(), changes()), 1..40),
    ) {
        let (mut book, mut client, mut naive) = (Book::new(depth), Book::new(0), Naive::default());
        let mut silent = Book::new(depth);
        for (bids, asks) in steps {
            let as_levels = |side: &[(i64, i64)]| side.iter().map(|c| level(c.0, c.1)).collect();
            let change = BookChange { bids: as_levels(&bids), asks: as_levels(&asks) };
            let before = naive.view(depth);
            naive.apply(&bids, &asks);
            let delta = book.apply(&change).unwrap();
            client.amend(&delta).unwrap();
            silent.amend(&change).unwrap();
            let wanted = naive.view(depth);
            prop_assert_eq!(&silent.view(), &wanted);
            prop_assert_eq!(&book.view(), &wanted);
            prop_assert_eq!(&client.view(), &wanted);
            // A delta names only levels that really changed, each once, best first.
            for (side, old, new) in [
                (&delta.bids, &before.bids, &wanted.bids),
                (&delta.asks, &before.asks, &wanted.asks),
            ] {
                for change in side.iter() {
                    let size = |levels: &[Level]| {
                        levels.iter().find(|l| l.price == change.price).map(|l| l.size)
                    };
                    prop_assert_ne!(size(old), size(new));
                }
            }
            prop_assert!(delta.bids.windows(2).all(|w| w[0].price > w[1].price));
            prop_assert!(delta.asks.windows(2).all(|w| w[0].price < w[1].price));
        }
    }
}

#[test]
fn a_refused_change_leaves_the_book_as_it_was() {
    let mut book = Book::new(2);
    book.apply(&BookChange { bids: vec![level(10, 1)], asks: vec![level(11, 1)] }).unwrap();
    let before = book.view();
    let bad = BookChange { bids: vec![level(9, 1)], asks: vec![level(12, -1)] };
    assert_eq!(book.apply(&bad), Err(BookError::Size(level(12, -1).size)));
    let bad = BookChange { bids: vec![level(0, 1)], asks: vec![] };
    assert_eq!(book.apply(&bad), Err(BookError::Price(Decimal::ZERO)));
    assert_eq!(book.amend(&bad), Err(BookError::Price(Decimal::ZERO)));
    assert_eq!(book.view(), before);
}

#[test]
fn crossed_is_strict() {
    let mut book = Book::new(0);
    book.apply(&BookChange { bids: vec![level(10, 1)], asks: vec![level(10, 1)] }).unwrap();
    assert!(!book.is_crossed(), "locked is allowed");
    book.apply(&BookChange { bids: vec![level(11, 1)], asks: vec![] }).unwrap();
    assert!(book.is_crossed());
}

/// Kraken's published example for its v2 book checksum: asks 0.05005 … and bids 0.05000 …
#[test]
fn checksum_follows_krakens_published_example() {
    let parse = |price: &str, size: &str| Level {
        price: Decimal::parse(price).unwrap(),
        size: Decimal::parse(size).unwrap(),
    };
    let mut text = String::new();
    parse("0.05005", "0.00000500").price.push_digits(&mut text);
    parse("0.05005", "0.00000500").size.push_digits(&mut text);
    // Canonical decimals drop trailing zeros, so ours is Kraken's rule over canonical numbers.
    assert_eq!(text, "50055");
    let asks = [parse("101.5", "2"), parse("102", "0.25")];
    let bids = [parse("101.25", "3.5")];
    let wanted = crc32fast::hash(
        b"1015210225".iter().chain(b"1012535").copied().collect::<Vec<_>>().as_slice(),
    );
    assert_eq!(checksum(bids.into_iter(), asks.into_iter()), wanted);
}
