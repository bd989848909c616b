//! The channels one session holds, sorted by number.

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its seed is on the way, asked for with this token.
    Waiting { token: u64 },
    /// It is a member of the shard's index at `slot`, due from batch number `since`.
    Live { slot: u32, since: u64 },
}

/// One held channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    pub(crate) ch: u32,
    /// Named by the client itself, not only matched by a pattern.
    pub(crate) explicit: bool,
    pub(crate) phase: Phase,
}

/// A session's channels.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    fn place(&self, ch: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&ch, |held| held.ch)
    }

    pub(crate) fn get(&self, ch: u32) -> Option<&Subscription> {
        self.place(ch).ok().map(|at| &self.0[at])
    }

    pub(crate) fn get_mut(&mut self, ch: u32) -> Option<&mut Subscription> {
        self.place(ch).ok().map(|at| &mut self.0[at])
    }

    /// Adds a channel that is not held.
    pub(crate) fn add(&mut self, subscription: Subscription) {
        if let Err(at) = self.place(subscription.ch) {
            if self.0.is_empty() {
                // Many sessions hold one channel; a vector would begin with room for four.
                self.0.reserve_exact(1);
            }
            self.0.insert(at, subscription);
        }
    }

    pub(crate) fn remove(&mut self, ch: u32) -> Option<Subscription> {
        self.place(ch).ok().map(|at| self.0.remove(at))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.0.iter()
    }

    /// Whether anything flows.
    pub(crate) fn is_any_live(&self) -> bool {
        self.0.iter().any(|held| matches!(held.phase, Phase::Live { .. }))
    }

    /// Whether batch number `batch` is due on channel `ch`.
    pub(crate) fn is_due(&self, ch: u32, batch: u64) -> bool {
        matches!(self.get(ch), Some(Subscription { phase: Phase::Live { since, .. }, .. })
            if *since <= batch)
    }
}
