//! Minting tokens: what `fantail token` and the demo hand out.
//!
//! Owns the shape of our own tokens, which is exactly what `token` accepts. Signs with a key the
//! caller read; keeps nothing.

use std::time::Duration;

use fantail_ops::clock::Clock;
use jsonwebtoken::Header;
use serde_json::{Map, Value, json};

use super::keys::{SigningKey, install_crypto};
use super::permission::{LimitOverrides, parse_grant};

/// What a new token says.
#[derive(Debug, Clone)]
pub struct MintRequest {
    /// `sub`.
    pub user: String,
    /// `iss`: what the verifying key is configured with.
    pub issuer: String,
    /// `aud`: likewise.
    pub audience: String,
    /// The verifying key's `kid`, if it has one.
    pub kid: Option<String>,
    /// Time until `exp`.
    pub lifetime: Duration,
    /// Patterns that are permitted.
    pub channels: Vec<String>,
    /// Limits that differ from the node's.
    pub limits: LimitOverrides,
}

/// Why no token was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// A channel that is no pattern.
    #[error("{channel:?} is not a channel pattern: {reason}")]
    Channel {
        /// As given.
        channel: String,
        /// What is wrong.
        reason: String,
    },
    /// The key can't sign.
    #[error("the key cannot sign a token of its algorithm")]
    Key,
}

/// A signed token.
///
/// # Errors
/// [`MintError`] when a channel isn't understood or the key can't sign.
pub fn mint(key: &SigningKey, request: &MintRequest, clock: &Clock) -> Result<String, MintError> {
    install_crypto();
    for channel in &request.channels {
        let fault = |error: fantail_model::ChannelError| MintError::Channel {
            channel: channel.clone(),
            reason: error.to_string(),
        };
        parse_grant(channel).map_err(fault)?;
    }
    let issued = clock.wall_micros() / 1_000_000;
    let lifetime = i64::try_from(request.lifetime.as_secs()).unwrap_or(i64::MAX);
    let mut permission = json!({ "channels": request.channels });
    let limits = limits_claim(&request.limits);
    if !limits.is_empty() {
        permission["limits"] = Value::Object(limits);
    }
    let claims = json!({
        "sub": request.user,
        "iss": request.issuer,
        "aud": request.audience,
        "iat": issued,
        "exp": issued.saturating_add(lifetime),
        "fantail": permission,
    });
    let header = Header { kid: request.kid.clone(), ..Header::new(key.algorithm.library()) };
    jsonwebtoken::encode(&header, &claims, &key.material).map_err(|_| MintError::Key)
}

fn limits_claim(limits: &LimitOverrides) -> Map<String, Value> {
    let given = [
        ("channels", limits.channels),
        ("channels_per_command", limits.channels_per_command),
        ("commands_per_s", limits.commands_per_s),
        ("commands_burst", limits.commands_burst),
        ("message_bytes", limits.message_bytes),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}
