//! Subscribing, leaving, stalling, reconnecting and resuming race publishing over several epochs,
//! with a backlog so small that readers fall out of it. Whatever happens, each client's chain is
//! unbroken, and in the end each holds exactly what the store holds.

use std::collections::BTreeSet;

use fantail_model::{Body, Event, Position};
use fantail_wire::client::{Command, From, SubscribeItem};

use super::Rig;
use super::chains::{Chain, Chains};
use super::client::Client;
use super::flush_paths::also_by_io_uring;
use crate::kind::{FrameKind, KINDS};
use crate::limits;
use crate::store::channel::Value;
use crate::testing::{Seeded, bbo, book_change, event, identity, trade, whole_book};

const NAMES: [&str; 4] = [
    "trade:binance:BTC-USDT",
    "trade:coinbase:BTC-USD",
    "bbo:binance:BTC-USDT",
    "book:binance:BTC-USDT",
];
const CLIENTS: usize = 12;
const STEPS: usize = 3_000;

/// One client over all its connections.
struct Peer {
    client: Client,
    chains: Chains,
    /// What it asked for and has not given up.
    wanted: BTreeSet<&'static str>,
    /// Steps it does not read.
    stalled: u64,
    small: bool,
    /// Over earlier connections.
    sums: Sums,
}

/// What a run has seen.
#[derive(Debug, Default)]
struct Sums {
    events: u64,
    resumed: u64,
    resets: u64,
    reconnects: u64,
}

impl Sums {
    fn add(&mut self, chains: &Chains) {
        self.events += chains.events;
        self.resumed += chains.resumed;
        self.resets += chains.resets;
    }
}

impl Peer {
    fn new(rig: &mut Rig, number: usize) -> Self {
        let (kind, small) = (FrameKind::at(number % KINDS), number.is_multiple_of(2));
        let client = rig.client_with(kind, small.then_some(4_096), identity());
        let (chains, wanted) = (Chains::default(), BTreeSet::new());
        Self { client, chains, wanted, stalled: 0, small, sums: Sums::default() }
    }

    /// A new connection that resumes everything where the old one stood.
    fn reconnect(&mut self, rig: &mut Rig) {
        self.client = rig.client_with(self.client.kind, self.small.then_some(4_096), identity());
        let old = std::mem::take(&mut self.chains);
        self.sums.add(&old);
        self.sums.reconnects += 1;
        let known = old.held.into_iter().chain(old.resuming);
        let known = known.filter(|(name, _)| self.wanted.contains(name.as_str()));
        // Who was acknowledged but has not read the book yet has nothing to go on from.
        let has_state = |name: &str, chain: &Chain| name != NAMES[3] || chain.book.is_some();
        let known = known.filter(|(name, chain)| chain.last.is_some() && has_state(name, chain));
        self.chains.resuming = known.collect();
        let channels: Vec<SubscribeItem> = self.wanted.iter().map(|name| self.item(name)).collect();
        if !channels.is_empty() {
            self.client.command(&Command::Subscribe { id: None, channels });
        }
    }

    fn item(&self, name: &str) -> SubscribeItem {
        let last = self.chains.resuming.get(name).and_then(|chain| chain.last);
        let from = last.map(|last| From { epoch: last.epoch, seq: last.seq, rx: None });
        SubscribeItem { channel: name.to_owned(), from, history: None }
    }

    /// One random deed.
    fn act(&mut self, rig: &mut Rig, seeded: &mut Seeded) {
        let name = NAMES[seeded.below(NAMES.len() as u64) as usize];
        match seeded.below(12) {
            0..=2 => {
                self.wanted.insert(name);
                self.client.subscribe(&[name]);
            }
            3..=4 if self.wanted.remove(name) => self.client.unsubscribe(&[name]),
            5 if seeded.once_in(4) => self.stalled = 10 + seeded.below(60),
            6 if seeded.once_in(4) => self.reconnect(rig),
            _ => {}
        }
    }

    fn read(&mut self, rig: &mut Rig, turns: usize) {
        self.chains.poll(&mut self.client, turns);
        if let Some(ended) = self.chains.ended.take() {
            assert_eq!(ended.code, 4_409, "{}", ended.reason);
            self.reconnect(rig);
        }
    }
}

/// The stream as it is published.
struct Streams {
    chs: Vec<u32>,
    heads: Vec<Position>,
}

impl Streams {
    fn next(&mut self, at: usize, seeded: &mut Seeded) -> Event {
        let head = &mut self.heads[at];
        *head = match head.seq > 0 && seeded.once_in(500) {
            true => Position::new(head.epoch + 7, 1),
            false => Position::new(head.epoch, head.seq + 1),
        };
        let Position { epoch, seq } = *head;
        match at {
            0 | 1 => trade(epoch, seq),
            2 => bbo(epoch, seq),
            _ if seq == 1 => event(epoch, 1, Body::Book(whole_book(seeded, 40))),
            _ if seeded.once_in(200) => {
                let whole = whole_book(seeded, 40);
                Event { reset: true, ..event(epoch, seq, Body::Book(whole)) }
            }
            _ => event(epoch, seq, Body::Book(book_change(seeded, 3))),
        }
    }

    fn publish(&mut self, rig: &mut Rig, seeded: &mut Seeded) {
        let mut cycle = Vec::new();
        for at in 0..self.chs.len() {
            let events: Vec<_> = (0..seeded.below(3)).map(|_| self.next(at, seeded)).collect();
            if !events.is_empty() {
                cycle.push((self.chs[at], events));
            }
        }
        rig.publish(cycle);
    }
}

