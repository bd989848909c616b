//! One logical client's memory: server messages in, history entries out; and where to resume.
//!
//! Pure: no sockets, no clock. It keeps what any client keeps (place and book of each channel) and
//! writes down everything, also what it should not have been sent: judging is the checker's part.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::event::{Body, Event};
use crate::history::{Entry, Shown, Writer};
use crate::message::{Ack, Message, Refusal};
use crate::place::Place;
use crate::state::State;

/// The memory of a client over all its sessions.
#[derive(Debug)]
pub struct Recorder<W> {
    writer: Writer<W>,
    numbers: HashMap<String, usize>,
    channels: Vec<Channel>,
    /// Data messages of all sessions.
    deliveries: u64,
}

#[derive(Debug)]
struct Channel {
    name: String,
    place: Option<Place>,
    rx: Option<i64>,
    state: State,
    /// Acknowledged in this session.
    live: bool,
}

/// What the socket's owner has to know of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// The server says goodbye: how long to stay away, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// A channel of ours was refused; the session is of no use.
    pub refused: bool,
    /// From the welcome: how often the server shows that it lives, in milliseconds.
    pub heartbeat_ms: Option<u64>,
}

#[derive(Serialize)]
struct Subscribe<'a> {
    op: &'static str,
    id: u32,
    channels: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<From>,
}

#[derive(Serialize)]
struct From {
    epoch: u64,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rx: Option<i64>,
}

impl<W: Write> Recorder<W> {
    /// A client that follows these channels.
    ///
    /// # Errors
    /// What the file says.
    pub fn new(out: W, channels: &[String]) -> io::Result<Self> {
        let (writer, numbers) = (Writer::new(out)?, HashMap::new());
        let mut recorder = Self { writer, numbers, channels: Vec::new(), deliveries: 0 };
        for name in channels {
            recorder.number(name)?;
        }
        Ok(recorder)
    }

    /// Events and states received so far.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// A session began.
    ///
    /// # Errors
    /// What the file says.
    pub fn open(&mut self, at: u64, node: &str) -> io::Result<()> {
        self.channels.iter_mut().for_each(|channel| channel.live = false);
        self.writer.write(&Entry::Open { at, node: node.to_owned() })
    }

    /// The commands that begin, or resume, everything: at most `chunk` channels each.
    ///
    /// # Errors
    /// What the file says.
    pub fn subscribe(&mut self, chunk: usize) -> io::Result<Vec<String>> {
        let mut commands = Vec::new();
        for (number, channels) in self.channels.chunks(chunk.max(1)).enumerate() {
            let item = |channel: &Channel| {
                let from = channel.place.filter(|place| place.epoch > 0);
                let from = from.map(|Place { epoch, seq }| From { epoch, seq, rx: channel.rx });
                (channel.name.clone(), from)
            };
            let items: Vec<_> = channels.iter().map(item).collect();
            let channels: Vec<Item<'_>> = items
                .into_iter()
                .zip(channels)
                .map(|((_, from), channel)| Item { channel: &channel.name, from })
                .collect();
            for item in &channels {
                let channel = self.numbers.get(item.channel).copied().unwrap_or(0) as u32;
                let from = item.from.as_ref().map(|from| Place::new(from.epoch, from.seq));
                self.writer.write(&Entry::Subscribe { channel, from })?;
            }
            let command = Subscribe { op: "subscribe", id: number as u32 + 1, channels };
            commands.push(serde_json::to_string(&command).map_err(io::Error::other)?);
        }
        Ok(commands)
    }

    /// Takes one server message.
    ///
    /// # Errors
    /// What the file says.
    pub fn take(&mut self, text: &str, at: u64) -> io::Result<Noted> {
        match self.read(text, at) {
            Ok(noted) => Ok(noted),
            Err(Failed::Strange(why)) => {
                let shown: String = text.chars().take(160).collect();
                self.writer.write(&Entry::Strange { why: format!("{why}: {shown}"), at })?;
                Ok(Noted::default())
            }
            Err(Failed::File(error)) => Err(error),
        }
    }

