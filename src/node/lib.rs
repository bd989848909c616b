//! The only crate that knows everything: roles, configuration, commands.
//!
//! [`assemble`] is the front door: tests, `demo`, `replay` and `run` all start a node with it.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
mod assemble;
mod announce;
pub mod demo;
pub mod replay;
pub mod run;
pub mod tap;
pub mod token;

pub use assemble::{Node, assemble};
pub use config::{NodeConfig, RawConfig};
