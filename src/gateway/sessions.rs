//! `GET /v1/sessions` of the admin listener: who is connected, and how far behind.
//!
//! Asks each shard by mailbox, as everything else does; a shard answers between flushes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Sessions listed of each shard: an operator's look, not an export.
pub(crate) const LISTED_MAX: usize = 1_000;
/// Questions waiting for one shard.
pub(crate) const ASKED_MAX: usize = 16;
/// How long a shard may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Where a shard's list goes.
pub(crate) type SessionsAsked = oneshot::Sender<ShardSessions>;

/// One session, for the operator.
#[derive(Debug, Serialize)]
pub(crate) struct SessionInfo {
    pub(crate) session: String,
    pub(crate) user: String,
    pub(crate) peer: String,
    pub(crate) encoding: &'static str,
    pub(crate) deflate: bool,
    pub(crate) batch: bool,
    pub(crate) channels: usize,
    pub(crate) patterns: usize,
    pub(crate) age_ms: u64,
    pub(crate) bytes_sent: u64,
    /// Batches between its cursor and the stream; 0 for a session that keeps up.
    pub(crate) behind_batches: u64,
    /// Estimated bytes of the same.
    pub(crate) behind_bytes: usize,
    /// How long it has been behind.
    pub(crate) behind_ms: u64,
    /// Runs of bytes queued for its socket.
    pub(crate) queued: usize,
    /// Bytes of its own answers among them.
    pub(crate) queued_reply_bytes: usize,
    pub(crate) closing: bool,
}

/// What a slow session may cost, as configured.
#[derive(Debug, Serialize)]
pub(crate) struct Bounds {
    pub(crate) backlog_bytes: usize,
    pub(crate) session_backlog_bytes: usize,
    pub(crate) session_reply_bytes: usize,
    pub(crate) kernel_unsent_bytes: u32,
    pub(crate) kernel_unacked_timeout_ms: u64,
}

/// One shard's answer.
#[derive(Debug, Serialize)]
pub(crate) struct ShardSessions {
    pub(crate) shard: usize,
    pub(crate) total: usize,
    /// How it writes to its sockets: `send` or `io_uring`.
    pub(crate) flush_path: &'static str,
    /// Estimated bytes kept for sessions that are behind.
    pub(crate) backlog_bytes: usize,
    pub(crate) bounds: Bounds,
    /// Sessions that are behind come first; at most 1,000 are listed.
    pub(crate) sessions: Vec<SessionInfo>,
}

type Shards = Arc<Vec<mpsc::Sender<SessionsAsked>>>;

/// The route, to be merged into the admin listener.
pub(crate) fn router(shards: Vec<mpsc::Sender<SessionsAsked>>) -> Router {
    Router::new().route("/v1/sessions", get(sessions)).with_state(Arc::new(shards))
}

async fn sessions(State(shards): State<Shards>) -> Response {
    let mut answers = Vec::with_capacity(shards.len());
    for shard in shards.iter() {
        let (answer_to, answer) = oneshot::channel();
        let asked = async {
            shard.send(answer_to).await.ok()?;
            answer.await.ok()
        };
        match timeout(ANSWER_MAX, asked).await {
            Ok(Some(sessions)) => answers.push(sessions),
            _ => {
                return (StatusCode::SERVICE_UNAVAILABLE, "a shard does not answer")
                    .into_response();
            }
        }
    }
    Json(answers).into_response()
}
