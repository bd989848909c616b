//! A client as any user would write one: a WebSocket library of somebody else's, the protocol's
//! own messages, and a check of every channel's chain.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use fantail_model::Body;
use fantail_wire::client::{
    Command, DataMessage, Encoding, Id, Reply, ServerMessage, SubscribeItem, decode_message,
    encode_command,
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

/// How long a message may take to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How a client connects.
#[derive(Debug, Clone)]
pub struct Options {
    /// Subprotocol.
    pub encoding: Encoding,
    /// `?batch=true`.
    pub batch: bool,
    /// `Authorization: Bearer`.
    pub token: Option<String>,
    /// The kernel's receive buffer, bytes, if not the system's.
    pub receive_buffer: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { encoding: Encoding::Json, batch: false, token: None, receive_buffer: None }
    }
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    encoding: Encoding,
    names: HashMap<u32, String>,
    chains: HashMap<String, u64>,
    next_id: i64,
    /// Every JSON text received, if kept.
    pub history: Option<Vec<String>>,
    /// Events that did not continue what came before.
    pub holes: Vec<String>,
}

/// What `next` may give.
#[derive(Debug)]
pub enum Next {
    /// A message.
    Message(Box<ServerMessage>),
    /// The end, with the server's close frame.
    Closed(Option<CloseFrame>),
}

