//! A JWT, from its text to what it claims.
//!
//! Owns the whole verification, on our own clock: strict parsing, the key (by `kid`, from memory
//! only), its one algorithm, the signature, then `exp`, `nbf`, `iss`, `aud`, `sub` and the
//! permission claim, in this order, so that nothing of an unsigned token is ever believed.
//! Headers that point at other keys (`jku`, `x5u`, `jwk`, `x5c`) are ignored; it does no I/O.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fantail_model::Micros;
use fantail_wire::codes::Code;
use serde_json::{Map, Value};

use super::keys::VerificationKey;
use super::limits::{EXPIRY_SECONDS_MAX, GRANTS_MAX, TOKEN_BYTES_MAX, USER_BYTES_MAX};
use super::permission::{LimitOverrides, Permission, parse_grant};
use super::refusal::Refusal;
use super::strict_json;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) user: String,
    pub(super) kid: Option<String>,
    pub(super) expires: Micros,
    pub(super) permission: Permission,
    pub(super) limits: LimitOverrides,
}

/// The three parts of a token, by their dots.
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// `header.claims`: what is signed.
    signed: &'a str,
}

/// Verifies a token at wall time `now`.
pub(super) fn verify(
    token: &str,
    keys: &[VerificationKey],
    leeway: Duration,
    now: Micros,
) -> Result<Claims, Refusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid("the token is longer than 8 KiB"));
    }
    let parts = cut(token)?;
    let header = decode(parts.header).ok_or_else(|| invalid("the token's header is not JSON"))?;
    let key = find_key(&header, keys, &parts)?;
    let claims = decode(parts.claims).ok_or_else(|| invalid("the token's claims are not JSON"))?;
    let expires = check_times(&claims, leeway, now)?;
    check_party(&claims, "iss", &key.issuer)?;
    check_party(&claims, "aud", &key.audience)?;
    let (permission, limits) = read_permission(&claims)?;
    Ok(Claims { user: read_user(&claims)?, kid: key.kid.clone(), expires, permission, limits })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::TokenInvalid, message)
}

fn cut(token: &str) -> Result<Parts<'_>, Refusal> {
    let mut dots = token.match_indices('.').map(|(at, _)| at);
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return Err(invalid("not a signed token: three parts joined by dots are expected"));
    };
    Ok(Parts {
        header: &token[..first],
        claims: &token[first + 1..second],
        signature: &token[second + 1..],
        signed: &token[..second],
    })
}

/// base64url without padding, exactly; JSON without duplicates.
fn decode(part: &str) -> Option<Map<String, Value>> {
    strict_json::object(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

fn find_key<'a>(
    header: &Map<String, Value>,
    keys: &'a [VerificationKey],
    parts: &Parts<'_>,
) -> Result<&'a VerificationKey, Refusal> {
    let algorithm = header.get("alg").and_then(Value::as_str);
    let algorithm = algorithm.ok_or_else(|| invalid("the token names no algorithm"))?;
    check_header(header)?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(invalid("the token's kid is not a text")),
    };
    let mut candidates = keys.iter().filter(|key| key.kid.as_deref() == kid).peekable();
    if candidates.peek().is_none() {
        return Err(invalid("the token is signed with a key that is not configured here"));
    }
    // Each key has one algorithm; the header's is only compared with it.
    let mut candidates = candidates.filter(|key| key.algorithm.as_str() == algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(invalid("alg not allowed: the token's algorithm is not the key's"));
    }
    if parts.signature.is_empty() {
        return Err(invalid("the token is not signed"));
    }
    candidates
        .find(|key| key.verifies(parts.signed, parts.signature))
        .ok_or_else(|| invalid("the token's signature is wrong"))
}

/// Refuses what would change the meaning of the token.
fn check_header(header: &Map<String, Value>) -> Result<(), Refusal> {
    for name in ["crit", "b64", "enc", "zip", "cty"] {
        if header.contains_key(name) {
            return Err(invalid(format!("the token's header {name} is not supported")));
        }
    }
    let is_jwt = match header.get("typ") {
        None => true,
        Some(Value::String(typ)) => {
            ["JWT", "at+jwt"].iter().any(|known| known.eq_ignore_ascii_case(typ))
        }
        Some(_) => false,
    };
    if is_jwt { Ok(()) } else { Err(invalid("the token's typ is not JWT")) }
}

