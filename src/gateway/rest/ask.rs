//! Who asks, and the way to the tail and back.
//!
//! Owns the two steps every market answer takes: the same check as the stream's, then a question
//! whose answer is waited for only so long.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use fantail_model::Channel;
use fantail_wire::codes::Code;
use http::request::Parts;

use super::error::RestError;
use super::{Peer, RestState, limits};
use crate::auth::{Identity, Refusal, Scope};
use crate::query::{Answer, Query};

/// Whoever sent the request, with any valid credentials.
pub(super) struct Known(pub(super) Arc<Identity>);

/// Whoever sent the request, with credentials that are for REST.
pub(super) struct Asker(pub(super) Arc<Identity>);

impl FromRequestParts<RestState> for Known {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestError> {
        let Some(Peer(peer)) = parts.extensions.get() else {
            return Err(RestError(Refusal::new(Code::Internal, "the peer's address is not known")));
        };
        let identity = state.authenticator.handshake(&parts.headers, &parts.uri, peer.ip())?;
        Ok(Self(identity))
    }
}

impl FromRequestParts<RestState> for Asker {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, RestError> {
        let Known(identity) = Known::from_request_parts(parts, state).await?;
        if identity.scopes.has(Scope::Rest) {
            return Ok(Self(identity));
        }
        Err(RestError(Refusal::new(Code::Forbidden, "this API key is not for REST")))
    }
}

impl Asker {
    /// Refuses a channel these credentials may not see.
    pub(super) fn must_see(&self, channel: &Channel) -> Result<(), RestError> {
        if self.0.permission.allows(channel) {
            return Ok(());
        }
        let message = format!("these credentials do not permit {channel}");
        Err(RestError(Refusal::new(Code::Forbidden, message)))
    }
}

/// Asks the tail.
pub(super) async fn ask(state: &RestState, query: Query) -> Result<Answer, RestError> {
    let answer = state.queries.ask(query);
    match tokio::time::timeout(limits::ANSWER_TIMEOUT, answer).await {
        Ok(Ok(Answer::Later)) | Err(_) => {
            Err(unavailable(Code::Overloaded, "this node is overloaded; ask again"))
        }
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_gone)) => Err(unavailable(Code::Draining, "this node is leaving; ask another")),
    }
}

fn unavailable(code: Code, message: &str) -> RestError {
    RestError(Refusal::new(code, message).with_retry_after(limits::OVERLOADED_RETRY))
}

/// An answer that doesn't belong to its question.
pub(super) fn mismatch() -> RestError {
    RestError(Refusal::new(Code::Internal, "the tail gave another answer than was asked for"))
}
