//! A wire between a client and a server that misbehaves: cut in one direction, slow, or in pieces.
//!
//! In user space and on loopback, so it needs no privileges. What TCP itself would mask (loss,
//! reordering) shows as what TCP makes of it: pieces and delays. A cut direction moves no byte, and
//! neither end is told, as with a firewall that drops one way.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes the wire holds for who does not read, at each end: little, so that it feels narrow at once.
const WIRE_BYTES: u32 = 4_096;

/// How it treats what it carries.
#[derive(Debug, Clone)]
pub struct Habit {
    /// Bytes that travel at once: lengths in turn from this range.
    pub piece_bytes: RangeInclusive<usize>,
    /// Waited before each piece; changes the timing, never the order.
    pub delay: Duration,
}

impl Habit {
    /// Only passes on.
    pub const PLAIN: Self = Self { piece_bytes: 16_384..=16_384, delay: Duration::ZERO };
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// A listening wire; it ends when dropped, with everything it carries.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    to_server: watch::Sender<bool>,
    to_client: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// In front of a server.
    ///
    /// # Errors
    /// No free port.
    pub async fn start(server: SocketAddr, habit: Habit) -> anyhow::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), server, habit).await
    }

    /// The same, where the server tells its clients to come.
    ///
    /// # Errors
    /// The address is taken.
    pub async fn start_at(
        at: SocketAddr,
        server: SocketAddr,
        habit: Habit,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let addr = listener.local_addr()?;
        let (to_server, to_client) = (watch::Sender::new(true), watch::Sender::new(true));
        let ways = (to_server.clone(), to_client.clone());
        let accepting = tokio::spawn(async move {
            // Everything carried ends with this task.
            let mut carried = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let ways = (ways.0.subscribe(), ways.1.subscribe());
                carried.spawn(carry(client, server, ways, habit.clone()));
            }
        });
        Ok(Self { addr, to_server, to_client, accepting })
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on nothing goes this way.
    pub fn cut(&self, way: Way) {
        self.way(way).send_replace(false);
    }

    /// What was held back goes on.
    pub fn mend(&self, way: Way) {
        self.way(way).send_replace(true);
    }

    fn way(&self, way: Way) -> &watch::Sender<bool> {
        match way {
            Way::ToServer => &self.to_server,
            Way::ToClient => &self.to_client,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(
    client: TcpStream,
    server: SocketAddr,
    ways: (watch::Receiver<bool>, watch::Receiver<bool>),
    habit: Habit,
) {
    let Ok(server) = narrow(server).await else { return };
    // A small piece is to leave at once.
    let _ = client.set_nodelay(true).and(server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, ways.0, &habit) => {}
        () = pump(from_server, to_client, ways.1, &habit) => {}
    }
}

/// A connection whose receive buffer is small: what is not read stays with the server.
async fn narrow(server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(WIRE_BYTES)?;
    socket.connect(server).await
}

/// Ends with either end.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut open: watch::Receiver<bool>,
    habit: &Habit,
) {
    let mut buffer = vec![0; *habit.piece_bytes.end()];
    for length in habit.piece_bytes.clone().cycle() {
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer[..length]) => read,
            // Cut, or the wire is gone: looked at again.
            _ = open.changed() => continue,
        };
        let Ok(read @ 1..) = read else { return };
        if !habit.delay.is_zero() {
            tokio::time::sleep(habit.delay).await;
        }
        // Cut meanwhile: this piece is held back like the others.
        if open.wait_for(|open| *open).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
