//! Answers what shards want: seeds made at one place in the stream.
//!
//! Interest is set in the same step that queues the seed, so the shard sees the seed at S, then
//! S+1, S+2 … in its mailbox. Commands that resume ahead of this node wait here, and so do those
//! whose position has to be read back from the bus first; both bounded in time and number.

use std::sync::Arc;
use std::time::Duration;

use fantail_model::{Micros, Position};
use fantail_wire::codes::Code;

use super::Tail;
use crate::limits;
use crate::link::{ToShard, ToTail, WantItem};
use crate::past::Past;
use crate::past::reader::Question;
use crate::seed::{Seed, Seeds, SessionKey};
use crate::store::resume::Start;

/// A command that waits.
pub(crate) struct Waiting {
    shard: usize,
    session: SessionKey,
    token: u64,
    pub(super) items: Vec<WantItem>,
    pub(super) since: Duration,
    /// What was read back for it, by base channel.
    pasts: Vec<(u32, Arc<Past>)>,
    /// How often reading back was asked for.
    reads: u32,
}

/// Where an item resumes.
fn place(item: &WantItem) -> Option<Position> {
    let from = item.from.as_ref().filter(|_| !item.repeat)?;
    Some(Position::new(from.epoch, from.seq))
}

impl Waiting {
    /// What was read back for an item of this base channel.
    fn past(&self, ch: u32, from: Position) -> Option<&Past> {
        let serves = |(of, past): &&(u32, Arc<Past>)| *of == ch && past.serves(from);
        self.pasts.iter().find(serves).map(|(_, past)| &**past)
    }
}

impl Tail {
    /// Answers what waits in the mailbox, bounded per cycle.
    pub(super) fn answer_requests(&mut self, now: Micros) {
        for _ in 0..limits::REQUESTS_PER_CYCLE {
            let Ok(request) = self.requests.try_recv() else { return };
            match request {
                ToTail::Want { shard, session, token, items } => {
                    let (since, pasts, reads) = (self.clock.monotonic(), Vec::new(), 0);
                    let waiting = Waiting { shard, session, token, items, since, pasts, reads };
                    self.want(waiting, now, false);
                }
                ToTail::Leave { shard, ch } => {
                    self.store.leave(ch, 1 << shard);
                }
            }
        }
    }

    /// Retries commands that wait for a position; gives up on those that waited long enough.
    pub(super) fn retry_ahead(&mut self, now: Micros, elapsed: Duration) {
        for waiting in std::mem::take(&mut self.ahead) {
            let give_up = elapsed.saturating_sub(waiting.since) >= limits::AHEAD_WAIT;
            self.want(waiting, now, give_up);
        }
    }

    /// Takes what was read back; who waited for it begins.
    pub(super) fn take_pasts(&mut self, now: Micros) {
        while let Ok(answer) = self.past.answers.try_recv() {
            let (ch, past) = (answer.ch, answer.past);
            self.asked.retain(|(of, from)| (*of, *from) != (ch, past.from));
            for waiting in &mut self.reading {
                waiting.pasts.push((ch, Arc::clone(&past)));
            }
            for waiting in std::mem::take(&mut self.reading) {
                if self.is_read(&waiting) {
                    self.want(waiting, now, true);
                } else {
                    self.reading.push(waiting);
                }
            }
        }
    }

    /// A reader that died answers nothing: who waited for it is told what there is.
    pub(super) fn give_up_reading(&mut self, now: Micros, elapsed: Duration) {
        let is_late =
            |w: &mut Waiting| elapsed.saturating_sub(w.since) >= limits::PAST_TIME_MAX * 2;
        for mut waiting in self.reading.extract_if(.., is_late).collect::<Vec<_>>() {
            waiting.reads = limits::PAST_READS_MAX;
            waiting.pasts.clear();
            self.want(waiting, now, true);
        }
    }

    /// `last_chance`: it is answered as things stand, if not by reading back.
    pub(super) fn want(&mut self, want: Waiting, now: Micros, last_chance: bool) {
        let Some(want) = self.await_partitions(want) else { return };
        let must_wait = |item: &WantItem| {
            if !self.interest.is_live(item.ch) {
                // Refused below.
                return false;
            }
            let head = self.store.channel(item.ch).and_then(|channel| channel.position());
            place(item).is_some_and(|from| head.is_none_or(|head| from > head))
        };
        let has_room = self.ahead.len() < limits::AHEAD_MAX;
        if !last_chance && has_room && want.items.iter().any(must_wait) {
            self.ahead.push(want);
            return;
        }
        let Some(want) = self.read_back(want) else { return };
        let mut lent_bytes = 0;
        let seed = |item| self.seed(&want, item, now, &mut lent_bytes);
        let seeds = want.items.iter().map(seed).collect();
        let seeds = Seeds { session: want.session, token: want.token, seeds, lent_bytes };
        if let Some(lag) = self.shards.get_mut(want.shard) {
            lag.push(ToShard::Seeds(Arc::new(seeds)), 0);
        }
    }

