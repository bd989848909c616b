//! The Protobuf messages of `schemas/`, as `build.rs` generated them.
//!
//! Nothing here is written by hand, and nothing outside `wire` sees it: values go through
//! [`crate::client`] and [`crate::record`].
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated code; schemas/*.proto holds its documentation"
)]

include!(concat!(env!("OUT_DIR"), "/fantail.v1.rs"));
