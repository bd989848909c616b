//! A recording client on real sockets: connects to one of several nodes, follows its channels, and
//! when the connection ends, for whatever reason, goes on at another node from where it is.
//!
//! All memory is the recorder's; this file owns the socket, the waiting, and the two faults a client
//! makes itself: a reset in mid-stream, and not reading.

use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::clock::Clock;
use crate::limits;
use crate::place::Place;
use crate::recorder::Recorder;

/// Orders waiting for one client: a nemesis gives one at a time.
pub(crate) const ORDERS_LEN: usize = 8;
/// How long a node may take to accept and upgrade.
const CONNECT: Duration = Duration::from_secs(4);
/// First pause after a lost connection; doubled while nothing works.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A node that says nothing for this many of its heartbeats is dead.
const SILENT_HEARTBEATS: f64 = 2.5;
/// Until a welcome says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Channels named in one command.
const CHUNK: usize = 50;

/// The places of all channels when nothing is written any more.
pub(crate) type Heads = Arc<dyn Fn(&str) -> Option<Place> + Send + Sync>;

/// What a client is told to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Reset the connection.
    Reset,
    /// Don't read for a while.
    Slow(Duration),
}

/// Who a client is.
pub(crate) struct Identity {
    pub(crate) seed: u64,
    pub(crate) channels: Vec<String>,
    /// Asks for `batch` messages.
    pub(crate) batch: bool,
    pub(crate) nodes: Arc<Vec<(String, SocketAddr)>>,
    pub(crate) history: File,
}

/// What others see of it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) deliveries: AtomicU64,
    /// Everything is acknowledged on the present connection.
    pub(crate) live: AtomicBool,
    /// It has everything there is.
    pub(crate) level: AtomicBool,
}

/// What reaches it from outside.
pub(crate) struct Wires {
    pub(crate) clock: Clock,
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Set once nothing is written any more.
    pub(crate) heads: watch::Receiver<Option<Heads>>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) progress: Arc<Progress>,
}

/// A time a client was without service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Away {
    /// When its connection ended, microseconds of the wall clock.
    pub(crate) lost: u64,
    /// When all its channels were acknowledged again; `None`: never.
    pub(crate) back: Option<u64>,
}

struct Client {
    away: Vec<Away>,
    recorder: Recorder<BufWriter<File>>,
    rng: SmallRng,
    wires: Wires,
    nodes: Arc<Vec<(String, SocketAddr)>>,
    batch: bool,
}

/// Why a session is over.
struct Ended {
    code: u16,
    reason: String,
    /// How long the node asked to stay away.
    stay_away: Option<Duration>,
    /// The node served something: the next pause is short.
    served: bool,
}