    /// How one channel begins; what is lent for it is added to `lent_bytes`.
    fn seed(
        &mut self,
        want: &Waiting,
        item: &WantItem,
        now: Micros,
        lent_bytes: &mut usize,
    ) -> Result<Seed, (u32, Code)> {
        if !self.interest.is_live(item.ch) {
            return Err((item.ch, Code::Overloaded));
        }
        let base = self.store.channel(item.ch).map(|channel| channel.info.ch);
        let past = base.zip(place(item)).and_then(|(ch, from)| want.past(ch, from));
        let (shard, strain) = (1 << want.shard, self.shards.get(want.shard).map(|lag| &lag.strain));
        match self.store.start(item, past, shard, now) {
            Some(Start::Seed(seed)) if place(item).is_some() => {
                let bytes = seed.replay_bytes();
                if strain.is_none_or(|strain| strain.lend(bytes, self.clock.monotonic())) {
                    *lent_bytes += bytes;
                    return Ok(seed);
                }
                self.cut(item, shard, now)
            }
            Some(Start::Seed(seed)) => Ok(seed),
            // `read_back` left it because its shard would not be lent the sending of it.
            Some(Start::Older) => self.cut(item, shard, now),
            Some(Start::Ahead | Start::Foreign) => Err((item.ch, Code::PositionUnknown)),
            None => Err((item.ch, Code::UnknownChannel)),
        }
    }

    /// A resume that goes on at the head: what was missed is told as a gap.
    fn cut(&mut self, item: &WantItem, shard: u64, now: Micros) -> Result<Seed, (u32, Code)> {
        self.metrics.resume_cut();
        let past = place(item).map(Past::cut);
        match self.store.start(item, past.as_ref(), shard, now) {
            Some(Start::Seed(seed)) => Ok(seed),
            _ => Err((item.ch, Code::PositionUnknown)),
        }
    }

    /// Items whose positions lie before what their rings and readings hold.
    /// None of a shard that could not send what would be read.
    fn older(&self, want: &Waiting) -> Vec<Question> {
        let strain = self.shards.get(want.shard).map(|lag| &lag.strain);
        let least = limits::REPLAY_BYTES_FREE + 1;
        if strain.is_some_and(|strain| !strain.would_lend(least, self.clock.monotonic())) {
            return Vec::new();
        }
        let question = |item: &WantItem| {
            let from = place(item)?;
            let channel = self.store.channel(item.ch)?;
            let info = Arc::clone(&channel.info);
            let past = want.past(info.ch, from);
            let place = self.layout.place(info.channel.kind, &info.name);
            let rx = item.from.as_ref().and_then(|from| from.rx);
            self.store.is_older(item, past).then_some(Question { info, place, from, rx })
        };
        want.items.iter().filter_map(question).collect()
    }

    /// Whether everything it asked to be read has been.
    fn is_read(&self, want: &Waiting) -> bool {
        let missing = |question: &Question| want.past(question.info.ch, question.from).is_none();
        !self.older(want).iter().any(missing)
    }

    /// Asks for what has to be read back and lets the command wait. Gives it back when nothing has
    /// to be, or nothing can.
    fn read_back(&mut self, mut want: Waiting) -> Option<Waiting> {
        let older = self.older(&want);
        if older.is_empty() {
            return Some(want);
        }
        // Readings the ring has moved away from are of no use.
        want.pasts.retain(|(ch, _)| !older.iter().any(|question| question.info.ch == *ch));
        want.reads += 1;
        let may_ask =
            want.reads <= limits::PAST_READS_MAX && self.reading.len() < limits::READING_MAX;
        let mut waits = false;
        for question in older {
            let (ch, from) = (question.info.ch, question.from);
            let serves = |(of, first): &(u32, Position)| {
                *of == ch && first.epoch == from.epoch && first.seq <= from.seq
            };
            if may_ask && self.asked.iter().any(serves) {
                waits = true;
            } else if may_ask && self.past.ask(question) {
                self.metrics.read_back();
                self.asked.push((ch, from));
                waits = true;
            } else {
                want.pasts.push((ch, Arc::new(Past::failed(from))));
            }
        }
        if !waits {
            return Some(want);
        }
        self.reading.push(want);
        None
    }
}
