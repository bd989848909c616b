//! The WebDriver protocol over HTTP on loopback: one session, one request at a time.
//!
//! Each request has a connection of its own; a test asks a few times a second at most.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Starting a browser is the slowest request.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// A screenshot of a large window in base64 stays well below it.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// One open session.
#[derive(Debug)]
pub(super) struct WebDriver {
    address: SocketAddr,
    path: String,
}

impl WebDriver {
    /// Opens a session with the wanted capabilities.
    pub(super) async fn open(address: SocketAddr, wanted: Value) -> anyhow::Result<Self> {
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let opened = request(address, Method::POST, "/session", Some(body)).await?;
        let id = opened["sessionId"].as_str().context("a session without an id")?;
        Ok(Self { address, path: format!("/session/{id}") })
    }

    /// Asks for something of the session.
    pub(super) async fn get(&self, command: &str) -> anyhow::Result<Value> {
        let path = format!("{}/{command}", self.path);
        request(self.address, Method::GET, &path, None).await
    }

    /// Tells the session to do something.
    pub(super) async fn post(&self, command: &str, body: Value) -> anyhow::Result<Value> {
        let path = format!("{}/{command}", self.path);
        request(self.address, Method::POST, &path, Some(body)).await
    }
}

/// One request; its `value`, or the error that the driver names.
async fn request(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    let asked = exchange(address, method, path, body);
    let answer = tokio::time::timeout(REQUEST_LIMIT, asked).await;
    let mut answer =
        answer.with_context(|| format!("{path}: no answer in {REQUEST_LIMIT:?}"))??;
    let value = answer["value"].take();
    if let Some(error) = value.get("error").and_then(Value::as_str)
        && value.get("stacktrace").is_some()
    {
        let message = value["message"].as_str().unwrap_or_default();
        bail!("{error}: {}", message.lines().next().unwrap_or_default());
    }
    Ok(value)
}

async fn exchange(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))?;
    // The connection only moves bytes: it ends by itself after the one answer.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let collected = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
    let bytes = collected.map_err(|error| anyhow::anyhow!("{path}: {error}"))?.to_bytes();
    serde_json::from_slice(&bytes).with_context(|| format!("{path}: an answer that is no JSON"))
}
