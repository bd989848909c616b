//! The public port's front door over real loopback sockets, row by row of the catalogue (H…).
//! Shared here with `rest`'s tests: a server as the listener runs it, and a raw client.

mod limits_met;
mod options;
mod upgrades;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use fantail_ops::clock::Clock;
use fantail_ops::config::Problems;
use fantail_ops::secret::Secret;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::auth::{
    AuthSection, KeyAlgorithm, KeySection, LimitOverrides, MintRequest, SigningKey, mint,
};
use crate::rest::Peer;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Longer than anything here takes, so that a bug ends a test instead of hanging it.
const LONG: Duration = Duration::from_secs(30);

/// Header lines.
pub(crate) type Lines<'a> = &'a [(&'a str, &'a str)];

/// A connection slot that counts itself.
#[derive(Debug)]
pub(crate) struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a test sees of an accepted session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) encoding: Encoding,
    pub(crate) deflate: Option<Agreed>,
    pub(crate) batch: bool,
    pub(crate) id: String,
    pub(crate) slot: Slot,
    pub(crate) socket: TcpStream,
    pub(crate) early: Bytes,
}

/// A server on a port of its own.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) sessions: mpsc::Receiver<Session>,
    pub(crate) slots: Arc<AtomicUsize>,
}

pub(crate) fn authenticator(section: AuthSection) -> Arc<Authenticator> {
    let section = AuthSection {
        keys: vec![KeySection {
            kid: None,
            alg: KeyAlgorithm::HS256,
            secret: Some(Secret::new(SECRET.to_owned())),
            public_key: None,
            public_key_file: None,
            iss: "issuer".to_owned(),
            aud: "fantail".to_owned(),
        }],
        ..section
    };
    let mut problems = Problems::default();
    let config = section.meaning(&mut problems);
    problems.into_result().unwrap();
    Arc::new(Authenticator::new(config, Clock::system()))
}

pub(crate) fn token(channels: &[&str]) -> String {
    let request = MintRequest {
        user: "alice".to_owned(),
        issuer: "issuer".to_owned(),
        audience: "fantail".to_owned(),
        kid: None,
        lifetime: Duration::from_secs(600),
        channels: channels.iter().map(|text| (*text).to_owned()).collect(),
        limits: LimitOverrides { channels: Some(7), ..LimitOverrides::default() },
    };
    mint(&SigningKey::secret(SECRET.as_bytes()), &request, &Clock::system()).unwrap()
}

/// Serves the stream's path by [`accept`] with at most `slots_max` sessions, the rest by `router`.
pub(crate) async fn serve(
    authenticator: Arc<Authenticator>,
    router: Router,
    slots_max: usize,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (session_to, sessions) = mpsc::channel(16);
    let slots = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&slots);
    let admit = move |_: IpAddr| {
        let slot = Slot(Arc::clone(&counter));
        if counter.fetch_add(1, Ordering::SeqCst) < slots_max {
            return Ok(slot);
        }
        let refusal = Refusal::new(Code::TooManyConnections, "too many connections");
        Err(refusal.with_retry_after(Duration::from_secs(5)))
    };
    let context =
        Arc::new(Context { authenticator, admit: Arc::new(admit), deflate_window_bits: Some(12) });
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (context, router, to) = (Arc::clone(&context), router.clone(), session_to.clone());
            let service = service_fn(move |request| {
                answer(request, peer, Arc::clone(&context), router.clone(), to.clone())
            });
            tokio::spawn(super::serve(stream, service));
        }
    });
    Server { addr, sessions, slots }
}

async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    context: Arc<Context<Slot>>,
    router: Router,
    to: mpsc::Sender<Session>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path() != "/v1/stream" {
        request.extensions_mut().insert(Peer(peer));
        return tower::ServiceExt::oneshot(router, request.map(Body::new)).await;
    }
    let accepted = match accept(&mut request, peer, &context) {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(refuse(refusal, &context.authenticator).map(Body::new)),
    };
    let Accepted { response, upgrade, identity, encoding, deflate, batch, .. } = accepted;
    let (id, slot) = (accepted.session_id, accepted.slot);
    tokio::spawn(async move {
        let (socket, early) = upgrade.socket().await.unwrap();
        let user = identity.user.clone();
        let session = Session { user, encoding, deflate, batch, id, slot, socket, early };
        to.send(session).await.unwrap();
    });
    Ok(response.map(Body::new))
}

impl Server {
    /// The next accepted session.
    pub(crate) async fn session(&mut self) -> Session {
        tokio::time::timeout(LONG, self.sessions.recv()).await.unwrap().unwrap()
    }

    /// Sends bytes on a connection of their own and reads until the server closes it.
    pub(crate) async fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        // The server may refuse and close before it has read all of it.
        let _ = stream.write_all(request.as_bytes()).await;
        read_to_end(&mut stream).await
    }

    /// Sends an upgrade and reads the head of its answer.
    pub(crate) async fn open(&self, request: &[u8]) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = tokio::time::timeout(LONG, stream.read_u8()).await.unwrap();
            head.push(byte.unwrap());
        }
        (stream, String::from_utf8(head).unwrap())
    }
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end, too.
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A good upgrade's header lines, in the order of RFC 6455's example.
const LINES: [(&str, &str); 5] = [
    ("Host", "127.0.0.1:8080"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// An upgrade without the header `without`, with `extra` lines.
pub(crate) fn upgrade_request(target: &str, without: &str, extra: Lines<'_>) -> String {
    let mut text = format!("GET {target} HTTP/1.1\r\n");
    let kept = LINES.iter().filter(|(name, _)| *name != without);
    for (name, value) in kept.chain(extra) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text
}

/// Status and the error's code, message and details of a refused request; checks its one shape.
pub(crate) fn error_of(answer: &str) -> (u16, String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"));
    let error = value["error"].as_object().unwrap();
    let mut keys: Vec<&str> = error.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["code", "details", "message", "request_id"], "{body}");
    let id = error["request_id"].as_str().unwrap();
    assert!(head.contains(&format!("x-request-id: {id}")), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (status, text("code"), text("message"))
}

/// A server that lets anybody in.
pub(crate) async fn open_server() -> Server {
    let section = AuthSection { anonymous: true, ..AuthSection::default() };
    serve(authenticator(section), Router::new(), 1_000).await
}
