//! A record's bytes → the event in them, by `schemas/market.proto` alone.
//!
//! Only Protobuf: the chaos cluster writes it, and one reader is enough to know what the bus holds.
//! A MessagePack record is an error that says so, never skipped.

use std::borrow::Cow;

use prost::Message;

use crate::event::{Body, Event, Level};
use crate::generated as proto;
use crate::generated::bus_record::Record;
use crate::generated::event::Body as Wire;

/// First byte of a MessagePack record.
const MSGPACK: u8 = 0x92;

/// Why a record of the dump can't be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the record is MessagePack; run the cluster with Protobuf records")]
    MsgPack,
    #[error("the record is not Protobuf by schemas/market.proto: {0}")]
    Protobuf(#[from] prost::DecodeError),
    #[error("the record says version {0}; this reader knows 1")]
    Version(u32),
    #[error("the record's event lacks its {0}")]
    Lacks(&'static str),
}

/// Reads a record and hands its event over with channel and epoch; records that are no events give
/// `None`.
pub(crate) fn read<T>(
    bytes: &[u8],
    take: impl FnOnce(&str, u64, &Event<'_>) -> T,
) -> Result<Option<T>, Unreadable> {
    if bytes.first() == Some(&MSGPACK) {
        return Err(Unreadable::MsgPack);
    }
    let record = proto::BusRecord::decode(bytes)?;
    if record.version != 1 {
        return Err(Unreadable::Version(record.version));
    }
    let Some(Record::Event(told)) = record.record else { return Ok(None) };
    let event = told.event.ok_or(Unreadable::Lacks("event"))?;
    let epoch = event.epoch.ok_or(Unreadable::Lacks("epoch"))?;
    let body = body(event.body.as_ref().ok_or(Unreadable::Lacks("body"))?)?;
    let event = Event {
        seq: event.seq,
        prev: event.prev,
        reset: event.reset,
        ts: event.ts,
        rx: Some(event.rx),
        vseq: event.vseq,
        body,
    };
    Ok(Some(take(&told.channel, epoch, &event)))
}

fn body(wire: &Wire) -> Result<Body<'_>, Unreadable> {
    Ok(match wire {
        Wire::Trade(it) => Body::Trade {
            id: Cow::Borrowed(&it.id),
            price: decimal(it.price.as_ref()).ok_or(Unreadable::Lacks("price"))?,
            size: decimal(it.size.as_ref()).ok_or(Unreadable::Lacks("size"))?,
            side: match it.side() {
                proto::Side::Buy => "buy",
                proto::Side::Sell => "sell",
                proto::Side::Unspecified => return Err(Unreadable::Lacks("side")),
            },
        },
        Wire::Bbo(it) => Body::Bbo { bid: side(it.bid.as_ref())?, ask: side(it.ask.as_ref())? },
        Wire::Ticker(it) => {
            Body::Ticker([&it.last, &it.open, &it.high, &it.low, &it.volume].map(optional))
        }
        Wire::Book(it) => Body::Book { bids: levels(&it.bids)?, asks: levels(&it.asks)? },
        Wire::Candle(it) => Body::Candle {
            start: it.start,
            numbers: [&it.open, &it.high, &it.low, &it.close, &it.volume].map(optional),
            closed: it.r#final,
            partial: it.partial,
        },
        Wire::Funding(it) => {
            Body::Funding { numbers: [&it.mark, &it.index, &it.rate].map(optional), next: it.next }
        }
        Wire::Status(it) => {
            Body::Status { state: state(it.state())?, reason: Cow::Borrowed(&it.reason) }
        }
        Wire::VenueGap(it) => Body::VenueGap { reason: Cow::Borrowed(&it.reason) },
    })
}

fn state(state: proto::State) -> Result<&'static str, Unreadable> {
    Ok(match state {
        proto::State::Live => "live",
        proto::State::Stale => "stale",
        proto::State::Resync => "resync",
        proto::State::Down => "down",
        proto::State::FailedOver => "failed_over",
        proto::State::Lag => "lag",
        proto::State::Unspecified => return Err(Unreadable::Lacks("state")),
    })
}

fn levels(levels: &[proto::Level]) -> Result<Vec<Level<'_>>, Unreadable> {
    levels.iter().map(level).collect()
}

fn side(level_of: Option<&proto::Level>) -> Result<Option<Level<'_>>, Unreadable> {
    level_of.map(level).transpose()
}

fn level(level: &proto::Level) -> Result<Level<'_>, Unreadable> {
    let price = decimal(level.price.as_ref()).ok_or(Unreadable::Lacks("price"))?;
    let size = decimal(level.size.as_ref()).ok_or(Unreadable::Lacks("size"))?;
    Ok((price, size))
}

fn optional(value: &Option<proto::Decimal>) -> Option<Cow<'_, str>> {
    decimal(value.as_ref())
}

/// The number as the JSON protocol writes it.
fn decimal(value: Option<&proto::Decimal>) -> Option<Cow<'_, str>> {
    let value = value?;
    if !value.text.is_empty() {
        return Some(Cow::Borrowed(&value.text));
    }
    Some(Cow::Owned(text(value.mantissa, value.exponent)))
}

/// Decimal text of mantissa × 10^exponent, for canonical numbers (exponent ≤ 0).
fn text(mantissa: i64, exponent: i32) -> String {
    let places = usize::try_from(exponent.saturating_neg()).unwrap_or(0).min(PLACES_MAX);
    let sign = if mantissa < 0 { "-" } else { "" };
    let digits = mantissa.unsigned_abs().to_string();
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{sign}{whole}.{fraction}")
}

/// Decimal places written out; the model itself knows far fewer.
const PLACES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_as_the_protocol_writes_them() {
        let check = |mantissa, exponent, wanted: &str| assert_eq!(text(mantissa, exponent), wanted);
        check(6_701_201, -2, "67012.01");
        check(5, -4, "0.0005");
        check(-5, -1, "-0.5");
        check(0, 0, "0");
        check(12, 0, "12");
        check(i64::MIN, -18, "-9.223372036854775808");
    }

    #[test]
    fn what_cannot_be_judged_is_an_error_not_nothing() {
        let read = |bytes: &[u8]| read(bytes, |_, _, _| ()).map_err(|error| error.to_string());
        assert!(read(&[0x92, 1]).unwrap_err().contains("MessagePack"));
        assert!(read(&[0x08, 7]).unwrap_err().contains("version 7"));
        assert!(read(&[0x08, 1, 0x12, 0]).unwrap_err().contains("lacks its event"));
        assert!(read(b"nonsense").unwrap_err().contains("not Protobuf"));
        assert_eq!(read(&[0x08, 1]), Ok(None), "a kind of record that is no event");
    }
}
