//! A real shard on its own thread, real loopback sockets, and a tail played by hand out of the
//! real store, so that a test decides the order of everything the shard is told.

mod chains;
mod client;
mod codes;
mod delivery;
mod drained;
mod ends;
mod fan_out;
pub(super) mod flush_paths;
mod pressure;
mod resume_stress;
mod slow;
mod strained;
mod stress;
mod together;

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use fantail_bus::Waker;
use fantail_model::{Event, Micros};
use fantail_ops::clock::{Clock, ManualClock};
use fantail_ops::closes::CloseLog;
use fantail_ops::shutdown::{DrainGuard, Shutdown};
use fantail_wire::client::Encoding;
use socket2::SockRef;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::{Shard, ShardSetup};
use crate::auth::Identity;
use crate::config::{KernelBounds, SessionConfig};
use crate::connections::Connections;
use crate::encoder::FramesMade;
use crate::group::{Batch, Group};
use crate::kind::FrameKind;
use crate::limits;
use crate::link::{TailLink, ToShard, ToTail};
use crate::listener::Arrival;
use crate::metrics::ShardMetrics;
use crate::seed::{Seed, Seeds};
use crate::sessions::{SessionsAsked, ShardSessions};
use crate::store::Store;
use crate::store::resume::Start;
use crate::strain::Strain;
use crate::tail::lag::Lag;
use crate::testing::{PATIENCE, WALL, authenticator, identity, limits};
use crate::variant::Variants;
use client::Client;

const JSON: FrameKind = FrameKind { encoding: Encoding::Json, deflate: false, batch: false };

/// Interval of the shard's pings.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Own answers a session may leave unread.
const REPLY_BYTES: usize = 1_024 * 1_024;

/// Says that the shard's thread stands still, and until when.
type Stall = (SyncSender<()>, std::sync::mpsc::Receiver<()>);

/// A shard's surroundings.
struct Rig {
    store: Store,
    ring_bytes: usize,
    mailbox: mpsc::Sender<ToShard>,
    requests: mpsc::Receiver<ToTail>,
    arrivals: mpsc::Sender<Arrival>,
    asked: mpsc::Sender<SessionsAsked>,
    frames: Arc<FramesMade>,
    metrics: Arc<ShardMetrics>,
    strain: Arc<Strain>,
    clock: Clock,
    stalls: mpsc::Sender<Stall>,
    /// What the tail keeps of what the mailbox has no room for; without it a full mailbox is waited
    /// for.
    lag: Option<RefCell<Lag>>,
    closes: CloseLog,
    connections: Arc<Connections>,
    hand: ManualClock,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    runtime: Runtime,
    opened: u32,
    /// `TCP_USER_TIMEOUT` of sockets to come.
    unacked_timeout: Option<Duration>,
}

impl Rig {
    fn new() -> Self {
        Self::with(64 * 1_024 * 1_024)
    }

    /// A shard that keeps this much for sessions that are behind.
    fn with(backlog_bytes: usize) -> Self {
        Self::made(backlog_bytes, Duration::ZERO)
    }

    /// A shard whose drain takes up to this long.
    fn paced(drain: Duration) -> Self {
        Self::made(64 * 1_024 * 1_024, drain)
    }

    fn made(backlog_bytes: usize, drain: Duration) -> Self {
        let (clock, hand) = Clock::manual(WALL);
        let (to_tail, requests) = mpsc::channel(4_096);
        let (mailbox, mail) = mpsc::channel(limits::MAILBOX_MAX);
        let (arrivals, arriving) = mpsc::channel(limits::ARRIVALS_MAX);
        let (asked, asking) = mpsc::channel(4);
        let (stalls, stalled) = mpsc::channel::<Stall>(1);
        let strain = Arc::new(Strain::new(Duration::from_secs(10)));
        let (frames, metrics) =
            (Arc::new(FramesMade::default()), Arc::new(ShardMetrics::default()));
        let closes = CloseLog::new(1_000);
        let config = SessionConfig {
            node: "gw-1".into(),
            limits: limits(),
            heartbeat: HEARTBEAT,
            backlog_bytes,
            session_backlog_bytes: backlog_bytes,
            session_reply_bytes: REPLY_BYTES,
            kernel: KernelBounds { unsent_bytes: 16_384, unacked_timeout: Duration::from_secs(20) },
            conflate_after: Duration::from_secs(1),
            slow_after: Duration::from_secs(10),
            drain,
            flush: flush_paths::FLUSH.get(),
            deflate_level: 2,
            deflate_window_bits: 12,
        };
        let setup = ShardSetup {
            number: 0,
            config,
            variants: Variants::default(),
            tail: TailLink::new(to_tail, Waker::new(|| {})),
            authenticator: Arc::new(authenticator(&clock)),
            clock: clock.clone(),
            closes: closes.clone(),
            frames: Arc::clone(&frames),
            metrics: Arc::clone(&metrics),
            strain: Arc::clone(&strain),
        };
        let shutdown = Shutdown::new();
        let (end, guard) = (shutdown.clone(), shutdown.guard("shard"));
        let queues = (mail, arriving, asking, stalled);
        let failing_call = flush_paths::FAILING_CALL.get();
        let thread = std::thread::spawn(move || run((setup, failing_call), queues, end, guard));
        Self {
            store: Store::new(0, Variants::default()),
            ring_bytes: 1_024 * 1_024,
            mailbox,
            requests,
            arrivals,
            asked,
            frames,
            metrics,
            strain,
            clock,
            stalls,
            lag: None,
            closes,
            connections: Connections::new(10_000, 10_000),
            hand,
            shutdown,
            thread: Some(thread),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            opened: 0,
            unacked_timeout: None,
        }
    }

