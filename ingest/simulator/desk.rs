//! Who is connected and what each asked for. Owned by the engine, which is one task: sessions
//! reach it only through [`Mail`]. Input: mail and payloads to publish; output: messages into each
//! session's bounded queue. A full queue is decided here: a seeded session is cut, a recorded one
//! makes playback wait. It knows no market.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Venue;
use super::binance::control as binance;
use super::coinbase::control as coinbase;
use super::faults::{Fault, GARBAGE_TEXTS};
use super::limits;
use super::rest::{Answer, Call};

/// What reaches the engine.
#[derive(Debug)]
pub(super) enum Mail {
    /// A socket is open; its queue ends when the desk lets it go.
    Connected { session: u64, venue: Venue, streams: binance::Streams, out: mpsc::Sender<Out> },
    /// A text came from a client.
    Text { session: u64, text: Utf8Bytes },
    /// A socket has gone.
    Gone { session: u64 },
    /// A REST call waits for its answer.
    Rest { call: Call, reply: oneshot::Sender<Answer> },
    /// A fault to carry out.
    Fault(Fault),
}

/// What a session writes.
#[derive(Debug, Clone)]
pub(super) enum Out {
    Text(Utf8Bytes),
    Binary(Bytes),
}

/// What the engine has to do after the desk has done its part of a mail.
#[derive(Debug)]
pub(super) enum Todo {
    Nothing,
    /// A Binance connection changed its streams (or opened with some).
    Streams,
    /// A Coinbase connection subscribed pairs it did not hold; the answer is already sent.
    Subscribed {
        session: u64,
        added: Vec<coinbase::Pair>,
    },
    Rest {
        call: Call,
        reply: oneshot::Sender<Answer>,
    },
    Fault(Fault),
}

/// What happens when a session's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    Cut,
    Wait,
}

struct Session {
    venue: Venue,
    streams: binance::Streams,
    pairs: Vec<coinbase::Pair>,
    out: mpsc::Sender<Out>,
}

pub(super) struct Desk {
    sessions: HashMap<u64, Session>,
    /// Stream name or channel:product to the sessions that hold it.
    index: HashMap<String, Vec<u64>>,
    rules: coinbase::Rules,
    overflow: Overflow,
    backlog: VecDeque<(u64, Out)>,
}

impl Desk {
    pub(super) fn new(rules: coinbase::Rules, overflow: Overflow) -> Self {
        Self {
            sessions: HashMap::new(),
            index: HashMap::new(),
            rules,
            overflow,
            backlog: VecDeque::new(),
        }
    }

    /// Keeps the books of sessions; hands back what only the engine can do.
    pub(super) fn take(&mut self, mail: Mail) -> Todo {
        match mail {
            Mail::Connected { session, venue, streams, out } => {
                let entry = Session { venue, streams, pairs: Vec::new(), out };
                self.sessions.insert(session, entry);
                self.reindex();
                Todo::Streams
            }
            Mail::Text { session, text } => self.command(session, &text),
            Mail::Gone { session } => {
                self.cut(session);
                Todo::Nothing
            }
            Mail::Rest { call, reply } => Todo::Rest { call, reply },
            Mail::Fault(fault) => Todo::Fault(fault),
        }
    }

    /// Whether anyone of the venue holds anything.
    pub(super) fn is_subscribed(&self, venue: Venue) -> bool {
        self.sessions.values().any(|session| {
            session.venue == venue
                && !(session.streams.names.is_empty() && session.pairs.is_empty())
        })
    }

