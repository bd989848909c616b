//! Which web pages may use this server: a browser's `Origin` against the allowed ones.
//!
//! Owns the grammar of an origin and of a `Host`, and the match, which is exact on scheme, host
//! and port. Decides nothing about credentials.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// `scheme://host[:port]`, with the port always known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

/// `host[:port]`, as in the `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

/// Not an origin, or not a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an origin")]
pub struct OriginError;

impl Origin {
    /// Whether the page came from the server it now talks to. The scheme is not compared: a
    /// proxy may end TLS before us.
    #[must_use]
    pub fn is_of(&self, host: &Host) -> bool {
        let default_port = if self.secure { 443 } else { 80 };
        self.host == host.name && self.port == host.port.unwrap_or(default_port)
    }

    /// Whether a `Host` header names this origin's server, whatever the port a proxy listens on.
    #[must_use]
    pub fn names(&self, host: &Host) -> bool {
        self.host == host.name
    }
}

impl Host {
    /// Whether the name can only mean this machine. Such a name can't be rebound by a foreign
    /// DNS, so a page of another site can't have reached us with it as its own.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let bare = self.name.trim_start_matches('[').trim_end_matches(']');
        self.name == "localhost"
            || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (secure, authority) = match text.split_once("://") {
            Some(("https", authority)) => (true, authority),
            Some(("http", authority)) => (false, authority),
            _ => return Err(OriginError),
        };
        let host: Host = authority.parse()?;
        let port = host.port.unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { secure, host: host.name, port })
    }
}

impl FromStr for Host {
    type Err = OriginError;

    /// Reads a name, an IPv4 address or a bracketed IPv6 address, with or without port; case of
    /// the name doesn't matter, everything else that isn't exactly one is refused.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let end = match text.strip_prefix('[') {
            Some(rest) => rest.find(']').ok_or(OriginError)? + 2,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (name, port) = text.split_at_checked(end).ok_or(OriginError)?;
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(parse_port(digits)?),
            None if port.is_empty() => None,
            None => return Err(OriginError),
        };
        let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_sound = match inside {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(name),
        };
        is_sound.then(|| Self { name: name.to_ascii_lowercase(), port }).ok_or(OriginError)
    }
}

fn parse_port(digits: &str) -> Result<u16, OriginError> {
    let is_plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if is_plain { digits.parse().map_err(|_| OriginError) } else { Err(OriginError) }
}

fn is_name(name: &str) -> bool {
    let byte_ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(byte_ok)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default_port) = if self.secure { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default_port { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_strictly() {
        let cases = [
            ("https://x.example", Some("https://x.example")),
            ("https://X.example:443", Some("https://x.example")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("null", None),
            ("file://", None),
            ("https://", None),
            ("https://x.example/", None),
            ("https://x.example:", None),
            ("https://x.example:65536", None),
            ("https://user@x.example", None),
            ("https://x.example https://y.example", None),
            ("ftp://x.example", None),
            ("HTTPS://x.example", None),
            ("https://ex\u{430}mple.com", None),
            ("http://[::1", None),
            ("http://[::1]x", None),
            ("*", None),
        ];
        for (text, shown) in cases {
            let read = text.parse::<Origin>().ok().map(|origin| origin.to_string());
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn loopback_hosts() {
        let cases = [
            ("localhost:8080", true),
            ("127.0.0.1", true),
            ("127.9.9.9:1", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
        ];
        for (text, loopback) in cases {
            assert_eq!(text.parse::<Host>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
