//! The admin answers. Owns their shapes; every error is `{"error": …}`. Who may ask is
//! `access`'s.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::AdminState;
use crate::metrics::Exposition;

pub(super) fn router(state: AdminState) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/closes", get(closes))
        .route("/log-level", get(log_level).put(set_log_level))
        .route("/drain", post(drain))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "no such page") })
        .with_state(state)
}

/// An error as every admin route tells it.
pub(super) fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

async fn live(State(state): State<AdminState>) -> Response {
    let silent = state.liveness.silent();
    let status = health_status(silent.is_empty());
    (status, Json(json!({ "live": silent.is_empty(), "silent": silent }))).into_response()
}

async fn ready(State(state): State<AdminState>) -> Response {
    let missing = state.readiness.missing();
    let status = health_status(missing.is_empty());
    let mut answer = json!({ "ready": missing.is_empty(), "missing": missing });
    let warnings = state.readiness.warnings();
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    (status, Json(answer)).into_response()
}

fn health_status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn metrics(State(state): State<AdminState>, headers: HeaderMap) -> Response {
    // Several lines of a list mean one list.
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let exposition = Exposition::preferred(lines);
    match state.metrics.expose(exposition) {
        Ok(body) => ([(header::CONTENT_TYPE, exposition.content_type())], body).into_response(),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "a collector failed"),
    }
}

async fn closes(State(state): State<AdminState>) -> Response {
    Json(json!({ "closes": state.closes.latest() })).into_response()
}

async fn log_level(State(state): State<AdminState>) -> Response {
    Json(json!({ "filter": state.logs.filter() })).into_response()
}

async fn set_log_level(State(state): State<AdminState>, filter: String) -> Response {
    match state.logs.set_filter(filter.trim()) {
        Ok(()) => {
            tracing::info!(filter = filter.trim(), "log filter changed");
            log_level(State(state)).await
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn drain(State(state): State<AdminState>) -> Response {
    (state.drain.0)();
    (StatusCode::ACCEPTED, Json(json!({ "draining": true }))).into_response()
}
