//! The private listener: what an operator, a probe and a scraper ask.
//!
//! Owns the routes (`/live`, `/ready`, `/metrics`, `/closes`, `/log-level`, `/drain`) and who may
//! ask them: on loopback anybody local (but no web page; see `admin/access.rs`); elsewhere only
//! with the token, `/live` and `/ready` excepted. Input: handles to the process's parts. It runs
//! until its handle is dropped, so that a draining process can still be watched. It serves no
//! client and is never on the public port.

mod access;
mod routes;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::closes::CloseLog;
use crate::health::{Liveness, Readiness};
use crate::logging::LogHandle;
use crate::metrics::Metrics;
use crate::secret::Secret;
use crate::shutdown::Shutdown;

/// Where to listen and what to ask for.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The address; loopback unless there is a token.
    pub addr: SocketAddr,
    /// The bearer token asked for, if any.
    pub token: Option<Secret>,
}

/// What the listener shows and moves.
#[derive(Clone)]
pub struct AdminState {
    /// For `/metrics`.
    pub metrics: Metrics,
    /// For `/ready`.
    pub readiness: Readiness,
    /// For `/live`.
    pub liveness: Liveness,
    /// For `/closes`.
    pub closes: CloseLog,
    /// For `/log-level`.
    pub logs: LogHandle,
    /// What `POST /drain` does.
    pub drain: DrainHook,
}

/// What `POST /drain` does; must not block. [`DrainHook::shutdown`] is the usual one.
#[derive(Clone)]
pub struct DrainHook(Arc<dyn Fn() + Send + Sync>);

impl DrainHook {
    /// Any action.
    pub fn new(action: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(action))
    }

    /// Begins the process's end, as SIGTERM does.
    #[must_use]
    pub fn shutdown(shutdown: Shutdown) -> Self {
        Self::new(move || shutdown.begin("drain requested"))
    }
}

impl fmt::Debug for DrainHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DrainHook")
    }
}

/// Starts the listener. `more` adds other parts' routes (behind the same access rules). Port 0
/// takes a free one; see [`AdminHandle::addr`].
///
/// # Errors
/// An address that needs a token and has none, or one that can't be bound.
pub async fn serve(
    config: AdminConfig,
    state: AdminState,
    more: Router,
) -> Result<AdminHandle, AdminError> {
    if !config.addr.ip().is_loopback() && config.token.as_ref().is_none_or(Secret::is_empty) {
        return Err(AdminError::TokenNeeded(config.addr));
    }
    let bind = |error| AdminError::Bind(config.addr, error);
    let listener = TcpListener::bind(config.addr).await.map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    let router = access::guard(routes::router(state).merge(more), config.token);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "admin listener failed");
        }
    });
    tracing::info!(%addr, "admin listener is up");
    Ok(AdminHandle { addr, stop })
}

/// The running listener; dropping it stops it.
#[derive(Debug)]
#[must_use = "dropping the handle stops the admin listener"]
pub struct AdminHandle {
    addr: SocketAddr,
    stop: CancellationToken,
}

impl AdminHandle {
    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for AdminHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Why the listener can't start. The operator's to fix.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Reachable from elsewhere, but anybody could ask.
    #[error("admin.addr {0} is not loopback: set admin.token, or listen on 127.0.0.1")]
    TokenNeeded(SocketAddr),
    /// The address is taken or not ours.
    #[error("admin.addr {0} can't be bound: {1}")]
    Bind(SocketAddr, #[source] io::Error),
}
