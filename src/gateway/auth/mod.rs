//! Who may connect, as whom, to see what: decided before a socket becomes a session.
//!
//! Owns the order of the checks: address, origin, repeated failures, credentials. The cheap and
//! the unforgeable come first, so that no signature is computed for someone who is out anyway.
//! Input: a request's headers and URI, or a token sent in band. Output: an [`Identity`] or a
//! [`Refusal`]. Pure but for its clock: no I/O, no lock held, nothing fetched. It keeps no
//! sessions; ending an expired one is the session's part.

mod api_key;
mod attempts;
mod carrier;
mod identity;
mod keys;
pub mod limits;
mod mint;
mod network;
mod origin;
mod permission;
mod refusal;
mod settings;
mod strict_json;
mod token;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use fantail_model::Micros;
use fantail_ops::clock::Clock;
use fantail_wire::codes::Code;
use http::{HeaderMap, Uri, header};

pub use api_key::{API_KEY_PREFIX, hash as hash_api_key_secret};
pub use identity::{CredentialKind, Expiry, Identity, Scope, Scopes};
pub use keys::{KeyAlgorithm, KeyError, SigningKey, VerificationKey, install_crypto};
pub use mint::{MintError, MintRequest, mint};
pub use network::{Network, Networks};
pub use origin::{Host, Origin, OriginError};
pub use permission::{LimitOverrides, Permission};
pub use refusal::Refusal;
pub use settings::{ApiKeySection, AuthConfig, AuthSection, KeySection};

pub(crate) use carrier::BEARER_SUBPROTOCOL;

use attempts::FailedAttempts;
use carrier::Carried;

/// Decides who somebody is.
#[derive(Debug)]
pub struct Authenticator {
    config: AuthConfig,
    clock: Clock,
    failures: FailedAttempts,
    /// Whoever comes without credentials, where that is allowed: one for all sessions.
    anonymous: Option<Arc<Identity>>,
}

