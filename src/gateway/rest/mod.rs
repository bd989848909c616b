//! REST on the public port: what a client wants to know once, without a socket.
//!
//! Owns the paths under `/v1` (but `/v1/stream`), `/schemas` and the page, their answers in JSON
//! and the one error shape. Input: requests with a [`Peer`] extension, put there by the listener.
//! It asks the tail by mailbox, as a session does, and holds no market state. Access is the
//! stream's: same credentials, same permission.

mod ask;
mod error;
mod json;
mod layers;
mod limits;
mod market;
mod path;
mod schemas;
mod session;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use fantail_ops::clock::Clock;
use fantail_wire::client::Limits;

use crate::auth::Authenticator;
use crate::query::TailQueries;
use crate::web;

pub(crate) use error::{method_not_allowed, not_found};

/// The address a request came from; the listener puts it into each request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What the answers come from. Cloning shares it.
#[derive(Debug, Clone)]
pub struct RestState {
    /// The tail's mailbox.
    pub queries: TailQueries,
    /// Who may ask.
    pub authenticator: Arc<Authenticator>,
    /// The node's clock.
    pub clock: Clock,
    /// A session's limits on this node.
    pub limits: Limits,
    /// The node's name.
    pub node: String,
}

/// Every path of the public port but `/v1/stream`.
pub fn router(state: RestState) -> Router {
    let paths = Router::new()
        .route("/v1/instruments", get(market::instruments))
        .route("/v1/book/{channel}", get(market::book))
        .route("/v1/trades/{channel}", get(market::trades))
        .route("/v1/candles/{channel}", get(market::candles))
        .route("/v1/status", get(market::status))
        .route("/v1/session", get(session::session))
        .route("/schemas", get(schemas::list))
        .route("/schemas/{name}", get(schemas::file))
        .fallback(web::page)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(state.clone());
    layers::apply(paths, &state)
}
