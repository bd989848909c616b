//! The loopback port: HTTP for both venues' REST, upgrades for their WebSockets. Input: sockets;
//! output: mail to the engine. It tells venues apart by path and keeps no state of a venue.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

use super::Venue;
use super::binance::control::{Streams, add};
use super::desk::Mail;
use super::rest::{self, Answer};
use super::{limits, session};

/// The path on which Coinbase's feed is played (the live one has a host of its own).
pub(super) const COINBASE_PATH: &str = "/coinbase";

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Rim {
    pub(super) mailbox: mpsc::Sender<Mail>,
    pub(super) stop: CancellationToken,
    pub(super) queue_len: usize,
    next_session: Arc<AtomicU64>,
}

impl Rim {
    pub(super) fn new(
        mailbox: mpsc::Sender<Mail>,
        stop: CancellationToken,
        queue_len: usize,
    ) -> Self {
        Self { mailbox, stop, queue_len, next_session: Arc::new(AtomicU64::new(1)) }
    }
}

/// Accepts until the stop; a connection beyond the bound waits in the kernel's backlog.
pub(super) async fn serve(listener: TcpListener, rim: Rim) {
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = rim.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else {
            // Out of descriptors, most likely: give others time to close some.
            tokio::time::sleep(limits::TICK).await;
            continue;
        };
        // Small frames must not wait for each other's acknowledgements.
        let _ = socket.set_nodelay(true);
        let rim = rim.clone();
        tokio::spawn(async move {
            let place = Arc::new(place);
            connection(socket, rim, place).await;
        });
    }
}

type Place = Arc<tokio::sync::OwnedSemaphorePermit>;

async fn connection(socket: TcpStream, rim: Rim, place: Place) {
    let stop = rim.stop.clone();
    let service = service_fn(move |request| answer(request, rim.clone(), place.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    tokio::select! {
        () = stop.cancelled() => {}
        result = served => {
            if let Err(error) = result {
                tracing::debug!(%error, "simulator connection ended");
            }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    rim: Rim,
    place: Place,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = rest::percent_decoded(request.uri().path());
    let query = request.uri().query().unwrap_or_default().to_owned();
    if request.headers().contains_key(SEC_WEBSOCKET_KEY) {
        return Ok(upgrade(request, &path, &query, rim, place));
    }
    let answer = match rest::parse(request.uri().path(), &query) {
        Ok(call) => ask(call, &rim).await,
        Err(refusal) => refusal,
    };
    Ok(response(answer))
}

/// Hands the call to the engine and waits, bounded, for its answer.
async fn ask(call: rest::Call, rim: &Rim) -> Answer {
    let (reply, answer) = oneshot::channel();
    if rim.mailbox.send(Mail::Rest { call, reply }).await.is_err() {
        return Answer { status: 503, body: String::new() };
    }
    match tokio::time::timeout(limits::REST_HOLD_MAX, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer { status: 503, body: String::new() },
        Err(_) => Answer { status: 504, body: String::new() },
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn upgrade(
    mut request: Request<Incoming>,
    path: &str,
    query: &str,
    rim: Rim,
    place: Place,
) -> Response<Full<Bytes>> {
    let Some((venue, streams)) = opened(path, query) else {
        return response(Answer { status: 404, body: String::new() });
    };
    let key =
        request.headers().get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) else {
        return response(Answer { status: 400, body: String::new() });
    };
    let id = rim.next_session.fetch_add(1, Ordering::Relaxed);
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(socket) = upgraded.await else { return };
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits::CLIENT_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(limits::CLIENT_MESSAGE_BYTES_MAX));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(socket), Role::Server, Some(config))
                .await;
        session::run(socket, session::Opened { id, venue, streams }, rim).await;
        drop(place);
    });
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// Whose socket a path opens, and with which streams.
fn opened(path: &str, query: &str) -> Option<(Venue, Streams)> {
    if path == "/" || path.trim_end_matches('/') == COINBASE_PATH {
        return Some((Venue::Coinbase, Streams::default()));
    }
    let combined = path == "/stream";
    let listed = rest::value(query, "streams").unwrap_or_default();
    let names = match path.strip_prefix("/ws") {
        Some(names) if names.is_empty() || names.starts_with('/') => names,
        _ if combined => &listed,
        _ => return None,
    };
    let mut streams = Streams { names: Vec::new(), combined };
    for name in names.split('/').filter(|name| !name.is_empty()) {
        if !add(&mut streams, name) {
            return None;
        }
    }
    Some((Venue::Binance, streams))
}
