//! What a client believes of its channels, and the rules every message has to keep: nothing
//! before the acknowledgement, each event continues the last, nothing after `unsubscribed`.

use std::collections::HashMap;

use fantail_model::{Body, Book, Position};
use fantail_wire::client::{Ack, DataMessage, Reply, ServerMessage, SnapshotMessage};

use super::client::{Client, Seen};
use crate::testing::level;

/// One held channel.
#[derive(Debug)]
pub(super) struct Chain {
    /// The last event it has; `None` before the channel's first one.
    pub(super) last: Option<Position>,
    /// The book it holds, while it is whole.
    pub(super) book: Option<Book>,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) code: u16,
    pub(super) reason: String,
}

/// A client's channels.
#[derive(Default)]
pub(super) struct Chains {
    pub(super) held: HashMap<String, Chain>,
    /// What it asked to resume, until it is acknowledged.
    pub(super) resuming: HashMap<String, Chain>,
    pub(super) events: u64,
    pub(super) resumed: u64,
    pub(super) resets: u64,
    pub(super) ended: Option<Ended>,
}

impl Chains {
    /// Reads what is there.
    pub(super) fn poll(&mut self, client: &mut Client, turns: usize) {
        for seen in client.poll(turns) {
            self.take(client, seen);
        }
    }

    pub(super) fn take(&mut self, client: &Client, seen: Seen) {
        match seen {
            Seen::Message(ServerMessage::Data(data)) => self.data(client, data),
            Seen::Message(ServerMessage::Batch(all)) => {
                assert!(client.kind.batch, "nobody asked for batches");
                all.into_iter().for_each(|data| self.data(client, data));
            }
            Seen::Message(ServerMessage::Snapshot(snapshot)) => self.snapshot(client, snapshot),
            Seen::Message(ServerMessage::Reply(reply)) => self.reply(reply),
            Seen::Close(code, reason) => self.ended = Some(Ended { code, reason }),
            Seen::Ping | Seen::Pong(_) | Seen::Eof => {}
        }
    }

    fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Subscribed { channels, errors, .. } => {
                assert!(errors.is_empty(), "{errors:?}");
                channels.into_iter().for_each(|ack| self.acknowledged(ack));
            }
            Reply::Unsubscribed { channels, errors, .. } => {
                assert!(errors.is_empty(), "{errors:?}");
                for name in channels {
                    self.held.remove(&name);
                    self.resuming.remove(&name);
                }
            }
            Reply::Gap { channel, .. } => panic!("no gap was due on {channel}"),
            _ => {}
        }
    }

    fn acknowledged(&mut self, ack: Ack) {
        let last = ack.epoch.zip(ack.seq).map(|(epoch, seq)| Position::new(epoch, seq));
        // A repeated subscription is acknowledged again and changes nothing.
        if self.held.contains_key(&ack.channel) {
            return;
        }
        let chain = match self.resuming.remove(&ack.channel) {
            Some(chain) => {
                assert!(ack.resumed, "{} was inside the ring", ack.channel);
                assert_eq!(last, chain.last, "{}", ack.channel);
                self.resumed += 1;
                chain
            }
            None => Chain { last, book: None },
        };
        self.held.insert(ack.channel, chain);
    }

    fn data(&mut self, client: &Client, data: DataMessage) {
        let name = client.name(&data.channel, data.ch);
        self.events += 1;
        let event = data.event;
        let chain = self.held.get_mut(&name);
        let chain = chain.unwrap_or_else(|| panic!("{name} is not held: {event:?}"));
        let seq = event.position.seq;
        if data.snapshot && !event.reset {
            let last = chain.last.map(|last| last.seq);
            assert_eq!(Some(seq), last, "{name}: a state is told at the acknowledged place");
            return;
        }
        let epoch = match (event.reset, chain.last) {
            (true, _) => event.position.epoch,
            (false, Some(last)) => {
                assert_eq!(event.prev, last.seq, "{name}: the chain broke");
                assert!(seq > last.seq, "{name}: {seq} after {last}");
                last.epoch
            }
            (false, None) => panic!("{name}: its first event resets: {event:?}"),
        };
        assert!(epoch > 0, "{name}: a reset tells its epoch");
        let next = Position::new(epoch, seq);
        assert!(chain.last.is_none_or(|last| next >= last), "{name}: {next} is old");
        self.resets += u64::from(event.reset);
        chain.last = Some(next);
        match &event.body {
            Body::Trade(trade) => assert_eq!(trade.id, format!("{epoch}/{seq}"), "{name}"),
            Body::Bbo(quote) => assert_eq!(quote.bid, Some(level(seq, 1)), "{name}"),
            Body::Book(change) if event.reset => {
                let mut book = Book::new(0);
                book.replace(change).unwrap();
                chain.book = Some(book);
            }
            Body::Book(change) => {
                if let Some(book) = &mut chain.book {
                    book.apply(change).unwrap();
                }
            }
            _ => {}
        }
        if let (Some(crc), Some(book)) = (data.crc, &chain.book) {
            assert_eq!(crc, book.checksum(), "{name} at {next}");
        }
    }

    fn snapshot(&mut self, client: &Client, snapshot: SnapshotMessage) {
        let name = client.name(&snapshot.channel, snapshot.ch);
        let chain = self.held.get_mut(&name).expect("nothing comes before the acknowledgement");
        assert_eq!(snapshot.position, chain.last, "{name}: told at the acknowledged place");
        let mut book = Book::new(0);
        book.replace(&snapshot.levels).unwrap();
        assert_eq!(snapshot.crc, book.checksum(), "{name}");
        chain.book = Some(book);
    }
}
