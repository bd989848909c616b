//! What a reader refuses, and what it survives.

use fantail_model::{Body, Event, Kind, Micros, Position, VenueGap};

use super::{Record, RecordError, RecordFormat, VERSION, decode, encode, key, topic};

fn sample() -> Record {
    let body = Body::VenueGap(VenueGap { reason: "sequence".into() });
    let position = Position::new(7, 1);
    let event = Event { position, prev: 0, reset: true, ts: None, rx: Micros(5), vseq: None, body };
    Record::Event { channel: "trade:binance:BTC-USDT".into(), event }
}

fn bytes(format: RecordFormat) -> Vec<u8> {
    let mut out = Vec::new();
    encode(sample().as_ref(), format, &mut out);
    out
}

#[test]
fn both_formats_announce_their_version() {
    assert_eq!(bytes(RecordFormat::Protobuf)[..2], [0x08, VERSION]);
    assert_eq!(bytes(RecordFormat::MsgPack)[..2], [0x92, VERSION]);
}

#[test]
fn a_higher_version_is_told_apart_from_garbage() {
    for format in [RecordFormat::Protobuf, RecordFormat::MsgPack] {
        let mut newer = bytes(format);
        newer[1] = 2;
        assert_eq!(decode(&newer), Err(RecordError::Version { found: 2 }), "{format:?}");
    }
    assert_eq!(decode(&[0x08, 0xac, 0x02]), Err(RecordError::Version { found: 300 }));
    for garbage in [&b""[..], b"{}", b"\xff\xff"] {
        assert_eq!(decode(garbage), Err(RecordError::Format));
    }
    for cut in [&b"\x08"[..], b"\x92", b"\x08\x01", b"\x92\x01", b"\x92\x00\x80"] {
        assert!(decode(cut).is_err(), "{cut:02x?}");
    }
}

#[test]
fn unknown_protobuf_fields_are_ignored() {
    let mut newer = bytes(RecordFormat::Protobuf);
    newer.extend_from_slice(b"\xba\x06\x03new\xc0\x06\x01");
    assert_eq!(decode(&newer), Ok(sample()));
}

#[test]
fn a_cut_or_lengthened_record_is_an_error() {
    for format in [RecordFormat::Protobuf, RecordFormat::MsgPack] {
        let whole = bytes(format);
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "{format:?} cut at {end}");
        }
    }
    let mut longer = bytes(RecordFormat::MsgPack);
    longer.push(0xc0);
    assert!(decode(&longer).is_err());
}

#[test]
fn topics_follow_the_kind_and_keys_the_instrument() {
    for kind in Kind::ALL {
        assert_eq!(topic(kind), format!("fantail.{}", kind.as_str()));
    }
    for (channel, expected) in [
        ("trade:binance:BTC-USDT", "binance:BTC-USDT"),
        ("candle:binance:BTC-USDT:1m", "binance:BTC-USDT"),
        ("book:binance:BTC-USDT:10@250ms", "binance:BTC-USDT"),
        ("ticker:binance:BTC-USDT@1s", "binance:BTC-USDT"),
        ("status:binance", "binance"),
        ("cbbo:BTC-USDT", "BTC-USDT"),
    ] {
        assert_eq!(key(channel), expected);
    }
}
