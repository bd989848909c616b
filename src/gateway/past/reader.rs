//! The thread that reads the bus back for clients whose position is older than the ring.
//!
//! It has a consumer of its own, so the tail never waits for it. Questions about one partition are
//! answered in one reading; each begins where the client's `rx` says, or, without one or where
//! that was too late, further and further back until retention ends. Everything is bounded:
//! questions, bytes kept, time. It knows no client and joins nothing: that is the tail's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer, Delivered, Offset, Start, Waker};
use fantail_model::{Micros, Position};
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use fantail_wire::record::{self, Record};
use tokio::sync::mpsc;

use super::follow::{Follower, Item, Step};
use super::{Past, Piece, Verdict};
use crate::group::{ChannelInfo, Group, Published};
use crate::limits;
use crate::tail::layout::Place;

/// What one channel said after a position.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) info: Arc<ChannelInfo>,
    pub(crate) place: Place,
    pub(crate) from: Position,
    /// When the event at the position was received, µs: a hint.
    pub(crate) rx: Option<i64>,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) ch: u32,
    pub(crate) past: Arc<Past>,
}

/// The tail's end of the two mailboxes.
#[derive(Debug)]
pub(crate) struct PastLink {
    questions: mpsc::Sender<Question>,
    pub(crate) answers: mpsc::Receiver<Answer>,
}

impl PastLink {
    /// Asks; false if too many questions wait.
    pub(crate) fn ask(&self, question: Question) -> bool {
        self.questions.try_send(question).is_ok()
    }
}

/// The reading side; [`Reader::run`] is its thread.
pub(crate) struct Reader {
    consumer: Box<dyn Consumer>,
    questions: mpsc::Receiver<Question>,
    answers: mpsc::Sender<Answer>,
    clock: Clock,
    shutdown: Shutdown,
    wake_tail: Waker,
}

/// One question being answered.
struct Open {
    question: Question,
    follower: Follower,
    /// It began too late: once more, from further back.
    too_late: bool,
}

/// One reading of a partition.
struct Pass {
    from: u64,
    end: u64,
    is_earliest: bool,
    /// Time of its first record, µs.
    first_time: Option<i64>,
}

impl Reader {
    /// A reader and the tail's link to it. Answers wake the tail.
    pub(crate) fn new(
        consumer: Box<dyn Consumer>,
        clock: Clock,
        shutdown: Shutdown,
        wake_tail: Waker,
    ) -> (Self, PastLink) {
        let (ask, questions) = mpsc::channel(limits::PAST_QUESTIONS_MAX);
        let (answers, answered) = mpsc::channel(limits::PAST_QUESTIONS_MAX);
        let link = PastLink { questions: ask, answers: answered };
        (Self { consumer, questions, answers, clock, shutdown, wake_tail }, link)
    }

    /// Answers until the tail is gone.
    pub(crate) fn run(mut self) {
        while let Some(first) = self.questions.blocking_recv() {
            let mut by_place: HashMap<Place, Vec<Question>> = HashMap::new();
            by_place.entry(first.place).or_default().push(first);
            for _ in 1..limits::PAST_TOGETHER_MAX {
                let Ok(question) = self.questions.try_recv() else { break };
                by_place.entry(question.place).or_default().push(question);
            }
            for (place, questions) in by_place {
                self.answer(place, questions);
            }
        }
    }

