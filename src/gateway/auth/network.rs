//! Address ranges, and which of them may connect at all.
//!
//! Owns the CIDR grammar and the match. An IPv4 address written as IPv6 (`::ffff:a.b.c.d`) is the
//! IPv4 address it means, on both sides of the match.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// As 128 bits; IPv4 in its mapped form.
    bits: u128,
    mask: u128,
}

/// Not a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address range")]
pub struct NetworkError;

/// Who may connect: not on the deny list and, if there is an allow list, on it.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    /// If not empty, only these.
    pub allow: Vec<Network>,
    /// Never these.
    pub deny: Vec<Network>,
}

impl Networks {
    /// Whether this address may connect.
    #[must_use]
    pub fn permit(&self, address: IpAddr) -> bool {
        let within = |list: &[Network]| list.iter().any(|network| network.contains(address));
        !within(&self.deny) && (self.allow.is_empty() || within(&self.allow))
    }
}

impl Network {
    /// Whether every IPv4 address is in it.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        // A prefix that holds the first and the last address holds them all.
        self.contains([0; 4].into()) && self.contains([255; 4].into())
    }

    /// Whether the address is in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.bits
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let width = if address.is_ipv4() { 32 } else { Ipv6Addr::BITS };
        let prefix = match prefix {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u32>().map_err(|_| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
            None => width,
        };
        let host_bits = width.checked_sub(prefix).ok_or(NetworkError)?;
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        let bits = bits(address);
        // Bits beyond the prefix mean that another range was meant than was written.
        (bits & mask == bits).then_some(Self { bits, mask }).ok_or(NetworkError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_their_edges() {
        let cases = [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
        ];
        for (network, address, inside) in cases {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{address}");
        }
        for wrong in ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "x/8", "::/129"]
        {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
