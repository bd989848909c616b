//! The public port: accepts, serves HTTP, and hands upgraded sockets to the shard.
//!
//! One listener per shard on the same port (`SO_REUSEPORT`), so a socket is accepted, shaken
//! hands with and served on one thread. It reads no frame and knows no session.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use fantail_ops::shutdown::Shutdown;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use mio::net::TcpStream as ShardStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tower::ServiceExt;

use crate::auth::Identity;
use crate::config::KernelBounds;
use crate::connections::{Connections, Permit};
use crate::handshake::{self, Accepted};
use crate::kind::FrameKind;
use crate::limits;
use crate::proxies::Proxies;
use crate::rest::Peer;

/// Where the stream is.
const STREAM_PATH: &str = "/v1/stream";
/// HTTP connections a shard serves at once, upgraded ones not counted. Beyond it new ones are
/// dropped at once: nothing may pile up before the connection limits are even asked.
const HTTP_CONNECTIONS_MAX: usize = 4_096;
/// Pause after a failed accept (file descriptors run out): no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An upgraded socket on its way to its shard.
pub(crate) struct Arrival {
    pub(crate) socket: ShardStream,
    /// Frames that came in one piece with the handshake.
    pub(crate) early: Bytes,
    pub(crate) kind: FrameKind,
    pub(crate) identity: Arc<Identity>,
    pub(crate) session: String,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: Permit,
}

/// What every connection of a shard needs.
pub(crate) struct Door {
    pub(crate) router: Router,
    pub(crate) handshake: handshake::Context<Permit>,
    pub(crate) proxies: Proxies,
    pub(crate) connections: Arc<Connections>,
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    pub(crate) kernel: KernelBounds,
}

/// Binds one listener per shard to the same port.
pub(crate) fn bind(addr: SocketAddr, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let mut listeners: Vec<std::net::TcpListener> = Vec::with_capacity(count);
    let mut addr = addr;
    for _ in 0..count {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        // Only between our own shards: with a single one a second server must not share the port.
        socket.set_reuse_port(count > 1)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(limits::BACKLOG)?;
        let listener = std::net::TcpListener::from(socket);
        addr = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Accepts until shutdown.
pub(crate) async fn accept(listener: TcpListener, door: Arc<Door>, shutdown: Shutdown) {
    let places = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = shutdown.begun() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let door = Arc::clone(&door);
                tokio::spawn(async move {
                    serve(stream, peer, door).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, peer: SocketAddr, door: Arc<Door>) {
    if let Err(error) = tune(&stream, door.kernel) {
        tracing::debug!(%error, "socket options");
    }
    let peer = match door.proxies.introduced(&mut stream, peer).await {
        Ok(peer) => peer,
        Err(error) => {
            door.connections.unintroduced();
            tracing::debug!(%peer, %error, "a connection to a PROXY listener was refused");
            return handshake::dismiss(stream, StatusCode::BAD_REQUEST, &error.to_string()).await;
        }
    };
    let service = service_fn(move |request| answer(request, peer, Arc::clone(&door)));
    handshake::serve(stream, service).await;
}

async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    door: Arc<Door>,
) -> Result<Response<Body>, Infallible> {
    let peer = door.proxies.client(peer, request.headers());
    if request.uri().path() != STREAM_PATH {
        request.extensions_mut().insert(Peer(peer));
        return door.router.clone().oneshot(request.map(Body::new)).await;
    }
    match handshake::accept(&mut request, peer, &door.handshake) {
        Ok(accepted) => {
            let Accepted { response, upgrade, identity, encoding, .. } = accepted;
            let kind =
                FrameKind { encoding, deflate: accepted.deflate.is_some(), batch: accepted.batch };
            let (session, permit) = (accepted.session_id, accepted.slot);
            let arrivals = door.arrivals.clone();
            tokio::spawn(async move {
                let socket = upgrade.socket().await.map_err(|e| io::Error::other(e.to_string()));
                let moved = socket.and_then(|(socket, early)| Ok((socket.into_std()?, early)));
                match moved {
                    Ok((socket, early)) => {
                        let socket = ShardStream::from_std(socket);
                        let arrival =
                            Arrival { socket, early, kind, identity, session, peer, permit };
                        // Fails only when the shard has ended; the socket then closes with it.
                        let _ = arrivals.send(arrival).await;
                    }
                    Err(error) => tracing::debug!(%error, "a handshake was not completed"),
                }
            });
            Ok(response.map(Body::new))
        }
        Err(refusal) => {
            let response = handshake::refuse(refusal, &door.handshake.authenticator);
            Ok(response.map(Body::new))
        }
    }
}

/// A stalled reader must not hold much kernel memory, a healthy far one must not be throttled.
fn tune(stream: &TcpStream, kernel: KernelBounds) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_notsent_lowat(kernel.unsent_bytes)?;
    socket.set_tcp_user_timeout(Some(kernel.unacked_timeout))
}