/// The shard stands still until what the tail keeps for it is given up.
fn overwrite(rig: &mut Rig, streams: &mut Streams, seeded: &mut Seeded) {
    let stall = rig.stall();
    for _ in 0..4 * limits::MAILBOX_MAX {
        streams.publish(rig, seeded);
    }
    drop(stall);
}

fn run(seed: u64, backlog_bytes: usize, overwritten: bool) -> Sums {
    let mut seeded = Seeded::new(seed);
    let mut rig = Rig::with(backlog_bytes);
    rig.ring_bytes = 64 * 1_024 * 1_024;
    let chs = NAMES.iter().map(|name| rig.open(name)).collect();
    let mut streams = Streams { chs, heads: vec![Position::new(100, 0); NAMES.len()] };
    if overwritten {
        rig.lagging();
    }
    let mut peers: Vec<Peer> = (0..CLIENTS).map(|number| Peer::new(&mut rig, number)).collect();
    for step in 1..=STEPS {
        streams.publish(&mut rig, &mut seeded);
        if overwritten && step % (STEPS / 4) == 0 {
            overwrite(&mut rig, &mut streams, &mut seeded);
        }
        rig.push_on();
        let at = seeded.below(CLIENTS as u64) as usize;
        peers[at].act(&mut rig, &mut seeded);
        for peer in &mut peers {
            peer.stalled = peer.stalled.saturating_sub(1);
            if peer.stalled == 0 && !seeded.once_in(3) {
                peer.read(&mut rig, 4);
            }
        }
        if seeded.once_in(20) {
            rig.hand.advance(std::time::Duration::from_millis(100));
        }
        if !seeded.once_in(4) {
            rig.answer();
        }
    }
    settle(&mut rig, &streams, &mut peers);
    let given_up = |reason: &str| reason.starts_with("the node fell behind");
    let given_up = rig.closes.latest().iter().filter(|entry| given_up(&entry.reason)).count();
    assert_eq!(given_up > 0, overwritten, "{given_up} closes");
    peers.into_iter().fold(Sums::default(), |mut all, peer| {
        all.add(&peer.chains);
        all.events += peer.sums.events;
        all.resumed += peer.sums.resumed;
        all.resets += peer.sums.resets;
        all.reconnects += peer.sums.reconnects;
        all
    })
}

/// Everybody reads until it stands at the head of all it wants; then all books are compared.
fn settle(rig: &mut Rig, streams: &Streams, peers: &mut [Peer]) {
    let at_head = |peer: &Peer| {
        let wanted = NAMES.iter().zip(&streams.heads).filter(|(n, _)| peer.wanted.contains(**n));
        // A book's acknowledgement may be read before its state has come.
        let is_whole = |name: &str, chain: &&Chain| name != NAMES[3] || chain.book.is_some();
        let held = |name: &str| peer.chains.held.get(name).filter(|chain| is_whole(name, chain));
        let stands = |name: &str| held(name).and_then(|chain| chain.last);
        wanted.clone().all(|(name, head)| stands(name) == Some(*head))
            && peer.chains.held.len() == wanted.count()
    };
    for _ in 0..20_000 {
        rig.answer();
        while rig.push_on() {
            rig.sessions();
        }
        // An answer here means that all mail before it was taken.
        rig.sessions();
        for peer in peers.iter_mut() {
            peer.read(rig, 64);
        }
        if peers.iter().all(at_head) {
            return compare(rig, streams, peers);
        }
    }
    let late = peers.iter().enumerate().filter(|(_, peer)| !at_head(peer));
    let late: Vec<_> = late.map(|(at, peer)| (at, &peer.wanted, &peer.chains.held)).collect();
    panic!("never at the head {:?}: {late:?}", streams.heads);
}

fn compare(rig: &mut Rig, streams: &Streams, peers: &[Peer]) {
    let Value::Book { book, in_sync: true } = &rig.store.channel(streams.chs[3]).unwrap().value
    else {
        panic!("the book is in sync")
    };
    for chain in peers.iter().filter_map(|peer| peer.chains.held.get(NAMES[3])) {
        let held = chain.book.as_ref().expect("a whole book");
        assert_eq!(held.view(), book.view());
    }
}

also_by_io_uring! {
    resuming_races_publishing_and_every_chain_holds,
    with_a_tiny_backlog_readers_fall_out_and_every_chain_holds,
}

#[test]
fn resuming_races_publishing_and_every_chain_holds() {
    let sums = run(0x5eed_0010, 64 * 1_024 * 1_024, false);
    assert!(sums.events > 20_000 && sums.resumed > 20 && sums.reconnects > 10, "{sums:?}");
}

#[test]
fn with_a_tiny_backlog_readers_fall_out_and_every_chain_holds() {
    let sums = run(0x5eed_0011, 8_000, false);
    assert!(sums.events > 10_000 && sums.resumed > 20 && sums.reconnects > 20, "{sums:?}");
}

#[test]
fn a_shard_whose_deque_is_overwritten_loses_nobody_and_every_chain_holds() {
    let sums = run(0x5eed_0012, 64 * 1_024 * 1_024, true);
    assert!(sums.events > 10_000 && sums.resumed > 20 && sums.resets > 20, "{sums:?}");
}
