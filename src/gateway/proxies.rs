//! Whose address a connection or a request is: the socket's peer, or what a trusted proxy says.
//!
//! Owns the rule. Behind a proxy every socket comes from the proxy, so what counts per address
//! (limits, failed attempts, allow and deny lists) needs the client's. Only a peer in
//! `listen.trusted_proxies` is believed, and only as far as trust reaches:
//!
//! 1. With `listen.proxy_protocol`, a connection must begin with a PROXY header (v1 or v2) from a
//!    trusted peer and is refused without one; with it off, no such header is ever looked for.
//! 2. `X-Forwarded-For` of a trusted peer is read from the right. Each trusted hop vouches for
//!    the one before it; the first that isn't trusted is the client, and what stands left of it
//!    was written by the client and is never looked at.
//! 3. An entry that is no address ends the walk at the hop that wrote it, and so does the end of
//!    the list: the nearest hop that is known counts. Nothing is refused for it, as with other
//!    servers.
//!
//! Input: the configuration, the socket's peer, bytes and headers. Output: a socket address, with
//! port 0 where a proxy told none. `Forwarded` (RFC 7239) and `X-Real-IP` are not read: a proxy
//! that does not overwrite them would let the client speak for it.

mod protocol;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fantail_ops::config::Problems;
use http::{HeaderMap, HeaderName};
use tokio::io::AsyncRead;

use crate::auth::Network;
use crate::config::ListenSection;

pub(crate) use protocol::ProxyError;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Ranges in `listen.trusted_proxies`: every request is compared with each.
const TRUSTED_MAX: usize = 64;
/// How long a proxy may take to send its PROXY header. It knows it at once: the same deadline as
/// that of a request's head is generous.
const HEADER_WAIT: Duration = Duration::from_secs(5);

/// Which proxies are believed, and how they speak.
#[derive(Debug, Clone)]
pub struct Proxies {
    trusted: Vec<Network>,
    speaks_proxy: bool,
    header_wait: Duration,
}

impl Proxies {
    /// What `[listen]` says; mistakes go into `problems`.
    pub(crate) fn meaning(listen: &ListenSection, problems: &mut Problems) -> Self {
        let (key, ranges) = ("listen.trusted_proxies", &listen.trusted_proxies);
        if ranges.len() > TRUSTED_MAX {
            let (reason, fix) = ("are too many ranges", "write at most 64");
            problems.push(key, ranges.len(), reason, fix);
        }
        let mut trusted = Vec::new();
        for (at, text) in ranges.iter().enumerate().take(TRUSTED_MAX) {
            let (reason, fix) = match text.parse::<Network>() {
                Ok(network) if !network.is_everybody() => {
                    trusted.push(network);
                    continue;
                }
                Ok(_) => (
                    "trusts everybody: any client could name its own address",
                    "write \
                           your proxies' own ranges, like 10.0.0.0/8",
                ),
                Err(_) => (
                    "is not an address range",
                    "write a range without bits beyond its \
                            prefix, like 10.0.0.0/8 or 2001:db8::/32",
                ),
            };
            problems.push(format!("{key}.{at}"), text, reason, fix);
        }
        if listen.proxy_protocol && ranges.is_empty() {
            let reason = "every connection would be refused: no proxy is trusted";
            let fix = "name your proxies in listen.trusted_proxies";
            problems.push("listen.proxy_protocol", true, reason, fix);
        }
        Self { trusted, speaks_proxy: listen.proxy_protocol, header_wait: HEADER_WAIT }
    }

    /// The address a new connection is from. Takes exactly the PROXY header off the stream, where
    /// one is required, and nothing otherwise.
    ///
    /// # Errors
    /// [`ProxyError`]: the connection must be closed.
    pub(crate) async fn introduced(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        peer: SocketAddr,
    ) -> Result<SocketAddr, ProxyError> {
        if !self.speaks_proxy {
            return Ok(peer);
        }
        if !self.trusts(peer.ip()) {
            return Err(ProxyError::NotTrusted);
        }
        let header = tokio::time::timeout(self.header_wait, protocol::read(stream));
        Ok(header.await.map_err(|_| ProxyError::TooSlow)??.unwrap_or(peer))
    }

    /// The address a request is from, of a connection from `peer`.
    pub(crate) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let mut client = peer;
        // Headers of one name stand in the order they came; the last entry is the nearest hop's.
        let lines = headers.get_all(FORWARDED_FOR).into_iter().rev();
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for entry in entries {
            if !self.trusts(client.ip()) {
                break;
            }
            let Some(hop) = std::str::from_utf8(entry).ok().and_then(address) else { break };
            client = hop;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

/// An entry of `X-Forwarded-For`: an address, or one with a port, as some balancers write it.
fn address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let alone = bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0));
    let hop = alone.or_else(|| text.parse().ok())?;
    Some(SocketAddr::new(hop.ip().to_canonical(), hop.port()))
}
