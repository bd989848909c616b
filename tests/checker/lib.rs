//! The history checker: did every client get what the bus holds, once and in order, through every
//! fault that was made?
//!
//! Recording clients write down what they are sent (`recorder`, `history`); an independent reader
//! dumps the bus (`truth`); `check` compares the two and names what doesn't fit. It depends on
//! nothing of this workspace: JSON from sockets and Protobuf from Kafka are read by the published
//! contract in `schemas/`, with types of its own, so that a mistake in the server's codecs can't
//! hide in the judge's.
#![forbid(unsafe_code)]

mod event;
mod fingerprint;
mod generated;
mod message;
mod record;
mod state;

pub mod check;
pub mod dump;
pub mod history;
pub mod limits;
pub mod place;
pub mod recorder;
pub mod truth;

mod chaos;
pub mod cli;
mod client;
pub mod clock;
mod cluster;
pub mod kafka;

#[cfg(test)]
mod tests;
