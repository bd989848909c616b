//! Starting channels: names and patterns → wants, and seeds → the acknowledgement.

use fantail_model::{Channel, ChannelError, Kind, Pattern, Position};
use fantail_wire::client::{Ack, Id, Refusal, Reply, SubscribeItem};
use fantail_wire::codes::Code;

use super::commands::Context;
use super::directory::{Directory, Resolved};
use super::state::{Action, SessionState, Waiting};
use super::subscriptions::{Phase, Subscription};
use crate::group::ChannelInfo;
use crate::link::WantItem;
use crate::seed::{Seed, Seeds};

impl SessionState {
    /// A subscribe command. It is acknowledged when all its seeds are here.
    pub(super) fn subscribe(
        &mut self,
        id: Option<Id>,
        channels: Vec<SubscribeItem>,
        context: &Context<'_>,
        actions: &mut Vec<Action>,
    ) {
        let token = self.take_token();
        let (mut items, mut errors) = (Vec::new(), Vec::new());
        for item in channels {
            if let Err((code, message)) = self.start(&item, token, context.directory, &mut items) {
                errors.push(Refusal { channel: item.channel, code, message });
            }
        }
        if !errors.is_empty() {
            self.abused(context.now, actions);
        }
        if items.is_empty() {
            let channels = Vec::new();
            actions.push(Action::Reply(Reply::Subscribed { id, channels, errors }));
            return;
        }
        self.waiting.push(Waiting { token, id, errors, silent: false });
        actions.push(Action::Want { token, items });
    }

    fn take_token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    fn start(
        &mut self,
        item: &SubscribeItem,
        token: u64,
        directory: &Directory,
        items: &mut Vec<WantItem>,
    ) -> Result<(), (Code, String)> {
        let pattern: Pattern = item
            .channel
            .parse()
            .map_err(|error: ChannelError| (Code::InvalidChannel, error.to_string()))?;
        if !self.identity.permission.allows_some(&pattern) {
            return Err((Code::Forbidden, "the credentials do not cover this channel".into()));
        }
        if pattern.is_wildcard() {
            return self.start_pattern(pattern, item, token, directory, items);
        }
        let channel = pattern.channel().ok_or((Code::InvalidChannel, "no channel name".into()))?;
        let ch = match directory.resolve(&channel) {
            Resolved::Number(ch) => ch,
            Resolved::NotDerived => return Err(not_derived(directory)),
            Resolved::Unknown => return Err(not_served(&channel)),
        };
        let (from, history) = (item.from, item.history);
        let want = WantItem { ch, from, history, repeat: false, reset: false };
        match self.held.get_mut(ch) {
            Some(held) => {
                held.explicit = true;
                if held.phase == (Phase::Waiting { token }) {
                    // Named twice in one command: it is started and acknowledged once.
                    return Ok(());
                }
                items.push(WantItem { repeat: true, from: None, history: None, ..want });
            }
            None => {
                self.check_room(1)?;
                let phase = Phase::Waiting { token };
                self.held.add(Subscription { ch, explicit: true, phase });
                items.push(want);
            }
        }
        Ok(())
    }

    fn start_pattern(
        &mut self,
        pattern: Pattern,
        item: &SubscribeItem,
        token: u64,
        directory: &Directory,
        items: &mut Vec<WantItem>,
    ) -> Result<(), (Code, String)> {
        if item.from.is_some() {
            let message = "a pattern cannot resume; name each channel with its own from";
            return Err((Code::BadRequest, message.into()));
        }
        if pattern.interval().is_some_and(|interval| !directory.has_interval(interval)) {
            return Err(not_derived(directory));
        }
        let matched: Vec<u32> = directory
            .matching(&pattern)
            .filter(|(_, channel)| self.identity.permission.allows(channel))
            .map(|(ch, _)| ch)
            .collect();
        self.check_room(matched.iter().filter(|ch| self.held.get(**ch).is_none()).count())?;
        let phase = Phase::Waiting { token };
        for ch in matched {
            if self.held.get(ch).is_some_and(|held| held.phase == phase) {
                continue;
            }
            let repeat = self.held.get(ch).is_some();
            self.held.add(Subscription { ch, explicit: false, phase });
            let history = item.history;
            items.push(WantItem { ch, from: None, history, repeat, reset: false });
        }
        if !self.patterns.contains(&pattern) {
            self.patterns.push(pattern);
        }
        Ok(())
    }

    fn check_room(&self, more: usize) -> Result<(), (Code, String)> {
        let (held, limit) = (self.held.len() + self.patterns.len(), self.limits.channels as usize);
        if held + more <= limit {
            return Ok(());
        }
        let message = format!(
            "the session holds {held} channels and patterns, {more} more would exceed its limit of \
             {limit}; unsubscribe some, or open another session"
        );
        Err((Code::LimitExceeded, message))
    }

    /// A base channel appeared: sessions whose patterns match it get it without asking.
    pub(crate) fn appeared(&mut self, info: &ChannelInfo, directory: &Directory) -> Option<Action> {
        let meant = self.patterns.iter().filter_map(|held| directory.derived_for(held, info));
        let permitted = meant.filter(|(_, channel)| self.identity.permission.allows(channel));
        let wanted: Vec<u32> =
            permitted.map(|(ch, _)| ch).filter(|ch| self.held.get(*ch).is_none()).collect();
        if wanted.is_empty() || self.check_room(wanted.len()).is_err() {
            return None;
        }
        let token = self.take_token();
        let phase = Phase::Waiting { token };
        let (from, history, repeat, reset) = (None, None, false, false);
        let mut items = Vec::with_capacity(wanted.len());
        for ch in wanted {
            self.held.add(Subscription { ch, explicit: false, phase });
            items.push(WantItem { ch, from, history, repeat, reset });
        }
        self.waiting.push(Waiting { token, id: None, errors: Vec::new(), silent: false });
        Some(Action::Want { token, items })
    }