    /// Reads a partition as often as it takes.
    fn answer(&mut self, place: Place, questions: Vec<Question>) {
        let deadline = self.clock.monotonic() + limits::PAST_TIME_MAX;
        let follower = |q: &Question| Follower::new(q.from, limits::PAST_BYTES_MAX);
        let mut open: Vec<Open> = questions
            .into_iter()
            .map(|question| Open { follower: follower(&question), question, too_late: true })
            .collect();
        let mut attempt = 0;
        loop {
            let (late, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|o| o.too_late);
            open = late;
            for open in rest {
                self.tell(open, None);
            }
            if open.is_empty() {
                return;
            }
            let pass = match self.pass(place, &mut open, attempt, deadline) {
                Ok(Some(pass)) => pass,
                Ok(None) => return open.into_iter().for_each(|open| self.fail(&open)),
                // A broker is gone or stands still; another speaks for its partitions within seconds.
                Err(ConsumeError::Unreachable(_)) if self.may_wait(deadline) => {
                    open.iter_mut().for_each(|open| open.too_late = true);
                    continue;
                }
                Err(error) => {
                    tracing::warn!(topic = place.topic, %error, "reading back failed");
                    return open.into_iter().for_each(|open| self.fail(&open));
                }
            };
            if pass.is_earliest {
                return open.into_iter().for_each(|open| self.tell(open, pass.first_time));
            }
            attempt += 1;
        }
    }

    /// Waits a moment before the bus is asked again; false once there is no time for it.
    fn may_wait(&self, deadline: Duration) -> bool {
        let has_time = self.clock.monotonic() < deadline && !self.shutdown.has_begun();
        if has_time {
            std::thread::park_timeout(limits::PAST_RETRY_EVERY);
        }
        has_time
    }

    /// Reads from the place of this attempt to the end. `None`: out of time.
    fn pass(
        &mut self,
        place: Place,
        open: &mut [Open],
        attempt: u32,
        deadline: Duration,
    ) -> Result<Option<Pass>, ConsumeError> {
        let mut pass = self.begin(place, open, attempt)?;
        let mut by_key: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (at, open) in open.iter_mut().enumerate() {
            open.follower.restart();
            open.too_late = false;
            let key = record::key(&open.question.info.name).as_bytes().to_vec();
            by_key.entry(key).or_default().push(at);
        }
        let (mut next, mut delivered) = (pass.from, Vec::new());
        while next < pass.end && open.iter().any(|open| !open.too_late) {
            if self.clock.monotonic() >= deadline || self.shutdown.has_begun() {
                return Ok(None);
            }
            let (records, bytes) = (limits::CYCLE_RECORDS_MAX, limits::CYCLE_BYTES_MAX);
            match self.consumer.poll(records, bytes, limits::CYCLE_WAIT, &mut delivered) {
                Ok(_) => {}
                // Retention went on while we read; what is gone shows as a hole.
                Err(ConsumeError::OffsetOutOfRange { topic, partition, low, .. }) => {
                    (pass.is_earliest, pass.first_time) = (true, None);
                    next = next.max(low);
                    self.consumer.seek(Start { topic, partition, from: Offset::At(low) })?;
                }
                Err(ConsumeError::Unreachable(_)) => {}
                Err(error) => return Err(error),
            }
            for record in delivered.drain(..) {
                next = next.max(record.offset + 1);
                pass.first_time.get_or_insert(record.record.timestamp_micros);
                if let Some(places) = by_key.get(&record.record.key[..]) {
                    show(&record, open, places, pass.is_earliest);
                }
            }
            if next >= pass.end {
                // What came meanwhile: so that the ring is met even if it moves fast.
                pass.end = self.consumer.end_offset(&place.topic_name(), place.partition)?;
                if pass.end - next.min(pass.end) <= limits::CYCLE_RECORDS_MAX as u64 {
                    break;
                }
            }
        }
        for open in open.iter_mut() {
            // Nothing of its channel at all: it may lie further back.
            open.too_late |= !open.follower.is_anchored() && !pass.is_earliest;
        }
        Ok(Some(pass))
    }

