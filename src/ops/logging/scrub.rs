//! What must not be in a log line, and taking it out.
//!
//! Owns two rules: a registered secret (from configuration) is replaced wherever it stands, and
//! so is what merely looks like a credential (a JWT, a bearer token, `token=…`, an API-key
//! header). Control characters are escaped, so that no client can forge a line or steer a
//! terminal. Input and output are text; it knows no files and no levels.

use std::sync::{Arc, PoisonError, RwLock};

use crate::limits;
use crate::secret::{REDACTED, Secret};

/// Takes secrets out of lines. Cloning shares what it knows.
#[derive(Clone, Default)]
pub struct Scrubber {
    /// A lock, because secrets may be learnt while others log; written a few times in a
    /// process's life.
    known: Arc<RwLock<Vec<Secret>>>,
}

impl Scrubber {
    /// Registers a secret. Texts shorter than [`limits::SECRET_BYTES_MIN`] are not taken: they
    /// would eat ordinary words.
    pub fn learn(&self, secret: &Secret) {
        let text = secret.expose();
        if text.len() < limits::SECRET_BYTES_MIN {
            return;
        }
        // JSON lines carry it escaped; a URL carries it percent-encoded.
        let json = serde_json::to_string(text).unwrap_or_default();
        let json = json.trim_matches('"').to_owned();
        let debug = format!("{text:?}");
        let debug = debug.trim_matches('"').to_owned();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for form in [text.to_owned(), json, debug, percent_encoded(text)] {
            let is_new = !known.iter().any(|other| other.expose() == form);
            if is_new && known.len() < limits::SECRETS_MAX {
                known.push(Secret::new(form));
            }
        }
        // Longest first: a secret that contains another is replaced as a whole.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    }

    /// The line without secrets and control characters.
    #[must_use]
    pub fn scrub(&self, line: &str) -> String {
        let mut text = line.to_owned();
        for secret in self.known.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), REDACTED);
            }
        }
        escape_controls(&without_credentials(&text))
    }
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrubber")
    }
}

/// Words that a credential follows, lower case; between them and it stand only separators.
/// `token` also ends `access_token`, `api_key` also begins `api_key_secret`.
const MARKERS: [&str; 10] = [
    "bearer",
    "token",
    "x-api-key",
    "x_api_key",
    "api_key",
    "apikey",
    "api-key",
    "password",
    "secret",
    "basic",
];

/// What a credential is made of (base64, base64url, percent-encoding, JWT).
fn is_credential_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b'-' | b'~' | b'+' | b'/' | b'%')
        || byte == b'='
}

fn without_credentials(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::with_capacity(line.len());
    let (mut at, mut copied) = (0, 0);
    while at < line.len() {
        let found = jwt(&line[at..]).map(|len| (at, at + len)).or_else(|| marked(&lower, line, at));
        if let Some((start, end)) = found {
            out.push_str(&line[copied..start]);
            out.push_str(REDACTED);
            (at, copied) = (end, end);
        } else {
            at += line[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    out.push_str(&line[copied..]);
    out
}

/// The length of the JWT that starts here: `eyJ…`, two or three parts between dots.
fn jwt(text: &str) -> Option<usize> {
    let body = text.strip_prefix("eyJ")?;
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'=');
    let len = body.bytes().take_while(is_part).count();
    body[..len].contains('.').then_some(3 + len)
}

/// Where the credential after a marker that starts at `at` begins and ends.
fn marked(lower: &str, line: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &lower[at..];
    let marker = MARKERS.iter().find(|marker| rest.starts_with(**marker))?;
    let after = at + marker.len();
    let separators = separators(&line[after..], matches!(*marker, "bearer" | "basic"))?;
    let start = after + separators;
    let len = line[start..].bytes().take_while(|&b| is_credential_byte(b)).count();
    // `token: Bearer abc`: the scheme is a marker itself and is met next.
    let word = &lower[start..start + len];
    let is_value = len > 0 && !MARKERS.contains(&word) && !line[start..].starts_with(REDACTED);
    is_value.then_some((start, start + len))
}

/// Bytes between a marker and its value: `=`, `:`, quotes (escaped ones too) and blanks. A word
/// that merely contains a marker (`tokens: 5`, `token expired`) has no value.
fn separators(text: &str, blank_suffices: bool) -> Option<usize> {
    let is_separator = |b: u8| matches!(b, b'=' | b':' | b'"' | b'\'' | b'\\' | b' ' | b'(' | b',');
    let len = text.bytes().take_while(|&b| is_separator(b)).count();
    let between = &text[..len];
    // A pair as `Debug` prints it: `("x-api-key", "…")`.
    let is_pair = between.starts_with("\",") || between.starts_with("\\\",");
    let joined = between.contains(['=', ':', '('])
        || is_pair
        || (blank_suffices && between.contains(' ') && !between.contains(','));
    joined.then_some(len)
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Escapes what could forge a line or steer a terminal: C0, DEL, C1, line separators and
/// direction overrides.
fn escape_controls(line: &str) -> String {
    let is_bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !line.contains(is_bad) {
        return line.to_owned();
    }
    let mut out = String::with_capacity(line.len() + 8);
    for c in line.chars() {
        if is_bad(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}
