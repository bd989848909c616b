//! One socket: opening it, sending at the venue's pace, reading, and noticing silence.
//!
//! A thin shell over tokio-tungstenite; `next` may be dropped at any await and called again.

use std::collections::VecDeque;
use std::time::Duration;

use fantail_model::Micros;
use fantail_ops::clock::Clock;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::limits;

/// A socket with what is still to be sent on it.
pub(super) struct Line {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    unsent: VecDeque<String>,
    send_every: Duration,
    send_at: Duration,
    heard_at: Duration,
}

/// What happened on a socket.
pub(super) enum LineEvent {
    Frame(Utf8Bytes, Micros),
    Binary,
    /// A control frame, a message sent, or the given moment has come.
    Nothing,
    Lost(&'static str, String),
}

/// A connection that was not made.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None }
    }
}

impl Line {
    /// Connects and queues the first messages.
    pub(super) async fn open(
        url: &str,
        messages: &[String],
        send_every: Duration,
    ) -> Result<Self, Refusal> {
        let config = WebSocketConfig::default()
            .read_buffer_size(limits::READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits::MESSAGE_BYTES_MAX))
            .max_frame_size(Some(limits::MESSAGE_BYTES_MAX));
        let connecting = connect_async_with_config(url, Some(config), true);
        let (socket, _) = tokio::time::timeout(limits::CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| Refusal::new("no answer in time"))?
            .map_err(|error| refusal(&error))?;
        let unsent = messages.iter().cloned().collect();
        let (send_at, heard_at) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { socket, unsent, send_every, send_at, heard_at })
    }

    /// Silence counts from now.
    pub(super) fn start_watch(&mut self, now: Duration) {
        self.heard_at = now;
    }

    /// Adds messages to be sent.
    pub(super) fn queue(&mut self, messages: Vec<String>) {
        self.unsent.extend(messages);
    }

    /// Whether every message is on its way.
    pub(super) fn has_sent_all(&self) -> bool {
        self.unsent.is_empty()
    }

    /// The next event, at the latest at `until`.
    pub(super) async fn next(&mut self, clock: &Clock, until: Duration) -> LineEvent {
        let now = clock.monotonic();
        if !self.unsent.is_empty() && now >= self.send_at {
            return self.send_one(now).await;
        }
        let silent_at = self.heard_at + limits::SILENCE_MAX;
        if now >= silent_at {
            let seconds = limits::SILENCE_MAX.as_secs();
            return LineEvent::Lost("silence", format!("silent for {seconds} s"));
        }
        let send_at = if self.unsent.is_empty() { until } else { self.send_at };
        let wake_at = until.min(silent_at).min(send_at);
        tokio::select! {
            message = self.socket.next() => self.received(message, clock),
            () = tokio::time::sleep(wake_at.saturating_sub(now)) => LineEvent::Nothing,
        }
    }

    async fn send_one(&mut self, now: Duration) -> LineEvent {
        let Some(text) = self.unsent.front().cloned() else { return LineEvent::Nothing };
        // Taken off the queue only once the socket has it: this future may be dropped before.
        if let Err(error) = self.socket.feed(Message::text(text)).await {
            return LineEvent::Lost("send", error.to_string());
        }
        self.unsent.pop_front();
        self.send_at = now + self.send_every;
        match self.socket.flush().await {
            Ok(()) => LineEvent::Nothing,
            Err(error) => LineEvent::Lost("send", error.to_string()),
        }
    }

    fn received(&mut self, message: Option<Result<Message, Error>>, clock: &Clock) -> LineEvent {
        self.heard_at = clock.monotonic();
        match message {
            Some(Ok(Message::Text(text))) => LineEvent::Frame(text, Micros(clock.wall_micros())),
            Some(Ok(Message::Binary(_))) => LineEvent::Binary,
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|frame| format!("{}: {}", frame.code, frame.reason));
                LineEvent::Lost("closed", reason.unwrap_or_else(|| "closed by the venue".into()))
            }
            Some(Ok(_)) => LineEvent::Nothing,
            Some(Err(error)) => LineEvent::Lost("broken", error.to_string()),
            None => LineEvent::Lost("closed", "closed by the venue".to_owned()),
        }
    }
}

/// 429 and 418 say how long to stay away.
fn refusal(error: &Error) -> Refusal {
    let Error::Http(response) = error else { return Refusal::new(error.to_string()) };
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| Some(Duration::from_secs(value.to_str().ok()?.trim().parse().ok()?)));
    Refusal { reason: format!("the venue answered {}", response.status()), retry_after }
}