    /// A channel comes into being.
    fn open(&mut self, name: &str) -> u32 {
        let info = self.store.open(name.parse().unwrap()).unwrap();
        let ch = info.ch;
        self.tell(ToShard::Channel(info));
        ch
    }

    fn tell(&self, message: ToShard) {
        if let Some(lag) = &self.lag {
            let weight = match &message {
                ToShard::Batch(batch) => batch.weight,
                _ => 0,
            };
            return lag.borrow_mut().push(message, weight);
        }
        self.mailbox.blocking_send(message).expect("a living shard");
    }

    /// One cycle of the tail: these events, by channel.
    fn publish(&mut self, events: Vec<(u32, Vec<Event>)>) {
        let (mut groups, mut weight) = (Vec::new(), 0);
        for (ch, events) in events {
            let channel = self.store.channel_mut(ch).unwrap();
            let taken = events.into_iter().map(|event| channel.apply(event).unwrap().0).collect();
            let tx = Micros(self.clock.wall_micros());
            let group = Arc::new(Group::new(Arc::clone(&channel.info), tx, taken));
            channel.remember(Arc::clone(&group), self.ring_bytes);
            if channel.interest != 0 {
                weight += group.weight();
                groups.push(group);
            }
        }
        if !groups.is_empty() {
            self.tell(ToShard::Batch(Arc::new(Batch { groups, weight })));
        }
    }

    /// Answers what the shard asked so far; returns how many wants there were.
    fn answer(&mut self) -> usize {
        let mut wants = 0;
        while let Ok(request) = self.requests.try_recv() {
            wants += self.answer_one(request);
        }
        wants
    }

    /// Waits for a want and answers it.
    fn answer_next(&mut self) {
        loop {
            let next = self.requests.recv();
            let next = async { tokio::time::timeout(PATIENCE, next).await };
            let request = self.runtime.block_on(next).expect("a request in time").unwrap();
            if self.answer_one(request) > 0 {
                return;
            }
        }
    }

    fn answer_one(&mut self, request: ToTail) -> usize {
        match request {
            ToTail::Want { session, token, items, .. } => {
                let seed = |item| match self.store.start(item, None, 1, Micros(WALL)) {
                    Some(Start::Seed(seed)) => Ok(seed),
                    other => panic!("{other:?}"),
                };
                let seeds: Vec<Result<Seed, _>> = items.iter().map(seed).collect();
                let lent_bytes = seeds.iter().flatten().map(Seed::replay_bytes).sum();
                let lent = self.strain.lend(lent_bytes, self.clock.monotonic());
                let lent_bytes = if lent { lent_bytes } else { 0 };
                self.tell(ToShard::Seeds(Arc::new(Seeds { session, token, seeds, lent_bytes })));
                1
            }
            ToTail::Leave { ch, .. } => {
                self.store.leave(ch, 1);
                0
            }
        }
    }

    /// A client on a fresh socket, welcomed.
    fn client(&mut self, kind: FrameKind) -> Client {
        self.client_with(kind, None, identity())
    }

