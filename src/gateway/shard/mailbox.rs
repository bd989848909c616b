//! What the tail says, taken strictly in order: batches that wait together are flushed together,
//! anything else only after the batches before it.

use std::collections::HashMap;
use std::sync::Arc;

use fantail_model::Position;
use fantail_wire::client::Reply;

use super::Shard;
use super::intake::Intake;
use super::log::Log;
use super::socket::Session;
use crate::group::Batch;
use crate::limits;
use crate::link::{Missed, ToShard, ToTail};
use crate::seed::{Part, Seed, Seeds, SessionKey};
use crate::session::subscriptions::Phase;

impl Shard {
    pub(super) async fn take_mail(&mut self, first: ToShard, intake: &mut Intake) {
        self.feel(&first);
        let mut batches: Vec<Arc<Batch>> = Vec::new();
        let mut message = Some(first);
        // Bounded by messages, not batches: seeds between batches must not make the turn endless.
        let mut left = limits::FLUSH_BATCHES_MAX;
        while let Some(mail) = message {
            match mail {
                ToShard::Batch(batch) => batches.push(batch),
                other => {
                    self.flush_waiting(&mut batches, intake).await;
                    self.take_other(other);
                }
            }
            left -= 1;
            if left == 0 {
                break;
            }
            message = intake.mail.try_next();
        }
        self.flush_waiting(&mut batches, intake).await;
    }

    async fn flush_waiting(&mut self, batches: &mut Vec<Arc<Batch>>, intake: &mut Intake) {
        if !batches.is_empty() {
            self.flush(batches, intake).await;
            batches.clear();
        }
    }

    /// Between two chunks of a flush, so that newcomers don't wait for ten thousand others: sockets
    /// that arrive, and starts that stand before the tail's next batch. What the running flush still
    /// owes a socket was published before its start, and goes first.
    pub(super) fn serve_newcomers(&mut self, intake: &mut Intake) {
        self.open_arrivals(intake);
        for _ in 0..limits::SEEDS_PER_CHUNK {
            match intake.mail.try_next() {
                Some(ToShard::Seeds(seeds)) => {
                    self.flush_session(seeds.session.slot);
                    self.take_seeds(&seeds);
                }
                Some(other) => return intake.mail.hold(other),
                None => return,
            }
        }
    }

    fn take_other(&mut self, message: ToShard) {
        match message {
            ToShard::Batch(_) => {}
            ToShard::Channel(info) => {
                self.directory.add(Arc::clone(&info));
                let slots: Vec<usize> = self.sessions.iter().map(|(slot, _)| slot).collect();
                for slot in slots {
                    let Some(session) = self.sessions.get_mut(slot) else { continue };
                    if session.closing.is_none()
                        && let Some(action) = session.state.appeared(&info, &self.directory)
                    {
                        self.act(slot, vec![action]);
                    }
                }
            }
            ToShard::Seeds(seeds) => self.take_seeds(&seeds),
            ToShard::Stale { channels, reason } => {
                for &ch in channels.iter() {
                    let (channel, reason) = (self.directory.name(ch), reason.to_owned());
                    self.tell_members(ch, &Reply::Stale { channel, ch, reason });
                }
            }
            ToShard::Missed { missed, reason } => {
                for &Missed { ch, epoch, from, to } in missed.iter() {
                    let (channel, to, reason) = (self.directory.name(ch), Some(to), reason.into());
                    self.tell_members(ch, &Reply::Gap { channel, ch, epoch, from, to, reason });
                }
            }
            ToShard::Lost => self.lose_place(),
        }
    }

