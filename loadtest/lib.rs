//! `fantail-loadtest`: many sockets, every sequence number checked, and a bare `send` loop to
//! compare with.
//!
//! A client like any other: it knows the protocol's bytes (`wire`) and nothing of the server.
#![forbid(unsafe_code)]

pub mod chain;
pub mod cli;
pub mod compare;
pub mod floor;
pub mod host;
pub mod plan;
pub mod report;
pub mod scan;
mod socket;
pub mod swarm;
