//! Random events and commands survive a round trip in every encoding and record format.

use fantail_model::{
    Bbo, Body, BookChange, Candle, Decimal, Event, Funding, Level, Micros, Position, Side, State,
    Status, Ticker, Trade, VenueGap,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{as_read, encode_message};
use crate::client::serde_form::number::Text;
use crate::client::{
    Command, CommandLimits, DataMessage, Encoding, From, Id, ServerMessage, SubscribeItem,
    decode_command, decode_message, encode_command,
};
use crate::record::{self, Record, RecordFormat};

fn decimals() -> impl Strategy<Value = Decimal> {
    let mantissa =
        prop_oneof![any::<i64>().prop_map(i128::from), any::<i128>(), -1_000_000_i128..1_000_000,];
    (mantissa, -64_i32..=0)
        .prop_map(|(mantissa, exponent)| Decimal::new(mantissa, exponent).unwrap_or(Decimal::ZERO))
}

fn levels() -> impl Strategy<Value = Vec<Level>> {
    let level = (decimals(), decimals()).prop_map(|(price, size)| Level { price, size });
    vec(level, 0..12)
}

fn level() -> impl Strategy<Value = Option<Level>> {
    levels().prop_map(|levels| levels.first().copied())
}

fn bodies() -> impl Strategy<Value = Body> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let states =
        [State::Live, State::Stale, State::Resync, State::Down, State::FailedOver, State::Lag];
    let state = proptest::sample::select(states.to_vec());
    let five = || (decimals(), decimals(), decimals(), decimals(), decimals());
    let options = vec(option::of(decimals()), 4);
    prop_oneof![
        (".*", decimals(), decimals(), side)
            .prop_map(|(id, price, size, side)| Body::Trade(Trade { id, price, size, side })),
        (level(), level()).prop_map(|(bid, ask)| Body::Bbo(Bbo { bid, ask })),
        (decimals(), options).prop_map(|(last, it)| {
            let (open, high, low, volume) = (it[0], it[1], it[2], it[3]);
            Body::Ticker(Ticker { last, open, high, low, volume })
        }),
        (levels(), levels()).prop_map(|(bids, asks)| Body::Book(BookChange { bids, asks })),
        (any::<i64>(), five(), any::<bool>(), any::<bool>()).prop_map(
            |(start, (open, high, low, close, volume), is_final, partial)| {
                let start = Micros(start);
                Body::Candle(Candle { start, open, high, low, close, volume, is_final, partial })
            }
        ),
        (decimals(), option::of(decimals()), decimals(), option::of(any::<i64>())).prop_map(
            |(mark, index, rate, next)| {
                Body::Funding(Funding { mark, index, rate, next: next.map(Micros) })
            }
        ),
        (state, ".*").prop_map(|(state, reason)| Body::Status(Status { state, reason })),
        ".*".prop_map(|reason| Body::VenueGap(VenueGap { reason })),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<i64>());
    let options = (option::of(any::<i64>()), option::of(any::<u64>()), any::<bool>());
    (numbers, options, bodies()).prop_map(|((epoch, seq, prev, rx), (ts, vseq, reset), body)| {
        let position = Position::new(epoch, seq);
        Event { position, prev, reset, ts: ts.map(Micros), rx: Micros(rx), vseq, body }
    })
}

fn messages() -> impl Strategy<Value = DataMessage> {
    let gateway = (any::<u32>(), any::<i64>(), any::<bool>());
    (".{0,40}", gateway, option::of(any::<u32>()), option::of(any::<u32>()), events()).prop_map(
        |(channel, (ch, tx, snapshot), crc, n, event)| DataMessage {
            channel,
            ch,
            tx: Micros(tx),
            event,
            crc,
            snapshot,
            n,
        },
    )
}

fn commands() -> impl Strategy<Value = Command> {
    let id = || {
        let text = ".{0,16}".prop_map(Id::Text);
        option::of(prop_oneof![any::<i64>().prop_map(Id::Number), text])
    };
    let from = (any::<u64>(), any::<u64>(), option::of(any::<i64>()))
        .prop_map(|(epoch, seq, rx)| From { epoch, seq, rx });
    let item = (".*", option::of(from), option::of(any::<u32>()))
        .prop_map(|(channel, from, history)| SubscribeItem { channel, from, history });
    prop_oneof![
        (id(), vec(item, 0..5)).prop_map(|(id, channels)| Command::Subscribe { id, channels }),
        (id(), vec(".*", 0..5)).prop_map(|(id, channels)| Command::Unsubscribe { id, channels }),
        id().prop_map(|id| Command::List { id }),
        id().prop_map(|id| Command::Ping { id }),
        (id(), ".*").prop_map(|(id, token)| Command::Auth { id, token }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn numbers_print_as_the_model_prints(value in decimals()) {
        let text = Text::of(value);
        prop_assert_eq!(text.as_str(), value.to_string());
    }

    #[test]
    fn messages_come_back(data in messages()) {
        let message = ServerMessage::Data(data);
        for encoding in Encoding::ALL {
            let read = decode_message(encoding, &encode_message(encoding, &message));
            prop_assert_eq!(read, Ok(as_read(encoding, &message)));
        }
    }

    #[test]
    fn batches_come_back(mut events in vec(messages(), 1..4)) {
        let (channel, ch) = (events[0].channel.clone(), events[0].ch);
        for event in &mut events {
            (event.channel, event.ch) = (channel.clone(), ch);
        }
        let message = ServerMessage::Batch(events);
        for encoding in Encoding::ALL {
            let read = decode_message(encoding, &encode_message(encoding, &message));
            prop_assert_eq!(read, Ok(as_read(encoding, &message)));
        }
    }

    #[test]
    fn records_come_back(channel in ".*", event in events()) {
        let record = Record::Event { channel, event };
        for format in [RecordFormat::Protobuf, RecordFormat::MsgPack] {
            let mut out = Vec::new();
            record::encode(record.as_ref(), format, &mut out);
            let read = record::decode(&out);
            prop_assert_eq!(read.as_ref(), Ok(&record));
        }
    }

    #[test]
    fn commands_come_back(command in commands()) {
        for encoding in Encoding::ALL {
            let mut out = Vec::new();
            encode_command(encoding, &command, &mut out);
            let read = decode_command(encoding, &out, &CommandLimits::default());
            prop_assert_eq!(read.as_ref(), Ok(&command));
        }
    }
}
