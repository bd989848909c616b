//! What playback has come to: books, last messages, which answers are owed. Input: entries in
//! order, subscriptions; output: messages at the desk. It decides nothing about time.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::coinbase::{control, frames};
use super::super::desk::Desk;
use super::super::rest::Answer;
use super::super::{Venue, limits};
use super::books::TextBook;
use super::script::{Entry, Kind, Script, What};

pub(super) struct Stock {
    pub(super) script: Script,
    pub(super) symbols: Vec<SymbolStock>,
    pub(super) products: Vec<ProductStock>,
    /// Of each recorded stream: the names under which it is served.
    served_as: Vec<Vec<(String, Form)>>,
}

/// How a recorded payload is served under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsRecorded,
    /// The payload as it is, under another stream name.
    Renamed,
    /// An aggregate trade told as a trade.
    AggregateAsTrade,
}

/// A Binance symbol as played so far.
#[derive(Default)]
pub(super) struct SymbolStock {
    pub(super) book: Option<TextBook>,
    /// The recorded answer, until it has been given once.
    pub(super) owed: Option<Utf8Bytes>,
    /// Requests that came before the answer's moment.
    pub(super) waiting: Vec<oneshot::Sender<Answer>>,
    pub(super) last_ticker: Option<String>,
    /// Depth payloads from before the snapshot: some may belong behind it.
    early: VecDeque<String>,
    depth_was_sent: bool,
    skip_next: bool,
}

/// A Coinbase product as played so far.
#[derive(Default)]
pub(super) struct ProductStock {
    pub(super) book: Option<TextBook>,
    pub(super) sequence: i64,
    last_trade_id: i64,
    last_match: Option<Utf8Bytes>,
    last_ticker: Option<Utf8Bytes>,
    skip_next: bool,
}

impl Stock {
    pub(super) fn new(script: Script) -> Self {
        let served_as =
            script.streams.iter().map(|stream| served_as(stream.name.as_str(), &script)).collect();
        Self {
            symbols: script.symbols.iter().map(|_| SymbolStock::default()).collect(),
            products: script.products.iter().map(|_| ProductStock::default()).collect(),
            served_as,
            script,
        }
    }

    /// The symbol whose depth request is worth waiting for before this entry is played.
    pub(super) fn awaited(&self, entry: &Entry, desk: &Desk) -> Option<usize> {
        let What::Depth { symbol, .. } = entry.what else { return None };
        let stock = &self.symbols[symbol];
        let asked = stock.waiting.iter().any(|reply| !reply.is_closed());
        let lower = self.script.symbols[symbol].native.to_ascii_lowercase();
        let listens =
            ["depth@100ms", "depth"].iter().any(|suffix| desk.wants(&format!("{lower}@{suffix}")));
        (stock.book.is_none() && stock.depth_was_sent && listens && !asked).then_some(symbol)
    }

    /// Plays one entry: keeps the books, publishes.
    pub(super) fn play(&mut self, entry: &Entry, desk: &mut Desk) {
        match &entry.what {
            What::Depth { symbol, body } => self.symbols[*symbol].take_snapshot(body),
            What::Stream { stream, text, data } => {
                self.play_stream(*stream, text, &text[data.clone()], desk)
            }
            What::Feed { product, kind, text } => self.play_feed(*product, *kind, text, desk),
        }
    }

    /// What a new holder of a Coinbase pair gets at once, if playback has come that far.
    pub(super) fn greeting(&self, pair: &control::Pair) -> Option<Utf8Bytes> {
        let at = self.script.products.iter().position(|product| product.native == pair.product)?;
        let stock = &self.products[at];
        match pair.channel.as_str() {
            "level2" | "level2_batch" => {
                Some(stock.book.as_ref()?.feed_snapshot(&pair.product).into())
            }
            "matches" => {
                let text = stock.last_match.as_ref()?.replacen(
                    r#""type":"match""#,
                    r#""type":"last_match""#,
                    1,
                );
                Some(text.into())
            }
            "ticker" | "ticker_batch" => stock.last_ticker.clone(),
            _ => None,
        }
    }

    /// Coinbase's once a second, for whoever asked.
    pub(super) fn heartbeats(&self, now_us: i64, desk: &mut Desk) {
        for (product, stock) in self.script.products.iter().zip(&self.products) {
            let key = control::key("heartbeat", &product.native);
            if desk.wants(&key) {
                let text =
                    frames::heartbeat(&product.native, stock.sequence, stock.last_trade_id, now_us);
                desk.publish_pair(&key, &text);
            }
        }
    }

    /// Leaves out the next depth message; the canonical name if the symbol is played.
    pub(super) fn skip_next(&mut self, venue: Venue, symbol: &str) -> Option<String> {
        let list = match venue {
            Venue::Binance => &self.script.symbols,
            Venue::Coinbase => &self.script.products,
        };
        let canonical = |at: usize| format!("{}-{}", list[at].base, list[at].quote);
        let at =
            (0..list.len()).find(|at| list[*at].native == symbol || canonical(*at) == symbol)?;
        match venue {
            Venue::Binance => self.symbols[at].skip_next = true,
            Venue::Coinbase => self.products[at].skip_next = true,
        }
        Some(canonical(at))
    }