    /// Whether it holds a channel of which nothing may be lost.
    pub(crate) fn holds_trades(&self, directory: &Directory) -> bool {
        let trades = |ch| directory.channel(ch).is_none_or(|c| c.kind == Kind::Trade);
        self.held.iter().any(|held| trades(held.ch))
    }

    /// Whether such a channel flows.
    pub(crate) fn is_sent_trades(&self, directory: &Directory) -> bool {
        let trades = |ch| directory.channel(ch).is_none_or(|c| c.kind == Kind::Trade);
        let is_live = |held: &Subscription| matches!(held.phase, Phase::Live { .. });
        self.held.iter().any(|held| is_live(held) && trades(held.ch))
    }

    /// Whether some command waits for its seeds.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The session fell out of the backlog. With trades it cannot go on without a loss; otherwise
    /// every channel starts again with a state that replaces what the client holds.
    pub(crate) fn start_again(&mut self, directory: &Directory) -> Option<Action> {
        if self.holds_trades(directory) {
            return None;
        }
        let token = self.take_token();
        let (from, history, repeat, reset) = (None, None, false, true);
        let item = |ch| WantItem { ch, from, history, repeat, reset };
        // What still waits for its first seed lost nothing, and must be acknowledged first.
        let live = |held: &&Subscription| matches!(held.phase, Phase::Live { .. });
        let started: Vec<u32> = self.held.iter().filter(live).map(|held| held.ch).collect();
        for ch in &started {
            if let Some(held) = self.held.get_mut(*ch) {
                held.phase = Phase::Waiting { token };
            }
        }
        let items = started.into_iter().map(item).collect();
        self.waiting.push(Waiting { token, id: None, errors: Vec::new(), silent: true });
        Some(Action::Want { token, items })
    }

    /// The tail's answer: the acknowledgement, and the seeds that are still wanted. `reached` is
    /// where the session stands in a channel it holds, if that is not the tail's own place.
    pub(crate) fn seeded<'a>(
        &mut self,
        seeds: &'a Seeds,
        directory: &Directory,
        reached: impl Fn(u32) -> Option<Position>,
    ) -> Option<(Option<Reply>, Vec<&'a Seed>)> {
        let at = self.waiting.iter().position(|waiting| waiting.token == seeds.token)?;
        let Waiting { id, mut errors, silent, .. } = self.waiting.remove(at);
        // Most sessions wait once in their life: nothing is kept for it.
        self.waiting.shrink_to_fit();
        let (mut channels, mut joins) = (Vec::new(), Vec::new());
        for seed in &seeds.seeds {
            match seed {
                Ok(seed) => {
                    match self.held.get(seed.ch).map(|held| held.phase) {
                        Some(Phase::Waiting { token }) if token == seeds.token => {
                            channels.push(ack(seed, directory));
                            joins.push(seed);
                        }
                        // The tail is at its head; a session that is behind is not.
                        Some(Phase::Live { .. }) => {
                            let position = reached(seed.ch).or(seed.position);
                            channels.push(ack_at(seed, position, directory));
                        }
                        // Unsubscribed meanwhile, and perhaps subscribed again: then a newer seed
                        // is on its way, and its acknowledgement is the one that counts.
                        Some(Phase::Waiting { .. }) | None => {}
                    }
                }
                Err((ch, code)) => {
                    let channel = directory.name(*ch);
                    let waiting = Phase::Waiting { token: seeds.token };
                    if self.held.get(*ch).is_some_and(|held| held.phase == waiting) {
                        self.held.remove(*ch);
                    }
                    errors.push(Refusal { channel, code: *code, message: explain(*code) });
                }
            }
        }
        let reply = (!silent).then_some(Reply::Subscribed { id, channels, errors });
        Some((reply, joins))
    }
}

fn ack(seed: &Seed, directory: &Directory) -> Ack {
    ack_at(seed, seed.position, directory)
}

fn ack_at(seed: &Seed, position: Option<Position>, directory: &Directory) -> Ack {
    Ack {
        channel: directory.name(seed.ch),
        ch: seed.ch,
        epoch: position.map(|position| position.epoch),
        seq: position.map(|position| position.seq),
        resumed: seed.resumed,
    }
}

fn not_served(channel: &Channel) -> (Code, String) {
    if matches!(channel.kind, Kind::Funding | Kind::Cbbo) {
        return (Code::Unsupported, "in the grammar, but not served by this node yet".into());
    }
    let message = "nobody publishes this channel here; GET /v1/instruments lists what there is";
    (Code::UnknownChannel, message.into())
}

fn not_derived(directory: &Directory) -> (Code, String) {
    (Code::Unsupported, format!("this node derives {}", directory.intervals()))
}

fn explain(code: Code) -> String {
    match code {
        Code::PositionUnknown => {
            "no node told that position, or this one has not reached it within 5 s; subscribe again \
             without from"
        }
        Code::Overloaded => {
            "this node has only begun to read the channel's partition of the bus, and the bus did not \
             answer within 10 s; subscribe again"
        }
        _ => "the channel cannot be started",
    }
    .into()
}