    fn begin(&mut self, place: Place, open: &[Open], attempt: u32) -> Result<Pass, ConsumeError> {
        let (topic, partition) = (place.topic_name(), place.partition);
        let low = self.consumer.low_offset(&topic, partition)?;
        let end = self.consumer.end_offset(&topic, partition)?;
        let now = self.clock.wall_micros();
        let time = open.iter().filter_map(|open| start_time(open.question.rx, attempt, now)).min();
        let is_earliest = attempt >= limits::PAST_ATTEMPTS
            || open.iter().any(|open| start_time(open.question.rx, attempt, now).is_none());
        let from = match time.filter(|_| !is_earliest) {
            Some(time) => self.consumer.offset_for_time(&topic, partition, time)?.max(low),
            None => low,
        };
        let is_earliest = is_earliest || from == low;
        self.consumer.assign(vec![Start { topic, partition, from: Offset::At(from) }])?;
        Ok(Pass { from, end, is_earliest, first_time: None })
    }

    /// Sends what was read. With `first_time`, everything the bus has was looked through, back to
    /// that time.
    fn tell(&self, open: Open, first_time: Option<i64>) {
        let Open { question, follower, .. } = open;
        let reaches_back = first_time.and_then(|time| u64::try_from(time).ok()).is_some_and(|t| {
            t.saturating_add(limits::SNAPSHOT_SLACK.as_micros() as u64) < question.from.epoch
        });
        let verdict = match reaches_back && !follower.knows_epoch() {
            true => Verdict::Foreign,
            false => Verdict::Read,
        };
        let (items, reached) = follower.finish();
        let tx = Micros(self.clock.wall_micros());
        let pieces = pieces(&question.info, items, tx);
        self.send(question.info.ch, Past { from: question.from, reached, pieces, verdict });
    }

    fn fail(&self, open: &Open) {
        self.send(open.question.info.ch, Past::failed(open.question.from));
    }

    fn send(&self, ch: u32, past: Past) {
        // As many answers fit as questions; a tail that is gone needs none.
        let _ = self.answers.try_send(Answer { ch, past: Arc::new(past) });
        self.wake_tail.wake();
    }
}

/// Shows a record to those who may be waiting for it.
fn show(delivered: &Delivered, open: &mut [Open], places: &[usize], is_earliest: bool) {
    let Some(value) = &delivered.record.value else { return };
    // What can't be read shows as a hole in the chain.
    let Ok(Record::Event { channel, event }) = record::decode(value) else { return };
    for at in places {
        let open = &mut open[*at];
        if !open.too_late && *open.question.info.name == channel {
            open.too_late = open.follower.take(event.clone(), is_earliest) == Step::TooLate;
        }
    }
}

/// When to begin, µs; `None`: at the very beginning. Each attempt goes further back.
fn start_time(rx: Option<i64>, attempt: u32, now: i64) -> Option<i64> {
    let slack = limits::SNAPSHOT_SLACK.as_micros() as i64;
    let minute = Duration::from_secs(60).as_micros() as i64;
    let step = minute.saturating_mul(8_i64.saturating_pow(attempt));
    match (rx, attempt) {
        (_, limits::PAST_ATTEMPTS..) => None,
        // A hint is believed once, then doubted more and more.
        (Some(rx), 0) => Some(rx.saturating_sub(slack)),
        (Some(rx), _) => Some(rx.saturating_sub(step)),
        (None, _) => Some(now.saturating_sub(step)),
    }
}

/// Events in groups of a size that frames are made of at once.
fn pieces(info: &Arc<ChannelInfo>, items: Vec<Item>, tx: Micros) -> Vec<Piece> {
    let (mut pieces, mut events) = (Vec::new(), Vec::new());
    let close = |events: &mut Vec<Published>, pieces: &mut Vec<Piece>| {
        if !events.is_empty() {
            let group = Group::new(Arc::clone(info), tx, std::mem::take(events));
            pieces.push(Piece::Events(Arc::new(group)));
        }
    };
    for item in items {
        match item {
            Item::Event(event) => events.push(Published { event: *event, crc: None, n: None }),
            Item::Hole { epoch, from, to } => {
                close(&mut events, &mut pieces);
                pieces.push(Piece::Hole { epoch, from, to });
            }
        }
        if events.len() >= limits::PAST_GROUP_EVENTS {
            close(&mut events, &mut pieces);
        }
    }
    close(&mut events, &mut pieces);
    pieces
}
