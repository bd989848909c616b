//! What a client asks for in the URI's query: `?batch=true`, and perhaps a token.
//!
//! Owns the known keys; any other is refused by name, because a misspelt option that is ignored
//! looks like one that works. The token itself is the authenticator's.

use fantail_wire::codes::Code;
use http::Uri;

use super::limits::ECHO_BYTES_MAX;
use crate::auth::Refusal;

/// The query's options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) batch: bool,
}

/// Reads the query.
pub(super) fn parse(uri: &Uri) -> Result<Options, Refusal> {
    let mut batch = None;
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    for pair in pairs {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("token", _) => {}
            ("batch", _) if batch.is_some() => return Err(refused("batch is given twice")),
            ("batch", "true") => batch = Some(true),
            ("batch", "false") => batch = Some(false),
            ("batch", _) => return Err(refused("batch is true or false")),
            (unknown, _) => {
                let end = unknown.floor_char_boundary(ECHO_BYTES_MAX);
                let name = &unknown[..end];
                let message = format!("the query key {name:?} is not known; batch is");
                return Err(refused(&message).with_detail("key", name));
            }
        }
    }
    Ok(Options { batch: batch.unwrap_or(false) })
}

fn refused(message: &str) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}
