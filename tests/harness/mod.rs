//! Helpers of the system tests that are about the test run itself, not about the server.

pub mod client;
pub mod echo;
pub mod exposition;
pub mod http;
pub mod relay;
pub mod require;
pub mod stage;
pub mod strict;
pub mod wait;
