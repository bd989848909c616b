//! One WebSocket of a client: reads its texts into the engine's mailbox, writes what the engine
//! queues, pings, and cuts by the venue's own rules. Input: a socket and what its URL asked for;
//! output: mail. It understands no message beyond counting them. When the engine lets the queue
//! end, the socket is dropped without a close frame, as a venue's network does.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Venue;
use super::binance::control::Streams;
use super::desk::{Mail, Out};
use super::limits;
use super::server::Rim;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What the URL of a socket says.
pub(super) struct Opened {
    pub(super) id: u64,
    pub(super) venue: Venue,
    pub(super) streams: Streams,
}

/// Serves the socket to its end.
pub(super) async fn run(mut socket: Socket, opened: Opened, rim: Rim) {
    let (out, mut queue) = mpsc::channel(rim.queue_len);
    let Opened { id, venue, streams } = opened;
    if rim.mailbox.send(Mail::Connected { session: id, venue, streams, out }).await.is_err() {
        return;
    }
    let mut rules = Rules::new(venue);
    if let Err(error) = talk(&mut socket, id, &mut queue, &mut rules, &rim).await {
        tracing::debug!(session = id, %error, "simulator session ended");
    }
    // The queue must be closed first, or the engine could wait for room in it.
    drop(queue);
    let _ = rim.mailbox.send(Mail::Gone { session: id }).await;
}

async fn talk(
    socket: &mut Socket,
    id: u64,
    queue: &mut mpsc::Receiver<Out>,
    rules: &mut Rules,
    rim: &Rim,
) -> Result<(), Error> {
    let mut ping =
        tokio::time::interval_at(Instant::now() + limits::PING_EVERY, limits::PING_EVERY);
    loop {
        tokio::select! {
            () = rim.stop.cancelled() => {
                let frame = CloseFrame { code: CloseCode::Away, reason: "stop".into() };
                return socket.close(Some(frame)).await;
            }
            out = queue.recv() => match out {
                Some(out) => write(socket, out, queue).await?,
                None => return Ok(()),
            },
            message = socket.next() => match message {
                None => return Ok(()),
                Some(message) => {
                    let message = message?;
                    if !rules.admit(&message) {
                        return Ok(());
                    }
                    if let Message::Text(text) = message {
                        let mail = Mail::Text { session: id, text };
                        if rim.mailbox.send(mail).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            },
            at = ping.tick(), if rules.venue == Venue::Binance => {
                if at.duration_since(rules.last_pong) > limits::PONG_MAX {
                    return Ok(());
                }
                let payload = Bytes::from(id.to_string());
                socket.send(Message::Ping(payload)).await?;
            }
            () = tokio::time::sleep_until(rules.deadline), if !rules.spoke => {
                let text = r#"{"type":"error","message":"Subscribe timeout","reason":"no subscription in 5 s"}"#;
                socket.send(Message::Text(text.into())).await?;
                return socket.close(None).await;
            }
        }
    }
}

/// Writes what is queued now with one flush.
async fn write(
    socket: &mut Socket,
    first: Out,
    queue: &mut mpsc::Receiver<Out>,
) -> Result<(), Error> {
    socket.feed(message(first)).await?;
    for _ in 1..limits::WRITE_BATCH {
        match queue.try_recv() {
            Ok(out) => socket.feed(message(out)).await?,
            Err(_) => break,
        }
    }
    socket.flush().await
}

fn message(out: Out) -> Message {
    match out {
        Out::Text(text) => Message::Text(text),
        Out::Binary(bytes) => Message::Binary(bytes),
    }
}

/// The venue's patience with one client.
struct Rules {
    venue: Venue,
    last_pong: Instant,
    /// Coinbase wants a first message by then.
    deadline: Instant,
    spoke: bool,
    window: Instant,
    in_window: u32,
}

impl Rules {
    fn new(venue: Venue) -> Self {
        let now = Instant::now();
        Self {
            venue,
            last_pong: now,
            deadline: now + limits::SUBSCRIBE_MAX,
            spoke: venue == Venue::Binance,
            window: now,
            in_window: 0,
        }
    }

    /// Counts a message; `false` cuts the connection.
    fn admit(&mut self, message: &Message) -> bool {
        let now = Instant::now();
        match message {
            Message::Pong(_) => self.last_pong = now,
            Message::Text(_) => self.spoke = true,
            _ => {}
        }
        if now.duration_since(self.window) >= Duration::from_secs(1) {
            (self.window, self.in_window) = (now, 0);
        }
        self.in_window += 1;
        let max = match self.venue {
            Venue::Binance => limits::BINANCE_MESSAGES_PER_S,
            Venue::Coinbase => limits::COINBASE_MESSAGES_PER_S,
        };
        self.in_window <= max
    }
}
