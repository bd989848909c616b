//! One WebSocket connection to a server, with the credentials of the command line. A server that
//! shows no sign of life for two of its heartbeats is gone, however open the connection looks.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use fantail_wire::client::{Command, Encoding, encode_command};
use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, handshake::client::Request};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::cli::TapArgs;

/// Largest message taken: a full-depth book is a few megabytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Close codes after which the same credentials and commands would fail again.
const FINAL_CODES: [u16; 6] = [1002, 1003, 1007, 1008, 1009, 4403];
/// Longest part of a refusal's body that is shown.
const BODY_BYTES_SHOWN: usize = 2_048;

/// Heartbeats without a sign of life after which a server is gone.
const SILENT_HEARTBEATS: u32 = 2;
/// How long the welcome, which says how often a server shows that it lives, may take.
const WELCOME_WAIT: Duration = Duration::from_secs(30);

/// An open connection.
pub(super) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Silence that is too long.
    silence: Duration,
    /// When it will be.
    gone: Instant,
}

/// What came.
pub(super) enum Received {
    /// A message.
    Message(Bytes),
    /// The end: why, and whether coming back is useless.
    Closed(String, bool),
}

/// Why no connection came to be.
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) is_final: bool,
}

impl Connection {
    /// Connects to one of the nodes named on the command line.
    pub(super) async fn open(
        args: &TapArgs,
        node: &str,
        encoding: Encoding,
    ) -> Result<Self, Refused> {
        let request = request(args, node, encoding)
            .map_err(|error| Refused { reason: format!("{error:#}"), is_final: true })?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        match connect_async_with_config(request, Some(config), true).await {
            Ok((socket, _)) => {
                let (silence, gone) = (WELCOME_WAIT, Instant::now() + WELCOME_WAIT);
                Ok(Self { socket, silence, gone })
            }
            Err(Error::Http(response)) => {
                let status = response.status();
                let body = response.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES_SHOWN)]);
                let later = status.is_server_error() || status.as_u16() == 429;
                Err(Refused { reason: format!("refused: {status}: {body}"), is_final: !later })
            }
            Err(error @ Error::Url(_)) => {
                Err(Refused { reason: error.to_string(), is_final: true })
            }
            Err(error) => Err(Refused { reason: error.to_string(), is_final: false }),
        }
    }

    pub(super) async fn send(
        &mut self,
        encoding: Encoding,
        command: &Command,
    ) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        encode_command(encoding, command, &mut bytes);
        let message = if encoding.is_text() {
            Message::text(String::from_utf8(bytes).context("a command is not UTF-8")?)
        } else {
            Message::binary(bytes)
        };
        self.socket.send(message).await.context("sending a command")
    }

    /// How often the server shows that it lives.
    pub(super) fn expect_every(&mut self, heartbeat: Duration) {
        self.silence = heartbeat * SILENT_HEARTBEATS;
        self.gone = Instant::now() + self.silence;
    }

    pub(super) async fn next(&mut self) -> Received {
        loop {
            let Ok(received) = timeout_at(self.gone, self.socket.next()).await else {
                let reason = format!("the server is silent for {:?}", self.silence);
                return Received::Closed(reason, false);
            };
            self.gone = Instant::now() + self.silence;
            match received {
                Some(Ok(Message::Text(text))) => return Received::Message(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Received::Message(bytes),
                Some(Ok(Message::Close(Some(frame)))) => {
                    let code = u16::from(frame.code);
                    let reason = format!("closed with {code} {}", frame.reason);
                    return Received::Closed(reason, FINAL_CODES.contains(&code));
                }
                // Pings are answered by the library at the next turn.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(None))) | None => {
                    return Received::Closed("the connection was closed".into(), false);
                }
                Some(Err(error)) => return Received::Closed(error.to_string(), false),
            }
        }
    }
}

fn request(args: &TapArgs, node: &str, encoding: Encoding) -> anyhow::Result<Request> {
    let mut url = node.trim_end_matches('/').to_owned();
    if !url.contains("://") {
        url = format!("ws://{url}");
    }
    if url.splitn(4, '/').count() < 4 {
        url.push_str("/v1/stream");
    }
    if args.batch {
        url.push_str("?batch=true");
    }
    let mut request = url.into_client_request().context("the URL is not understood")?;
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(encoding.subprotocol()));
    if let Some(token) = &args.token {
        let value = format!("Bearer {token}").parse::<HeaderValue>();
        headers.insert(AUTHORIZATION, value.context("the token has characters no token has")?);
    }
    if let Some(key) = &args.api_key {
        headers.insert("x-api-key", key.parse().context("the key has characters no key has")?);
    }
    Ok(request)
}
