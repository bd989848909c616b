//! `/schemas/*`: the contract, as the running binary was built from it.
//!
//! Owns the list of files. Public: they hold no data.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::{Value, json};

use super::error::{RestError, not_found};

/// Name, content type, text.
const FILES: [(&str, &str, &str); 4] = [
    ("market.proto", "text/plain; charset=utf-8", include_str!("../../../schemas/market.proto")),
    ("client.proto", "text/plain; charset=utf-8", include_str!("../../../schemas/client.proto")),
    (
        "client.asyncapi.yaml",
        "application/yaml",
        include_str!("../../../schemas/client.asyncapi.yaml"),
    ),
    ("codes.toml", "application/toml", include_str!("../../../schemas/codes.toml")),
];

/// `/schemas`
pub(super) async fn list() -> Json<Value> {
    let paths = FILES.iter().map(|(name, ..)| format!("/schemas/{name}"));
    Json(json!({ "schemas": paths.collect::<Vec<_>>() }))
}

/// `/schemas/{name}`
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, RestError> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, content_type, text) = found.ok_or_else(not_found)?;
    Ok(([(header::CONTENT_TYPE, *content_type)], *text).into_response())
}
