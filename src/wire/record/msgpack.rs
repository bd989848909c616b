//! Records as MessagePack: an array of the version and one map, described at the top of
//! `schemas/market.proto`.

use fantail_model::{Channel, Instrument, InstrumentState, Micros, Symbol, VenueId};
use serde::{Deserialize, Serialize};

use super::{FeedHeartbeat, Record, RecordError, RecordRef, VERSION};
use crate::client::serde_form::event::EventForm;
use crate::client::serde_form::incoming::{EventIn, Head, Type};
use crate::client::serde_form::number::Number;
use crate::client::serde_form::{from_msgpack, to_msgpack};

/// An array of two: the version, the map.
pub(super) const FIRST_BYTE: u8 = 0x92;
/// Bytes before the map; versions below 128 are one byte.
const HEAD_BYTES: usize = 2;

#[derive(Serialize)]
struct HeartbeatForm<'a> {
    r#type: &'a str,
    venue: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    group: u32,
    #[serde(skip_serializing_if = "is_zero")]
    groups: u32,
    epoch: u64,
    time: i64,
}

#[derive(Deserialize)]
struct HeartbeatIn {
    venue: String,
    #[serde(default)]
    group: u32,
    #[serde(default)]
    groups: u32,
    epoch: u64,
    time: i64,
}

#[derive(Serialize)]
struct InstrumentForm<'a> {
    r#type: &'a str,
    venue: &'a str,
    symbol: &'a str,
    native: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tick: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot: Option<Number>,
    state: &'a str,
    channels: Vec<String>,
}

#[derive(Deserialize)]
struct InstrumentIn {
    venue: String,
    symbol: String,
    native: String,
    tick: Option<Number>,
    lot: Option<Number>,
    state: StateIn,
    channels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateIn {
    Trading,
    Halted,
    Delisted,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Appends a record.
pub(super) fn encode(record: RecordRef<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[FIRST_BYTE, VERSION]);
    match record {
        RecordRef::Event { channel, event } => to_msgpack(&event_form(channel, event), out),
        RecordRef::Heartbeat(it) => {
            let (venue, group, groups) = (it.venue.as_str(), it.group, it.groups);
            let (r#type, epoch, time) = ("feed_heartbeat", it.epoch, it.time.0);
            to_msgpack(&HeartbeatForm { r#type, venue, group, groups, epoch, time }, out);
        }
        RecordRef::Instrument(it) => to_msgpack(&instrument_form(it), out),
    }
}

/// Reads a record.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    match bytes.get(1) {
        Some(&VERSION) => {}
        Some(&found) => return Err(RecordError::Version { found: u64::from(found) }),
        None => return Err(RecordError::malformed("cut short")),
    }
    let map = bytes.get(HEAD_BYTES..).unwrap_or_default();
    read(map).map_err(RecordError::malformed)
}

fn read(map: &[u8]) -> Result<Record, String> {
    match from_msgpack::<Head>(map)?.kind {
        Type::FeedHeartbeat => {
            let it: HeartbeatIn = from_msgpack(map)?;
            let venue = VenueId::new(&it.venue).map_err(|error| error.to_string())?;
            let (group, groups, epoch, time) = (it.group, it.groups, it.epoch, Micros(it.time));
            Ok(Record::Heartbeat(FeedHeartbeat { venue, group, groups, epoch, time }))
        }
        Type::Instrument => instrument(from_msgpack(map)?).map(Record::Instrument),
        _ => {
            let mut event: EventIn = from_msgpack(map)?;
            if !event.has_epoch() {
                return Err("the event has no epoch".into());
            }
            let channel = std::mem::take(&mut event.channel);
            Ok(Record::Event { channel, event: event.into_event()? })
        }
    }
}

const fn event_form<'a>(channel: &'a str, event: &'a fantail_model::Event) -> EventForm<'a> {
    let (snapshot, tx, crc, n) = (false, None, None, None);
    EventForm { channel: Some(channel), event, with_epoch: true, snapshot, tx, crc, n }
}

fn instrument_form(instrument: &Instrument) -> InstrumentForm<'_> {
    InstrumentForm {
        r#type: "instrument",
        venue: instrument.venue.as_str(),
        symbol: instrument.symbol.as_str(),
        native: &instrument.native,
        tick: instrument.tick.map(Number),
        lot: instrument.lot.map(Number),
        state: instrument.state.as_str(),
        channels: instrument.channels.iter().map(ToString::to_string).collect(),
    }
}

fn instrument(it: InstrumentIn) -> Result<Instrument, String> {
    let channel = |name: &String| name.parse::<Channel>().map_err(|error| error.to_string());
    Ok(Instrument {
        venue: VenueId::new(&it.venue).map_err(|error| error.to_string())?,
        symbol: Symbol::new(&it.symbol).map_err(|error| error.to_string())?,
        native: it.native,
        tick: it.tick.map(|number| number.0),
        lot: it.lot.map(|number| number.0),
        state: match it.state {
            StateIn::Trading => InstrumentState::Trading,
            StateIn::Halted => InstrumentState::Halted,
            StateIn::Delisted => InstrumentState::Delisted,
        },
        channels: it.channels.iter().map(channel).collect::<Result<_, _>>()?,
    })
}
