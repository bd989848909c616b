//! What a server has: one socket that asks by wildcard and writes down the acknowledgements.
//!
//! Blocking, before anything is measured. Only plans that pick from patterns need it.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail};
use fantail_wire::client::{
    Command, Encoding, Id, Reply, ServerMessage, SubscribeItem, decode_message, encode_command,
};
use fantail_wire::frame::encode::client_frame;
use fantail_wire::frame::{Decoder, Inflater, Limits, Message, Opcode, Role};

use crate::handshake::{self, Ask};
use crate::limits::{CHANNELS_MAX, LINE_BYTES, MESSAGE_BYTES_MAX, PROBE_PATIENCE};
use crate::plan::{Channels, Group};
use crate::target::Target;

/// What `"all"` stands for: every kind on every venue.
const ALL: [&str; 6] =
    ["trade:*:*", "book:*:*", "bbo:*:*", "ticker:*:*", "candle:*:*:1m", "status:*:*"];

/// What a group's channels become: as written, or, where it picks from patterns, what they match.
///
/// # Errors
/// The server refuses, or has none.
pub(crate) fn resolve(
    group: &Group,
    target: &Target,
    token: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let written: Vec<String> = match &group.channels {
        Channels::Word(_) => ALL.map(str::to_owned).to_vec(),
        Channels::List(list) => list.clone(),
    };
    let is_word = matches!(group.channels, Channels::Word(_));
    if !is_word && (group.per_socket == 0 || !written.iter().any(|name| name.contains('*'))) {
        return Ok(written);
    }
    let mut channels = Vec::new();
    for pattern in &written {
        match pattern.contains('*') {
            // A session of its own: a pattern may match as many channels as a session may hold.
            true => match ask(pattern, target, token) {
                Ok(names) => channels.extend(names),
                // A server without a kind is no mistake of the plan's.
                Err(_) if is_word => {}
                Err(error) => return Err(error.context(format!("resolving {pattern}"))),
            },
            false => channels.push(pattern.clone()),
        }
        anyhow::ensure!(channels.len() <= CHANNELS_MAX, "more than {CHANNELS_MAX} channels");
    }
    anyhow::ensure!(!channels.is_empty(), "the server has none of {written:?}");
    Ok(channels)
}

fn ask(pattern: &str, target: &Target, token: Option<&str>) -> anyhow::Result<Vec<String>> {
    Line::open(target, token)?.subscribe(pattern)
}

/// One blocking socket that speaks JSON.
pub(crate) struct Line {
    stream: TcpStream,
    decoder: Decoder,
    inflater: Inflater,
    buffer: Vec<u8>,
    /// What came and is not read yet.
    rest: Vec<u8>,
}

impl Line {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// The server is not there, or refuses.
    pub(crate) fn open(target: &Target, token: Option<&str>) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(target.addr).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PROBE_PATIENCE))?;
        let key = handshake::key(0);
        let ask = Ask {
            host: &target.host,
            encoding: Encoding::Json,
            deflate: false,
            batch: false,
            token,
            key: &key,
        };
        stream.write_all(handshake::request(&ask).as_bytes())?;
        let (mut came, mut buffer) = (Vec::new(), vec![0; LINE_BYTES]);
        let rest = loop {
            let length = stream.read(&mut buffer).context("shaking hands")?;
            anyhow::ensure!(length > 0, "the connection ended while shaking hands");
            came.extend_from_slice(&buffer[..length]);
            if let Some(switched) = handshake::answer(&came, &ask)? {
                break came.split_off(switched.bytes);
            }
        };
        let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, fragments_max: 64 };
        let (decoder, inflater) = (Decoder::new(Role::Client, limits, false), Inflater::new());
        Ok(Self { stream, decoder, inflater, buffer, rest })
    }

    /// Subscribes and waits for the acknowledgement; the channels in it.
    ///
    /// # Errors
    /// The server refuses, or says nothing.
    pub(crate) fn subscribe(&mut self, pattern: &str) -> anyhow::Result<Vec<String>> {
        let item = SubscribeItem { channel: pattern.to_owned(), from: None, history: None };
        let command = Command::Subscribe { id: Some(Id::Number(1)), channels: vec![item] };
        let (mut payload, mut frame) = (Vec::new(), Vec::new());
        encode_command(Encoding::Json, &command, &mut payload);
        client_frame(Opcode::Text, false, &payload, [1, 2, 3, 4], &mut frame);
        self.stream.write_all(&frame)?;
        loop {
            let names = acknowledged(&mut self.decoder, &mut self.inflater, &mut self.rest)?;
            if let Some(names) = names {
                return Ok(names);
            }
            let length = self.stream.read(&mut self.buffer).context("waiting for an answer")?;
            anyhow::ensure!(length > 0, "the connection ended before the acknowledgement");
            self.rest = self.buffer[..length].to_vec();
        }
    }
}

fn acknowledged(
    decoder: &mut Decoder,
    inflater: &mut Inflater,
    mut input: &mut [u8],
) -> anyhow::Result<Option<Vec<String>>> {
    while !input.is_empty() {
        let step = decoder.feed(input, inflater)?;
        let consumed = step.consumed;
        if let Some(Message::Text(text)) = step.message {
            match decode_message(Encoding::Json, text.as_bytes()) {
                Ok(ServerMessage::Reply(Reply::Subscribed { channels, errors, .. })) => {
                    if let Some(error) = errors.first() {
                        bail!("{}", error.message);
                    }
                    return Ok(Some(channels.into_iter().map(|ack| ack.channel).collect()));
                }
                Ok(ServerMessage::Reply(Reply::Error { message, .. })) => bail!("{message}"),
                _ => {}
            }
        }
        input = input.get_mut(consumed..).unwrap_or_default();
    }
    Ok(None)
}
