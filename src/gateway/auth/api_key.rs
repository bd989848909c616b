//! API keys: `ftk_<id>_<secret>`, looked up by id, compared by the secret's SHA-256.
//!
//! Owns the records and the comparison. Only hashes are kept: keys are 256 random bits, so a slow
//! hash would protect nothing. An unknown id costs the same work as a known one.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::identity::{CredentialKind, Identity, Scopes};
use super::limits::API_KEY_BYTES_MAX;
use super::permission::{LimitOverrides, Permission};

/// What every key starts with: secret scanners find it.
pub const API_KEY_PREFIX: &str = "ftk_";

/// A configured key.
#[derive(Clone)]
pub struct ApiKey {
    /// SHA-256 of the secret part.
    pub hash: [u8; 32],
    /// Whose it is.
    pub user: String,
    /// Channels it may see.
    pub permission: Permission,
    /// How its limits differ from the node's.
    pub limits: LimitOverrides,
    /// Doors it is for.
    pub scopes: Scopes,
}

/// All configured keys, by id.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys(HashMap<String, ApiKey>);

impl ApiKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: HashMap<String, ApiKey>) -> Self {
        Self(keys)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose key this is, if it is one.
    #[must_use]
    pub fn identify(&self, offered: &str) -> Option<Identity> {
        let (id, secret) = split(offered).unwrap_or(("", ""));
        let offered_hash = hash(secret);
        let found = self.0.get(id);
        // Compared in any case, so that time doesn't tell which ids exist.
        let expected = found.map_or([0; 32], |key| key.hash);
        let is_known = Choice::from(u8::from(found.is_some()));
        let is_right = bool::from(offered_hash.ct_eq(&expected) & is_known);
        found.filter(|_| is_right).map(|key| Identity {
            user: key.user.clone(),
            kind: CredentialKind::ApiKey,
            key_id: Some(id.to_owned()),
            expiry: None,
            permission: key.permission.clone(),
            limits: key.limits,
            scopes: key.scopes,
        })
    }
}

/// The hash a key's secret part is configured by.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether a text can be the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    let byte_ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(byte_ok)
}

/// Reads 64 hexadecimal digits.
pub(super) fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

fn split(offered: &str) -> Option<(&str, &str)> {
    if offered.len() > API_KEY_BYTES_MAX {
        return None;
    }
    let (id, secret) = offered.strip_prefix(API_KEY_PREFIX)?.split_once('_')?;
    (is_id(id) && !secret.is_empty()).then_some((id, secret))
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey(of {:?})", self.user)
    }
}
