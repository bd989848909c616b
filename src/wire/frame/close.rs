//! Which close codes may travel: a pure catalogue of RFC 6455 §7.4 and the IANA registry.
//!
//! What a code means to our clients is in `schemas/codes.toml`; this file only says which numbers
//! a peer may send us and which we may send.

/// Normal closure.
pub const NORMAL: u16 = 1000;
/// The server goes away, or a page was left.
pub const GOING_AWAY: u16 = 1001;
/// The peer broke RFC 6455.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A type of data the receiver doesn't take.
pub const UNSUPPORTED: u16 = 1003;
/// Data that isn't what its type says: bad UTF-8, bad deflate.
pub const INVALID_DATA: u16 = 1007;
/// Against the server's policy.
pub const POLICY: u16 = 1008;
/// Message too big.
pub const TOO_BIG: u16 = 1009;
/// A client that needed an extension the server didn't accept; clients only.
pub const EXTENSION_REQUIRED: u16 = 1010;
/// The server failed.
pub const INTERNAL: u16 = 1011;

/// What we answer to a legal close frame. Always normal closure: the peer's own code is never
/// echoed, so nothing a client sends comes back from us.
pub const ANSWER: u16 = NORMAL;

/// May a peer send this code in a close frame?
///
/// 1004–1006 and 1015 are reserved for local use, 1016–2999 unassigned, everything below 1000 and
/// from 5000 on is not a close code.
pub const fn receivable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// May a server send this code? As [`receivable`], without the clients' own 1010.
pub const fn sendable(code: u16) -> bool {
    receivable(code) && code != EXTENSION_REQUIRED
}

#[cfg(test)]
mod tests {
    use super::{ANSWER, receivable, sendable};

    #[test]
    fn the_catalogue() {
        let ok = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014];
        for code in ok.into_iter().chain([3000, 3999, 4000, 4999]) {
            assert!(receivable(code) && sendable(code), "{code}");
        }
        for code in (0..1000).chain([1004, 1005, 1006, 1015]).chain(1016..3000).chain(5000..=65535)
        {
            assert!(!receivable(code) && !sendable(code), "{code}");
        }
        assert!(receivable(1010) && !sendable(1010));
        assert!(sendable(ANSWER));
    }
}
