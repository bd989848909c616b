//! `GET /v1/stream`: from an HTTP request to an accepted WebSocket, or a refusal.
//!
//! Owns the order: the upgrade itself (RFC 6455 §4.2), the encoding, the query, the address and
//! origin, a connection slot, and only then the credentials, whose signatures cost the most.
//! Input: the request and a [`Context`]. Output: the 101 with everything a session starts from, or
//! a [`Refusal`] after which the connection must close, so that nothing behind a refused upgrade
//! is ever parsed. It starts no session and reads no frame.

mod http;
mod id;
mod limits;
mod offer;
mod query;
mod socket;
mod upgrade;

#[cfg(test)]
pub(crate) mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ::http::{HeaderValue, Request, Response, header};
use bytes::Bytes;
use fantail_wire::client::Encoding;
use fantail_wire::codes::Code;
use fantail_wire::frame::negotiate::{Agreed, negotiate};
use http_body_util::Full;

use crate::auth::{Authenticator, Identity, Refusal, Scope};

pub use self::http::serve;
pub use socket::{Upgrade, UpgradeError};

pub(crate) use self::http::dismiss;
pub(crate) use id::new_id;

/// Asks for a connection slot of an address: `TOO_MANY_CONNECTIONS`, `DRAINING`, or a guard that
/// gives the slot back when dropped.
pub type Admit<S> = Arc<dyn Fn(IpAddr) -> Result<S, Refusal> + Send + Sync>;

/// What handshakes need to know.
pub struct Context<S> {
    /// Who may connect.
    pub authenticator: Arc<Authenticator>,
    /// Whether there is room for one more; asked before any signature is computed.
    pub admit: Admit<S>,
    /// Window of our compressed frames, if permessage-deflate is offered.
    pub deflate_window_bits: Option<u8>,
}

/// An accepted handshake.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The 101. The socket comes once it has been sent.
    pub response: Response<Full<Bytes>>,
    /// The socket, after the response.
    pub upgrade: Upgrade,
    /// Whose session it is.
    pub identity: Arc<Identity>,
    /// How its messages are written.
    pub encoding: Encoding,
    /// Compression both sides agreed on.
    pub deflate: Option<Agreed>,
    /// Whether events may come as `batch` messages.
    pub batch: bool,
    /// The session's id, as told in `X-Session-Id`.
    pub session_id: String,
    /// The client's address.
    pub peer: SocketAddr,
    /// The connection slot; dropping it gives it back.
    pub slot: S,
}

/// Accepts or refuses an upgrade. Answer a refusal with [`refuse`].
///
/// # Errors
/// The [`Refusal`] to answer with.
pub fn accept<S, B>(
    request: &mut Request<B>,
    peer: SocketAddr,
    context: &Context<S>,
) -> Result<Accepted<S>, Refusal> {
    let authenticator = &context.authenticator;
    authenticator.gate(request.headers(), peer.ip())?;
    upgrade::check(request)?;
    let offer = offer::choose(request.headers())?;
    let query = query::parse(request.uri())?;
    let slot = (context.admit)(peer.ip())?;
    let identity = authenticator.identify(request.headers(), request.uri(), peer.ip())?;
    if !identity.scopes.has(Scope::Stream) {
        return Err(Refusal::new(Code::Forbidden, "this API key is not for /v1/stream"));
    }
    let session_id = new_id(authenticator.clock());
    let deflate = context.deflate_window_bits.and_then(|bits| agree(request, bits));
    let (mut response, upgrade) = socket::switch(request)?;
    let headers = response.headers_mut();
    if offer.is_echoed {
        let name = HeaderValue::from_static(offer.encoding.subprotocol());
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    if let Some(answer) = deflate.and_then(|agreed| HeaderValue::from_str(&agreed.answer()).ok()) {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
    }
    if let Ok(id) = HeaderValue::from_str(&session_id) {
        headers.insert("x-session-id", id);
    }
    Ok(Accepted {
        response,
        upgrade,
        identity,
        encoding: offer.encoding,
        deflate,
        batch: query.batch,
        session_id,
        peer,
        slot,
    })
}

/// The answer to a refused handshake. The connection closes after it: bytes that follow were
/// meant as frames and must not be read as a request.
#[must_use]
pub fn refuse(refusal: Refusal, authenticator: &Authenticator) -> Response<Full<Bytes>> {
    let mut response = refusal.into_response(&new_id(authenticator.clock()));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn agree<B>(request: &Request<B>, window_bits: u8) -> Option<Agreed> {
    negotiate(request.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS), window_bits)
}
