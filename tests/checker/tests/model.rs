//! The model: a feed, a bus that forgets, nodes that lag, clients that come and go. Every choice
//! comes from the seed.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::market::{CHANNELS, Fact, What};
use super::server::{Mutant, Node, Session, whole};
use crate::check::{Checker, Verdict};
use crate::place::Place;
use crate::recorder::Recorder;
use crate::truth::{Spot, Truth};

const NODES: usize = 3;
const CLIENTS: usize = 8;
const STEPS: u64 = 900;
/// Events of a channel that retention keeps.
const RETAINED: usize = 15;

/// One run.
pub(super) struct Model {
    rng: SmallRng,
    mutant: Option<Mutant>,
    /// How often the planted mistake was made.
    fired: u32,
    step: u64,
    epoch: u64,
    /// The bus: every record ever written and kept by it.
    bus: Vec<Fact>,
    heads: [Place; CHANNELS.len()],
    books: [[BTreeMap<i64, i64>; 2]; CHANNELS.len()],
    rolled_back: Vec<(usize, u64)>,
    nodes: Vec<Node>,
    clients: Vec<Client>,
}

struct Client {
    recorder: Recorder<Vec<u8>>,
    session: Option<Session>,
    /// Comes back at this step.
    back_at: u64,
    /// Doesn't read until this step.
    slow_until: u64,
    /// Where a node that is left wrongly believes this client to be.
    handed_over: Option<[usize; CHANNELS.len()]>,
}

/// Runs a seed; gives the verdict and how often the mistake was made.
pub(super) fn run(seed: u64, mutant: Option<Mutant>) -> (Verdict, u32) {
    let names: Vec<String> = CHANNELS.iter().map(ToString::to_string).collect();
    let client = |_| Client {
        recorder: Recorder::new(Vec::new(), &names).unwrap(),
        session: None,
        back_at: 0,
        slow_until: 0,
        handed_over: None,
    };
    let mut model = Model {
        rng: SmallRng::seed_from_u64(seed),
        mutant,
        fired: 0,
        step: 0,
        epoch: 1_000,
        bus: Vec::new(),
        heads: [Place::new(1_000, 0); CHANNELS.len()],
        books: Default::default(),
        rolled_back: Vec::new(),
        nodes: (0..NODES).map(|_| Node::default()).collect(),
        clients: (0..CLIENTS).map(client).collect(),
    };
    for _ in 0..STEPS {
        model.turn();
    }
    model.end()
}

impl Model {
    fn turn(&mut self) {
        self.step += 1;
        for _ in 0..self.rng.random_range(0..4) {
            let channel = self.rng.random_range(0..CHANNELS.len());
            self.happen(channel);
        }
        match self.rng.random_range(0..100) {
            0 => self.new_owner(),
            1 => self.truncate(),
            2..5 => self.drain(),
            5..8 => self.disconnect(),
            8..11 => {
                let client = self.rng.random_range(0..CLIENTS);
                self.clients[client].slow_until = self.step + self.rng.random_range(5..30);
                self.clients[client].recorder.slow(self.step).unwrap();
            }
            _ => {}
        }
        for node in 0..NODES {
            if self.rng.random_bool(0.6) {
                self.read_bus(node);
            }
        }
        for client in 0..CLIENTS {
            self.serve(client);
        }
    }

    /// The feed's next event of a channel.
    fn happen(&mut self, channel: usize) {
        let reset = self.heads[channel].epoch != self.epoch || self.heads[channel].seq == 0;
        let prev = if reset { 0 } else { self.heads[channel].seq };
        let price = self.rng.random_range(9_000..11_000);
        let what = match CHANNELS[channel].split(':').next() {
            Some("trade") => What::Trade { id: format!("t{}", self.bus.len()), price },
            Some("ticker") => What::Ticker { last: price },
            _ => What::Book(self.book_change(channel, reset)),
        };
        let place = Place::new(self.epoch, prev + 1);
        let rx = self.step as i64;
        self.heads[channel] = place;
        self.bus.push(Fact { channel, place, prev, reset, rx, what });
    }

    fn book_change(&mut self, channel: usize, reset: bool) -> [BTreeMap<i64, i64>; 2] {
        let mut change: [BTreeMap<i64, i64>; 2] = Default::default();
        for (side, base) in [(0, 9_000), (1, 11_000)] {
            for _ in 0..self.rng.random_range(1..4) {
                let price = base + self.rng.random_range(0..12);
                let size = self.rng.random_range(0..5_000) * self.rng.random_range(0..2);
                change[side].insert(price, size);
            }
            let book = &mut self.books[channel][side];
            book.extend(&change[side]);
            book.retain(|_, size| *size > 0);
        }
        if reset { self.books[channel].clone() } else { change }
    }

