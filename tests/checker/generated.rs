//! The Protobuf messages of `schemas/`, as `build.rs` generated them for this crate.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    reason = "generated code; schemas/*.proto holds its documentation"
)]

include!(concat!(env!("OUT_DIR"), "/fantail.v1.rs"));