    /// A client whose socket buffers are kept small on both sides.
    fn client_with(&mut self, kind: FrameKind, buffer: Option<usize>, who: Identity) -> Client {
        let (server, stream, peer) = connect(buffer);
        self.opened += 1;
        SockRef::from(&server).set_tcp_user_timeout(self.unacked_timeout).unwrap();
        let arrival = Arrival {
            socket: mio::net::TcpStream::from_std(server),
            early: bytes::Bytes::new(),
            kind,
            identity: who.into(),
            session: format!("s-{}", self.opened),
            peer,
            permit: self.connections.admit(peer.ip()).ok().unwrap(),
        };
        assert!(self.arrivals.blocking_send(arrival).is_ok(), "a living shard");
        let mut client = Client::new(stream, kind);
        client.welcome();
        client
    }

    /// What the shard says of its sessions. It answers between flushes, after all mail before.
    fn sessions(&self) -> ShardSessions {
        let (answer_to, answer) = tokio::sync::oneshot::channel();
        self.asked.blocking_send(answer_to).expect("a living shard");
        let answer = async { tokio::time::timeout(PATIENCE, answer).await };
        self.runtime.block_on(answer).expect("an answer in time").unwrap()
    }

    /// From now on the tail never waits for the shard.
    fn lagging(&mut self) {
        let lag = Lag::new((self.mailbox.clone(), Arc::clone(&self.strain)));
        self.lag = Some(RefCell::new(lag));
    }

    /// Moves on what waits outside the mailbox; false once nothing does.
    fn push_on(&self) -> bool {
        let Some(lag) = &self.lag else { return false };
        lag.borrow_mut().push_on();
        lag.borrow().is_lagging()
    }

    /// The shard's thread stands still until what is returned is dropped.
    fn stall(&self) -> SyncSender<()> {
        let ((there, here), (go, end)) = (sync_channel(1), sync_channel(1));
        self.stalls.blocking_send((there, end)).expect("a living shard");
        here.recv_timeout(PATIENCE).expect("it stands still");
        go
    }

    /// Waits until a condition of the shard holds.
    fn until(&self, what: &str, holds: impl Fn(&ShardSessions) -> bool) {
        for _ in 0..2_000 {
            if holds(&self.sessions()) {
                return;
            }
            // The shard looks at its timers a few times a second: let it.
            let pause = async { tokio::time::sleep(Duration::from_millis(10)).await };
            self.runtime.block_on(pause);
        }
        panic!("never {what}: {:?}", self.sessions());
    }

    /// Waits until the only session has batches to come and its socket takes no more of them:
    /// behind alone may be a flush that has only begun.
    fn until_stuck(&self) {
        let before = std::cell::Cell::new(u64::MAX);
        self.until("is stuck", |all| {
            let one = &all.sessions[0];
            before.replace(one.bytes_sent) == one.bytes_sent && one.behind_batches > 0
        });
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.begin("the test ends");
        // Closing sockets wait for their clients until the clock says otherwise.
        let thread = self.thread.take();
        while thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            self.hand.advance(limits::CLOSE_LINGER_SLOW);
            let pause = async { tokio::time::sleep(Duration::from_millis(10)).await };
            self.runtime.block_on(pause);
        }
        if let Some(Err(_)) = thread.map(JoinHandle::join)
            && !std::thread::panicking()
        {
            panic!("the shard panicked");
        }
    }
}

/// What a shard's thread is told by.
type Queues = (
    mpsc::Receiver<ToShard>,
    mpsc::Receiver<Arrival>,
    mpsc::Receiver<SessionsAsked>,
    mpsc::Receiver<Stall>,
);

/// The shard's thread.
fn run(
    (setup, failing_call): (ShardSetup, Option<usize>),
    (mail, arriving, asking, mut stalled): Queues,
    end: Shutdown,
    guard: DrainGuard,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async move {
        tokio::spawn(async move {
            while let Some((there, end)) = stalled.recv().await {
                // It lasts until the test drops its end.
                let _ = (there.send(()), end.recv());
            }
        });
        let mut shard = Shard::new(setup).unwrap();
        flush_paths::break_ring(&mut shard, failing_call);
        shard.run(mail, arriving, asking, end, guard).await;
    });
}

/// Both ends of a loopback connection: server's (non-blocking), client's.
fn connect(buffer: Option<usize>) -> (TcpStream, TcpStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    if let Some(bytes) = buffer {
        SockRef::from(&listener).set_recv_buffer_size(bytes).unwrap();
    }
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    socket.connect(&listener.local_addr().unwrap().into()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    server.set_nonblocking(true).unwrap();
    server.set_nodelay(true).unwrap();
    if let Some(bytes) = buffer {
        SockRef::from(&server).set_send_buffer_size(bytes).unwrap();
    }
    (server, socket.into(), peer)
}
