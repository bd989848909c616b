//! Who a connection belongs to, once its credentials were accepted, and until when.
//!
//! Owns the result of authentication. A lifetime is kept twice: as wall time, to be told, and as
//! monotonic time, to be enforced, so that a later jump of the wall clock neither revives nor
//! ends it.

use std::time::Duration;

use fantail_model::Micros;
use serde::Deserialize;

use super::permission::{LimitOverrides, Permission};

/// An accepted identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub` of the token, the key's user, or `anonymous`.
    pub user: String,
    /// What kind of credentials it showed.
    pub kind: CredentialKind,
    /// The token's `kid` or the API key's id, for the operator.
    pub key_id: Option<String>,
    /// When it ends; `None` lasts as long as the connection.
    pub expiry: Option<Expiry>,
    /// Channels it may see.
    pub permission: Permission,
    /// How its limits differ from the node's.
    pub limits: LimitOverrides,
    /// Which doors it may use.
    pub scopes: Scopes,
}

/// The end of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// What the token says.
    pub wall: Micros,
    /// When to act on it, in the clock's monotonic time: the tolerated leeway is included.
    pub deadline: Duration,
}

/// Kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// None, where the configuration allows it.
    Anonymous,
    /// A JWT.
    Token,
    /// A configured API key.
    ApiKey,
}

/// The doors an API key may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `/v1/stream`.
    Stream,
    /// Every other path under `/v1`.
    Rest,
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    /// `/v1/stream`.
    pub stream: bool,
    /// Every other path under `/v1`.
    pub rest: bool,
}

impl Identity {
    /// Somebody without credentials, who may see this.
    pub(super) fn anonymous(permission: Permission) -> Self {
        Self {
            user: "anonymous".to_owned(),
            kind: CredentialKind::Anonymous,
            key_id: None,
            expiry: None,
            permission,
            limits: LimitOverrides::default(),
            scopes: Scopes::ALL,
        }
    }

    /// Whether it has ended, at this monotonic time.
    #[must_use]
    pub fn has_expired(&self, monotonic: Duration) -> bool {
        self.expiry.is_some_and(|expiry| monotonic >= expiry.deadline)
    }

    /// When it ends, to be told to clients.
    #[must_use]
    pub fn expires(&self) -> Option<Micros> {
        self.expiry.map(|expiry| expiry.wall)
    }
}

impl CredentialKind {
    /// Label in metrics and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Token => "token",
            Self::ApiKey => "api_key",
        }
    }
}

impl Scopes {
    /// Every door.
    pub const ALL: Self = Self { stream: true, rest: true };

    /// These doors; none named means all.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        let has = |scope| scopes.is_empty() || scopes.contains(&scope);
        Self { stream: has(Scope::Stream), rest: has(Scope::Rest) }
    }

    /// Whether a door is among them.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        match scope {
            Scope::Stream => self.stream,
            Scope::Rest => self.rest,
        }
    }
}