    fn new_owner(&mut self) {
        self.epoch += self.rng.random_range(1..1_000);
    }

    /// The bus loses its newest records. The owner starts over with a new epoch; the mutant goes on
    /// as if nothing had happened.
    fn truncate(&mut self) {
        let kept = self.bus.len().saturating_sub(self.rng.random_range(4..10));
        let ignored = self.mutant == Some(Mutant::TruncationIgnored);
        for node in 0..NODES {
            self.read_bus(node);
        }
        for client in 0..CLIENTS {
            self.serve(client);
        }
        let lost = self.bus.split_off(kept);
        if !ignored {
            let (now, epoch) = (self.epoch, |fact: &Fact| fact.place.epoch);
            self.rolled_back.extend(lost.iter().map(|fact| (fact.channel, epoch(fact))));
            self.nodes.iter_mut().for_each(|node| node.read = kept);
            self.epoch = now + 1;
            return;
        }
        self.fired += 1;
        for channel in 0..CHANNELS.len() {
            let held = self.bus.iter().rfind(|fact| fact.channel == channel);
            self.heads[channel] = held.map_or(Place::new(self.epoch, 0), |fact| fact.place);
            let held: Vec<Fact> =
                self.bus.iter().filter(|fact| fact.channel == channel).cloned().collect();
            self.books[channel] = whole(&held);
        }
        self.nodes.iter_mut().for_each(|node| node.read = kept);
    }

    fn read_bus(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        for fact in &self.bus[node.read..] {
            node.take(fact);
        }
        node.read = self.bus.len();
    }

    fn disconnect(&mut self) {
        let client = self.rng.random_range(0..CLIENTS);
        let away = if self.rng.random_bool(0.5) { 200 } else { 8 };
        let back_at = self.step + self.rng.random_range(1..away);
        let client = &mut self.clients[client];
        if client.session.take().is_some() {
            client.recorder.closed(self.step, 0, "reset by peer").unwrap();
            client.back_at = back_at;
        }
    }

    /// A node says goodbye to everybody.
    fn drain(&mut self) {
        let node = self.rng.random_range(0..NODES);
        let lost = self.mutant == Some(Mutant::LostOnDrain);
        self.read_bus(node);
        for client in &mut self.clients {
            let Some(session) = client.session.take_if(|session| session.node == node) else {
                continue;
            };
            if lost {
                // What was queued counts as sent, and the next node believes it.
                let ends = self.nodes[node].held.each_ref().map(Vec::len);
                self.fired += u32::from(ends != session.due);
                client.handed_over = Some(ends);
            }
            let text = r#"{"type":"goodbye","code":"RESTART","retry_after_ms":5}"#;
            client.recorder.take(text, self.step).unwrap();
            client.recorder.closed(self.step, 1012, "RESTART").unwrap();
            client.back_at = self.step + 1;
        }
    }

    fn serve(&mut self, client: usize) {
        let slow = self.clients[client].slow_until > self.step;
        if self.clients[client].session.is_none() {
            if self.clients[client].back_at <= self.step {
                self.connect(client);
            }
        } else if !slow {
            self.deliver(client);
        }
    }