/// A connection, its receive buffer set before the kernel tells its window.
async fn connected(addr: SocketAddr, receive_buffer: Option<u32>) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Client {
    /// Connects and takes the welcome.
    ///
    /// # Errors
    /// A refused handshake, with its status and body.
    pub async fn connect(addr: SocketAddr, options: Options) -> anyhow::Result<Self> {
        let batch = if options.batch { "?batch=true" } else { "" };
        let mut request = format!("ws://{addr}/v1/stream{batch}").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", options.encoding.subprotocol().parse()?);
        if let Some(token) = &options.token {
            headers.insert("authorization", format!("Bearer {token}").parse()?);
        }
        let stream = connected(addr, options.receive_buffer).await?;
        let socket = match client_async(request, MaybeTlsStream::Plain(stream)).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => {
                let body = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default())
                    .into_owned();
                bail!("{}: {body}", response.status());
            }
            Err(error) => return Err(error.into()),
        };
        let mut client = Self {
            socket,
            encoding: options.encoding,
            names: HashMap::new(),
            chains: HashMap::new(),
            next_id: 0,
            history: None,
            holes: Vec::new(),
        };
        match client.message().await? {
            ServerMessage::Reply(Reply::Welcome { .. }) => Ok(client),
            other => bail!("not a welcome: {other:?}"),
        }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn send(&mut self, command: &Command) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        encode_command(self.encoding, command, &mut bytes);
        let message = match self.encoding.is_text() {
            true => Message::text(String::from_utf8(bytes)?),
            false => Message::binary(bytes),
        };
        Ok(self.socket.send(message).await?)
    }

    /// Sends a text as it is.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn send_text(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// Subscribes and returns the acknowledgement; data that comes before it is a mistake, except
    /// of channels held already.
    ///
    /// # Errors
    /// No acknowledgement in time.
    pub async fn subscribe(&mut self, items: Vec<SubscribeItem>) -> anyhow::Result<Reply> {
        self.next_id += 1;
        let wanted = Some(Id::Number(self.next_id));
        self.send(&Command::Subscribe { id: wanted.clone(), channels: items }).await?;
        self.reply(|reply| matches!(reply, Reply::Subscribed { id, .. } if *id == wanted)).await
    }

    /// The same for plain names.
    ///
    /// # Errors
    /// No acknowledgement in time.
    pub async fn follow(&mut self, names: &[&str]) -> anyhow::Result<Reply> {
        let item =
            |name: &&str| SubscribeItem { channel: (*name).to_owned(), from: None, history: None };
        self.subscribe(names.iter().map(item).collect()).await
    }

    /// The next message or the end.
    ///
    /// # Errors
    /// Nothing in time, or bytes that are no message.
    pub async fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .context("no message in time")?;
            let bytes = match received {
                Some(Ok(Message::Text(text))) => {
                    if let Some(history) = &mut self.history {
                        history.push(text.to_string());
                    }
                    bytes::Bytes::from(text)
                }
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Close(frame))) => return Ok(Next::Closed(frame)),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Ok(Next::Closed(None)),
            };
            let mut message = decode_message(self.encoding, &bytes)?;
            self.name(&mut message);
            self.check(&message);
            return Ok(Next::Message(Box::new(message)));
        }
    }

    /// The next message; the end is a mistake.
    ///
    /// # Errors
    /// The connection ended, or nothing came in time.
    pub async fn message(&mut self) -> anyhow::Result<ServerMessage> {
        match self.next().await? {
            Next::Message(message) => Ok(*message),
            Next::Closed(frame) => bail!("closed: {frame:?}"),
        }
    }

    /// Reads on until a message fits.
    ///
    /// # Errors
    /// As [`Self::message`].
    pub async fn until<T>(
        &mut self,
        mut fits: impl FnMut(&ServerMessage) -> Option<T>,
    ) -> anyhow::Result<T> {
        let search = async {
            loop {
                let message = self.message().await?;
                if let Some(found) = fits(&message) {
                    return Ok(found);
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.context("it did not come in time")?
    }

    /// Reads on until a reply fits.
    ///
    /// # Errors
    /// As [`Self::message`].
    pub async fn reply(&mut self, fits: impl Fn(&Reply) -> bool) -> anyhow::Result<Reply> {
        self.until(|message| match message {
            ServerMessage::Reply(reply) if fits(reply) => Some(reply.clone()),
            _ => None,
        })
        .await
    }

    /// Reads on until the connection ends; its close frame.
    ///
    /// # Errors
    /// It did not end in time.
    pub async fn closed(&mut self) -> anyhow::Result<Option<CloseFrame>> {
        let end = async {
            loop {
                if let Next::Closed(frame) = self.next().await? {
                    return anyhow::Ok(frame);
                }
            }
        };
        tokio::time::timeout(PATIENCE, end).await.context("it did not close in time")?
    }

    /// Last seq of a channel.
    #[must_use]
    pub fn seq(&self, channel: &str) -> Option<u64> {
        self.chains.get(channel).copied()
    }

    fn name(&mut self, message: &mut ServerMessage) {
        if let ServerMessage::Reply(Reply::Subscribed { channels, .. }) = message {
            for ack in channels {
                self.names.insert(ack.ch, ack.channel.clone());
            }
            return;
        }
        let put = |channel: &mut String, ch: u32| {
            if channel.is_empty()
                && let Some(name) = self.names.get(&ch)
            {
                channel.clone_from(name);
            }
        };
        match message {
            ServerMessage::Data(data) => put(&mut data.channel, data.ch),
            ServerMessage::Snapshot(snapshot) => put(&mut snapshot.channel, snapshot.ch),
            ServerMessage::Batch(batch) => {
                batch.iter_mut().for_each(|data| put(&mut data.channel, data.ch));
            }
            ServerMessage::Reply(_) => {}
        }
    }

    /// One unbroken chain per channel: a message continues the last, resets, or is announced.
    fn check(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Reply(Reply::Subscribed { channels, .. }) => {
                for ack in channels {
                    if let Some(seq) = ack.seq {
                        self.chains.insert(ack.channel.clone(), seq);
                    }
                }
            }
            ServerMessage::Reply(Reply::Gap { channel, to: Some(to), .. }) => {
                self.chains.insert(channel.clone(), *to);
            }
            ServerMessage::Reply(_) => {}
            ServerMessage::Snapshot(snapshot) => {
                if let Some(position) = snapshot.position {
                    self.chains.insert(snapshot.channel.clone(), position.seq);
                }
            }
            ServerMessage::Data(data) => self.check_event(data),
            ServerMessage::Batch(batch) => batch.iter().for_each(|data| self.check_event(data)),
        }
    }

    fn check_event(&mut self, data: &DataMessage) {
        let event = &data.event;
        let last = self.chains.get(&data.channel).copied().unwrap_or(event.prev);
        let follows = event.prev <= last && (last < event.position.seq || event.reset);
        if !data.snapshot && !event.reset && !follows {
            let (seq, prev) = (event.position.seq, event.prev);
            self.holes.push(format!("{}: had {last}, got {seq} after {prev}", data.channel));
        }
        self.chains.insert(data.channel.clone(), event.position.seq);
    }
}

/// Events of a message: none, one, or a batch.
#[must_use]
pub fn events(message: &ServerMessage) -> &[DataMessage] {
    match message {
        ServerMessage::Data(data) => std::slice::from_ref(data),
        ServerMessage::Batch(batch) => batch,
        _ => &[],
    }
}

/// True for the venue's own loss.
#[must_use]
pub fn is_venue_gap(data: &DataMessage) -> bool {
    matches!(data.event.body, Body::VenueGap(_))
}