    fn read(&mut self, text: &str, at: u64) -> Result<Noted, Failed> {
        let message = Message::read(text).map_err(Failed::Strange)?;
        let mut noted = Noted::default();
        match message.kind {
            "welcome" => noted.heartbeat_ms = message.heartbeat_ms,
            "heartbeat" | "pong" | "stale" => {}
            "goodbye" => noted.retry_after_ms = Some(message.retry_after_ms.unwrap_or(0)),
            "subscribed" => noted.refused = self.subscribed(&message)?,
            "gap" => self.gap(&message, at)?,
            "snapshot" => self.book(&message, at)?,
            "batch" => {
                let name = message.channel.ok_or("a batch without channel")?;
                let events = message.events.map_or("[]", RawValue::get);
                let events: Vec<Message<'_>> =
                    serde_json::from_str(events).map_err(|error| error.to_string())?;
                for event in &events {
                    self.event(name, event, at)?;
                }
            }
            "error" | "unsubscribed" => {
                let code = message.code.as_deref().unwrap_or(message.kind);
                let why = message.message.as_deref().unwrap_or_default();
                return Err(Failed::Strange(format!("{code}: {why}")));
            }
            _ => {
                let name = message.channel.ok_or("an event without channel")?;
                self.event(name, &message, at)?;
            }
        }
        Ok(noted)
    }

    fn subscribed(&mut self, message: &Message<'_>) -> Result<bool, Failed> {
        let (acks, errors) = (message.channels.map_or("[]", RawValue::get), message.errors);
        let acks: Vec<Ack<'_>> = serde_json::from_str(acks).map_err(|error| error.to_string())?;
        for ack in acks {
            let number = self.number(ack.channel)?;
            let place = ack.epoch.zip(ack.seq).map(|(epoch, seq)| Place::new(epoch, seq));
            let channel = &mut self.channels[number];
            channel.live = true;
            if channel.place.is_none() {
                channel.place = place;
            }
            let (channel, resumed) = (number as u32, ack.resumed);
            self.writer.write(&Entry::Acknowledged { channel, place, resumed })?;
        }
        let errors: Vec<Refusal<'_>> = serde_json::from_str(errors.map_or("[]", RawValue::get))
            .map_err(|error| error.to_string())?;
        for refusal in &errors {
            let channel = self.number(refusal.channel)? as u32;
            self.writer.write(&Entry::Refused { channel, code: refusal.code.to_owned() })?;
        }
        Ok(!errors.is_empty())
    }

    fn gap(&mut self, message: &Message<'_>, at: u64) -> Result<(), Failed> {
        let number = self.number(message.channel.ok_or("a gap without channel")?)?;
        let held = self.channels[number].place;
        let epoch = message.epoch.or(held.map(|place| place.epoch)).ok_or("a gap without epoch")?;
        let from = message.from.ok_or("a gap without from")?;
        let reason = message.reason.as_deref().unwrap_or_default().to_owned();
        let channel = number as u32;
        self.writer.write(&Entry::Gap { channel, epoch, from, to: message.to, reason, at })?;
        if let Some(to) = message.to {
            let end = Some(Place::new(epoch, to));
            let channel = &mut self.channels[number];
            channel.place = channel.place.max(end);
            channel.state.forget();
        }
        Ok(())
    }

    /// A whole book.
    fn book(&mut self, message: &Message<'_>, at: u64) -> Result<(), Failed> {
        self.deliveries += 1;
        let number = self.number(message.channel.ok_or("a snapshot without channel")?)?;
        let channel = &mut self.channels[number];
        let place = message.epoch.zip(message.seq).map(|(epoch, seq)| Place::new(epoch, seq));
        let (bids, asks) = message.levels();
        let state = match place {
            Some(_) => channel.state.replace(&bids, &asks),
            None => {
                channel.state.forget();
                crate::state::UNKNOWN
            }
        };
        if place.is_some() {
            (channel.place, channel.rx) = (channel.place.max(place), message.rx);
        }
        let (channel, shown, reset) = (number as u32, Shown::Book, message.reset);
        self.writer.write(&Entry::Snapshot { channel, place, state, shown, reset, at })?;
        Ok(())
    }