fn check_times(
    claims: &Map<String, Value>,
    leeway: Duration,
    now: Micros,
) -> Result<Micros, Refusal> {
    let leeway = i64::try_from(leeway.as_micros()).unwrap_or(i64::MAX);
    let expires = seconds(claims, "exp")?.ok_or_else(|| invalid("the token has no exp"))?;
    if let Some(not_before) = seconds(claims, "nbf")?
        && not_before.0 > now.0.saturating_add(leeway)
    {
        return Err(invalid("the token is not valid yet (nbf)"));
    }
    if now.0 >= expires.0.saturating_add(leeway) {
        return Err(Refusal::new(Code::TokenExpired, "the token has expired; get a new one"));
    }
    Ok(expires)
}

/// A time claim: whole seconds since 1970 that every encoding of the protocol can tell.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<Micros>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_u64().ok_or_else(|| {
        invalid(format!("the token's {name} is not a whole number of seconds since 1970"))
    })?;
    if seconds > EXPIRY_SECONDS_MAX {
        return Err(invalid(format!("the token's {name} is out of range")));
    }
    Ok(i64::try_from(seconds).ok().map(|seconds| Micros(seconds.saturating_mul(1_000_000))))
}

/// `iss` is one text; `aud` one or a list.
fn check_party(claims: &Map<String, Value>, name: &str, wanted: &str) -> Result<(), Refusal> {
    let is_wanted = |value: &Value| value.as_str() == Some(wanted);
    match claims.get(name) {
        None => Err(invalid(format!("the token has no {name}"))),
        Some(value) if is_wanted(value) => Ok(()),
        Some(Value::Array(list)) if name == "aud" && list.iter().any(is_wanted) => Ok(()),
        Some(_) => Err(invalid(format!("the token's {name} is not the one configured here"))),
    }
}

fn read_user(claims: &Map<String, Value>) -> Result<String, Refusal> {
    let user = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let is_sound = (1..=USER_BYTES_MAX).contains(&user.len()) && !user.contains(char::is_control);
    if is_sound {
        Ok(user.to_owned())
    } else {
        Err(invalid("the token's sub must be a text of 1 to 256 bytes without control characters"))
    }
}

/// The `fantail` claim. Absent means nothing is permitted; a claim that is not understood might
/// mean anything, so it is refused.
fn read_permission(claims: &Map<String, Value>) -> Result<(Permission, LimitOverrides), Refusal> {
    let claim = match claims.get("fantail") {
        None => return Ok(Default::default()),
        Some(Value::Object(claim)) => claim,
        Some(_) => return Err(invalid("the fantail claim is not an object")),
    };
    if claim.keys().any(|key| !matches!(key.as_str(), "channels" | "limits")) {
        return Err(invalid("the fantail claim knows only channels and limits"));
    }
    let limits = match claim.get("limits") {
        None => LimitOverrides::default(),
        Some(limits) => serde_json::from_value(limits.clone())
            .map_err(|_| invalid("the fantail claim's limits are not understood"))?,
    };
    Ok((read_channels(claim.get("channels"))?, limits))
}

fn read_channels(channels: Option<&Value>) -> Result<Permission, Refusal> {
    let list = match channels {
        None => return Ok(Permission::default()),
        Some(Value::Array(list)) if list.len() <= GRANTS_MAX => list,
        Some(_) => return Err(invalid("the fantail claim's channels are not a list of up to 256")),
    };
    let grant = |(at, value): (usize, &Value)| {
        let pattern = value.as_str().and_then(|text| parse_grant(text).ok());
        pattern.ok_or_else(|| invalid(format!("the fantail claim's channel {at} is no pattern")))
    };
    list.iter().enumerate().map(grant).collect::<Result<_, _>>().map(Permission::new)
}
