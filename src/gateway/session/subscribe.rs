//! Starting channels: names and patterns → wants, and seeds → the acknowledgement.

use fantail_model::{Channel, ChannelError, Kind, Pattern};
use fantail_wire::client::{Ack, Id, Refusal, Reply, SubscribeItem};
use fantail_wire::codes::Code;

use super::commands::Context;
use super::directory::Directory;
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
        self.waiting.push(Waiting { token, id, errors });
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
        let Some(ch) = directory.number(&item.channel) else {
            return Err(match pattern.channel() {
                Some(channel) => not_served(&channel),
                None => (Code::InvalidChannel, "not a channel name".into()),
            });
        };
        let want = WantItem { ch, from: item.from, history: item.history, repeat: false };
        match self.held.get_mut(ch) {
            Some(held) => {
                held.explicit = true;
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
        if let Some(interval) = pattern.interval() {
            return Err((Code::Unsupported, format!("@{interval} is not served yet")));
        }
        let matched: Vec<u32> = directory
            .matching(&pattern)
            .filter(|info| self.identity.permission.allows(&info.channel))
            .map(|info| info.ch)
            .collect();
        self.check_room(matched.iter().filter(|ch| self.held.get(**ch).is_none()).count())?;
        for ch in matched {
            let repeat = self.held.get(ch).is_some();
            let phase = Phase::Waiting { token };
            self.held.add(Subscription { ch, explicit: false, phase });
            items.push(WantItem { ch, from: None, history: item.history, repeat });
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

    /// A channel appeared: sessions whose patterns match it get it without asking.
    pub(crate) fn appeared(&mut self, info: &ChannelInfo) -> Option<Action> {
        let wanted = self.patterns.iter().any(|pattern| pattern.matches(&info.channel))
            && self.identity.permission.allows(&info.channel)
            && self.held.get(info.ch).is_none()
            && self.check_room(1).is_ok();
        if !wanted {
            return None;
        }
        let token = self.take_token();
        let phase = Phase::Waiting { token };
        self.held.add(Subscription { ch: info.ch, explicit: false, phase });
        self.waiting.push(Waiting { token, id: None, errors: Vec::new() });
        let item = WantItem { ch: info.ch, from: None, history: None, repeat: false };
        Some(Action::Want { token, items: vec![item] })
    }

    /// The tail's answer: the acknowledgement, and the seeds that are still wanted.
    pub(crate) fn seeded<'a>(
        &mut self,
        seeds: &'a Seeds,
        directory: &Directory,
    ) -> Option<(Reply, Vec<&'a Seed>)> {
        let at = self.waiting.iter().position(|waiting| waiting.token == seeds.token)?;
        let Waiting { id, mut errors, .. } = self.waiting.remove(at);
        let (mut channels, mut joins) = (Vec::new(), Vec::new());
        for seed in &seeds.seeds {
            match seed {
                Ok(seed) => {
                    let Some(held) = self.held.get(seed.ch) else { continue };
                    channels.push(ack(seed, directory));
                    // Unsubscribed and subscribed again meanwhile: a newer seed is on its way.
                    if held.phase == (Phase::Waiting { token: seeds.token }) {
                        joins.push(seed);
                    }
                }
                Err((ch, code)) => {
                    let channel = directory.name(*ch).to_owned();
                    let waiting = Phase::Waiting { token: seeds.token };
                    if self.held.get(*ch).is_some_and(|held| held.phase == waiting) {
                        self.held.remove(*ch);
                    }
                    errors.push(Refusal { channel, code: *code, message: explain(*code) });
                }
            }
        }
        Some((Reply::Subscribed { id, channels, errors }, joins))
    }
}

fn ack(seed: &Seed, directory: &Directory) -> Ack {
    Ack {
        channel: directory.name(seed.ch).to_owned(),
        ch: seed.ch,
        epoch: seed.position.map(|position| position.epoch),
        seq: seed.position.map(|position| position.seq),
        resumed: seed.resumed,
    }
}

fn not_served(channel: &Channel) -> (Code, String) {
    if channel.is_derived() || matches!(channel.kind, Kind::Funding | Kind::Cbbo) {
        return (Code::Unsupported, "in the grammar, but not served by this node yet".into());
    }
    let message = "nobody publishes this channel here; GET /v1/instruments lists what there is";
    (Code::UnknownChannel, message.into())
}

fn explain(code: Code) -> String {
    match code {
        Code::PositionUnknown => {
            "this node has not reached that position within 5 s; subscribe again without from"
        }
        _ => "the channel cannot be started",
    }
    .into()
}
