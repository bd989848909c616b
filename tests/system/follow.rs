//! What a careful client concludes from its messages: where each channel stands, its book, and
//! everything that is not as promised.
//!
//! Owns the `prev` chain and the books with their checksums. Input: messages in order, also of
//! several sessions one after the other. Output: mistakes, and counts of what was announced. The
//! judge of exact contents is the oracle, which shares no code with this.

use std::collections::BTreeMap;

use fantail_model::{Body, Book, State};
use fantail_wire::client::{Ack, DataMessage, From, Reply, ServerMessage, SubscribeItem};

/// Mistakes kept; the first tells enough.
const MISTAKES_MAX: usize = 20;

/// One channel.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// Of the last message.
    pub(crate) epoch: u64,
    /// Of the last message; `None` before the channel's first.
    pub(crate) seq: Option<u64>,
    /// Of the last message.
    rx: Option<i64>,
    /// The book, where it is one and in sync.
    pub(crate) book: Option<Book>,
    /// Events taken.
    pub(crate) events: u64,
    /// The venue's own losses that were told.
    pub(crate) venue_gaps: u64,
    /// Events that replaced all.
    pub(crate) resets: u64,
    /// States told inside the channel, in order.
    pub(crate) states: Vec<State>,
    /// Messages that stood for several events.
    pub(crate) merged: u64,
    /// Announced as undeliverable: first and last seq.
    pub(crate) gaps: Vec<(u64, Option<u64>)>,
}

/// Every channel of one client.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    /// By name.
    pub(crate) channels: BTreeMap<String, Followed>,
    /// What must never be.
    pub(crate) mistakes: Vec<String>,
}

impl Follower {
    /// Takes a message.
    pub(crate) fn take(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Reply(Reply::Subscribed { channels, .. }) => {
                channels.iter().for_each(|ack| self.acknowledged(ack));
            }
            ServerMessage::Reply(Reply::Gap { channel, from, to, .. }) => {
                let followed = self.channel(channel);
                followed.gaps.push((*from, *to));
                followed.seq = to.or(followed.seq);
            }
            ServerMessage::Reply(_) => {}
            ServerMessage::Snapshot(snapshot) => {
                let followed = self.channel(&snapshot.channel);
                followed.book = None;
                let Some(position) = snapshot.position else { return };
                (followed.epoch, followed.seq) = (position.epoch, Some(position.seq));
                followed.rx = Some(snapshot.rx.0);
                let mut book = Book::new(0);
                let outcome = book.replace(&snapshot.levels).map_err(|error| error.to_string());
                let right = book.checksum() == snapshot.crc;
                followed.book = Some(book);
                if outcome.is_err() || !right {
                    self.mistake(&snapshot.channel, &format!("snapshot {outcome:?}, crc {right}"));
                }
            }
            ServerMessage::Data(data) => self.event(data),
            ServerMessage::Batch(events) => events.iter().for_each(|data| self.event(data)),
        }
    }

    /// Takes the place an acknowledgement gives.
    pub(crate) fn acknowledged(&mut self, ack: &Ack) {
        let followed = self.channel(&ack.channel);
        let held = (Some(followed.epoch), followed.seq);
        if ack.resumed && held != (ack.epoch, ack.seq) {
            self.mistake(&ack.channel, &format!("resumed at {:?}, held {held:?}", ack.seq));
        } else if !ack.resumed {
            (followed.epoch, followed.seq) = (ack.epoch.unwrap_or(0), ack.seq);
        }
    }

    /// What a reconnecting client asks for.
    pub(crate) fn resume(&self) -> Vec<SubscribeItem> {
        let item = |(channel, followed): (&String, &Followed)| SubscribeItem {
            channel: channel.clone(),
            from: followed.seq.map(|seq| From { epoch: followed.epoch, seq, rx: followed.rx }),
            history: None,
        };
        self.channels.iter().map(item).collect()
    }

    /// All events of all channels.
    pub(crate) fn events(&self) -> u64 {
        self.channels.values().map(|followed| followed.events).sum()
    }

    /// True when each of these channels has reached its seq.
    pub(crate) fn has_reached(&self, heads: &[Ack]) -> bool {
        heads.iter().all(|head| {
            let followed = self.channels.get(&head.channel);
            followed.is_some_and(|followed| followed.seq >= head.seq)
        })
    }

    fn event(&mut self, data: &DataMessage) {
        let event = &data.event;
        let seq = event.position.seq;
        let followed = self.channel(&data.channel);
        let (last, epoch) = (followed.seq.unwrap_or(event.prev), followed.epoch);
        let begins = event.reset && event.position.epoch != epoch;
        followed.seq = Some(seq);
        followed.rx = Some(event.rx.0);
        if data.snapshot || begins {
            followed.epoch = event.position.epoch;
        }
        if data.snapshot {
            return;
        }
        followed.events += 1;
        followed.merged += u64::from(seq > event.prev + 1);
        followed.venue_gaps += u64::from(matches!(event.body, Body::VenueGap(_)));
        followed.resets += u64::from(event.reset);
        if let Body::Status(status) = &event.body {
            followed.states.push(status.state);
        }
        let wrong = followed.book(data);
        if begins && (event.prev, seq) != (0, 1) {
            self.mistake(&data.channel, &format!("an epoch begins with {} → {seq}", event.prev));
        } else if !begins && (event.prev > last || seq <= last) {
            self.mistake(&data.channel, &format!("{} → {seq} after {last}", event.prev));
        }
        if let Some(wrong) = wrong {
            self.mistake(&data.channel, &format!("seq {seq}: {wrong}"));
        }
    }

    fn channel(&mut self, name: &str) -> &mut Followed {
        if !self.channels.contains_key(name) {
            self.channels.insert(name.to_owned(), Followed::default());
        }
        self.channels.entry(name.to_owned()).or_default()
    }

    fn mistake(&mut self, channel: &str, what: &str) {
        if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(format!("{channel}: {what}"));
        }
    }
}

impl Followed {
    /// Applies an event to the book; what was wrong with it.
    fn book(&mut self, data: &DataMessage) -> Option<String> {
        let Body::Book(change) = &data.event.body else { return None };
        let outcome = match (&mut self.book, data.event.reset) {
            (_, true) => self.book.insert(Book::new(0)).replace(change).map_err(|e| e.to_string()),
            (Some(book), false) => book.apply(change).map(drop).map_err(|e| e.to_string()),
            (None, false) => Err("a delta to nothing".to_owned()),
        };
        let book = self.book.as_ref()?;
        let right = data.crc.is_none_or(|crc| crc == book.checksum());
        match outcome {
            Err(error) => Some(error),
            Ok(()) if !right => Some("the book differs from its checksum".to_owned()),
            Ok(()) if book.is_crossed() => Some("the book is crossed".to_owned()),
            Ok(()) => None,
        }
    }
}
