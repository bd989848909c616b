//! The whole server, entered by the front door: one module for each promise it makes.
//!
//! Every test starts what it needs on port 0 and speaks to it as a client would. What all of them
//! stand on is the library of this crate.
#![forbid(unsafe_code)]

/// Tests, by promise.
mod end_to_end {
    mod attacks;
    mod autobahn;
    mod balancer;
    mod cli;
    mod conflated;
    mod crowd;
    mod deploy;
    mod drain;
    mod flush;
    mod interest;
    mod native;
    mod nodes;
    mod oracle;
    mod overload;
    mod page;
    mod protocol;
    mod proxies;
    mod recordings;
    mod rest;
    mod resync;
    mod secrets;
    mod sharing;
    mod strict;
    mod wires;
}
