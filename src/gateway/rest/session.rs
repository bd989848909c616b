//! `/v1/session`: what a handshake with the same credentials and origin would say.
//!
//! Browsers hide why a WebSocket was refused; a page asks here after a failed connect and gets
//! the same refusal in words, or the limits its session would have.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::RestState;
use super::ask::Known;

/// Answers who the credentials are.
pub(super) async fn session(State(state): State<RestState>, Known(identity): Known) -> Json<Value> {
    let limits = identity.limits.apply(state.limits);
    let mut answer = json!({
        "node": state.node,
        "protocol": 1,
        "time": state.clock.wall_micros(),
        "user": identity.user,
        "kind": identity.kind.as_str(),
        "channels": identity.permission.grants(),
        "limits": {
            "channels": limits.channels,
            "channels_per_command": limits.channels_per_command,
            "commands_per_s": limits.commands_per_s,
            "commands_burst": limits.commands_burst,
            "message_bytes": limits.message_bytes,
        },
    });
    if let Some(expires) = identity.expires() {
        answer["expires"] = expires.0.into();
    }
    Json(answer)
}
