//! What surrounds every REST answer: its id, CORS, the headers browsers heed, and the net under
//! a handler that panics.
//!
//! Owns the order of these layers; each is from a library or a few lines.

use std::any::Any;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use fantail_ops::clock::Clock;
use fantail_wire::codes::Code;
use http::{HeaderName, HeaderValue, Method, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use super::error::{self, RestError};
use super::{RestState, limits};
use crate::auth::Refusal;
use crate::handshake::new_id;

/// Wraps the paths, innermost first.
pub(super) fn apply(paths: Router, state: &RestState) -> Router {
    let fixed = |name: HeaderName, value| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    paths
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(middleware::from_fn_with_state(state.clock.clone(), identify))
        .layer(cors(state))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
}

/// Gives the request an id of ours (a client's could be anything) and the answer the same.
async fn identify(State(clock): State<Clock>, request: Request, next: Next) -> Response {
    let id = new_id(&clock);
    error::finish(next.run(request).await, &id)
}

fn answer_panic(_payload: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a rest handler panicked");
    RestError(Refusal::new(Code::Internal, "a bug on our side; please report it with this id"))
        .into_response()
}

/// Pages of the configured origins may read answers; credentials here are never cookies.
fn cors(state: &RestState) -> CorsLayer {
    let origins = state.authenticator.config().origins.iter();
    let values = origins.filter_map(|origin| HeaderValue::from_str(&origin.to_string()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(values.collect::<Vec<_>>()))
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::AUTHORIZATION, HeaderName::from_static("x-api-key")])
        .expose_headers([HeaderName::from_static("x-request-id"), header::RETRY_AFTER])
        .max_age(limits::PREFLIGHT_MAX_AGE)
}