impl Authenticator {
    /// An authenticator of this configuration.
    #[must_use]
    pub fn new(config: AuthConfig, clock: Clock) -> Self {
        install_crypto();
        let failures = FailedAttempts::new(config.failed_attempts_per_minute);
        let anonymous = config.anonymous.clone().map(Identity::anonymous).map(Arc::new);
        Self { config, clock, failures, anonymous }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &AuthConfig {
        &self.config
    }

    /// The clock identities expire by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is checked before any work is done for a request: its address and its origin.
    ///
    /// # Errors
    /// `IP_FORBIDDEN` or `ORIGIN_FORBIDDEN`.
    pub fn gate(&self, headers: &HeaderMap, peer: IpAddr) -> Result<(), Refusal> {
        if !self.config.networks.permit(peer) {
            return Err(Refusal::new(Code::IpForbidden, "this address may not connect here"));
        }
        self.check_origin(headers)
    }

    /// Who a request is from: [`Self::gate`], then its credentials.
    ///
    /// # Errors
    /// The gate's, `BAD_REQUEST` for more than one credential, and 401 for a wrong one or none.
    pub fn handshake(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        peer: IpAddr,
    ) -> Result<Arc<Identity>, Refusal> {
        self.gate(headers, peer)?;
        self.identify(headers, uri, peer)
    }

    /// Whose credentials a request carries. Only after [`Self::gate`]: a caller that has other
    /// cheap checks puts them between the two.
    ///
    /// # Errors
    /// `BAD_REQUEST` for more than one credential, 401 for a wrong one or none, and
    /// `RATE_EXCEEDED` with the time to wait for an address whose credentials keep being wrong.
    pub fn identify(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        peer: IpAddr,
    ) -> Result<Arc<Identity>, Refusal> {
        let carried = carrier::find(headers, uri, self.config.query_token)?;
        // Somebody's guesses must not lock out neighbours who offer no credentials at all.
        if !matches!(carried, Carried::Nothing) {
            self.must_not_wait(peer)?;
        }
        let result = match carried {
            Carried::Nothing => return self.anonymous(headers),
            Carried::Token(token) => self.token(token),
            Carried::ApiKey(key) => self.api_key(key),
        };
        if let Err(refusal) = &result
            && matches!(refusal.code(), Code::TokenInvalid | Code::KeyUnknown)
        {
            // An expired token isn't a guess: it was good, and whole offices share an address.
            self.failures.failed(peer, self.clock.monotonic());
        }
        result.map(Arc::new)
    }

    /// Who a token is from. For tokens sent in band use [`Self::renew`].
    ///
    /// # Errors
    /// `TOKEN_INVALID` or `TOKEN_EXPIRED`, with what is wrong in words.
    pub fn token(&self, jwt: &str) -> Result<Identity, Refusal> {
        let now = Micros(self.clock.wall_micros());
        let leeway = self.config.leeway;
        let claims = token::verify(jwt, &self.config.keys, leeway, now)?;
        let leeway_micros = i64::try_from(leeway.as_micros()).unwrap_or(i64::MAX);
        let end = claims.expires.0.saturating_add(leeway_micros);
        Ok(Identity {
            user: claims.user,
            kind: CredentialKind::Token,
            key_id: claims.kid,
            expiry: Some(Expiry { wall: claims.expires, deadline: self.clock.monotonic_at(end) }),
            permission: claims.permission,
            limits: claims.limits,
            scopes: Scopes::ALL,
        })
    }

    /// The identity that follows a session's current one when it sends a fresh token. Its
    /// permission may be smaller: the session then drops what it may no longer see.
    ///
    /// # Errors
    /// The token's, or `FORBIDDEN` if it is somebody else's or the session had no token.
    pub fn renew(&self, current: &Identity, jwt: &str) -> Result<Identity, Refusal> {
        let next = self.token(jwt)?;
        if current.kind != CredentialKind::Token || current.user != next.user {
            let message = "a session keeps its user: open a new one for other credentials";
            return Err(Refusal::new(Code::Forbidden, message));
        }
        Ok(next)
    }

    /// Before any hash or signature is computed.
    fn must_not_wait(&self, peer: IpAddr) -> Result<(), Refusal> {
        let Some(wait) = self.failures.wait(peer, self.clock.monotonic()) else { return Ok(()) };
        let message = "too many failed attempts from this address; wait before the next";
        Err(Refusal::new(Code::RateExceeded, message).with_retry_after(wait))
    }

    fn api_key(&self, offered: &str) -> Result<Identity, Refusal> {
        let unknown = || Refusal::new(Code::KeyUnknown, "the API key is not known here");
        self.config.api_keys.identify(offered).ok_or_else(unknown)
    }

    /// Anonymous sessions need a `Host` no foreign page can have as its own name: with DNS
    /// rebinding, a page would otherwise be its "own origin" here.
    fn anonymous(&self, headers: &HeaderMap) -> Result<Arc<Identity>, Refusal> {
        let Some(anonymous) = &self.anonymous else {
            let message = "credentials are required: Authorization: Bearer <token>, or X-API-Key";
            return Err(Refusal::new(Code::TokenInvalid, message));
        };
        let host = read_host(headers);
        let is_named = |host: &Host| self.config.origins.iter().any(|origin| origin.names(host));
        if !host.is_some_and(|host| host.is_loopback() || is_named(&host)) {
            let message = "anonymous access needs a loopback Host, or one of auth.origins";
            return Err(Refusal::new(Code::OriginForbidden, message));
        }
        Ok(Arc::clone(anonymous))
    }

    /// No `Origin` (not a browser; cookies are never credentials here), the server's own, or a
    /// configured one. Anything else, however similar, is refused.
    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut values = headers.get_all(header::ORIGIN).into_iter();
        let Some(value) = values.next() else { return Ok(()) };
        let origin = value.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
        let is_allowed = |origin: &Origin| {
            self.config.origins.contains(origin)
                || read_host(headers).is_some_and(|host| origin.is_of(&host))
        };
        if values.next().is_none() && origin.is_some_and(|origin| is_allowed(&origin)) {
            return Ok(());
        }
        Err(Refusal::new(Code::OriginForbidden, "this web origin is not in auth.origins"))
    }
}

/// The one `Host` of a request, if it is sound.
fn read_host(headers: &HeaderMap) -> Option<Host> {
    let mut values = headers.get_all(header::HOST).into_iter();
    let host = values.next()?.to_str().ok()?.parse().ok()?;
    values.next().is_none().then_some(host)
}
