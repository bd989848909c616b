//! Helpers of the system tests that are about the test run itself, not about the server.

pub mod require;
pub mod wait;
