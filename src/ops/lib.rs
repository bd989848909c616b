//! `fantail-ops`: what any process needs to be run, whatever it does.
//!
//! Owns time ([`clock`]), configuration ([`config`]), secrets ([`secret`]), logs ([`logging`]),
//! the end of a process ([`shutdown`]), its health ([`health`]), its figures ([`metrics`]), the
//! memory of closed sessions ([`closes`]) and the private listener that shows all of it
//! ([`admin`]). Input: a config and handles from the parts of a process. Output: answers for the
//! operator. It deliberately knows nothing of markets, buses or clients, and holds no global
//! state but the tracing subscriber.
#![forbid(unsafe_code)]

pub mod admin;
pub mod clock;
pub mod closes;
pub mod config;
pub mod health;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod patience;
pub mod secret;
pub mod shutdown;
