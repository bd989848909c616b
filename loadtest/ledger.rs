//! From a message's bytes to counts: its place is held against its channel's chain, its times are
//! recorded. JSON data is scanned, everything else decoded in full. Does no I/O.

use std::time::Duration;

use fantail_wire::client::{
    DataMessage, Encoding, Reply, ServerMessage, SnapshotMessage, decode_message,
};

use crate::chain::{Chains, Holes, Names, Place};
use crate::latency::{Counts, Stamps};
use crate::limits::SAMPLE_EVERY;
use crate::scan::{Scanned, scan, scan_batch};

/// What a thread keeps of all its sockets.
pub(crate) struct Ledger {
    pub(crate) counts: Counts,
    pub(crate) names: Names,
    holes: Holes,
    /// The first thing the server refused.
    pub(crate) refusal: Option<String>,
    messages: u64,
}

/// One socket, as the ledger sees it.
pub(crate) struct Member {
    pub(crate) number: u32,
    pub(crate) encoding: Encoding,
    pub(crate) chains: Chains,
    /// Acknowledgements that have not come yet.
    pub(crate) acks_due: u32,
    /// It is slow on purpose, now.
    pub(crate) is_slow: bool,
    /// When the server that let it go wants it back.
    pub(crate) retry_after: Duration,
}

impl From<Scanned<'_>> for Place {
    fn from(seen: Scanned<'_>) -> Self {
        let Scanned { epoch, seq, prev, reset, snapshot, rx, .. } = seen;
        Self { epoch, seq, prev, reset, snapshot, rx }
    }
}

impl Ledger {
    pub(crate) fn new(counts: Counts) -> Self {
        let (names, holes) = (Names::default(), Holes::default());
        Self { counts, names, holes, refusal: None, messages: 0 }
    }

    /// Takes one message that was read at `now`.
    pub(crate) fn take(&mut self, member: &mut Member, bytes: &[u8], now: i64) {
        self.counts.message_bytes += bytes.len() as u64;
        self.messages += 1;
        if member.encoding == Encoding::Json {
            if let Some(seen) = scan(bytes) {
                if self.messages % SAMPLE_EVERY == 1 {
                    self.sample(seen, bytes);
                }
                return self.scanned(member, seen, now);
            }
            if bytes.starts_with(b"{\"type\":\"batch\"") {
                if !scan_batch(bytes, |seen| self.scanned(member, seen, now)) {
                    self.counts.unreadable += 1;
                }
                return;
            }
        }
        match decode_message(member.encoding, bytes) {
            Ok(ServerMessage::Data(data)) => self.data(member, &data, now),
            Ok(ServerMessage::Batch(batch)) => {
                batch.iter().for_each(|data| self.data(member, data, now));
            }
            Ok(ServerMessage::Snapshot(book)) => self.snapshot(member, &book, now),
            Ok(ServerMessage::Reply(reply)) => self.reply(member, reply),
            Err(_) => self.counts.unreadable += 1,
        }
    }

    fn scanned(&mut self, member: &mut Member, seen: Scanned<'_>, now: i64) {
        let channel = self.names.number(seen.channel);
        let stamps = Stamps { ts: seen.ts, rx: seen.rx, tx: seen.tx };
        self.one(member, channel, seen.into(), (now, stamps));
    }

    fn data(&mut self, member: &mut Member, data: &DataMessage, now: i64) {
        let event = &data.event;
        let place = Place {
            epoch: (event.reset || data.snapshot).then_some(event.position.epoch),
            seq: event.position.seq,
            prev: event.prev,
            reset: event.reset,
            snapshot: data.snapshot,
            rx: event.rx.0,
        };
        let ts = event.ts.map(|at| at.0);
        let stamps = Stamps { ts, rx: event.rx.0, tx: data.tx.0 };
        match self.names.of(&data.channel, data.ch) {
            Some(channel) => self.one(member, channel, place, (now, stamps)),
            // The acknowledgement comes before any data.
            None => self.counts.unreadable += 1,
        }
    }

    fn snapshot(&mut self, member: &mut Member, book: &SnapshotMessage, now: i64) {
        // A placeholder has no place; the real one follows.
        let Some(at) = book.position else { return };
        let (epoch, seq, rx) = (Some(at.epoch), at.seq, book.rx.0);
        let place = Place { epoch, seq, prev: seq, reset: false, snapshot: true, rx };
        let stamps = Stamps { ts: None, rx, tx: book.tx.0 };
        match self.names.of(&book.channel, book.ch) {
            Some(channel) => self.one(member, channel, place, (now, stamps)),
            None => self.counts.unreadable += 1,
        }
    }

    fn one(
        &mut self,
        member: &mut Member,
        channel: u32,
        place: Place,
        (now, stamps): (i64, Stamps),
    ) {
        self.counts.deliveries += 1;
        let key = (member.number, channel);
        member.chains.take(key, place, &mut self.holes, &mut self.counts.losses);
        if member.is_slow {
            self.counts.slow_deliveries += 1;
        } else if !place.reset && !place.snapshot {
            // States are as old as their last event; that is no delay.
            self.counts.time(now, stamps);
        }
    }

    fn reply(&mut self, member: &mut Member, reply: Reply) {
        match reply {
            Reply::Subscribed { channels, errors, .. } => {
                member.acks_due = member.acks_due.saturating_sub(1);
                for ack in channels {
                    let channel = self.names.announce(ack.ch, &ack.channel);
                    member.chains.acknowledged(channel, ack.epoch, ack.seq);
                }
                for refused in errors {
                    let text = format!("{}: {}", refused.channel, refused.message);
                    self.refusal.get_or_insert(text);
                }
            }
            Reply::Unsubscribed { channels, .. } => {
                for name in channels {
                    let channel = self.names.number(name.as_bytes());
                    member.chains.forget(channel);
                }
            }
            Reply::Gap { channel, ch, epoch, to, .. } => {
                if let Some(channel) = self.names.of(&channel, ch) {
                    member.chains.told(channel, epoch, to, &mut self.counts.losses);
                }
            }
            Reply::Goodbye { retry_after_ms, .. } => {
                member.retry_after = Duration::from_millis(retry_after_ms.unwrap_or(0));
            }
            Reply::Error { code, message, .. } => {
                self.refusal.get_or_insert(format!("{}: {message}", code.name()));
            }
            _ => {}
        }
    }

    /// Holds the scan against the full decoder.
    fn sample(&mut self, seen: Scanned<'_>, bytes: &[u8]) {
        self.counts.sampled += 1;
        let agrees = match decode_message(Encoding::Json, bytes) {
            Ok(ServerMessage::Data(full)) => {
                let event = &full.event;
                full.channel.as_bytes() == seen.channel
                    && (event.position.seq, event.prev) == (seen.seq, seen.prev)
                    && (event.ts.map(|at| at.0), event.rx.0, full.tx.0)
                        == (seen.ts, seen.rx, seen.tx)
                    && (event.reset, full.snapshot) == (seen.reset, seen.snapshot)
            }
            Ok(ServerMessage::Snapshot(book)) => {
                book.channel.as_bytes() == seen.channel
                    && book.position.map(|at| (Some(at.epoch), at.seq))
                        == Some((seen.epoch, seen.seq))
                    && (book.rx.0, book.tx.0) == (seen.rx, seen.tx)
            }
            _ => false,
        };
        self.counts.mismatches += u64::from(!agrees);
    }
}

#[cfg(test)]
mod tests;