    /// The acknowledgement, then each channel's start; from the next batch on it is due.
    fn take_seeds(&mut self, seeds: &Seeds) {
        self.unpark(seeds);
        let slot = seeds.session.slot;
        let wanted = self.sessions.get_mut(slot).filter(|session| {
            session.generation == seeds.session.generation && session.closing.is_none()
        });
        let Some(session) = wanted else {
            self.strain.repay(seeds.lent_bytes);
            self.desert_unwanted(seeds);
            return;
        };
        session.lent_bytes += seeds.lent_bytes;
        let reached = place_behind(&self.log, session, seeds);
        let reached = |ch| reached.get(&ch).copied();
        let seeded = session.state.seeded(seeds, &self.directory, reached);
        let Some((reply, joins)) = seeded else { return self.settle(slot) };
        let since = self.log.next();
        if let Some(reply) = reply {
            let reply = self.encoder.reply(session.kind.encoding, &reply);
            session.outbox.push_own(reply);
        }
        for seed in &joins {
            for part in &seed.parts {
                match part {
                    Part::Snapshot(snapshot) => {
                        let frame = snapshot.frame(session.kind, &mut self.encoder);
                        session.outbox.push_shared(frame);
                    }
                    Part::Group(group) => session.outbox.push_group(Arc::clone(group)),
                    Part::Gap(gap) | Part::Notice(gap) => {
                        session.outbox.push_own(self.encoder.reply(session.kind.encoding, gap));
                    }
                }
            }
            let place = self.index.join(seed.ch, session.kind, slot);
            if let Some(held) = session.state.held.get_mut(seed.ch) {
                held.phase = Phase::Live { slot: place, since };
            }
        }
        self.metrics.seeded(joins.len(), joins.iter().filter(|seed| seed.resumed).count());
        self.settle(slot);
        self.pump(slot);
        self.desert_unwanted(seeds);
    }

    /// Seeds that were on the way are here.
    fn unpark(&mut self, seeds: &Seeds) {
        let SessionKey { slot, generation } = seeds.session;
        let is_it = |one: &Session| one.generation == generation && one.closing.is_none();
        let is_here = self.sessions.get(slot).is_some_and(is_it);
        if generation <= self.lost_generation && !is_here {
            // Nobody counts on them since all that waited was given up.
            return;
        }
        for seed in &seeds.seeds {
            let ch = seed.as_ref().map_or_else(|(ch, _)| *ch, |seed| seed.ch);
            if let Some(count) = self.parked.get_mut(&ch) {
                *count -= 1;
                if *count == 0 {
                    self.parked.remove(&ch);
                }
            }
        }
    }

    /// The tail set our interest for each seed; where nobody joined, it has to be taken back.
    fn desert_unwanted(&mut self, seeds: &Seeds) {
        for Seed { ch, .. } in seeds.seeds.iter().flatten() {
            self.desert_if_empty(*ch);
        }
    }

    pub(super) fn desert_if_empty(&mut self, ch: u32) {
        if self.index.members(ch).is_none_or(|members| members.is_empty()) {
            self.deserted.push_back((ch, self.clock.monotonic()));
        }
    }

    /// Tells everyone subscribed to a channel a fact about it.
    fn tell_members(&mut self, ch: u32, fact: &Reply) {
        let Some(members) = self.index.members(ch) else { return };
        let mut due = Vec::new();
        for (kind, slots) in members.kinds() {
            let frame = self.encoder.reply(kind.encoding, fact);
            due.extend(slots.iter().map(|slot| (*slot as usize, frame.clone())));
        }
        for (slot, frame) in due {
            self.send_own(slot, frame);
        }
    }

    /// Hands requests to the tail, in order; what has no room waits for the next turn.
    pub(super) fn send_requests(&mut self) {
        while let Some(request) = self.unsent.pop_front() {
            if let Err(back) = self.tail.send(request) {
                self.unsent.push_front(back);
                return;
            }
        }
    }

    /// Queues a request behind those that wait.
    pub(super) fn request(&mut self, request: ToTail) {
        if let ToTail::Want { items, .. } = &request {
            for item in items {
                *self.parked.entry(item.ch).or_insert(0) += 1;
            }
        }
        self.unsent.push_back(request);
        self.send_requests();
    }
}

/// Where a session that is behind stands in each channel it is still due something of: a repeated
/// subscription is acknowledged with that, and what follows continues it.
fn place_behind(log: &Log, session: &Session, seeds: &Seeds) -> HashMap<u32, Position> {
    let mut places = HashMap::new();
    let Some((cursor, _)) = session.behind else { return places };
    let is_live = |ch| {
        let held = session.state.held.get(ch);
        held.is_some_and(|held| matches!(held.phase, Phase::Live { .. }))
    };
    if !seeds.seeds.iter().flatten().any(|seed| is_live(seed.ch)) {
        return places;
    }
    for number in cursor..log.next() {
        let Some(batch) = log.get(number) else { continue };
        for group in &batch.groups {
            if session.state.held.is_due(group.info.ch, number) {
                places.entry(group.info.ch).or_insert_with(|| group.before());
            }
        }
    }
    places
}
