//! REST over real loopback sockets, with a tail played by a task.

mod market;
mod pages;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use fantail_bus::Waker;
use fantail_model::{
    BookChange, Channel, Decimal, Event, Instrument, InstrumentState, Level, Micros, Position,
    Side, State, Symbol, Trade, VenueId,
};
use fantail_ops::clock::Clock;
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::auth::AuthSection;
use crate::handshake::tests::{Server, authenticator, serve};
use crate::query::{Answer, Asked, BookAnswer, Meta, Query, StatusAnswer};

/// An answer, cut.
struct Reply {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The code of an error, whose shape is checked.
    fn error(&self) -> String {
        let error = &self.json()["error"];
        assert!(error["message"].is_string() && error["details"].is_object(), "{}", self.body);
        assert_eq!(error["request_id"].as_str(), Some(self.headers["x-request-id"].as_str()));
        error["code"].as_str().unwrap().to_owned()
    }
}

async fn request(server: &Server, method: &str, target: &str, lines: &[(&str, &str)]) -> Reply {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", server.addr);
    for (name, value) in lines {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("Connection: close\r\n\r\n");
    let answer = server.exchange(&text).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Reply { status, headers, body: body.to_owned() }
}

async fn get(server: &Server, target: &str) -> Reply {
    request(server, "GET", target, &[]).await
}

/// A server with this `[auth]` section and a tail that knows one market.
async fn server(section: AuthSection) -> Server {
    let (queries, asked) = TailQueries::new(4, Waker::new(|| {}));
    tokio::spawn(play_tail(asked));
    let authenticator = authenticator(section);
    serve(Arc::clone(&authenticator), router_with(queries, authenticator), 10).await
}

fn router_with(queries: TailQueries, authenticator: Arc<Authenticator>) -> Router {
    let limits = Limits {
        channels: 1_024,
        channels_per_command: 200,
        commands_per_s: 20,
        commands_burst: 50,
        message_bytes: 65_536,
    };
    let clock = authenticator.clock().clone();
    router(RestState { queries, authenticator, clock, limits, node: "gw-test".to_owned() })
}

fn anonymous() -> AuthSection {
    AuthSection { anonymous: true, ..AuthSection::default() }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn levels(levels: &[(&str, &str)]) -> Vec<Level> {
    let level = |(price, size): &(&str, &str)| Level { price: decimal(price), size: decimal(size) };
    levels.iter().map(level).collect()
}

fn meta(state: State) -> Meta {
    let rx = Some(Micros(Clock::system().wall_micros() - 2_500_000));
    Meta { state, position: Some(Position::new(7, 42)), ts: Some(Micros(1_000)), rx }
}

/// `binance` with BTC-USDT is known; its ETH-USDT resyncs; nothing else exists.
async fn play_tail(mut asked: mpsc::Receiver<Asked>) {
    while let Some((query, answer_to)) = asked.recv().await {
        let _ = answer_to.send(answer(&query));
    }
}

fn answer(query: &Query) -> Answer {
    match query {
        Query::Instruments => Answer::Instruments(vec![(instrument(), State::Live)]),
        Query::Status => Answer::Status(vec![StatusAnswer {
            venue: VenueId::new("binance").unwrap(),
            symbol: None,
            state: State::Stale,
            reason: "no message for 5 s".to_owned(),
            since: Micros(1_000),
        }]),
        Query::Book { channel, depth } => match channel.to_string().as_str() {
            "book:binance:BTC-USDT" => {
                let mut view = BookChange {
                    bids: levels(&[("67012.01", "0.5231"), ("67012", "1"), ("67011.9", "2")]),
                    asks: levels(&[("67012.02", "0.00000001")]),
                };
                view.bids.truncate(*depth);
                Answer::Book(BookAnswer { view, meta: meta(State::Live) })
            }
            "book:binance:ETH-USDT" => Answer::Book(BookAnswer {
                view: BookChange::default(),
                meta: Meta { state: State::Resync, position: None, ts: None, rx: None },
            }),
            _ => Answer::Unknown,
        },
        Query::Recent { channel, limit } => match channel.to_string().as_str() {
            "trade:binance:BTC-USDT" => {
                let events = (0..*limit as u64).map(trade).collect();
                Answer::Recent { events, meta: meta(State::Live) }
            }
            "candle:binance:BTC-USDT:5m" => {
                Answer::Recent { events: vec![candle()], meta: meta(State::Lag) }
            }
            "trade:binance:PANIC-USDT" => panic!("asked for"),
            _ => Answer::Unknown,
        },
    }
}

fn instrument() -> Instrument {
    let (venue, symbol) = (VenueId::new("binance").unwrap(), Symbol::new("BTC-USDT").unwrap());
    let channel = |kind| Channel::new(kind, venue.clone(), symbol.clone());
    Instrument {
        native: "BTCUSDT".to_owned(),
        tick: Some(decimal("0.01")),
        lot: None,
        state: InstrumentState::Trading,
        channels: vec![channel(fantail_model::Kind::Trade), channel(fantail_model::Kind::Book)],
        venue,
        symbol,
    }
}

fn trade(n: u64) -> Event {
    event(
        n + 1,
        fantail_model::Body::Trade(Trade {
            id: n.to_string(),
            price: decimal("67012.02"),
            size: decimal("0.012"),
            side: Side::Buy,
        }),
    )
}

fn candle() -> Event {
    event(
        9,
        fantail_model::Body::Candle(fantail_model::Candle {
            start: Micros(300_000_000),
            open: decimal("1"),
            high: decimal("2.5"),
            low: decimal("0.5"),
            close: decimal("2"),
            volume: decimal("10"),
            is_final: true,
            partial: false,
        }),
    )
}

fn event(seq: u64, body: fantail_model::Body) -> Event {
    let position = Position::new(7, seq);
    Event { position, prev: seq - 1, reset: false, ts: None, rx: Micros(5), vseq: None, body }
}
