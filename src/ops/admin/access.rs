//! Who may ask the admin listener.
//!
//! Owns three rules. With a token, everything but `/live` and `/ready` needs it. Without one the
//! listener is on loopback, where any local process may ask but no web page: a request must name
//! a loopback host (a rebound DNS name doesn't) and must not carry an `Origin`. Requests are
//! bounded in number, size and time.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::routes::refusal;
use crate::limits;
use crate::secret::Secret;

struct Access {
    token: Option<Secret>,
    slots: Semaphore,
}

pub(super) fn guard(router: Router, token: Option<Secret>) -> Router {
    let token = token.filter(|token| !token.is_empty());
    let access = Arc::new(Access { token, slots: Semaphore::new(limits::ADMIN_REQUESTS_MAX) });
    router
        .layer(DefaultBodyLimit::max(limits::ADMIN_BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(access, check))
}

async fn check(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let Ok(_slot) = access.slots.try_acquire() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    };
    let is_probe = matches!(request.uri().path(), "/live" | "/ready");
    let allowed = match &access.token {
        _ if is_probe => true,
        Some(token) => has_token(request.headers(), token),
        None => is_local(request.headers(), request.uri()),
    };
    if !allowed {
        let needs_token = access.token.is_some();
        return denied(needs_token);
    }
    let answer = tokio::time::timeout(limits::ADMIN_REQUEST_TIMEOUT, next.run(request)).await;
    answer.unwrap_or_else(|_| refusal(StatusCode::GATEWAY_TIMEOUT, "the answer took too long"))
}

fn denied(needs_token: bool) -> Response {
    if needs_token {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
        let answer = refusal(StatusCode::UNAUTHORIZED, "a bearer token is needed");
        return (challenge, answer).into_response();
    }
    refusal(StatusCode::FORBIDDEN, "only for local tools, not for web pages")
}

fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    given.is_some_and(|(scheme, candidate)| {
        scheme.eq_ignore_ascii_case("bearer") && token.matches(candidate.trim())
    })
}

fn is_local(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    host.is_some_and(is_loopback_host) && !headers.contains_key(header::ORIGIN)
}

/// Whether `host[:port]` names this machine to itself.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
