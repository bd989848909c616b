//! Sample data messages of every body and edge, for the golden vectors.

use fantail_model::{
    Bbo, Body, BookChange, Candle, Decimal, Event, Funding, Level, Micros, Position, Side, State,
    Status, Ticker, Trade, VenueGap,
};

use crate::client::{DataMessage, ServerMessage, SnapshotMessage};

/// Name, what it shows, the message.
pub(super) type Sample = (&'static str, &'static str, ServerMessage);

pub(super) const EPOCH: u64 = 1_790_000_000_000_000;
const RX: Micros = Micros(1_790_000_100_000_450);
const TX: Micros = Micros(1_790_000_100_000_700);

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn level(price: &str, size: &str) -> Level {
    Level { price: decimal(price), size: decimal(size) }
}

pub(super) fn book(bids: &[(&str, &str)], asks: &[(&str, &str)]) -> BookChange {
    let levels = |side: &[(&str, &str)]| side.iter().map(|(p, s)| level(p, s)).collect();
    BookChange { bids: levels(bids), asks: levels(asks) }
}

pub(super) fn event(seq: u64, body: Body) -> Event {
    Event {
        position: Position::new(EPOCH, seq),
        prev: seq - 1,
        reset: false,
        ts: Some(Micros(1_790_000_100_000_000)),
        rx: RX,
        vseq: None,
        body,
    }
}

fn data(channel: &str, ch: u32, event: Event) -> DataMessage {
    let channel = channel.to_owned();
    DataMessage { channel, ch, tx: TX, event, crc: None, snapshot: false, n: None }
}

pub(super) fn trade(id: &str, price: &str, size: &str, side: Side) -> Body {
    Body::Trade(Trade { id: id.into(), price: decimal(price), size: decimal(size), side })
}

fn bbo(bid: Option<Level>, ask: Option<Level>) -> Body {
    Body::Bbo(Bbo { bid, ask })
}

fn ticker(full: bool) -> Body {
    let some = |text| full.then(|| decimal(text));
    Body::Ticker(Ticker {
        last: decimal("67012.02"),
        open: some("66000"),
        high: some("68000.5"),
        low: some("65900.01"),
        volume: some("12345.678"),
    })
}

fn candle(is_final: bool, partial: bool) -> Body {
    Body::Candle(Candle {
        start: Micros(1_790_000_040_000_000),
        open: decimal("1.5"),
        high: decimal("1.75"),
        low: decimal("1.25"),
        close: decimal("1.6"),
        volume: decimal("1000"),
        is_final,
        partial,
    })
}

fn status(state: State, reason: &str) -> Body {
    Body::Status(Status { state, reason: reason.into() })
}

fn wrap(name: &'static str, about: &'static str, data: DataMessage) -> Sample {
    (name, about, ServerMessage::Data(data))
}

const TRADES: &str = "trade:coinbase:BTC-USD";
const BOOK: &str = "book:binance:BTC-USDT";

/// Trades and every quote-like body.
pub(super) fn quotes() -> Vec<Sample> {
    let buy = event(88_162, trade("4101", "67012.02", "0.012", Side::Buy));
    let first = Event { reset: true, ..event(1, trade("1", "0.5", "3", Side::Sell)) };
    let no_ts = Event { ts: None, ..event(2, trade("ünïcode-\"id\"", "1", "1", Side::Sell)) };
    let quote = bbo(Some(level("67012.01", "0.5")), Some(level("67012.02", "1.25")));
    let last = DataMessage {
        snapshot: true,
        ..data("bbo:binance:BTC-USDT", 3, Event { vseq: Some(77), ..event(40, quote.clone()) })
    };
    let conflated = DataMessage {
        n: Some(12),
        ..data("bbo:binance:BTC-USDT@250ms", 4, Event { prev: 28, ..event(40, quote) })
    };
    let funding = |index, next| {
        let (mark, rate) = (decimal("67010.5"), decimal("-0.000125"));
        event(5, Body::Funding(Funding { mark, index, rate, next }))
    };
    let full = funding(Some(decimal("67009")), Some(Micros(1_790_003_600_000_000)));
    let (ticks, candles) = ("ticker:kraken:ETH-USD", "candle:binance:DOGE-USDT:1m");
    let funds = "funding:binance-usdm:BTC-USDT-PERP";
    vec![
        wrap("trade", "a trade; `ts` is the venue's time", data(TRADES, 4, buy)),
        wrap(
            "trade-first",
            "an epoch's first event: epoch, seq 1, prev 0, reset",
            data(TRADES, 4, first),
        ),
        wrap(
            "trade-without-ts",
            "no venue time; an id with quotes and non-ASCII",
            data(TRADES, 4, no_ts),
        ),
        wrap("bbo-last-value", "a last value sent on subscribe: snapshot and epoch", last),
        wrap(
            "bbo-conflated",
            "twelve events in one: prev is the seq of the previous emission",
            conflated,
        ),
        wrap(
            "bbo-one-side",
            "a side without orders is absent",
            data("bbo:binance:BTC-USDT", 3, event(41, bbo(None, Some(level("2", "3"))))),
        ),
        wrap(
            "bbo-empty",
            "no orders at all",
            data("bbo:binance:BTC-USDT", 3, event(42, bbo(None, None))),
        ),
        wrap("ticker", "24-hour statistics", data(ticks, 9, event(7, ticker(true)))),
        wrap(
            "ticker-last-only",
            "a venue that tells only the last price",
            data(ticks, 9, event(8, ticker(false))),
        ),
        wrap(
            "candle-open",
            "an open bucket, not seen whole",
            data(candles, 11, event(9, candle(false, true))),
        ),
        wrap(
            "candle-final",
            "no further change will come",
            data(candles, 11, event(10, candle(true, false))),
        ),
        wrap("funding", "a negative rate", data(funds, 12, full)),
        wrap("funding-short", "no index, no next payment", data(funds, 12, funding(None, None))),
    ]
}

