//! The words of the market: what every part of Fantail means by a price, a channel, an event,
//! a book and a position.
//!
//! Pure by decision: no serde, no async, no clock, no I/O. Bytes belong to `wire`.
#![forbid(unsafe_code)]

mod book;
mod channel;
mod checksum;
mod decimal;
mod event;
mod instrument;
mod pattern;
mod position;

#[cfg(test)]
mod tests;

pub use book::{Book, BookError, Side as BookSide};
pub use channel::{CandleInterval, Channel, ChannelError, Interval, Kind, Parameter};
pub use checksum::checksum;
pub use decimal::{Decimal, DecimalError};
pub use event::{
    Bbo, Body, BookChange, Candle, Event, Funding, Level, Side, State, Status, Ticker, Trade,
    VenueGap,
};
pub use instrument::{Instrument, InstrumentState, Symbol, SymbolError, VenueId};
pub use pattern::Pattern;
pub use position::{Micros, Position};