    fn play_stream(&mut self, stream: usize, text: &Utf8Bytes, data: &str, desk: &mut Desk) {
        let name = &self.script.streams[stream];
        let stock = &mut self.symbols[name.symbol];
        if name.suffix().starts_with("depth") {
            stock.take_depth(data);
            if std::mem::take(&mut stock.skip_next) {
                return;
            }
            stock.depth_was_sent |= self.served_as[stream].iter().any(|(name, _)| desk.wants(name));
        } else if name.suffix() == "ticker" {
            stock.last_ticker = Some(data.to_owned());
        }
        for (served, form) in &self.served_as[stream] {
            if !desk.wants(served) {
                continue;
            }
            match form {
                Form::AsRecorded => desk.publish_recorded(served, text, data),
                Form::Renamed => desk.publish_stream(served, data),
                Form::AggregateAsTrade => {
                    if let Some(trade) = aggregate_as_trade(data) {
                        desk.publish_stream(served, &trade);
                    }
                }
            }
        }
    }

    fn play_feed(&mut self, product: usize, kind: Kind, text: &Utf8Bytes, desk: &mut Desk) {
        let native = &self.script.products[product].native;
        let stock = &mut self.products[product];
        stock.note(kind, text);
        let channels: &[&str] = match kind {
            Kind::Snapshot | Kind::Update => &["level2", "level2_batch"],
            Kind::Match | Kind::LastMatch => &["matches"],
            Kind::Ticker => &["ticker", "ticker_batch"],
            // Made once a second instead: recorded ones would come at the playback's speed.
            Kind::Heartbeat => &[],
        };
        if kind == Kind::Update && std::mem::take(&mut stock.skip_next) {
            return;
        }
        for channel in channels {
            desk.publish_pair(&control::key(channel, native), text);
        }
    }
}

impl SymbolStock {
    fn take_snapshot(&mut self, body: &Utf8Bytes) {
        let Some(mut book) = TextBook::of_depth(body) else { return };
        for data in self.early.drain(..) {
            book.apply_depth(&data);
        }
        let is_first = self.book.is_none();
        if self.book.as_ref().is_some_and(|held| held.last_id > book.last_id) {
            return;
        }
        self.book = Some(book);
        let mut given = false;
        for reply in self.waiting.drain(..) {
            given |= reply.send(Answer::ok(body.to_string())).is_ok();
        }
        if is_first && !given {
            self.owed = Some(body.clone());
        }
    }

    fn take_depth(&mut self, data: &str) {
        match &mut self.book {
            Some(book) => book.apply_depth(data),
            None => {
                if self.early.len() == limits::EARLY_EVENTS_MAX {
                    self.early.pop_front();
                }
                self.early.push_back(data.to_owned());
            }
        }
    }
}

impl ProductStock {
    fn note(&mut self, kind: Kind, text: &Utf8Bytes) {
        match kind {
            Kind::Snapshot => self.book = TextBook::of_feed(text),
            Kind::Update => {
                if let Some(book) = &mut self.book {
                    book.apply_feed(text);
                }
            }
            Kind::Match | Kind::LastMatch => self.last_match = Some(text.clone()),
            Kind::Ticker => self.last_ticker = Some(text.clone()),
            Kind::Heartbeat => {}
        }
        if matches!(kind, Kind::Match | Kind::LastMatch | Kind::Ticker)
            && let Ok(numbers) = serde_json::from_str::<Numbers>(text)
        {
            self.sequence = numbers.sequence.unwrap_or(self.sequence);
            self.last_trade_id = numbers.trade_id.unwrap_or(self.last_trade_id);
        }
    }
}

#[derive(Deserialize)]
struct Numbers {
    sequence: Option<i64>,
    trade_id: Option<i64>,
}

/// A recorded aggregate trade; values pass as written.
#[derive(Deserialize)]
struct Aggregate<'a> {
    #[serde(borrow, rename = "E")]
    event_time: &'a RawValue,
    #[serde(borrow, rename = "s")]
    symbol: &'a RawValue,
    #[serde(borrow, rename = "a")]
    id: &'a RawValue,
    #[serde(borrow, rename = "p")]
    price: &'a RawValue,
    #[serde(borrow, rename = "q")]
    size: &'a RawValue,
    #[serde(borrow, rename = "T")]
    time: &'a RawValue,
    #[serde(borrow, rename = "m")]
    buyer_is_maker: &'a RawValue,
}

fn aggregate_as_trade(data: &str) -> Option<String> {
    let one: Aggregate<'_> = serde_json::from_str(data).ok()?;
    Some(format!(
        r#"{{"e":"trade","E":{},"s":{},"t":{},"p":{},"q":{},"T":{},"m":{},"M":true}}"#,
        one.event_time, one.symbol, one.id, one.price, one.size, one.time, one.buyer_is_maker
    ))
}

/// The names under which a recorded stream is served; a recorded name is never taken over.
fn served_as(name: &str, script: &Script) -> Vec<(String, Form)> {
    let mut served = vec![(name.to_owned(), Form::AsRecorded)];
    let Some((symbol, suffix)) = name.split_once('@') else { return served };
    let (other, form) = match suffix {
        "aggTrade" => ("trade", Form::AggregateAsTrade),
        "depth@100ms" => ("depth", Form::Renamed),
        "depth" => ("depth@100ms", Form::Renamed),
        _ => return served,
    };
    let other = format!("{symbol}@{other}");
    if !script.has_stream(&other) {
        served.push((other, form));
    }
    served
}
