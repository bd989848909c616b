//! Addresses that keep failing to authenticate.
//!
//! Owns a count per address and window. Input: failures, with the clock's time. Output: how long
//! an address has to wait. IPv6 addresses count by their /64, which is what one customer gets.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use dashmap::DashMap;

use super::limits::{FAILING_ADDRESSES_MAX, FAILURE_WINDOW};

/// Failures per address. Shared by all connections: a concurrent map, because handshakes run on
/// several threads, and only failing ones write.
#[derive(Debug)]
pub(super) struct FailedAttempts {
    /// Failures in a window after which an address waits; 0 never makes one wait.
    max: u32,
    capacity: usize,
    windows: DashMap<IpAddr, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Duration,
    failures: u32,
}

impl FailedAttempts {
    pub(super) fn new(max: u32) -> Self {
        Self { max, capacity: FAILING_ADDRESSES_MAX, windows: DashMap::new() }
    }

    /// How long this address has to wait, if it has to.
    pub(super) fn wait(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        if self.max == 0 {
            return None;
        }
        let window = *self.windows.get(&customer(address))?;
        let is_over = window.failures >= self.max && now < window.ends;
        is_over.then(|| window.ends.saturating_sub(now))
    }

    /// Remembers a failure.
    pub(super) fn failed(&self, address: IpAddr, now: Duration) {
        let address = customer(address);
        if self.windows.len() >= self.capacity && !self.windows.contains_key(&address) {
            self.windows.retain(|_, window| now < window.ends);
            if self.windows.len() >= self.capacity {
                return;
            }
        }
        let fresh = Window { ends: now + FAILURE_WINDOW, failures: 0 };
        let mut window = self.windows.entry(address).or_insert(fresh);
        if now >= window.ends {
            *window = fresh;
        }
        window.failures = window.failures.saturating_add(1);
    }
}

fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    #[test]
    fn an_address_waits_for_the_end_of_its_window() {
        let attempts = FailedAttempts::new(2);
        let [one, same, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        attempts.failed(one, START);
        assert_eq!(attempts.wait(one, START), None);
        attempts.failed(same, START + Duration::from_secs(10));
        assert_eq!(
            attempts.wait(one, START + Duration::from_secs(10)),
            Some(Duration::from_secs(50))
        );
        assert_eq!(attempts.wait(other, START), None);
        assert_eq!(attempts.wait(one, START + FAILURE_WINDOW), None);
        attempts.failed(one, START + FAILURE_WINDOW);
        assert_eq!(attempts.wait(one, START + FAILURE_WINDOW), None, "a new window");
    }

    #[test]
    fn the_memory_is_bounded() {
        let attempts = FailedAttempts { capacity: 10, ..FailedAttempts::new(1) };
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        (0..100).for_each(|n| attempts.failed(address(n), START));
        assert_eq!(attempts.windows.len(), 10);
        attempts.failed(address(200), START + FAILURE_WINDOW);
        assert_eq!(attempts.windows.len(), 1, "ended windows make room");
    }
}
