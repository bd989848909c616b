//! Where the server is: `ws://host:port/…` or `host:port`, resolved once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A server's address, and its name in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub addr: SocketAddr,
    /// For the `Host` header.
    pub host: String,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(!text.starts_with("wss://"), "no TLS here: put the load before the proxy");
        let rest = text.strip_prefix("ws://").unwrap_or(text);
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        anyhow::ensure!(!host.contains("//"), "{text}: write ws://host:port");
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        anyhow::ensure!(has_port, "{text}: a port is missing, write ws://host:port");
        let addr = host.to_socket_addrs()?.next();
        let addr = addr.ok_or_else(|| anyhow::anyhow!("{host} has no address"))?;
        Ok(Self { addr, host: host.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form() {
        for text in ["127.0.0.1:80", "ws://127.0.0.1:80", "ws://127.0.0.1:80/v1/stream?batch=true"]
        {
            let target: Target = text.parse().expect(text);
            assert_eq!(target.addr, SocketAddr::from(([127, 0, 0, 1], 80)));
            assert_eq!(target.host, "127.0.0.1:80");
        }
        for text in ["", "127.0.0.1", "wss://127.0.0.1:80", "http://127.0.0.1:80", "[::1]"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        assert!("[::1]:80".parse::<Target>().is_ok());
    }
}
