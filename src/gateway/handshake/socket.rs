//! The 101 and the socket that comes after it.
//!
//! Owns the way from hyper's upgrade to the bare TCP socket, with the bytes hyper had already
//! read: they are the client's first frames. Nothing of the WebSocket protocol is spoken here.

use bytes::Bytes;
use fantail_wire::codes::Code;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::auth::Refusal;

/// A socket to come.
#[derive(Debug)]
pub struct Upgrade(UpgradeFut);

/// Why no socket came.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The client went away before the 101 reached it.
    #[error("the connection ended before the upgrade: {0}")]
    Lost(#[from] fastwebsockets::WebSocketError),
    /// The listener served something else than `TokioIo<TcpStream>`. Ours to fix.
    #[error("the connection is not a TCP socket")]
    NotTcp,
}

impl Upgrade {
    /// The socket, once the 101 has been written, and what the client has sent behind its request.
    ///
    /// # Errors
    /// [`UpgradeError`] when the connection ended first.
    pub async fn socket(self) -> Result<(TcpStream, Bytes), UpgradeError> {
        // Nothing was read through the library's socket, so only hyper can hold early bytes.
        let upgraded = self.0.await?.into_inner().into_inner();
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| UpgradeError::NotTcp)?;
        Ok((parts.io.into_inner(), parts.read_buf))
    }
}

/// The 101 of a checked request.
pub(super) fn switch<B>(
    request: &mut Request<B>,
) -> Result<(Response<Full<Bytes>>, Upgrade), Refusal> {
    let (response, future) =
        upgrade(request).map_err(|error| Refusal::new(Code::BadRequest, error.to_string()))?;
    let (parts, _empty) = response.into_parts();

    Ok((Response::from_parts(parts, Full::default()), Upgrade(future)))
}
