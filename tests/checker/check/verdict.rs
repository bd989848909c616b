//! What the checker found, as text for people and JSON for scripts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::place::Place;
use crate::truth::{Figures, Truth};

/// What must hold; each name is what it is called when it doesn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// Delivered, but the bus holds no such event, or nobody asked for its channel.
    Phantom,
    /// Same place, other content than the bus has.
    Inconsistent,
    /// Out of order.
    Nonmonotonic,
    /// Came again, in a session or across a resume.
    Duplicate,
    /// A jump that was not told.
    Skip,
    /// Told to be missing although the bus has all of it, or it came, or it never was.
    FalseGap,
    /// Never came and was never told.
    Lost,
    /// A healthy client that is not level with the bus at the end.
    Unseen,
    /// A state that is not what the bus has at that place.
    SnapshotMismatch,
    /// The log misses events of an epoch.
    LogHole,
    /// Two records of one place that differ: two owners spoke with one epoch.
    Interleaved,
    /// Trades missing between feed and bus without a `venue_gap`.
    FeedSilent,
    /// A message no client of the protocol can read.
    Strange,
}

/// One thing that should not have been.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// Which property it breaks.
    pub property: Property,
    /// Whose history.
    pub client: String,
    /// Which channel.
    pub channel: String,
    /// Where in it.
    #[serde(flatten)]
    pub place: Place,
    /// Which of the client's sessions, from 1.
    pub session: u32,
    /// At which node.
    pub node: String,
    /// When, in microseconds of the wall clock; 0 where it has no time.
    pub at: u64,
    /// How it shows.
    pub detail: String,
}

/// How much was judged.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Logical clients.
    pub clients: u64,
    /// Those that had to be level at the end.
    pub healthy: u64,
    /// Those that were slow on purpose at some time.
    pub slow: u64,
    /// Sessions of all clients.
    pub sessions: u64,
    /// Channels resumed from a place.
    pub resumes: u64,
    /// Events delivered.
    pub deliveries: u64,
    /// Of these, messages that stood for several events.
    pub merged: u64,
    /// States delivered.
    pub snapshots: u64,
    /// Gaps told.
    pub gaps: u64,
    /// States marked `reset` that took the place of events, of clients that were never slow.
    pub resets: u64,
    /// The same, of clients that had been slow.
    pub resets_slow: u64,
    /// Subscriptions refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Messages of derived channels that told a joiner what its seed had told already: the window it
    /// came into ended without another event. Clients leave them aside by `last < seq`.
    pub windows_again: u64,
    /// Deliveries older than what the dump holds.
    pub unverifiable: u64,
    /// Ends of sessions by close code; 0 is a connection that just ended.
    pub closes: BTreeMap<u16, u64>,
}

/// The outcome.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Nothing was found.
    pub clean: bool,
    /// Violations by property.
    pub violations: BTreeMap<Property, u64>,
    /// The same by property and kind of channel.
    pub kinds: BTreeMap<String, u64>,
    /// The first of each property.
    pub samples: Vec<Violation>,
    /// How much was judged.
    pub totals: Totals,
    /// What the bus held.
    pub bus: Figures,
    /// Trades between feed and bus.
    pub feed: crate::truth::FeedFigures,
    /// What judging took.
    pub checker: Cost,
}

/// What judging took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// From the first byte to the verdict.
    pub seconds: f64,
    /// The most memory the process ever held, where the system tells.
    pub memory_bytes_max: Option<u64>,
}

impl Verdict {
    pub(super) fn new(
        totals: Totals,
        mut violations: BTreeMap<Property, u64>,
        mut samples: Vec<Violation>,
        truth: &Truth,
    ) -> Self {
        let (bus, feed) = (truth.figures(), truth.feed.figures);
        if feed.silent > 0 {
            violations.insert(Property::FeedSilent, feed.silent);
            samples.extend(truth.feed.silent.iter().map(|detail| Violation {
                property: Property::FeedSilent,
                client: "the log".into(),
                channel: String::new(),
                place: Place::default(),
                session: 0,
                node: String::new(),
                at: 0,
                detail: detail.clone(),
            }));
        }
        let checker = Cost::default();
        let (clean, kinds) = (violations.is_empty(), BTreeMap::new());
        Self { clean, violations, kinds, samples, totals, bus, feed, checker }
    }

    /// How often a property was broken.
    #[must_use]
    pub fn count(&self, property: Property) -> u64 {
        self.violations.get(&property).copied().unwrap_or(0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { clients, healthy, slow, sessions, resumes, .. } = &self.totals;
        let Totals { deliveries, merged, snapshots, gaps, resets, .. } = &self.totals;
        writeln!(
            f,
            "clients    {clients} ({healthy} healthy at the end, {slow} slowed on purpose)"
        )?;
        writeln!(f, "sessions   {sessions}, {resumes} channels resumed")?;
        writeln!(f, "delivered  {deliveries} events ({merged} merged), {snapshots} states")?;
        let (resets_slow, refused) = (self.totals.resets_slow, &self.totals.refused);
        writeln!(
            f,
            "told       {gaps} gaps, {resets} resets ({resets_slow} to slow ones), refusals {refused:?}"
        )?;
        writeln!(f, "closes     {:?}", self.totals.closes)?;
        let Figures { events, channels, epochs, fenced, repeated, .. } = self.bus;
        writeln!(
            f,
            "bus        {events} events of {channels} channels in {epochs} epochs, \
             {fenced} behind the fence, {repeated} written twice"
        )?;
        let crate::truth::FeedFigures { trades, told, silent, again } = self.feed;
        writeln!(
            f,
            "feed       {trades} trades, {told} missing and told, {silent} missing in silence, \
             {again} again"
        )?;
        if let Some(bytes) = self.checker.memory_bytes_max {
            let (seconds, mib) = (self.checker.seconds, bytes >> 20);
            writeln!(f, "judged     in {seconds:.1} s, at most {mib} MiB")?;
        }
        for sample in &self.samples {
            writeln!(f, "  {sample}")?;
        }
        for (kind, count) in &self.kinds {
            writeln!(f, "  {kind}: {count}")?;
        }
        write!(f, "verdict    {}", if self.clean { "CLEAN" } else { "VIOLATED" })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { property, client, channel, place, session, node, detail, .. } = self;
        write!(
            f,
            "{property:?}: {client} session {session} at {node}: {channel} epoch {} seq {}: {detail}",
            place.epoch, place.seq
        )
    }
}
