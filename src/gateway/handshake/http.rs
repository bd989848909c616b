//! How the public listener speaks HTTP to one socket: small and impatient.
//!
//! Owns hyper's settings and what a client is told whose request never becomes one. Input: an
//! accepted socket and a service. Output: nothing; upgraded sockets leave through the service. It
//! knows no path and no session.

use std::time::Duration;

use fantail_wire::codes::Code;
use http::StatusCode;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::limits;

/// Serves a socket until it is upgraded, closed or too slow. A head that began and does not come
/// whole in time is answered with 408: the deadline runs from the accept (and from the answer
/// before, on a connection that is kept), however many bytes trickle in.
pub async fn serve<S, B>(stream: TcpStream, service: S)
where
    S: HttpService<Incoming, ResBody = B> + Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = http_limits().serve_connection(TokioIo::new(stream), service);
    let mut connection = connection.with_upgrades();
    let Err(error) = (&mut connection).await else { return };
    tracing::debug!(%error, "an HTTP connection ended");
    // Silence between two requests of a kept connection is no fault: a 408 then could be taken for
    // the answer to a request that is just being sent.
    if error.is_timeout()
        && let Some(parts) = connection.into_parts()
        && !parts.read_buf.is_empty()
    {
        let message = "the request's head did not come whole in 5 s";
        dismiss(parts.io.into_inner(), StatusCode::REQUEST_TIMEOUT, message).await;
    }
}

/// Answers a connection that never became a request, and ends it.
pub(crate) async fn dismiss(mut stream: TcpStream, status: StatusCode, message: &str) {
    let body = serde_json::json!({"error": {
        "code": Code::BadRequest.name(),
        "message": message,
        "details": {},
    }});
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let ending = async move {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // A socket closed with bytes unread is reset, and a reset may overtake the answer.
        let mut rest = stream.take(limits::DISMISSED_BYTES_MAX);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // Whoever is dismissed may have gone before.
    let wait = Duration::from_secs(limits::DISMISSED_SECONDS_MAX);
    let _ = tokio::time::timeout(wait, ending).await;
}

fn http_limits() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits::HEADER_READ_SECONDS_MAX))
        .max_headers(limits::HEADERS_MAX)
        .max_header_size(limits::HEADER_BYTES_MAX)
        .max_buf_size(limits::READ_BUFFER_BYTES_MAX)
        .half_close(false)
        .keep_alive(true);
    builder
}
