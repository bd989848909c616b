//! The check: client histories against the truth.
//!
//! Streaming: one entry at a time, so memory grows with clients × channels and the distinct events
//! of the run, not with deliveries. `follow` is the state machine of one client and channel, this
//! file deals entries to it, `verdict` is what comes out.

mod follow;
mod missing;
mod verdict;

use std::collections::BTreeMap;
use std::io::Read;

pub use verdict::{Cost, Property, Totals, Verdict, Violation};

use crate::history::{Entry, HistoryError, Reader};
use crate::limits;
use crate::place::Place;
use crate::truth::Truth;
use follow::{Came, Follow, Told};

/// Judges histories one after the other.
#[derive(Debug)]
pub struct Checker<'a> {
    truth: &'a Truth,
    totals: Totals,
    counts: BTreeMap<Property, u64>,
    kinds: BTreeMap<String, u64>,
    samples: Vec<Violation>,
}

/// One client on its way through its history.
struct Client<'a> {
    name: &'a str,
    channels: Vec<Option<(String, Follow)>>,
    session: u32,
    node: String,
    slow: bool,
}

impl<'a> Checker<'a> {
    /// A judge that knows the truth. What is wrong with the log itself is told at once.
    #[must_use]
    pub fn new(truth: &'a Truth) -> Self {
        let (counts, kinds) = (BTreeMap::new(), BTreeMap::new());
        let totals = Totals::default();
        let mut checker = Self { truth, totals, counts, kinds, samples: Vec::new() };
        for finding in truth.findings() {
            checker.violation(Violation {
                property: finding.property,
                client: "the log".into(),
                channel: finding.channel.clone(),
                place: finding.place,
                session: 0,
                node: String::new(),
                at: 0,
                detail: finding.detail.clone(),
            });
        }
        checker
    }

    /// Judges one client's history.
    ///
    /// # Errors
    /// The file is broken.
    pub fn history(&mut self, name: &str, from: impl Read) -> Result<(), HistoryError> {
        let reader = Reader::new(from)?;
        let channels = Vec::new();
        let mut client = Client { name, channels, session: 0, node: String::new(), slow: false };
        self.totals.clients += 1;
        for entry in reader {
            self.entry(&mut client, entry?);
        }
        for channel in 0..client.channels.len() {
            self.with(&mut client, channel as u32, 0, |follow, _, told| follow.lost(told));
        }
        Ok(())
    }

    /// Everything judged.
    #[must_use]
    pub fn finish(self) -> Verdict {
        let mut verdict = Verdict::new(self.totals, self.counts, self.samples, self.truth);
        verdict.kinds = self.kinds;
        verdict
    }

    fn entry(&mut self, client: &mut Client<'_>, entry: Entry) {
        match entry {
            Entry::Name { channel, name } => self.name(client, channel, name),
            Entry::Open { node, .. } => {
                self.totals.sessions += 1;
                client.session += 1;
                client.node = node;
                client.channels.iter_mut().flatten().for_each(|(_, follow)| follow.open());
            }
            Entry::Subscribe { channel, from } => {
                self.totals.resumes += u64::from(from.is_some());
                self.with(client, channel, 0, |follow, _, _| follow.subscribe(from));
            }
            Entry::Acknowledged { channel, place, resumed } => {
                self.with(client, channel, 0, |follow, _, _| follow.acknowledged(place, resumed));
            }
            Entry::Refused { code, .. } => *self.totals.refused.entry(code).or_insert(0) += 1,
            Entry::Snapshot { channel, place, state, shown, reset, at } => {
                self.totals.snapshots += 1;
                self.with(client, channel, at, |follow, truth, told| {
                    follow.snapshot(truth, place, (state, shown), reset, told);
                });
            }
            Entry::Event { channel, place, prev, n, hash, state, at } => {
                self.totals.deliveries += 1;
                self.totals.merged += u64::from(n > 1);
                let came = Came { place, prev, n, hash, state };
                self.with(client, channel, at, |follow, truth, told| {
                    follow.event(truth, came, told);
                });
            }
            Entry::Gap { channel, epoch, from, to, at, .. } => {
                self.totals.gaps += 1;
                self.with(client, channel, at, |follow, truth, told| {
                    follow.gap(truth, (epoch, from, to), told);
                });
            }
            Entry::Strange { why, at } => {
                let found = (Property::Strange, Place::default(), why);
                self.violation(client.violation("", at, found));
            }
            Entry::Slow { .. } => client.slow = true,
            Entry::Closed { code, .. } => *self.totals.closes.entry(code).or_insert(0) += 1,
            Entry::End { at, healthy } => self.end(client, at, healthy),
        }
    }

    fn name(&mut self, client: &mut Client<'_>, channel: u32, name: String) {
        let at = channel as usize;
        if at < limits::CHANNELS_MAX {
            if client.channels.len() <= at {
                client.channels.resize_with(at + 1, || None);
            }
            let follow = Follow::new(&name);
            client.channels[at] = Some((name, follow));
        }
    }

    fn end(&mut self, client: &mut Client<'_>, at: u64, healthy: bool) {
        self.totals.healthy += u64::from(healthy);
        self.totals.slow += u64::from(client.slow);
        if healthy {
            for channel in 0..client.channels.len() {
                self.with(client, channel as u32, at, Follow::end);
            }
        }
    }

    /// Gives a channel's state machine its entry, and keeps what it tells.
    fn with(
        &mut self,
        client: &mut Client<'_>,
        channel: u32,
        at: u64,
        act: impl FnOnce(&mut Follow, &Truth, &mut Told),
    ) {
        let mut told = Told::default();
        let Some(Some((_, follow))) = client.channels.get_mut(channel as usize) else {
            let why = format!("the history names no channel {channel}");
            return self.violation(client.violation(
                "",
                at,
                (Property::Strange, Place::default(), why),
            ));
        };
        act(follow, self.truth, &mut told);
        if told.jumped {
            *if client.slow { &mut self.totals.resets_slow } else { &mut self.totals.resets } += 1;
        }
        self.totals.unverifiable += told.unverifiable;
        self.totals.windows_again += told.windows_again;
        for found in told.found {
            let name = client.channels.get(channel as usize).and_then(Option::as_ref);
            let name = name.map_or("", |(name, _)| name).to_owned();
            self.violation(client.violation(&name, at, found));
        }
    }

    fn violation(&mut self, violation: Violation) {
        let kind = format!("{:?} on {}", violation.property, kind(&violation.channel));
        *self.kinds.entry(kind).or_insert(0) += 1;
        let count = self.counts.entry(violation.property).or_insert(0);
        *count += 1;
        if *count <= limits::SAMPLES_MAX as u64 {
            self.samples.push(violation);
        }
    }
}

/// `trade`, `book@250ms`: what tells one cause from another before a single line is read.
fn kind(channel: &str) -> String {
    let kind = channel.split(':').next().unwrap_or_default();
    match channel.split_once('@') {
        Some((_, interval)) => format!("{kind}@{interval}"),
        None => kind.to_owned(),
    }
}

impl Client<'_> {
    fn violation(&self, channel: &str, at: u64, found: follow::Found) -> Violation {
        let (property, place, detail) = found;
        Violation {
            property,
            client: self.name.to_owned(),
            channel: channel.to_owned(),
            place,
            session: self.session,
            node: self.node.clone(),
            at,
            detail,
        }
    }
}
