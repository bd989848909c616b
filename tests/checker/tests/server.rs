//! The model's nodes: each has its own copy of the log, behind the bus by as much as chance wants.
//! The mistakes of [`Mutant`] are planted here, where a real server would make them.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::SmallRng;

use super::market::{CHANNELS, Fact, What, book_json};
use crate::place::Place;

/// A mistake a server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    Drop,
    Swap,
    Duplicate,
    OffByOneResume,
    SilentGap,
    WrongChannel,
    StaleSnapshot,
    TruncationIgnored,
    LostOnDrain,
    SlowReorder,
    DuplicateOnRetry,
    WrongGap,
}

/// A node.
#[derive(Default)]
pub(super) struct Node {
    /// What it holds of each channel.
    pub(super) held: [Vec<Fact>; CHANNELS.len()],
    /// How far it has read the bus.
    pub(super) read: usize,
}

/// One client's session on a node: the next event of each channel it is due.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) node: usize,
    pub(super) due: [usize; CHANNELS.len()],
}

/// How a session begins in one channel.
pub(super) struct Start {
    pub(super) ack: String,
    pub(super) messages: Vec<String>,
    pub(super) due: usize,
}

impl Node {
    /// Takes a record of the bus; what it has, or is older, it refuses.
    pub(super) fn take(&mut self, fact: &Fact) {
        let held = &mut self.held[fact.channel];
        if held.last().is_none_or(|last| fact.place > last.place) {
            held.push(fact.clone());
        }
    }

    /// Begins a channel, from a place or from now. `floor` is what retention left of the bus.
    pub(super) fn start(
        &self,
        channel: usize,
        from: Option<Place>,
        floor: Place,
        (mutant, rng, fired): (Option<Mutant>, &mut SmallRng, &mut u32),
    ) -> Start {
        let held = &self.held[channel];
        let name = CHANNELS[channel];
        let Some(head) = held.last().map(|fact| fact.place) else {
            let ack = format!(r#"{{"channel":"{name}","ch":{channel}}}"#);
            return Start { ack, messages: Vec::new(), due: 0 };
        };
        let ack = |place: Place, resumed: bool| {
            let Place { epoch, seq } = place;
            format!(r#"{{"channel":"{name}","epoch":{epoch},"seq":{seq},"resumed":{resumed}}}"#)
        };
        let Some(from) = from else {
            let messages = self.state(channel, mutant, fired).into_iter().collect();
            return Start { ack: ack(head, false), messages, due: held.len() };
        };
        let mut due = held.partition_point(|fact| fact.place <= from);
        let next = held.get(due).map_or(floor, |fact| fact.place);
        if next >= floor {
            due = off_by(due, held.len(), mutant, rng, fired);
            return Start { ack: ack(from, true), messages: Vec::new(), due };
        }
        // Out of retention: trades go on where it begins, states are told anew.
        let stream = name.starts_with("trade");
        let goes_on = held.partition_point(|fact| fact.place < floor);
        let to = if stream { goes_on } else { held.len() };
        let (mut messages, due) = (gaps(channel, &held[due..to], mutant, rng, fired), to);
        if !stream {
            messages.extend(self.state(channel, mutant, fired));
        }
        Start { ack: ack(head, false), messages, due }
    }

    /// The state message of a channel at its head; trades have none.
    fn state(&self, channel: usize, mutant: Option<Mutant>, fired: &mut u32) -> Option<String> {
        let (held, name) = (&self.held[channel], CHANNELS[channel]);
        let head = held.last()?;
        let Place { epoch, seq } = head.place;
        match &head.what {
            What::Trade { .. } => None,
            What::Ticker { .. } => {
                let further = format!(r#""epoch":{epoch},"snapshot":true,"#);
                Some(Fact { reset: false, ..head.clone() }.json(name, &further))
            }
            What::Book(_) => {
                let stale = mutant == Some(Mutant::StaleSnapshot) && held.len() > 3;
                *fired += u32::from(stale);
                let seen = held.len() - if stale { 3 } else { 0 };
                let book = book_json(&whole(&held[..seen]));
                Some(format!(
                    r#"{{"type":"snapshot","channel":"{name}","epoch":{epoch},"seq":{seq},"rx":1,"tx":1,{book},"crc":0}}"#
                ))
            }
        }
    }
}

/// Mistakes of a resume.
fn off_by(
    due: usize,
    end: usize,
    mutant: Option<Mutant>,
    rng: &mut SmallRng,
    fired: &mut u32,
) -> usize {
    let moved = match mutant {
        Some(Mutant::OffByOneResume) if rng.random_bool(0.5) => (due + 1).min(end),
        Some(Mutant::OffByOneResume) => due.saturating_sub(1),
        Some(Mutant::DuplicateOnRetry) => due.saturating_sub(2),
        _ => due,
    };
    *fired += u32::from(moved != due);
    moved
}

/// Gap messages for what can't be delivered, one for each epoch.
fn gaps(
    channel: usize,
    missing: &[Fact],
    mutant: Option<Mutant>,
    rng: &mut SmallRng,
    fired: &mut u32,
) -> Vec<String> {
    let mut ranges: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for Place { epoch, seq } in missing.iter().map(|fact| fact.place) {
        ranges.entry(epoch).or_insert((seq, seq)).1 = seq;
    }
    if mutant == Some(Mutant::SilentGap) {
        *fired += u32::from(!ranges.is_empty());
        return Vec::new();
    }
    if mutant == Some(Mutant::WrongGap)
        && let Some((_, to)) = ranges.values_mut().last()
    {
        *fired += 1;
        *to = if rng.random_bool(0.5) { *to + 1 } else { *to - 1 };
    }
    let gap = |(epoch, (from, to)): (&u64, &(u64, u64))| {
        let name = CHANNELS[channel];
        format!(
            r#"{{"type":"gap","channel":"{name}","epoch":{epoch},"from":{from},"to":{to},"reason":"retention"}}"#
        )
    };
    ranges.iter().map(gap).collect()
}

/// The book after these events.
pub(super) fn whole(facts: &[Fact]) -> [BTreeMap<i64, i64>; 2] {
    let mut book: [BTreeMap<i64, i64>; 2] = Default::default();
    for fact in facts {
        let What::Book(sides) = &fact.what else { continue };
        for (side, changed) in book.iter_mut().zip(sides) {
            if fact.reset {
                side.clear();
            }
            side.extend(changed);
            side.retain(|_, size| *size > 0);
        }
    }
    book
}
