//! The scan against the full decoder, on whatever the encoder can write.

use fantail_model::{
    Bbo, Body, BookChange, Decimal, Event, Level, Micros, Position, Side, State, Status, Ticker,
    Trade, VenueGap,
};
use fantail_wire::client::{
    BookSnapshot, Encoding, EventMessage, ServerMessage, decode_message, encode_batch,
    encode_event, encode_snapshot,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

const CHANNEL: &str = "book:binance:BTC-USDT@250ms";

fn levels() -> impl Strategy<Value = Vec<Level>> {
    let number = || {
        (any::<i64>(), -20_i32..=0).prop_map(|(mantissa, exponent)| {
            Decimal::new(i128::from(mantissa), exponent).unwrap_or(Decimal::ZERO)
        })
    };
    vec((number(), number()).prop_map(|(price, size)| Level { price, size }), 0..6)
}

fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        (".*", levels()).prop_map(|(id, levels)| {
            let level = levels.first().copied();
            let (price, size) = level.map_or((Decimal::ZERO, Decimal::ZERO), |l| (l.price, l.size));
            Body::Trade(Trade { id, price, size, side: Side::Sell })
        }),
        (levels(), levels()).prop_map(|(bids, asks)| Body::Book(BookChange { bids, asks })),
        levels().prop_map(|l| Body::Bbo(Bbo { bid: l.first().copied(), ask: l.last().copied() })),
        levels().prop_map(|l| {
            let (last, open) = (l.first().map_or(Decimal::ZERO, |l| l.price), l.last());
            let open = open.map(|level| level.price);
            Body::Ticker(Ticker { last, open, high: None, low: open, volume: None })
        }),
        // Reasons that look like fields must not be taken for them.
        prop_oneof![".*", Just("\",\"seq\":1,\"prev\":{".to_owned())]
            .prop_map(|reason| Body::Status(Status { state: State::Live, reason })),
        ".*".prop_map(|reason| Body::VenueGap(VenueGap { reason })),
    ]
}

prop_compose! {
    fn events()(
        body in bodies(),
        (epoch, seq, prev, reset) in (any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>()),
        (ts, rx) in (option::of(any::<i64>()), -5..i64::MAX),
        vseq in option::of(any::<u64>()),
    ) -> Event {
        let position = Position::new(epoch, seq);
        Event { position, prev, reset, ts: ts.map(Micros), rx: Micros(rx), vseq, body }
    }
}

fn message(event: &Event, snapshot: bool) -> EventMessage<'_> {
    let tx = Micros(1_790_000_000_000_002);
    EventMessage { channel: CHANNEL, ch: 64, tx, event, crc: Some(7), snapshot, n: Some(3) }
}

fn check(seen: Scanned<'_>, event: &Event, snapshot: bool) {
    let told = (event.reset || snapshot).then_some(event.position.epoch);
    let expected = Scanned {
        channel: CHANNEL.as_bytes(),
        epoch: told,
        seq: event.position.seq,
        prev: event.prev,
        reset: event.reset,
        snapshot,
        ts: event.ts.map(|at| at.0),
        rx: event.rx.0,
        tx: 1_790_000_000_000_002,
    };
    assert_eq!(seen, expected);
}

proptest! {
    #[test]
    fn events_scan_as_they_decode(event in events(), snapshot in any::<bool>()) {
        let mut bytes = Vec::new();
        encode_event(Encoding::Json, &message(&event, snapshot), &mut bytes);
        let seen = scan(&bytes).expect("an event");
        check(seen, &event, snapshot);
        let Ok(ServerMessage::Data(full)) = decode_message(Encoding::Json, &bytes) else {
            panic!("the encoder's own event")
        };
        prop_assert_eq!(seen.seq, full.event.position.seq);
        prop_assert_eq!((seen.prev, seen.rx, seen.tx), (full.event.prev, full.event.rx.0, full.tx.0));
        prop_assert_eq!(seen.ts, full.event.ts.map(|at| at.0));
        prop_assert_eq!((seen.reset, seen.snapshot), (full.event.reset, full.snapshot));
    }

    #[test]
    fn batches_scan_event_by_event(events in vec(events(), 1..8)) {
        let messages: Vec<_> = events.iter().map(|event| message(event, false)).collect();
        let mut bytes = Vec::new();
        encode_batch(Encoding::Json, &messages, &mut bytes);
        let mut seen = Vec::new();
        prop_assert!(scan_batch(&bytes, |one| seen.push(one)));
        prop_assert_eq!(seen.len(), events.len());
        for (seen, event) in seen.into_iter().zip(&events) {
            check(seen, event, false);
        }
    }

    #[test]
    fn books_scan_as_they_decode(
        (bids, asks) in (levels(), levels()),
        position in option::of((any::<u64>(), any::<u64>())),
        (ts, rx) in (option::of(any::<i64>()), 0..i64::MAX),
    ) {
        let levels = BookChange { bids, asks };
        let position = position.map(|(epoch, seq)| Position::new(epoch, seq));
        let (ts, rx, tx) = (ts.map(Micros), Micros(rx), Micros(5));
        let book =
            BookSnapshot { channel: CHANNEL, ch: 1, position, ts, rx, tx, vseq: None, levels: &levels, crc: 9 };
        let mut bytes = Vec::new();
        encode_snapshot(Encoding::Json, &book, &mut bytes);
        let seen = scan(&bytes);
        prop_assert_eq!(seen.map(|it| (it.epoch, it.seq, it.snapshot, it.ts, it.rx, it.tx)),
            position.map(|at| (Some(at.epoch), at.seq, true, ts.map(|at| at.0), rx.0, 5)));
    }

    #[test]
    fn no_bytes_break_it(bytes in vec(any::<u8>(), 0..200), cut in 0_usize..200) {
        let _ = scan(&bytes);
        let _ = scan_batch(&bytes, |_| ());
        let event = Event {
            position: Position::new(1, 2), prev: 1, reset: false, ts: None, rx: Micros(3), vseq: None,
            body: Body::VenueGap(VenueGap { reason: "x".into() }),
        };
        let mut whole = Vec::new();
        encode_batch(Encoding::Json, &[message(&event, false); 3], &mut whole);
        whole.truncate(cut);
        prop_assert!(!scan_batch(&whole, |_| ()));
    }
}

#[test]
fn other_messages_are_left_alone() {
    for text in [
        "",
        "{}",
        r#"{"type":"heartbeat","n":1,"time":5}"#,
        r#"{"type":"gap"}"#,
        r#"{"type":"gap","channel":"x","epoch":1,"from":2,"to":3,"reason":"y"}"#,
        r#"{"type":"stale","channel":"x","reason":"ingest_silent"}"#,
        r#"{"type":"snapshot","channel":"x","seq":null,"rx":1,"tx":2}"#,
        r#"{"type":"batch","channel":"x","events":[]}"#,
        r#"{"type":"trade","channel":"x","seq":99999999999999999999,"prev":1,"rx":1,"tx":1"#,
    ] {
        assert_eq!(scan(text.as_bytes()), None, "{text}");
        assert!(!scan_batch(text.as_bytes(), |_| ()), "{text}");
    }
}
