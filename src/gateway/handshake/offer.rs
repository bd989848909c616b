//! Which encoding a client asks for by `Sec-WebSocket-Protocol`.
//!
//! Owns the choice: the first of ours in the client's order, JSON if it offers none at all. One
//! bounded pass over the header; a `bearer.` entry is a credential, not an offer, and is never
//! repeated in an answer.

use fantail_wire::client::Encoding;
use fantail_wire::codes::Code;
use http::{HeaderMap, header};

use super::limits::SUBPROTOCOLS_MAX;
use crate::auth::{BEARER_SUBPROTOCOL, Refusal};

/// The chosen encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) encoding: Encoding,
    /// Whether the client offered it and must be told: an unasked subprotocol is an error.
    pub(super) is_echoed: bool,
}

/// Picks one of the offers.
pub(super) fn choose(headers: &HeaderMap) -> Result<Offer, Refusal> {
    let mut chosen = None;
    let mut has_foreign = false;
    let mut count = 0;
    for line in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let line = line.to_str().map_err(|_| refused("the subprotocols are not text"))?;
        for name in line.split(',').map(|name| name.trim_matches([' ', '\t'])) {
            count += 1;
            if count > SUBPROTOCOLS_MAX {
                return Err(refused("more than 16 subprotocols are offered"));
            }
            if !is_token(name) {
                return Err(refused("a subprotocol is empty or has characters not allowed"));
            }
            if name.starts_with(BEARER_SUBPROTOCOL) {
                continue;
            }
            match Encoding::from_subprotocol(name) {
                Some(encoding) => chosen = chosen.or(Some(encoding)),
                None => has_foreign = true,
            }
        }
    }
    match chosen {
        Some(encoding) => Ok(Offer { encoding, is_echoed: true }),
        None if has_foreign => Err(refused("none of the offered subprotocols is spoken here")),
        None => Ok(Offer { encoding: Encoding::Json, is_echoed: false }),
    }
}

fn refused(what: &str) -> Refusal {
    let ours = Encoding::ALL.map(Encoding::subprotocol);
    let message = format!("{what}; offer one of {}", ours.join(", "));
    Refusal::new(Code::BadRequest, message)
        .with_detail("header", header::SEC_WEBSOCKET_PROTOCOL.as_str())
        .with_detail("subprotocols", ours.to_vec())
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let byte_ok = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(byte_ok)
}