    fn connect(&mut self, at: usize) {
        let node = self.rng.random_range(0..NODES);
        // A place ahead of the node is waited for.
        self.read_bus(node);
        let floors = self.floors();
        let client = &mut self.clients[at];
        client.recorder.open(self.step, &format!("node-{node}")).unwrap();
        let commands = client.recorder.subscribe(100).unwrap();
        let command: serde_json::Value = serde_json::from_str(&commands[0]).unwrap();
        let (mut session, mut acks) = (Session { node, due: Default::default() }, Vec::new());
        let mut messages = Vec::new();
        for (channel, item) in command["channels"].as_array().unwrap().iter().enumerate() {
            let number = |key: &str| item["from"][key].as_u64();
            let from = number("epoch").zip(number("seq")).map(|(e, s)| Place::new(e, s));
            let planted = (self.mutant, &mut self.rng, &mut self.fired);
            let start = self.nodes[node].start(channel, from, floors[channel], planted);
            session.due[channel] = start.due;
            acks.push(start.ack);
            messages.extend(start.messages);
        }
        if let Some(ends) = client.handed_over.take() {
            let held = self.nodes[node].held.each_ref().map(Vec::len);
            for (due, (end, held)) in session.due.iter_mut().zip(ends.into_iter().zip(held)) {
                *due = (*due).max(end.min(held));
            }
        }
        let ack = format!(r#"{{"type":"subscribed","id":1,"channels":[{}]}}"#, acks.join(","));
        client.recorder.take(&ack, self.step).unwrap();
        for message in messages {
            client.recorder.take(&message, self.step).unwrap();
        }
        client.session = Some(session);
    }

    /// First place of each channel that retention left.
    fn floors(&self) -> [Place; CHANNELS.len()] {
        let mut floors = [Place::default(); CHANNELS.len()];
        for (channel, floor) in floors.iter_mut().enumerate() {
            let of_channel = self.bus.iter().rev().filter(|fact| fact.channel == channel);
            let oldest = of_channel.take(RETAINED).last();
            *floor = oldest.map_or(Place::default(), |fact| fact.place);
        }
        floors
    }

    /// Sends a client everything it is due, as it is or merged.
    fn deliver(&mut self, at: usize) {
        let Some(mut session) = self.clients[at].session.take() else { return };
        let behind = self.step.saturating_sub(self.clients[at].slow_until) < 2;
        for channel in 0..CHANNELS.len() {
            let held = &self.nodes[session.node].held[channel];
            let due = &held[session.due[channel].min(held.len())..];
            let messages = match behind && due.len() > 1 {
                true => caught_up(due),
                false => due.iter().map(|fact| fact.json(CHANNELS[channel], "")).collect(),
            };
            session.due[channel] = held.len();
            let messages = self.spoil(channel, messages, behind);
            for message in messages {
                self.clients[at].recorder.take(&message, self.step).unwrap();
            }
        }
        self.clients[at].session = Some(session);
    }

    /// Mistakes of the way to the socket.
    fn spoil(&mut self, channel: usize, mut messages: Vec<String>, behind: bool) -> Vec<String> {
        if messages.is_empty() || !self.rng.random_bool(0.2) {
            return messages;
        }
        let at = self.rng.random_range(0..messages.len());
        let next = (at + 1).min(messages.len() - 1);
        match self.mutant {
            Some(Mutant::Drop) => drop(messages.remove(at)),
            Some(Mutant::Swap) if next != at => messages.swap(at, next),
            Some(Mutant::Duplicate) => messages.insert(at, messages[at].clone()),
            Some(Mutant::WrongChannel) => {
                let (own, other) = (CHANNELS[channel], CHANNELS[channel ^ 1]);
                messages[at] = messages[at].replace(own, other);
            }
            Some(Mutant::SlowReorder) if behind && messages.len() > 1 => messages.rotate_left(1),
            _ => return messages,
        }
        self.fired += 1;
        messages
    }

    /// Everybody comes back and is served; then the judge.
    fn end(mut self) -> (Verdict, u32) {
        for node in 0..NODES {
            self.read_bus(node);
        }
        for client in 0..CLIENTS {
            (self.clients[client].back_at, self.clients[client].slow_until) = (0, 0);
            self.serve(client);
            self.serve(client);
        }
        let mut truth = Truth::default();
        for (offset, fact) in self.bus.iter().enumerate() {
            let spot = Spot { topic: "fantail.model", partition: 0, offset: offset as i64 };
            truth.take(spot, &fact.record()).unwrap();
        }
        for (channel, floor) in self.floors().into_iter().enumerate() {
            truth.retained_from(CHANNELS[channel], floor);
        }
        for (channel, epoch) in &self.rolled_back {
            truth.rolled_back(CHANNELS[*channel], *epoch);
        }
        let mut checker = Checker::new(&truth);
        for (number, client) in self.clients.into_iter().enumerate() {
            let history = client.recorder.end(self.step, true).unwrap();
            checker.history(&format!("client-{number}"), &history[..]).unwrap();
        }
        (checker.finish(), self.fired)
    }
}

/// What a client that was behind is sent: trades whole, states and books merged into one.
fn caught_up(due: &[Fact]) -> Vec<String> {
    let mut messages = Vec::new();
    for facts in due.chunk_by(|a, b| a.place.epoch == b.place.epoch) {
        let name = CHANNELS[facts[0].channel];
        let last = &facts[facts.len() - 1];
        let what = match &last.what {
            What::Trade { .. } => {
                messages.extend(facts.iter().map(|fact| fact.json(name, "")));
                continue;
            }
            What::Ticker { .. } => last.what.clone(),
            What::Book(_) => What::Book(merged(facts)),
        };
        let reset = facts.iter().any(|fact| fact.reset);
        let one = Fact { prev: facts[0].prev, reset, what, ..last.clone() };
        messages.push(one.json(name, &format!(r#""n":{},"#, facts.len())));
    }
    messages
}

/// Changes of books, one after the other, as one: a level appears once with its last size.
fn merged(facts: &[Fact]) -> [BTreeMap<i64, i64>; 2] {
    let mut all: [BTreeMap<i64, i64>; 2] = Default::default();
    for fact in facts {
        let What::Book(sides) = &fact.what else { continue };
        for (all, side) in all.iter_mut().zip(sides) {
            if fact.reset {
                all.clear();
            }
            all.extend(side);
        }
    }
    all
}
