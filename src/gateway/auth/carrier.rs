//! Where a request carries its credentials.
//!
//! Owns the four places (`Authorization`, `X-API-Key`, a `bearer.` subprotocol, `?token=`) and
//! the rule that only one may be used: two could disagree. Judges no credential, and never
//! repeats one in a message.

use fantail_wire::codes::Code;
use http::{HeaderMap, HeaderValue, Uri, header};

use super::refusal::Refusal;

/// Credentials as they were sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried<'a> {
    Nothing,
    Token(&'a str),
    ApiKey(&'a str),
}

/// A subprotocol that is really a token.
pub(crate) const BEARER_SUBPROTOCOL: &str = "bearer.";

/// Finds the credentials of a request.
pub(super) fn find<'a>(
    headers: &'a HeaderMap,
    uri: &'a Uri,
    query_token_allowed: bool,
) -> Result<Carried<'a>, Refusal> {
    let query = query_token(uri);
    if query.clone().next().is_some() && !query_token_allowed {
        return Err(Refusal::new(
            Code::BadRequest,
            "tokens in the query are not accepted here; send Authorization: Bearer",
        ));
    }
    let mut found = Carried::Nothing;
    let mut count = 0;
    let mut take = |carried| {
        found = carried;
        count += 1;
    };
    for value in headers.get_all(header::AUTHORIZATION) {
        take(Carried::Token(bearer(value)?));
    }
    for value in headers.get_all("x-api-key") {
        // Not text: not a key. Counted as one, so that it fails as one.
        take(Carried::ApiKey(value.to_str().unwrap_or_default()));
    }
    subprotocol_tokens(headers).for_each(|token| take(Carried::Token(token)));
    query.for_each(|token| take(Carried::Token(token)));
    if count > 1 {
        return Err(Refusal::new(
            Code::BadRequest,
            "more than one credential was sent; send exactly one of Authorization, X-API-Key, \
             a bearer subprotocol or a query token",
        ));
    }
    Ok(found)
}

fn bearer(value: &HeaderValue) -> Result<&str, Refusal> {
    let text = value.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(token.trim_matches(' '));
    }
    Err(Refusal::new(Code::TokenInvalid, "Authorization must be of the form: Bearer <token>"))
}

fn subprotocol_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim_matches([' ', '\t']).strip_prefix(BEARER_SUBPROTOCOL))
}

fn query_token(uri: &Uri) -> impl Iterator<Item = &str> + Clone {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.filter_map(|pair| match pair.split_once('=') {
        Some(("token", token)) => Some(token),
        None if pair == "token" => Some(""),
        _ => None,
    })
}