    fn event(&mut self, name: &str, message: &Message<'_>, at: u64) -> Result<(), Failed> {
        self.deliveries += 1;
        let event = message.event()?;
        let number = self.number(name)?;
        let channel = &mut self.channels[number];
        let held = channel.place;
        let epoch = message.epoch.or(held.map(|place| place.epoch));
        let place = Place::new(epoch.ok_or("an event before its epoch was told")?, event.seq);
        if held.is_some_and(|held| held.epoch != place.epoch) {
            channel.state.forget();
        }
        let hash = event.hash();
        let entry = if message.snapshot {
            let (state, shown) = channel.state_shown(&event);
            let (channel, place) = (number as u32, Some(place));
            Entry::Snapshot { channel, place, state, shown, reset: event.reset, at }
        } else {
            let state = channel.state.apply(&event, name.starts_with("status:"));
            let (channel, prev, n) = (number as u32, event.prev, message.n.unwrap_or(1));
            Entry::Event { channel, place, prev, n, hash, state, at }
        };
        if channel.place.is_none_or(|held| place > held) {
            (channel.place, channel.rx) = (Some(place), event.rx);
        }
        self.writer.write(&entry)?;
        Ok(())
    }

    /// The session ended.
    ///
    /// # Errors
    /// What the file says.
    pub fn closed(&mut self, at: u64, code: u16, reason: &str) -> io::Result<()> {
        self.channels.iter_mut().for_each(|channel| channel.live = false);
        self.writer.write(&Entry::Closed { at, code, reason: reason.to_owned() })
    }

    /// The client stops reading for a while.
    ///
    /// # Errors
    /// What the file says.
    pub fn slow(&mut self, at: u64) -> io::Result<()> {
        self.writer.write(&Entry::Slow { at })
    }

    /// Whether everything asked for is acknowledged in this session.
    pub fn is_live(&self) -> bool {
        self.channels.iter().all(|channel| channel.live)
    }

    /// Whether every channel has reached its head; derived ones may stay behind a quiet parent.
    pub fn is_level(&self, head: impl Fn(&str) -> Option<Place>) -> bool {
        let level =
            |channel: &Channel| channel.name.contains('@') || channel.place >= head(&channel.name);
        self.channels.iter().all(level)
    }

    /// The run is over: everything is handed to the file.
    ///
    /// # Errors
    /// What the file says.
    pub fn end(mut self, at: u64, healthy: bool) -> io::Result<W> {
        self.writer.write(&Entry::End { at, healthy })?;
        self.writer.flush()?;
        Ok(self.writer.into_inner())
    }

    /// The number of a name; a new one is written down, wanted or not.
    fn number(&mut self, name: &str) -> io::Result<usize> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let number = self.channels.len();
        self.writer.write(&Entry::Name { channel: number as u32, name: name.to_owned() })?;
        self.numbers.insert(name.to_owned(), number);
        let (state, name) = (State::of(name), name.to_owned());
        self.channels.push(Channel { name, place: None, rx: None, state, live: false });
        Ok(number)
    }
}

impl Channel {
    /// A state told as an event: a whole book, or the last value.
    fn state_shown(&mut self, event: &Event<'_>) -> (u64, Shown) {
        match &event.body {
            Body::Book { bids, asks } => (self.state.replace(bids, asks), Shown::Book),
            _ => (event.value_hash(), Shown::Value),
        }
    }
}

/// Why a message led to nothing.
enum Failed {
    Strange(String),
    File(io::Error),
}

impl std::convert::From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl std::convert::From<String> for Failed {
    fn from(why: String) -> Self {
        Self::Strange(why)
    }
}

impl std::convert::From<&str> for Failed {
    fn from(why: &str) -> Self {
        Self::Strange(why.to_owned())
    }
}
