//! A refused request, in the one error shape every HTTP answer has:
//! `{"error":{"code","message","details","request_id"}}`.
//!
//! Owns the mapping from a catalogue code to status, headers and body. Messages must not hold
//! credentials: whoever builds one writes what was wrong, never what was sent.

use std::time::Duration;

use bytes::Bytes;
use fantail_wire::codes::Code;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value};

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal(Box<Inner>);

/// Boxed, so that `Result<_, Refusal>` stays small on the accepting path.
#[derive(Debug, Clone, PartialEq)]
struct Inner {
    code: Code,
    status: StatusCode,
    message: String,
    details: Map<String, Value>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal with the status the catalogue gives its code.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let status = code.http_status().and_then(|status| StatusCode::from_u16(status).ok());
        let challenge = match code {
            Code::TokenInvalid | Code::TokenExpired | Code::KeyUnknown => Some("invalid_token"),
            _ => None,
        };
        Self(Box::new(Inner {
            code,
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            message: message.into(),
            details: Map::new(),
            retry_after: None,
            challenge,
            headers: Vec::new(),
        }))
    }

    /// With another status than the catalogue's (426).
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// With a machine-readable detail.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// With the time after which trying again makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// With a header of the answer.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.0.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// The catalogue code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is wrong and what to do, for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The answer. Its connection is closed afterwards if the listener honours `Connection`.
    #[must_use]
    pub fn into_response(self, request_id: &str) -> Response<Full<Bytes>> {
        let inner = *self.0;
        let body = serde_json::json!({"error": {
            "code": inner.code.name(),
            "message": inner.message,
            "details": inner.details,
            "request_id": request_id,
        }});
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = inner.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(inner.headers);
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-request-id", id);
        }
        if let Some(after) = inner.retry_after {
            // Rounded up: a client that waits the stated time must not be refused again for it.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(error) = inner.challenge {
            let value = format!("Bearer realm=\"fantail\", error=\"{error}\"");
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header::WWW_AUTHENTICATE, value);
            }
        }
        response
    }
}
