//! What the system tests stand on: requirements that must not be skipped in silence, and a real
//! browser.
//!
//! The tests themselves are targets of this crate (`end_to_end.rs`, `architecture.rs`). They enter by
//! the front door, as a client would; nothing here knows what is inside the server.
#![forbid(unsafe_code)]

pub mod browser;
pub mod harness;
