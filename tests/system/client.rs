//! A client of the native protocol in any encoding, over an independent WebSocket library.
//!
//! Owns one connection and the names behind Protobuf's channel numbers. Input: commands. Output:
//! decoded messages, and how the connection ended. It judges nothing; `follow` does.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use fantail_wire::client::{
    Ack, Command, Encoding, Id, Refusal, Reply, ServerMessage, SubscribeItem, decode_message,
    encode_command,
};
use futures_util::{SinkExt, StreamExt};
use http::header::{HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest};

/// What a test waits for comes within this, even on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// How to connect.
#[derive(Debug, Clone)]
pub(crate) struct Dial<'a> {
    /// The encoding.
    pub(crate) encoding: Encoding,
    /// Begins with `?`, or is empty.
    pub(crate) query: &'a str,
    /// Further headers.
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

/// JSON, anonymously.
pub(crate) const JSON: Dial<'static> =
    Dial { encoding: Encoding::Json, query: "", headers: &[] };

/// What came.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message.
    Message(ServerMessage),
    /// A close frame.
    Closed(u16, String),
    /// The connection ended without one.
    Lost(String),
}

/// An open connection.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    encoding: Encoding,
    names: HashMap<u32, String>,
    stash: VecDeque<ServerMessage>,
    /// Where the texts go, as received.
    pub(crate) history: Option<BufWriter<File>>,
    next_id: i64,
}

