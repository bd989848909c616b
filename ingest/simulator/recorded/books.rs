//! The simulator's own books of recorded symbols, kept as text: prices are compared as decimal
//! strings and sizes are never read. Input: recorded payloads; output: snapshot bodies. It shares
//! nothing with the model's book, which is what it answers to.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::decimal_text::is_zero;

/// A price that sorts by value and prints as recorded.
#[derive(Debug, Clone, Eq)]
struct Price(String);

impl Price {
    /// Whole digits without leading zeros, and the part without trailing ones.
    fn parts(&self) -> (&str, &str) {
        let (whole, part) = self.0.split_once('.').unwrap_or((&self.0, ""));
        (whole.trim_start_matches('0'), part.trim_end_matches('0'))
    }
}

impl Ord for Price {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((whole, part), (other_whole, other_part)) = (self.parts(), other.parts());
        whole
            .len()
            .cmp(&other_whole.len())
            .then_with(|| whole.cmp(other_whole))
            .then_with(|| part.cmp(other_part))
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Price {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

/// A Binance depth event's part that books need.
#[derive(Debug, Deserialize)]
struct DepthEvent<'a> {
    #[serde(rename = "u")]
    last_id: i64,
    #[serde(borrow, rename = "b")]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow, rename = "a")]
    asks: Vec<[&'a str; 2]>,
}

#[derive(Debug, Deserialize)]
struct DepthBody<'a> {
    #[serde(rename = "lastUpdateId")]
    last_id: i64,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

#[derive(Debug, Deserialize)]
struct FeedSnapshot<'a> {
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

#[derive(Debug, Deserialize)]
struct FeedUpdate<'a> {
    #[serde(borrow)]
    changes: Vec<[&'a str; 3]>,
}

/// One book in text.
#[derive(Debug, Default)]
pub(in crate::simulator) struct TextBook {
    pub(in crate::simulator) last_id: i64,
    bids: BTreeMap<Reverse<Price>, String>,
    asks: BTreeMap<Price, String>,
}

impl TextBook {
    /// From a recorded REST depth answer.
    pub(in crate::simulator) fn of_depth(body: &str) -> Option<Self> {
        let body: DepthBody<'_> = serde_json::from_str(body).ok()?;
        let mut book = Self { last_id: body.last_id, ..Self::default() };
        book.set_all(&body.bids, &body.asks);
        Some(book)
    }

    /// From a recorded Coinbase snapshot.
    pub(in crate::simulator) fn of_feed(text: &str) -> Option<Self> {
        let snapshot: FeedSnapshot<'_> = serde_json::from_str(text).ok()?;
        let mut book = Self::default();
        book.set_all(&snapshot.bids, &snapshot.asks);
        Some(book)
    }

    /// A Binance event; what the book has already is passed over.
    pub(in crate::simulator) fn apply_depth(&mut self, data: &str) {
        let Ok(event) = serde_json::from_str::<DepthEvent<'_>>(data) else { return };
        if event.last_id <= self.last_id {
            return;
        }
        self.set_all(&event.bids, &event.asks);
        self.last_id = event.last_id;
    }

    /// A Coinbase update.
    pub(in crate::simulator) fn apply_feed(&mut self, text: &str) {
        let Ok(update) = serde_json::from_str::<FeedUpdate<'_>>(text) else { return };
        for [side, price, size] in update.changes {
            self.set(side == "buy", price, size);
        }
    }

    /// A body of `/api/v3/depth`.
    pub(in crate::simulator) fn depth_body(&self, limit: usize) -> String {
        let (bids, asks) = self.rows(limit, "");
        format!(r#"{{"lastUpdateId":{},"bids":[{bids}],"asks":[{asks}]}}"#, self.last_id)
    }

    /// A Coinbase `snapshot` message.
    pub(in crate::simulator) fn feed_snapshot(&self, product: &str) -> String {
        let (bids, asks) = self.rows(usize::MAX, "");
        format!(r#"{{"type":"snapshot","product_id":"{product}","asks":[{asks}],"bids":[{bids}]}}"#)
    }

    /// A body of `/products/<id>/book`.
    pub(in crate::simulator) fn product_body(&self, sequence: i64, limit: usize) -> String {
        let (bids, asks) = self.rows(limit, ",1");
        format!(r#"{{"bids":[{bids}],"asks":[{asks}],"sequence":{sequence}}}"#)
    }

    fn rows(&self, limit: usize, tail: &str) -> (String, String) {
        let row = |price: &Price, size: &String| format!(r#"["{}","{size}"{tail}]"#, price.0);
        let bids: Vec<String> = self.bids.iter().take(limit).map(|(p, s)| row(&p.0, s)).collect();
        let asks: Vec<String> = self.asks.iter().take(limit).map(|(p, s)| row(p, s)).collect();
        (bids.join(","), asks.join(","))
    }

    fn set_all(&mut self, bids: &[[&str; 2]], asks: &[[&str; 2]]) {
        for [price, size] in bids {
            self.set(true, price, size);
        }
        for [price, size] in asks {
            self.set(false, price, size);
        }
    }

    fn set(&mut self, is_bid: bool, price: &str, size: &str) {
        let price = Price(price.to_owned());
        match (is_bid, is_zero(size)) {
            (true, true) => drop(self.bids.remove(&Reverse(price))),
            (true, false) => drop(self.bids.insert(Reverse(price), size.to_owned())),
            (false, true) => drop(self.asks.remove(&price)),
            (false, false) => drop(self.asks.insert(price, size.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_sort_by_value() {
        let mut prices: Vec<Price> =
            ["10.5", "9.99", "10.45", "0.001", "010.50000"].map(|p| Price(p.into())).into();
        prices.sort();
        let texts: Vec<&str> = prices.iter().map(|price| price.0.as_str()).collect();
        assert_eq!(texts, ["0.001", "9.99", "10.45", "10.5", "010.50000"]);
        assert_eq!(Price("10.5".into()), Price("10.50".into()));
    }

    #[test]
    fn books_follow_deltas() {
        let mut book = TextBook::of_depth(
            r#"{"lastUpdateId":5,"bids":[["9","1"],["8","1"]],"asks":[["10","2"]]}"#,
        )
        .expect("a body");
        book.apply_depth(r#"{"U":4,"u":5,"b":[["9","7"]],"a":[]}"#);
        book.apply_depth(r#"{"U":6,"u":7,"b":[["9","0.00"],["8.5","3"]],"a":[["10","4"]]}"#);
        assert_eq!(
            book.depth_body(10),
            r#"{"lastUpdateId":7,"bids":[["8.5","3"],["8","1"]],"asks":[["10","4"]]}"#
        );
    }
}
