//! The fan-out loop: batches in, one write per socket out.
//!
//! A plan is made first (which socket is due which groups, in order), then sockets are written in
//! chunks with a rotating start. A healthy session of one channel is sent the group's shared
//! buffer itself; one that is due several gets a scratch copy, in order, in one `send`. Only a
//! socket that does not take everything stores something. Where io_uring is in use, `together` makes
//! the sends of a chunk in one call.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use fantail_model::{Kind, Micros};

use super::Shard;
use super::index::Members;
use super::intake::Intake;
use super::socket::{End, NONE, Written};
use crate::group::{Batch, Group};
use crate::kind::FrameKind;
use crate::limits;
use crate::merge::merge;

/// One group due to one socket; entries of a socket are linked in order.
#[derive(Debug, Clone, Copy)]
struct Due {
    group: u32,
    next: u32,
}

/// What a socket is owed by the running plan, as one run of bytes.
#[derive(Debug, Clone)]
pub(crate) struct Owed {
    pub(crate) slot: usize,
    /// Its first entry in the plan.
    head: u32,
    kind: FrameKind,
    /// Its place in the scratch; none if a group's shared frames are all of it.
    copy: Option<Range<usize>>,
}

impl Owed {
    /// The bytes, shared or in the scratch they were copied to.
    pub(crate) fn bytes<'a>(&self, plan: &'a Plan, scratch: &'a [u8]) -> &'a [u8] {
        match &self.copy {
            Some(copy) => scratch.get(copy.clone()).unwrap_or_default(),
            None => {
                let group = plan.dues[self.head as usize].group;
                plan.groups[group as usize].frames_made(self.kind)
            }
        }
    }
}

/// The running flush. Buffers are kept between flushes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    groups: Vec<Arc<Group>>,
    dues: Vec<Due>,
    touched: Vec<u32>,
    next: usize,
}

impl Plan {
    fn clear(&mut self) {
        self.groups.clear();
        self.dues.clear();
        self.touched.clear();
        self.next = 0;
    }

    fn link(&mut self, head: &mut u32, tail: &mut u32, group: u32) -> bool {
        let at = self.dues.len() as u32;
        self.dues.push(Due { group, next: NONE });
        let first = *head == NONE;
        match first {
            true => *head = at,
            false => self.dues[*tail as usize].next = at,
        }
        *tail = at;
        first
    }

    /// Whether two sockets are due the same groups.
    fn is_same(&self, one: u32, other: u32) -> bool {
        chain(self, one).eq(chain(self, other))
    }
}

impl Shard {
    /// Sends batches that arrived together to everyone who is due something of them.
    pub(super) async fn flush(&mut self, batches: &[Arc<Batch>], intake: &mut Intake) {
        self.plan_flush(batches);
        let events: usize = self.plan.groups.iter().map(|group| group.events.len()).sum();
        self.metrics.flushed(batches.len(), events);
        while self.flush_chunk() {
            // Accepts and handshakes are tasks of this runtime: they get their turns here.
            for _ in 0..limits::TURNS_PER_CHUNK {
                tokio::task::yield_now().await;
            }
            self.serve_newcomers(intake);
            self.serve_sockets();
            self.send_requests();
        }
        // Once per group and flush: nothing is paid for a delivery.
        let now = Micros(self.clock.wall_micros());
        for group in &self.plan.groups {
            self.metrics.lag_tail_to_socket(now.since(group.tx));
        }
        self.plan.clear();
        if self.behind == 0 {
            self.log.clear();
        }
    }

    /// Decides who is due what. Sessions that are behind get their cursor instead.
    fn plan_flush(&mut self, batches: &[Arc<Batch>]) {
        let mut plan = std::mem::take(&mut self.plan);
        plan.clear();
        let first = self.log.next();
        for batch in batches {
            self.log.push(Arc::clone(batch));
        }
        if self.is_overloaded(batches) {
            for group in self.conflate(batches) {
                self.plan_group(&mut plan, &group, first);
            }
        } else {
            for group in batches.iter().flat_map(|batch| &batch.groups) {
                self.plan_group(&mut plan, group, first);
            }
        }
        // Whoever was served first in the last flush is not first in this one.
        if !plan.touched.is_empty() {
            let shift = self.rotation % plan.touched.len();
            plan.touched.rotate_left(shift);
            self.rotation = self.rotation.wrapping_add(limits::FLUSH_CHUNK);
        }
        self.plan = plan;
    }

    fn plan_group(&mut self, plan: &mut Plan, group: &Arc<Group>, first: u64) {
        let Some(members) = self.index.members(group.info.ch) else { return };
        let at = plan.groups.len() as u32;
        plan.groups.push(Arc::clone(group));
        for (kind, slots) in members.kinds() {
            group.frames_ref(kind, &mut self.encoder);
            for &slot in slots {
                let Some(hot) = self.hot.get_mut(slot as usize) else { continue };
                if hot.level {
                    if plan.link(&mut hot.due_head, &mut hot.due_tail, at) {
                        plan.touched.push(slot);
                    }
                } else if let Some(session) = self.sessions.get_mut(slot as usize)
                    && session.behind.is_none()
                {
                    session.behind = Some((first, self.clock.monotonic()));
                    self.behind += 1;
                }
            }
        }
    }

    /// The oldest waiting batch is so old that sending each value makes everyone later still.
    fn is_overloaded(&self, batches: &[Arc<Batch>]) -> bool {
        batches.len() > 1 && self.age(batches) >= self.config.conflate_after
    }

