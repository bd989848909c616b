//! The simulator seen from outside, over its sockets, and its frames beside recorded ones.
//! Helpers here; each file one subject. Recordings come from `FANTAIL_RECORDINGS`.

mod control;
mod playback;
mod recordings;
mod seeded;
mod shapes;
mod taplog;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use super::{Simulator, SimulatorConfig, Source, WallClock};

/// Longer than any single wait of a test should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Moves 10 ms a reading, so no test depends on the machine's clock.
fn clock() -> WallClock {
    let now = Arc::new(AtomicI64::new(1_790_000_000_000_000));
    Arc::new(move || now.fetch_add(10_000, Ordering::Relaxed))
}

async fn start(source: Source) -> (Simulator, tokio_util::sync::DropGuard) {
    let stop = CancellationToken::new();
    let listen = "127.0.0.1:0".parse().expect("an address");
    let config = SimulatorConfig { listen, source, wall_us: clock() };
    let simulator = Simulator::start(config, stop.clone()).await.expect("a simulator");
    (simulator, stop.drop_guard())
}

/// A WebSocket client that waits, bounded, for what it wants.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    async fn open(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.expect("a connection");
        Self { socket }
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(Message::Text(text.into())).await.expect("sent");
    }

    /// The next text, or `None` when the connection has ended.
    async fn text(&mut self) -> Option<String> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn json(&mut self) -> Value {
        let text = self.text().await.expect("an open connection");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The first message that is wanted.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.json().await;
            if wanted(&message) {
                return message;
            }
        }
    }
}

/// A GET as any HTTP client makes it: status and body.
async fn get(base: &str, path: &str) -> (u16, String) {
    let host = base.strip_prefix("http://").expect("a plain URL");
    let mut socket = TcpStream::connect(host).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await;
    read.expect("an answer in time").expect("text");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
}

async fn get_json(base: &str, path: &str) -> Value {
    let (status, body) = get(base, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

/// The folder of recordings. Without it a test says so and passes, unless they are required.
fn recordings(test: &str) -> Option<PathBuf> {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/recordings");
    let folder = std::env::var_os("FANTAIL_RECORDINGS").map_or_else(|| usual.into(), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("FANTAIL_REQUIRE").unwrap_or_default();
    assert!(!required.contains("recordings"), "{test}: no recordings in {}", folder.display());
    eprintln!("SKIPPED: {test}: no recordings in {}", folder.display());
    None
}
