//! Bytes ⇄ model: bus records, client messages in every encoding, RFC 6455 frames and deflate.
//!
//! Pure: no I/O, no clock, no async. Everything here is bound by `schemas/` and its golden
//! vectors, and everything that reads bytes is fuzzed.
#![forbid(unsafe_code)]

pub mod client;
pub mod codes;
pub mod frame;
mod generated;
pub mod record;

#[cfg(test)]
mod contract;