    /// Under overload: each channel's waiting values as one; trades stay as they are.
    fn conflate(&mut self, batches: &[Arc<Batch>]) -> Vec<Arc<Group>> {
        let mut channels: Vec<Vec<Arc<Group>>> = Vec::new();
        let mut places: HashMap<u32, usize, foldhash::fast::RandomState> = HashMap::default();
        for group in batches.iter().flat_map(|batch| &batch.groups) {
            let place = *places.entry(group.info.ch).or_insert(channels.len());
            if place == channels.len() {
                channels.push(Vec::new());
            }
            channels[place].push(Arc::clone(group));
        }
        let mut groups = Vec::with_capacity(channels.len());
        for waiting in channels {
            let kind = waiting.first().map(|group| group.info.channel.kind);
            match merge(&waiting) {
                Some(merged) if kind != Some(Kind::Trade) => {
                    let events: usize = waiting.iter().map(|group| group.events.len()).sum();
                    let members = self.index.members(merged.info.ch).map_or(0, Members::count);
                    self.metrics.conflated((events - merged.events.len()) * members);
                    groups.push(merged);
                }
                _ => groups.extend(waiting),
            }
        }
        groups
    }

    /// Writes to the next chunk of sockets; false when all are done.
    fn flush_chunk(&mut self) -> bool {
        let (total, mut bytes) = (self.plan.touched.len(), 0);
        let end = (self.plan.next + limits::FLUSH_CHUNK).min(total);
        let together = end - self.plan.next >= limits::RING_SENDS_MIN && self.ring.is_some();
        // Nothing but this writes into the scratch before the chunk's end.
        let mut last = None;
        while self.plan.next < end && bytes < limits::FLUSH_CHUNK_BYTES {
            let slot = self.plan.touched[self.plan.next] as usize;
            self.plan.next += 1;
            let Some(owed) = self.take_owed(slot, &mut last) else { continue };
            bytes += owed.bytes(&self.plan, &self.scratch).len();
            match together {
                true => self.calls.add(owed),
                false => self.send_one(&owed),
            }
        }
        self.send_together();
        self.plan.next < total
    }

    /// Writes what the running plan owes one socket. Harmless when it owes nothing.
    pub(super) fn flush_session(&mut self, slot: usize) {
        if let Some(owed) = self.take_owed(slot, &mut None) {
            self.send_one(&owed);
        }
    }

    fn send_one(&mut self, owed: &Owed) {
        let Some(hot) = self.hot.get_mut(owed.slot) else { return };
        let outcome = hot.write(owed.bytes(&self.plan, &self.scratch));
        self.settle_owed(owed, outcome);
    }

    /// Takes what the plan owes one socket, to be written soon: as one run of bytes, in the scratch
    /// where several groups make it up. None when it owes nothing, or has queued it. `last` is what
    /// was copied last, while it is still there: sockets side by side mostly are due the same.
    fn take_owed(&mut self, slot: usize, last: &mut Option<Owed>) -> Option<Owed> {
        let hot = self.hot.get_mut(slot)?;
        let head = std::mem::replace(&mut hot.due_head, NONE);
        hot.due_tail = NONE;
        if head == NONE {
            return None;
        }
        let (level, kind) = (hot.level, FrameKind::at(usize::from(hot.kind)));
        self.metrics.delivered(dues(&self.plan, head).map(|group| group.events.len()).sum());
        let mut owed = Owed { slot, head, kind, copy: None };
        if !level {
            // A reply got stuck in front of it while the flush was under way.
            self.settle_owed(&owed, Written::Part(0));
            return None;
        }
        if self.plan.dues[head as usize].next != NONE {
            let same = |last: &&Owed| last.kind == kind && self.plan.is_same(last.head, head);
            owed.copy = last.as_ref().filter(same).and_then(|last| last.copy.clone());
            if owed.copy.is_none() {
                owed.copy = Some(self.copy(head, kind));
                *last = Some(owed.clone());
            }
        }
        self.metrics.written(owed.bytes(&self.plan, &self.scratch).len());
        Some(owed)
    }

    /// Copies the groups of one socket, in order, to where no send under way is reading.
    fn copy(&mut self, head: u32, kind: FrameKind) -> Range<usize> {
        if self.scratch.len() >= limits::RING_COPY_BYTES {
            self.send_together();
        }
        if self.calls.is_empty() {
            self.scratch.clear();
        }
        let start = self.scratch.len();
        for group in dues(&self.plan, head) {
            self.scratch.extend_from_slice(group.frames_made(kind));
        }
        start..self.scratch.len()
    }

    /// What becomes of a socket after a write of what it was owed.
    pub(super) fn settle_owed(&mut self, owed: &Owed, outcome: Written) {
        match outcome {
            Written::All => {}
            Written::Part(sent) => self.keep_dues(owed.slot, owed.head, sent),
            Written::Gone(how) => self.drop_session(owed.slot, &End::gone(how)),
        }
    }

    /// Queues references to what a socket did not take.
    fn keep_dues(&mut self, slot: usize, head: u32, sent: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        if session.closing.is_some() {
            return;
        }
        self.metrics.blocked();
        let was_empty = session.outbox.is_empty();
        for group in dues(&self.plan, head) {
            session.outbox.push_group(Arc::clone(group));
        }
        if was_empty {
            session.outbox.advance(sent, session.kind, &mut self.encoder);
        }
        self.settle(slot);
    }
}

/// The groups one socket is due, in order.
fn dues(plan: &Plan, head: u32) -> impl Iterator<Item = &Arc<Group>> {
    chain(plan, head).map(|group| &plan.groups[group as usize])
}

/// Their places in the plan.
fn chain(plan: &Plan, head: u32) -> impl Iterator<Item = u32> {
    let entry = |at: u32| (at != NONE).then(|| plan.dues[at as usize]);
    std::iter::successors(entry(head), move |due| entry(due.next)).map(|due| due.group)
}
