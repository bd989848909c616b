//! Failures of REST as answers: a [`Refusal`] with the id of the request it refuses.
//!
//! Owns only the way between the two, and the answers to a wrong path or method.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use fantail_wire::codes::Code;
use http::{HeaderValue, StatusCode};

use crate::auth::Refusal;

/// A refused REST request. The layers add the request's id.
#[derive(Debug)]
pub(crate) struct RestError(pub(crate) Refusal);

impl From<Refusal> for RestError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// Marks a response whose body is still to be written, with its request's id.
#[derive(Debug, Clone)]
pub(super) struct Refused(pub(super) Refusal);

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.status();
        response.extensions_mut().insert(Refused(self.0));
        response
    }
}

/// No such path.
pub(crate) fn not_found() -> RestError {
    RestError(Refusal::new(Code::NotFound, "no such path; see /v1/status, /v1/instruments"))
}

/// The path exists, the method doesn't.
pub(crate) async fn method_not_allowed() -> Response {
    let refusal = Refusal::new(Code::MethodNotAllowed, "only GET and HEAD are answered here");
    RestError(refusal.with_header(http::header::ALLOW, "GET, HEAD")).into_response()
}

/// Gives a refused response its body and the id of its request; other responses only the id.
pub(super) fn finish(response: Response, request_id: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(Refused(refusal)) = parts.extensions.remove::<Refused>() {
        return refusal.into_response(request_id).map(Body::new);
    }
    if parts.status.is_client_error() || parts.status.is_server_error() {
        // A library's own refusal (a path that isn't UTF-8), in words of its own.
        return refused_by_library(parts.status).into_response(request_id).map(Body::new);
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        parts.headers.insert("x-request-id", id);
    }
    Response::from_parts(parts, body)
}

fn refused_by_library(status: StatusCode) -> Refusal {
    let code = if status.is_server_error() { Code::Internal } else { Code::BadRequest };
    Refusal::new(code, "the request could not be read").with_status(status)
}
