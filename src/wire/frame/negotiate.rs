//! `Sec-WebSocket-Extensions`: from a client's offers to our answer (RFC 7692 §7.1).
//!
//! Walks the offers once, in order; the first one we can honour wins. One we can't (unknown,
//! duplicate or bad parameter, a server window below ours) is declined, not the connection; a
//! header that isn't in the RFC's grammar, or is too long, gets no extension. It doesn't touch
//! HTTP types.

use super::limits::{OFFER_HEADER_BYTES_MAX, OFFERS_MAX, WINDOW_BITS_MAX, WINDOW_BITS_MIN};

/// permessage-deflate as both sides will speak it: never with context takeover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreed {
    /// The client limited our window; ours is this, which is not above its limit.
    server_window_bits: Option<u8>,
    /// The client will limit its own window to this.
    client_window_bits: Option<u8>,
}

impl Agreed {
    /// The value of the answer's `Sec-WebSocket-Extensions`.
    ///
    /// `server_no_context_takeover` may be added unasked (§7.1.1.1), a window size only answers one
    /// that was offered. Our own inflater takes any window, so the client's is just confirmed.
    pub fn answer(self) -> String {
        let mut answer =
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover".to_owned();
        if let Some(bits) = self.server_window_bits {
            answer.push_str(&format!("; server_max_window_bits={bits}"));
        }
        if let Some(bits) = self.client_window_bits {
            answer.push_str(&format!("; client_max_window_bits={bits}"));
        }
        answer
    }
}

/// Picks the first acceptable offer out of all the header's lines; `window_bits` is the window of
/// the frames this server will send.
pub fn negotiate<L: AsRef<[u8]>>(
    lines: impl IntoIterator<Item = L>,
    window_bits: u8,
) -> Option<Agreed> {
    let mut bytes_left = OFFER_HEADER_BYTES_MAX;
    let mut offers_left = OFFERS_MAX;
    for line in lines {
        let line = line.as_ref();
        bytes_left = bytes_left.checked_sub(line.len())?;
        let mut scanner = Scanner { rest: line, window_bits };
        while scanner.skip_empty_elements() {
            offers_left = offers_left.checked_sub(1)?;
            if let Some(agreed) = scanner.offer()? {
                return Some(agreed);
            }
        }
    }
    None
}

/// What one offer asks for, while its parameters are read.
struct Offer {
    /// The window of our frames.
    ours: u8,
    server_takeover_refused: bool,
    client_takeover_refused: bool,
    server_window: Option<u8>,
    client_window: Option<Option<u8>>,
}

impl Offer {
    fn new(ours: u8) -> Self {
        Self {
            ours,
            server_takeover_refused: false,
            client_takeover_refused: false,
            server_window: None,
            client_window: None,
        }
    }

    /// Takes a parameter; false if it makes the offer unacceptable.
    fn add(&mut self, name: &[u8], value: Option<&[u8]>) -> bool {
        match (name, value) {
            (b"server_no_context_takeover", None) => set_once(&mut self.server_takeover_refused),
            (b"client_no_context_takeover", None) => set_once(&mut self.client_takeover_refused),
            (b"server_max_window_bits", Some(value)) => {
                let bits = window_bits(value).filter(|bits| *bits >= self.ours);
                bits.is_some() && std::mem::replace(&mut self.server_window, bits).is_none()
            }
            (b"client_max_window_bits", value) => {
                let bits = value.map(window_bits);
                bits != Some(None) && self.client_window.replace(bits.flatten()).is_none()
            }
            _ => false,
        }
    }

    fn agreed(&self) -> Agreed {
        Agreed {
            server_window_bits: self.server_window.map(|_| self.ours),
            client_window_bits: self.client_window.flatten(),
        }
    }
}

fn set_once(flag: &mut bool) -> bool {
    !std::mem::replace(flag, true)
}

/// 8 to 15, without leading zeros (§7.1.2.1).
fn window_bits(value: &[u8]) -> Option<u8> {
    let bits = match *value {
        [units @ b'0'..=b'9'] => units - b'0',
        [b'1', units @ b'0'..=b'9'] => 10 + units - b'0',
        _ => return None,
    };
    (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits).then_some(bits)
}

/// The header's grammar (RFC 6455 §9.1): a cursor that only moves forward.
struct Scanner<'a> {
    rest: &'a [u8],
    window_bits: u8,
}

impl<'a> Scanner<'a> {
    /// Moves to the next list element; false at the end.
    fn skip_empty_elements(&mut self) -> bool {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
        self.skip_while(blank);
        !self.rest.is_empty()
    }

    /// Reads one offer with its comma: none if the grammar is broken, else what it agrees to, if
    /// we accept it.
    fn offer(&mut self) -> Option<Option<Agreed>> {
        let mut acceptable = self.token()? == b"permessage-deflate";
        let mut offer = Offer::new(self.window_bits);
        while self.eat(b';') {
            self.skip_blanks();
            let name = self.token()?;
            let value = if self.eat(b'=') { Some(self.value()?) } else { None };
            acceptable = acceptable && offer.add(name, value);
        }
        if !self.rest.is_empty() && !self.eat(b',') {
            return None;
        }
        Some(acceptable.then(|| offer.agreed()))
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let token = self.skip_while(is_token_byte);
        (!token.is_empty()).then_some(token)
    }

    /// A token, bare or quoted. A quoted one is returned as written: nothing we accept has escapes.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.skip_blanks();
        let Some((b'"', mut inside)) = self.rest.split_first() else { return self.token() };
        let start = inside;
        loop {
            let (byte, after) = inside.split_first()?;
            match byte {
                b'"' => {
                    self.rest = after;
                    return Some(&start[..start.len() - inside.len()]);
                }
                b'\\' => inside = after.split_first()?.1,
                _ => inside = after,
            }
        }
    }

    /// Skips blanks, then `wanted` if it is next.
    fn eat(&mut self, wanted: u8) -> bool {
        self.skip_blanks();
        let found = self.rest.first() == Some(&wanted);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn skip_blanks(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn skip_while(&mut self, wanted: impl Fn(&u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !wanted(byte)).unwrap_or(self.rest.len());
        let (skipped, rest) = self.rest.split_at(end);
        self.rest = rest;
        skipped
    }
}

fn is_token_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}
