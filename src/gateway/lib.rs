//! `fantail-gateway`: from the bus to clients.
//!
//! `listener → handshake → session`, and `tail → store → shard → log → socket`. The fan-out loop
//! knows cursors and sockets, never what a session means. Nothing here imports `ingest`: between
//! them lies only what `schemas/` describes.
// One file, `shard/ring`, needs `unsafe` and says why; everything else is refused it.
#![deny(unsafe_code)]

pub mod auth;
pub mod config;
mod connections;
mod encoder;
mod group;
pub mod handshake;
mod kind;
mod limits;
mod link;
mod listener;
mod merge;
mod metrics;
mod past;
mod proxies;
mod query;
pub mod rest;
mod scout;
mod seed;
mod session;
mod sessions;
mod shard;
mod start;
mod store;
mod strain;
mod tail;
#[cfg(test)]
mod testing;
mod variant;
mod web;

pub use config::GatewayConfig;
pub use proxies::Proxies;
pub use start::{Dependencies, Gateway, GatewayError};
