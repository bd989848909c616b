//! Records as `BusRecord` of `schemas/market.proto`.

use fantail_model::{Channel, Instrument, InstrumentState, Micros, Symbol, VenueId};
use prost::Message;

use super::{FeedHeartbeat, Record, RecordError, RecordRef, VERSION};
use crate::client::protobuf::{decimal_option, event_in, event_out, number, write};
use crate::generated as proto;
use crate::generated::bus_record::Record as Wire;

/// Tag of `version`, which is always written first.
pub(super) const FIRST_BYTE: u8 = 0x08;

/// Appends a record.
pub(super) fn encode(record: RecordRef<'_>, out: &mut Vec<u8>) {
    let record = match record {
        RecordRef::Event { channel, event } => Wire::Event(proto::BusEvent {
            channel: channel.to_owned(),
            event: Some(event_out(event, true)),
        }),
        RecordRef::Heartbeat(heartbeat) => Wire::Heartbeat(proto::FeedHeartbeat {
            venue: heartbeat.venue.as_str().to_owned(),
            epoch: heartbeat.epoch,
            time: heartbeat.time.0,
            group: heartbeat.group,
            groups: heartbeat.groups,
        }),
        RecordRef::Instrument(instrument) => Wire::Instrument(instrument_out(instrument)),
    };
    write(&proto::BusRecord { version: u32::from(VERSION), record: Some(record) }, out);
}

/// Reads a record.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    check_version(bytes)?;
    let record = proto::BusRecord::decode(bytes).map_err(RecordError::malformed)?;
    match record.record.ok_or_else(|| RecordError::malformed("a kind this reader does not know"))? {
        Wire::Event(it) => {
            let event = it.event.ok_or_else(|| RecordError::malformed("no event"))?;
            if event.epoch.is_none() {
                return Err(RecordError::malformed("the event has no epoch"));
            }
            let event = event_in(event).map_err(RecordError::malformed)?;
            Ok(Record::Event { channel: it.channel, event })
        }
        Wire::Heartbeat(it) => Ok(Record::Heartbeat(FeedHeartbeat {
            venue: VenueId::new(&it.venue).map_err(RecordError::malformed)?,
            group: it.group,
            groups: it.groups,
            epoch: it.epoch,
            time: Micros(it.time),
        })),
        Wire::Instrument(it) => instrument_in(it).map(Record::Instrument),
    }
}

/// Before anything else is believed: a newer writer may have changed what it means.
fn check_version(bytes: &[u8]) -> Result<(), RecordError> {
    let mut rest = bytes.get(1..).unwrap_or_default();
    let found = prost::encoding::decode_varint(&mut rest).map_err(RecordError::malformed)?;
    if found > u64::from(VERSION) { Err(RecordError::Version { found }) } else { Ok(()) }
}

fn instrument_out(instrument: &Instrument) -> proto::Instrument {
    let state = match instrument.state {
        InstrumentState::Trading => proto::InstrumentState::Trading,
        InstrumentState::Halted => proto::InstrumentState::Halted,
        InstrumentState::Delisted => proto::InstrumentState::Delisted,
    };
    proto::Instrument {
        venue: instrument.venue.as_str().to_owned(),
        symbol: instrument.symbol.as_str().to_owned(),
        native: instrument.native.clone(),
        tick: instrument.tick.map(number),
        lot: instrument.lot.map(number),
        state: state.into(),
        channels: instrument.channels.iter().map(ToString::to_string).collect(),
    }
}

fn instrument_in(instrument: proto::Instrument) -> Result<Instrument, RecordError> {
    let state = match instrument.state() {
        proto::InstrumentState::Trading => InstrumentState::Trading,
        proto::InstrumentState::Halted => InstrumentState::Halted,
        proto::InstrumentState::Delisted => InstrumentState::Delisted,
        proto::InstrumentState::Unspecified => {
            return Err(RecordError::malformed("the instrument's state is missing or unknown"));
        }
    };
    let channel = |name: &String| name.parse::<Channel>().map_err(RecordError::malformed);
    Ok(Instrument {
        venue: VenueId::new(&instrument.venue).map_err(RecordError::malformed)?,
        symbol: Symbol::new(&instrument.symbol).map_err(RecordError::malformed)?,
        tick: decimal_option(instrument.tick, "tick").map_err(RecordError::malformed)?,
        lot: decimal_option(instrument.lot, "lot").map_err(RecordError::malformed)?,
        state,
        channels: instrument.channels.iter().map(channel).collect::<Result<_, _>>()?,
        native: instrument.native,
    })
}
