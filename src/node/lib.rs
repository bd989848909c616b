//! The only crate that knows everything: roles, configuration, commands.
//!
//! [`assemble`] is the front door: tests, `demo`, `replay` and `run` all start a node with it.
#![forbid(unsafe_code)]

mod announce;
mod assemble;
pub mod cli;
pub mod config;
pub mod demo;
pub mod replay;
pub mod run;
pub mod simulate;
pub mod tap;
pub mod testing;
pub mod token;
pub mod topics;

pub use assemble::{Node, assemble};
pub use config::{NodeConfig, RawConfig};

// What the front doors' signatures name, so that who enters by them needs no other crate.
pub use fantail_ingest::simulator;
pub use fantail_ops::logging;
pub use fantail_ops::shutdown::Shutdown;
