//! Is this request a WebSocket upgrade, exactly (RFC 6455 §4.2.1)?
//!
//! Owns the rules; each refusal names the header that is wrong. Stricter than some clients
//! expect in one point: a header given twice is an error, because a proxy may have read the
//! other one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantail_wire::codes::Code;
use http::header::{self, HeaderName};
use http::{HeaderMap, Method, Request, StatusCode, Version};

use crate::auth::{Host, Refusal};

/// Checks everything but credentials, encoding and extensions.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() != Method::GET {
        let refusal = Refusal::new(Code::MethodNotAllowed, "/v1/stream takes GET only");
        return Err(refusal.with_header(header::ALLOW, "GET"));
    }
    if request.version() != Version::HTTP_11 {
        return Err(Refusal::new(Code::BadRequest, "a WebSocket upgrade needs HTTP/1.1"));
    }
    let headers = request.headers();
    let host = only(headers, header::HOST)?;
    if host.parse::<Host>().is_err() {
        return Err(wrong(&header::HOST, "is not a host"));
    }
    if !has_token(only(headers, header::UPGRADE)?, "websocket") {
        return Err(wrong(&header::UPGRADE, "must be websocket"));
    }
    if !has_token(only(headers, header::CONNECTION)?, "upgrade") {
        return Err(wrong(&header::CONNECTION, "must contain Upgrade"));
    }
    check_version(headers)?;
    let key = only(headers, header::SEC_WEBSOCKET_KEY)?;
    if !STANDARD.decode(key).is_ok_and(|key| key.len() == 16) {
        return Err(wrong(&header::SEC_WEBSOCKET_KEY, "must be 16 bytes in base64"));
    }
    check_no_body(headers)
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    if only(headers, header::SEC_WEBSOCKET_VERSION)? == "13" {
        return Ok(());
    }
    Err(wrong(&header::SEC_WEBSOCKET_VERSION, "must be 13")
        .with_status(StatusCode::UPGRADE_REQUIRED)
        .with_header(header::SEC_WEBSOCKET_VERSION, "13")
        .with_header(header::UPGRADE, "websocket"))
}

/// A body would be taken for frames by one side and for a body by the other.
fn check_no_body(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(wrong(&header::TRANSFER_ENCODING, "is not allowed on an upgrade"));
    }
    match headers.get(header::CONTENT_LENGTH) {
        Some(length) if length.as_bytes() != b"0" => {
            Err(wrong(&header::CONTENT_LENGTH, "must be absent or 0 on an upgrade"))
        }
        _ => Ok(()),
    }
}

/// The value of a header that must be given exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<&str, Refusal> {
    let mut values = headers.get_all(&name).into_iter();
    let Some(value) = values.next() else { return Err(wrong(&name, "is missing")) };
    if values.next().is_some() {
        return Err(wrong(&name, "is given twice"));
    }
    value.to_str().map_err(|_| wrong(&name, "is not text"))
}

fn has_token(list: &str, wanted: &str) -> bool {
    list.split(',').any(|token| token.trim_matches([' ', '\t']).eq_ignore_ascii_case(wanted))
}

fn wrong(name: &HeaderName, what: &str) -> Refusal {
    let message = format!("the header {name} {what}");
    Refusal::new(Code::BadRequest, message).with_detail("header", name.as_str())
}