impl Client {
    /// Connects; a refusal is an error that quotes the answer.
    pub(crate) async fn connect(addr: SocketAddr, dial: &Dial<'_>) -> anyhow::Result<Self> {
        let mut request = format!("ws://{addr}/v1/stream{}", dial.query).into_client_request()?;
        let protocol = HeaderValue::from_static(dial.encoding.subprotocol());
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        for (name, value) in dial.headers {
            request.headers_mut().insert(name.parse::<HeaderName>()?, value.parse()?);
        }
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let shaking = tokio_tungstenite::client_async(request, stream);
        let socket = match tokio::time::timeout(LIMIT, shaking).await.context("no handshake")? {
            Ok((socket, _)) => socket,
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                bail!("{} {}", answer.status(), String::from_utf8_lossy(body))
            }
            Err(error) => bail!("{error}"),
        };
        let (names, stash) = (HashMap::new(), VecDeque::new());
        Ok(Self { socket, encoding: dial.encoding, names, stash, history: None, next_id: 1 })
    }

    /// Sends a command.
    pub(crate) async fn send(&mut self, command: &Command) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        encode_command(self.encoding, command, &mut bytes);
        let message = match self.encoding.is_text() {
            true => Message::text(String::from_utf8(bytes)?),
            false => Message::binary(bytes),
        };
        Ok(self.socket.send(message).await?)
    }

    /// Sends any text.
    pub(crate) async fn send_text(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// What comes next, however long it takes.
    pub(crate) async fn next(&mut self) -> Received {
        if let Some(message) = self.stash.pop_front() {
            return Received::Message(message);
        }
        loop {
            let bytes = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text.into(),
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Received::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return Received::Closed(1005, String::new()),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Received::Lost(error.to_string()),
                None => return Received::Lost("the end".to_owned()),
            };
            if let Some(history) = &mut self.history
                && let Err(error) = history.write_all(&bytes).and_then(|()| history.write_all(b"\n"))
            {
                return Received::Lost(format!("the history: {error}"));
            }
            return match decode_message(self.encoding, &bytes) {
                Ok(mut message) => {
                    self.name(&mut message);
                    Received::Message(message)
                }
                Err(error) => Received::Lost(format!("{error}: {bytes:?}")),
            };
        }
    }

    /// The next message; an end is an error.
    pub(crate) async fn message(&mut self) -> anyhow::Result<ServerMessage> {
        match tokio::time::timeout(LIMIT, self.next()).await.context("nothing came")? {
            Received::Message(message) => Ok(message),
            Received::Closed(code, reason) => bail!("closed: {code} {reason}"),
            Received::Lost(why) => bail!("lost: {why}"),
        }
    }

    /// Reads on until a message gives something.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&ServerMessage) -> Option<T>,
    ) -> anyhow::Result<T> {
        let looking = async {
            loop {
                if let Some(found) = look(&self.message().await?) {
                    return anyhow::Ok(found);
                }
            }
        };
        let outcome = tokio::time::timeout(LIMIT, looking).await;
        outcome.with_context(|| format!("waited for {what}"))?.context(what.to_owned())
    }

    /// The next reply that is a certain one; what comes before it is read later.
    pub(crate) async fn reply<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Reply) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut passed = VecDeque::new();
        let found = self
            .until(what, |message| {
                let found = match message {
                    ServerMessage::Reply(reply) => look(reply),
                    _ => None,
                };
                if found.is_none() {
                    passed.push_back(message.clone());
                }
                found
            })
            .await?;
        passed.append(&mut self.stash);
        self.stash = passed;
        Ok(found)
    }

    /// Subscribes, and gives the acknowledgement; the data that follows is not touched.
    pub(crate) async fn subscribe<S: AsRef<str>>(
        &mut self,
        channels: &[S],
    ) -> anyhow::Result<(Vec<Ack>, Vec<Refusal>)> {
        let item = |channel: &S| SubscribeItem {
            channel: channel.as_ref().to_owned(),
            from: None,
            history: None,
        };
        self.start(channels.iter().map(item).collect()).await
    }

    /// Subscribes to items.
    pub(crate) async fn start(
        &mut self,
        channels: Vec<SubscribeItem>,
    ) -> anyhow::Result<(Vec<Ack>, Vec<Refusal>)> {
        let id = self.id();
        self.send(&Command::Subscribe { id: Some(id.clone()), channels }).await?;
        self.reply("an acknowledgement", |reply| match reply {
            Reply::Subscribed { id: answered, channels, errors } if *answered == Some(id.clone()) => {
                Some((channels.clone(), errors.clone()))
            }
            _ => None,
        })
        .await
    }

    /// Reads until the connection is closed.
    pub(crate) async fn closed(&mut self) -> anyhow::Result<(u16, String)> {
        let reading = async {
            loop {
                match self.next().await {
                    Received::Message(_) => {}
                    Received::Closed(code, reason) => return Ok((code, reason)),
                    Received::Lost(why) => bail!("lost without a close frame: {why}"),
                }
            }
        };
        tokio::time::timeout(LIMIT, reading).await.context("never closed")?
    }

    /// A fresh id.
    pub(crate) fn id(&mut self) -> Id {
        self.next_id += 1;
        Id::Number(self.next_id)
    }

    /// Puts the channel's name into messages that carry only its number.
    fn name(&mut self, message: &mut ServerMessage) {
        let names = &mut self.names;
        let put = |names: &HashMap<u32, String>, channel: &mut String, ch: &mut u32| {
            if channel.is_empty()
                && let Some(name) = names.get(ch)
            {
                channel.clone_from(name);
            }
            *ch = 0;
        };
        match message {
            ServerMessage::Reply(Reply::Subscribed { channels, .. }) => {
                names.extend(channels.iter().map(|ack| (ack.ch, ack.channel.clone())));
            }
            ServerMessage::Data(data) => put(names, &mut data.channel, &mut data.ch),
            ServerMessage::Snapshot(book) => put(names, &mut book.channel, &mut book.ch),
            ServerMessage::Batch(events) => {
                events.iter_mut().for_each(|data| put(names, &mut data.channel, &mut data.ch));
            }
            ServerMessage::Reply(
                Reply::Gap { channel, ch, .. } | Reply::Stale { channel, ch, .. },
            ) => put(names, channel, ch),
            ServerMessage::Reply(_) => {}
        }
    }
}