/// States and losses.
pub(super) fn states() -> Vec<Sample> {
    let of = |seq, body| Event { ts: None, ..event(seq, body) };
    let gap = Body::VenueGap(VenueGap { reason: "reconnect".into() });
    let words = [
        ("status-live", State::Live),
        ("status-stale", State::Stale),
        ("status-resync", State::Resync),
        ("status-down", State::Down),
        ("status-failed-over", State::FailedOver),
        ("status-lag", State::Lag),
    ];
    let mut samples: Vec<Sample> = words
        .into_iter()
        .map(|(name, state)| {
            let reason = if state == State::Live { "" } else { "venue says: 维护 (no trades)" };
            let event = of(3, status(state, reason));
            wrap(
                name,
                "a feed's state; an empty reason is absent",
                data("status:binance", 1, event),
            )
        })
        .collect();
    samples.push(wrap(
        "venue-gap",
        "the venue's own loss has a seq of its own",
        data(TRADES, 4, of(88_191, gap)),
    ));
    samples
}

/// Books: deltas, resets, numbers at the edges.
pub(super) fn books() -> Vec<Sample> {
    let of = |seq, change| Event { vseq: Some(50_093_239_224), ..event(seq, Body::Book(change)) };
    let removed = of(913, book(&[("67012.01", "0")], &[]));
    let with_crc = DataMessage {
        crc: Some(3_310_070_434),
        ..data(BOOK, 17, of(928, book(&[("67012.01", "0.5231")], &[("67012.02", "2")])))
    };
    let reset =
        Event { reset: true, ..of(930, book(&[("10", "1"), ("9.5", "2")], &[("11", "3")])) };
    let widest = "170141183460469231731687303715884105727";
    let edges = book(
        &[("9223372036854775807", "0.00000001"), ("9223372036854775808", "12345678901234567890.5")],
        &[(widest, "0.0000000000000000000000000000000000000000000000000000000000000001")],
    );
    vec![
        wrap("book-remove", "size 0 removes a level", data(BOOK, 17, removed)),
        wrap("book-crc", "a checksum, due when seq % 16 = 0", with_crc),
        wrap("book-reset", "a resynced book replaces what the client holds", data(BOOK, 17, reset)),
        wrap(
            "book-empty",
            "a venue message that changed nothing in the view",
            data(BOOK, 17, of(931, book(&[], &[]))),
        ),
        wrap(
            "book-wide-numbers",
            "i64::MAX fits as a pair; beyond it: decimal text in MessagePack, `text` in Protobuf",
            data(BOOK, 17, of(932, edges)),
        ),
    ]
}

/// Whole books and batches.
pub(super) fn wholes() -> Vec<Sample> {
    let snapshot = SnapshotMessage {
        channel: BOOK.into(),
        ch: 17,
        position: Some(Position::new(EPOCH, 912)),
        ts: Some(Micros(1_790_000_099_900_000)),
        rx: RX,
        tx: TX,
        vseq: Some(50_093_239_223),
        levels: book(&[("67012.01", "0.5231"), ("67012", "1")], &[("67012.02", "0.75")]),
        crc: 3_310_070_434,
    };
    let waiting = SnapshotMessage {
        position: None,
        ts: None,
        vseq: None,
        levels: book(&[], &[]),
        crc: 0,
        ..snapshot.clone()
    };
    let empty = SnapshotMessage { levels: book(&[], &[]), crc: 0, ..snapshot.clone() };
    let events = vec![
        data(TRADES, 4, event(88_162, trade("4101", "67012.02", "0.012", Side::Buy))),
        data(TRADES, 4, event(88_163, trade("4102", "67012.01", "1", Side::Sell))),
        data(
            TRADES,
            4,
            Event { reset: true, ..event(88_164, trade("4103", "67012", "2", Side::Buy)) },
        ),
    ];
    vec![
        ("snapshot", "the state after seq", ServerMessage::Snapshot(snapshot)),
        (
            "snapshot-waiting",
            "not in sync yet: seq is null, the real one follows",
            ServerMessage::Snapshot(waiting),
        ),
        ("snapshot-empty", "in sync, and nobody quotes", ServerMessage::Snapshot(empty)),
        ("batch", "events of one channel that left together", ServerMessage::Batch(events)),
    ]
}
