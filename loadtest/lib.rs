//! `fantail-loadtest`: many sockets, every sequence number checked, and a bare `send` loop to
//! compare with.
//!
//! A client like any other: it knows the protocol's bytes (`wire`) and nothing of the server. From
//! a plan to a verdict: `plan → swarm → worker → socket → ledger → chain`, then `report`. Beside it
//! the yardstick (`floor`) and the two in turn (`compare`).
// One file, `uring`, needs `unsafe` and says why; everything else is refused it.
#![deny(unsafe_code)]

// what to do
pub mod cli;
pub mod limits;
pub mod plan;
pub mod target;

// doing it
pub mod churn;
mod handshake;
pub mod knock;
mod probe;
mod scrape;
mod shared;
mod socket;
pub mod swarm;
mod worker;

// what came
pub mod chain;
mod latency;
mod ledger;
pub mod scan;

// what it says
pub mod host;
pub mod machine;
pub mod page;
mod plot;
pub mod report;
mod text;

// the yardstick
pub mod capacity;
pub mod compare;
pub mod contest;
pub mod floor;
mod server;
pub mod spread;
mod turn;
#[cfg(target_os = "linux")]
mod uring;

pub use cli::main_from_args;
pub use report::Report;
pub use swarm::SwarmConfig;