    /// Whether anyone holds this stream or channel:product.
    pub(super) fn wants(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    /// Sends a Binance payload to the stream's holders, wrapped for combined connections.
    pub(super) fn publish_stream(&mut self, stream: &str, data: &str) {
        let Some(holders) = self.index.get(stream).cloned() else { return };
        let (mut raw, mut wrapped) = (None::<Utf8Bytes>, None::<Utf8Bytes>);
        for session in holders {
            let combined = self.sessions.get(&session).is_some_and(|s| s.streams.combined);
            let text = if combined {
                wrapped.get_or_insert_with(|| {
                    format!(r#"{{"stream":"{stream}","data":{data}}}"#).into()
                })
            } else {
                raw.get_or_insert_with(|| data.into())
            };
            let text = text.clone();
            self.send(session, Out::Text(text));
        }
    }

    /// Sends a recorded combined frame as it is (`data`, its payload, to raw connections).
    pub(super) fn publish_recorded(&mut self, stream: &str, whole: &Utf8Bytes, data: &str) {
        let Some(holders) = self.index.get(stream).cloned() else { return };
        for session in holders {
            let combined = self.sessions.get(&session).is_some_and(|s| s.streams.combined);
            let text = if combined { whole.clone() } else { data.into() };
            self.send(session, Out::Text(text));
        }
    }

    /// Sends a Coinbase payload to the holders of a channel:product.
    pub(super) fn publish_pair(&mut self, key: &str, text: &str) {
        self.publish_pair_but(key, text, None);
    }

    /// The same, leaving one session out.
    pub(super) fn publish_pair_but(&mut self, key: &str, text: &str, but: Option<u64>) {
        let Some(holders) = self.index.get(key).cloned() else { return };
        let text = Utf8Bytes::from(text);
        for session in holders.into_iter().filter(|session| Some(*session) != but) {
            self.send(session, Out::Text(text.clone()));
        }
    }

    /// Queues one message to one session, by the overflow rule.
    pub(super) fn send(&mut self, session: u64, out: Out) {
        match self.overflow {
            Overflow::Cut => {
                let Some(entry) = self.sessions.get(&session) else { return };
                if entry.out.try_send(out).is_err() {
                    self.cut(session);
                }
            }
            Overflow::Wait if self.backlog.len() >= limits::BACKLOG_LEN_MAX => self.cut(session),
            Overflow::Wait => self.backlog.push_back((session, out)),
        }
    }

    /// Moves what fits from the backlog into the queues; `true` when nothing is left.
    pub(super) fn drain(&mut self) -> bool {
        while let Some((session, out)) = self.backlog.pop_front() {
            let Some(entry) = self.sessions.get(&session) else { continue };
            match entry.out.try_send(out) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(out)) => {
                    self.backlog.push_front((session, out));
                    return false;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => self.cut(session),
            }
        }
        true
    }

    /// The queue the backlog waits for, to be awaited outside of the desk.
    pub(super) fn waiting_for(&self) -> Option<(u64, mpsc::Sender<Out>)> {
        let (session, _) = self.backlog.front()?;
        self.sessions.get(session).map(|entry| (*session, entry.out.clone()))
    }

    /// Lets a session go: its task sees its queue end and drops the socket.
    pub(super) fn cut(&mut self, session: u64) {
        if self.sessions.remove(&session).is_some() {
            self.reindex();
        }
    }

    /// Cuts every connection of a venue.
    pub(super) fn cut_venue(&mut self, venue: Venue) {
        self.sessions.retain(|_, session| session.venue != venue);
        self.reindex();
    }

    /// Sends what is no message to every connection of a venue.
    pub(super) fn send_garbage(&mut self, venue: Venue) {
        let ids: Vec<u64> =
            self.sessions.iter().filter(|(_, s)| s.venue == venue).map(|(id, _)| *id).collect();
        for session in ids {
            for text in GARBAGE_TEXTS {
                self.send(session, Out::Text(text.into()));
            }
            self.send(session, Out::Binary(Bytes::from_static(b"\x00\xff\xfe{")));
        }
    }

    fn command(&mut self, session: u64, text: &str) -> Todo {
        let Some(entry) = self.sessions.get_mut(&session) else { return Todo::Nothing };
        let (answer, changed, added) = match entry.venue {
            Venue::Binance => {
                let answer = binance::answer(text, &mut entry.streams);
                (answer.text, answer.changed, None)
            }
            Venue::Coinbase => {
                let answer = coinbase::answer(text, &mut entry.pairs, &self.rules);
                (answer.text, answer.changed, Some(answer.added))
            }
        };
        if changed {
            self.reindex();
        }
        self.send(session, Out::Text(answer.into()));
        match added {
            Some(added) if changed => Todo::Subscribed { session, added },
            None if changed => Todo::Streams,
            _ => Todo::Nothing,
        }
    }

    /// Rebuilt whole: subscriptions change rarely, and a wrong index is hard to see.
    fn reindex(&mut self) {
        self.index.clear();
        let mut ids: Vec<u64> = self.sessions.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(session) = self.sessions.get(&id) else { continue };
            let pairs = session.pairs.iter().map(coinbase::Pair::key);
            for key in session.streams.names.iter().cloned().chain(pairs) {
                self.index.entry(key).or_default().push(id);
            }
        }
    }
}
