//! Subscribing races publishing: whatever the interleaving, each client's chain is unbroken from
//! its acknowledgement on, nothing comes before it and nothing after `unsubscribed`.

use std::collections::HashMap;

use fantail_model::Body;
use fantail_wire::client::{DataMessage, Encoding, Reply, ServerMessage};

use super::Rig;
use super::client::{Client, Seen};
use super::flush_paths::also_by_io_uring;
use crate::kind::{FrameKind, KINDS};
use crate::testing::{Seeded, bbo, book_change, event, trade, whole_book};

const NAMES: [&str; 3] =
    ["trade:binance:BTC-USDT", "bbo:binance:BTC-USDT", "book:binance:BTC-USDT"];
const CLIENTS: usize = 16;
const STEPS: usize = 4_000;
/// Who waits at once.
const PARKED: usize = 96;

/// What one client may see next.
#[derive(Default)]
struct Checker {
    /// Last seq of each acknowledged channel.
    chains: HashMap<String, u64>,
    events: u64,
}

impl Checker {
    fn take(&mut self, client: &Client, seen: Seen) {
        let Seen::Message(message) = seen else { return };
        match message {
            ServerMessage::Reply(Reply::Subscribed { channels, errors, .. }) => {
                assert!(errors.is_empty(), "{errors:?}");
                for ack in channels {
                    self.chains.entry(ack.channel).or_insert(ack.seq.unwrap_or(0));
                }
            }
            ServerMessage::Reply(Reply::Unsubscribed { channels, .. }) => {
                for name in channels {
                    self.chains.remove(&name);
                }
            }
            ServerMessage::Reply(_) => {}
            ServerMessage::Snapshot(snapshot) => {
                let name = client.name(&snapshot.channel, snapshot.ch);
                let last = self.chains.get_mut(&name).expect("a snapshot of a held channel");
                *last = snapshot.position.map_or(*last, |position| position.seq);
            }
            ServerMessage::Data(data) => self.event(client, &data),
            ServerMessage::Batch(batch) => batch.iter().for_each(|data| self.event(client, data)),
        }
    }

    fn event(&mut self, client: &Client, data: &DataMessage) {
        let name = client.name(&data.channel, data.ch);
        let seq = data.event.position.seq;
        let last = self.chains.get_mut(&name).unwrap_or_else(|| {
            panic!("{name} {seq} before its acknowledgement or after unsubscribed")
        });
        if !data.snapshot {
            assert_eq!(data.event.prev, *last, "{name}: hole or repetition at {seq}");
            self.events += 1;
        }
        *last = seq;
    }
}

/// Publishes a cycle of one to three events on random channels.
fn publish(rig: &mut Rig, chs: &[u32], seqs: &mut [u64; 3], seeded: &mut Seeded) {
    let mut cycle = Vec::new();
    for (kind, ch) in chs.iter().enumerate() {
        let count = seeded.below(3);
        let mut next = |seqs: &mut [u64; 3]| {
            seqs[kind] += 1;
            match kind {
                0 => trade(1, seqs[kind]),
                1 => bbo(1, seqs[kind]),
                _ if seqs[kind] == 1 => event(1, 1, Body::Book(whole_book(seeded, 40))),
                _ => event(1, seqs[kind], Body::Book(book_change(seeded, 3))),
            }
        };
        let events: Vec<_> = (0..count).map(|_| next(seqs)).collect();
        if !events.is_empty() {
            cycle.push((*ch, events));
        }
    }
    rig.publish(cycle);
}

also_by_io_uring! {
    subscribing_races_publishing_and_every_chain_holds,
}

#[test]
fn subscribing_races_publishing_and_every_chain_holds() {
    let mut seeded = Seeded::new(20_261_124);
    let mut rig = Rig::new();
    let chs: Vec<u32> = NAMES.iter().map(|name| rig.open(name)).collect();
    let kind = |number: usize| match FrameKind::at(number % KINDS) {
        kind if number.is_multiple_of(5) => FrameKind { encoding: Encoding::Json, ..kind },
        kind => kind,
    };
    let mut clients: Vec<(Client, Checker)> =
        (0..CLIENTS).map(|number| (rig.client(kind(number)), Checker::default())).collect();
    let mut seqs = [0; 3];
    for _ in 0..STEPS {
        publish(&mut rig, &chs, &mut seqs, &mut seeded);
        let (client, checker) = &mut clients[seeded.below(CLIENTS as u64) as usize];
        let name = NAMES[seeded.below(3) as usize];
        match seeded.below(4) {
            0 => client.subscribe(&[name]),
            1 => client.unsubscribe(&[name]),
            _ => {}
        }
        // Some read often, some let it pile up in their sockets.
        if !seeded.once_in(3) {
            for seen in client.poll(4) {
                checker.take(client, seen);
            }
        }
        rig.answer();
    }
    let heads: HashMap<&str, u64> = NAMES.iter().copied().zip(seqs).collect();
    settle(&mut rig, &mut clients, &heads);
    let events: u64 = clients.iter().map(|(_, checker)| checker.events).sum();
    assert!(events > 10_000, "only {events} events were checked");
}

#[test]
fn many_who_wait_for_their_seeds_begin_in_order_while_the_stream_goes_on() {
    let mut seeded = Seeded::new(0x5eed_0020);
    let mut rig = Rig::new();
    let chs: Vec<u32> = NAMES.iter().map(|name| rig.open(name)).collect();
    let mut seqs = [0; 3];
    let mut all: Vec<(Client, Checker)> = (0..PARKED)
        .map(|number| (rig.client(FrameKind::at(number % KINDS)), Checker::default()))
        .collect();
    for round in 0..3 {
        // Nobody is answered before everybody has asked, and the stream does not wait for them.
        for (client, _) in &mut all {
            client.subscribe(&[NAMES[seeded.below(3) as usize]]);
            publish(&mut rig, &chs, &mut seqs, &mut seeded);
        }
        let mut asked = Vec::new();
        while asked.len() < PARKED {
            asked.push(rig.runtime.block_on(rig.requests.recv()).unwrap());
        }
        // Some do not want theirs any more.
        for _ in 0..PARKED / 8 {
            let (client, _) = &mut all[seeded.below(PARKED as u64) as usize];
            client.unsubscribe(&NAMES);
        }
        for request in asked {
            rig.answer_one(request);
            if seeded.once_in(3) {
                publish(&mut rig, &chs, &mut seqs, &mut seeded);
            }
        }
        let heads: HashMap<&str, u64> = NAMES.iter().copied().zip(seqs).collect();
        settle(&mut rig, &mut all, &heads);
        let holding = all.iter().filter(|(_, checker)| !checker.chains.is_empty()).count();
        assert!(holding > PARKED / 2, "round {round}: {holding} hold something");
    }
}

/// Everybody reads until it stands at the head of all it holds, twice in a row.
fn settle(rig: &mut Rig, clients: &mut [(Client, Checker)], heads: &HashMap<&str, u64>) {
    let mut quiet = 0;
    for _ in 0..5_000 {
        rig.answer();
        // An answer here means that all mail before it was taken.
        rig.sessions();
        let mut level = true;
        for (client, checker) in clients.iter_mut() {
            for seen in client.poll(64) {
                checker.take(client, seen);
            }
            level &= checker.chains.iter().all(|(name, seq)| heads[name.as_str()] == *seq);
        }
        quiet = if level { quiet + 1 } else { 0 };
        if quiet > 20 {
            return;
        }
    }
    panic!("somebody never reached the head");
}