/// Runs until it is told to stop, then closes the history. Returns when it was away.
///
/// # Errors
/// The history can't be written.
pub(crate) async fn run(identity: Identity, wires: Wires) -> anyhow::Result<Vec<Away>> {
    let Identity { seed, channels, batch, nodes, history } = identity;
    let recorder = Recorder::new(BufWriter::new(history), &channels)?;
    let rng = SmallRng::seed_from_u64(seed);
    let mut client = Client { recorder, rng, wires, nodes, batch, away: Vec::new() };
    let mut stop = client.wires.stop.clone();
    tokio::select! {
        outcome = client.follow() => outcome?,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let at = client.wires.clock.micros();
    client.recorder.end(at, true)?;
    Ok(client.away)
}

impl Client {
    async fn follow(&mut self) -> std::io::Result<()> {
        let (mut last, mut pause) = (usize::MAX, PAUSE_MIN);
        loop {
            let node = self.another(last);
            last = node;
            let ended = self.session(node).await?;
            let progress = &self.wires.progress;
            if progress.live.swap(false, Ordering::Relaxed) {
                self.away.push(Away { lost: self.wires.clock.micros(), back: None });
            }
            progress.level.store(false, Ordering::Relaxed);
            if let Some(ended) = &ended {
                self.recorder.closed(self.wires.clock.micros(), ended.code, &ended.reason)?;
            }
            pause = match ended.as_ref().is_some_and(|ended| ended.served) {
                true => PAUSE_MIN,
                false => (pause * 2).min(PAUSE_MAX),
            };
            let jittered = pause.mul_f64(self.rng.random_range(0.5..1.5));
            let asked = ended.and_then(|ended| ended.stay_away).unwrap_or_default();
            sleep(asked.max(jittered)).await;
        }
    }

    /// A node, but not the one that was just lost.
    fn another(&mut self, last: usize) -> usize {
        let count = self.nodes.len();
        let pick = self.rng.random_range(0..count);
        if pick == last { (pick + 1) % count } else { pick }
    }

    /// One connection, from the handshake to its end; `None` where none came to be.
    async fn session(&mut self, node: usize) -> std::io::Result<Option<Ended>> {
        let (name, address) = self.nodes[node].clone();
        let Ok(Ok(mut socket)) = timeout(CONNECT, connect(address, self.batch)).await else {
            return Ok(None);
        };
        self.recorder.open(self.wires.clock.micros(), &name)?;
        let lost = |why: &Error| Ended {
            code: 0,
            reason: why.to_string(),
            stay_away: None,
            served: false,
        };
        for command in self.recorder.subscribe(CHUNK)? {
            if let Err(error) = socket.send(Message::text(command)).await {
                return Ok(Some(lost(&error)));
            }
        }
        self.read(&mut socket).await.map(Some)
    }

    async fn read(&mut self, socket: &mut WebSocketStream<TcpStream>) -> std::io::Result<Ended> {
        let (mut silence, mut stay_away) = (HEARTBEAT, None);
        let ended =
            |code, reason: String, stay_away, served| Ok(Ended { code, reason, stay_away, served });
        let mut served = false;
        loop {
            let received = tokio::select! {
                received = timeout(silence, socket.next()) => received,
                Some(order) = self.wires.orders.recv() => {
                    match order {
                        Order::Reset => {
                            // The peer sees a reset, not an end.
                            let _ = socket.get_ref().set_zero_linger();
                            return ended(0, "reset on purpose".into(), None, served);
                        }
                        Order::Slow(lasting) => {
                            self.recorder.slow(self.wires.clock.micros())?;
                            sleep(lasting).await;
                        }
                    }
                    continue;
                }
                Ok(()) = self.wires.heads.changed() => {
                    self.show_level();
                    continue;
                }
            };
            match received {
                Err(_) => return ended(0, "the node fell silent".into(), stay_away, served),
                Ok(None) => return ended(0, "the connection ended".into(), stay_away, served),
                Ok(Some(Err(error))) => return ended(0, error.to_string(), stay_away, served),
                Ok(Some(Ok(Message::Text(text)))) => {
                    let noted = self.recorder.take(&text, self.wires.clock.micros())?;
                    if let Some(millis) = noted.heartbeat_ms {
                        silence = Duration::from_millis(millis).mul_f64(SILENT_HEARTBEATS);
                    }
                    if let Some(millis) = noted.retry_after_ms {
                        stay_away = Some(Duration::from_millis(millis));
                    }
                    if noted.refused {
                        return ended(0, "a channel was refused".into(), None, false);
                    }
                    served = true;
                    self.show();
                }
                Ok(Some(Ok(Message::Close(frame)))) => {
                    let (code, reason) = frame
                        .map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
                    return ended(code, reason, stay_away, served);
                }
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    fn show(&mut self) {
        let progress = &self.wires.progress;
        progress.deliveries.store(self.recorder.deliveries(), Ordering::Relaxed);
        if !progress.live.load(Ordering::Relaxed) && self.recorder.is_live() {
            progress.live.store(true, Ordering::Relaxed);
            if let Some(away) = self.away.last_mut() {
                away.back = Some(self.wires.clock.micros());
            }
        }
        self.show_level();
    }

    fn show_level(&mut self) {
        let heads = self.wires.heads.borrow_and_update().clone();
        if let Some(heads) = heads {
            let level = self.recorder.is_live() && self.recorder.is_level(|name| heads(name));
            self.wires.progress.level.store(level, Ordering::Relaxed);
        }
    }
}

async fn connect(address: SocketAddr, batch: bool) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let query = if batch { "?batch=true" } else { "" };
    let mut request = format!("ws://{address}/v1/stream{query}").into_client_request()?;
    let protocol = http_value("fantail.v1.json");
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::MESSAGE_BYTES_MAX))
        .max_frame_size(Some(limits::MESSAGE_BYTES_MAX))
        .read_buffer_size(limits::READ_BUFFER_BYTES);
    let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

fn http_value(text: &'static str) -> tokio_tungstenite::tungstenite::http::HeaderValue {
    tokio_tungstenite::tungstenite::http::HeaderValue::from_static(text)
}
