//! A consumer that fails on order, around a real one: what a broker can do to a reader, played
//! exactly when a test wants it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer, Delivered, Start, TopicName, Waker};

/// One thing to go wrong.
pub(super) enum Fault {
    /// Retention takes the next records of a topic before they are read.
    Retention(TopicName, usize),
    /// The log of a topic was cut behind where we stand.
    Cut(TopicName),
    /// The broker is away.
    Away,
    /// A record nobody would be allowed to send.
    Deliver(Box<Delivered>),
}

/// What goes wrong next, in order; and the topic of which nothing comes meanwhile.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<VecDeque<Fault>>>, Arc<Mutex<Option<TopicName>>>);

impl Faults {
    pub(super) fn order(&self, fault: Fault) {
        self.0.lock().unwrap().push_back(fault);
    }

    /// What follows of a topic stays with the broker for now.
    pub(super) fn hold(&self, topic: TopicName) {
        *self.1.lock().unwrap() = Some(topic);
    }

    /// All that was held comes.
    pub(super) fn release(&self) {
        *self.1.lock().unwrap() = None;
    }

    fn holds(&self, topic: &TopicName) -> bool {
        self.1.lock().unwrap().as_ref() == Some(topic)
    }
}

struct Faulty {
    inner: Box<dyn Consumer>,
    faults: Faults,
    doubts: Doubts,
    /// Left to be swallowed of a topic, and the offset of the first one.
    losing: Option<(TopicName, usize, u64)>,
    /// What was held, and has not come yet.
    held: VecDeque<Delivered>,
}

/// A consumer, and how to break its reading.
pub(super) fn faulty(inner: Box<dyn Consumer>) -> (Box<dyn Consumer>, Faults) {
    let made = Faulty::new(inner);
    let faults = made.faults.clone();
    (Box::new(made), faults)
}

/// A consumer that is asked about places, and what it shall say.
pub(crate) fn doubtful(inner: Box<dyn Consumer>) -> (Box<dyn Consumer>, Doubts) {
    let made = Faulty::new(inner);
    let doubts = made.doubts.clone();
    (Box::new(made), doubts)
}

impl Faulty {
    fn new(inner: Box<dyn Consumer>) -> Self {
        let (faults, doubts) = (Faults::default(), Doubts::default());
        Self { inner, faults, doubts, losing: None, held: VecDeque::new() }
    }

    /// Swallows the record just read if it is to be lost; the last one of them is an error.
    fn lose(&mut self, out: &mut Vec<Delivered>) -> Result<bool, ConsumeError> {
        let Some(lost) = out.last() else { return Ok(false) };
        if self.losing.is_none() {
            let mut faults = self.faults.0.lock().unwrap();
            match faults.front() {
                Some(Fault::Retention(topic, count)) if *topic == lost.record.topic => {
                    self.losing = Some((topic.clone(), *count, lost.offset));
                    faults.pop_front();
                }
                _ => return Ok(false),
            }
        }
        let Some((topic, left, wanted)) = &mut self.losing else { return Ok(false) };
        if *topic != lost.record.topic {
            return Ok(false);
        }
        *left -= 1;
        let (wanted, is_last) = (*wanted, *left == 0);
        let Some(lost) = out.pop() else { return Ok(false) };
        if !is_last {
            return Ok(true);
        }
        self.losing = None;
        let (low, end) = (lost.offset + 1, lost.offset + 1);
        let (topic, partition) = (lost.record.topic, lost.record.partition);
        Err(ConsumeError::OffsetOutOfRange { topic, partition, wanted, low, end })
    }
}

impl Consumer for Faulty {
    fn assign(&mut self, starts: Vec<Start>) -> Result<(), ConsumeError> {
        self.inner.assign(starts)
    }

    fn add(&mut self, start: Start) -> Result<(), ConsumeError> {
        self.inner.add(start)
    }

    fn remove(&mut self, topic: &TopicName, partition: u32) -> Result<(), ConsumeError> {
        self.inner.remove(topic, partition)
    }

    fn seek(&mut self, start: Start) -> Result<(), ConsumeError> {
        self.inner.seek(start)
    }

    fn next_offset(&self, topic: &TopicName, partition: u32) -> Option<u64> {
        let ours = |d: &&Delivered| (&d.record.topic, d.record.partition) == (topic, partition);
        let held = self.held.iter().find(ours).map(|held| held.offset);
        held.or_else(|| self.inner.next_offset(topic, partition))
    }

    fn poll(
        &mut self,
        _max_records: usize,
        max_bytes: usize,
        timeout: Duration,
        out: &mut Vec<Delivered>,
    ) -> Result<usize, ConsumeError> {
        let next = {
            let mut faults = self.faults.0.lock().unwrap();
            match faults.front() {
                Some(Fault::Retention(..)) | None => None,
                Some(_) => faults.pop_front(),
            }
        };
        match next {
            Some(Fault::Cut(topic)) => {
                let (partition, low, end) = (0, 0, self.inner.end_offset(&topic, 0)?);
                let wanted = end + 7;
                let cut = ConsumeError::OffsetOutOfRange { topic, partition, wanted, low, end };
                return Err(cut);
            }
            Some(Fault::Away) => return Err(ConsumeError::Unreachable("by order".into())),
            Some(Fault::Deliver(delivered)) => {
                out.push(*delivered);
                return Ok(1);
            }
            Some(Fault::Retention(..)) | None => {}
        }
        let faults = self.faults.clone();
        if let Some(late) = self.held.pop_front_if(|late| !faults.holds(&late.record.topic)) {
            out.push(late);
            return Ok(1);
        }
        // One at a time: every record is a cycle of its own, and faults hit exactly theirs.
        if self.inner.poll(1, max_bytes, timeout, out)? == 0 || self.lose(out)? {
            return Ok(0);
        }
        if let Some(held) = out.pop_if(|read| faults.holds(&read.record.topic)) {
            self.held.push_back(held);
            return Ok(0);
        }
        Ok(1)
    }

    fn partitions(&mut self, topic: &TopicName) -> Result<u32, ConsumeError> {
        self.doubts.check()?;
        match self.doubts.0.lock().unwrap().counts.get(topic) {
            Some(0) => Err(ConsumeError::UnknownTopic(topic.clone())),
            Some(count) => Ok(*count),
            None => self.inner.partitions(topic),
        }
    }

    fn end_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError> {
        self.doubts.check()?;
        self.inner.end_offset(topic, partition)
    }

    fn low_offset(&mut self, topic: &TopicName, partition: u32) -> Result<u64, ConsumeError> {
        self.doubts.check()?;
        self.inner.low_offset(topic, partition)
    }

    fn offset_for_time(
        &mut self,
        topic: &TopicName,
        partition: u32,
        time_micros: i64,
    ) -> Result<u64, ConsumeError> {
        self.doubts.check()?;
        self.inner.offset_for_time(topic, partition, time_micros)
    }

    fn waker(&self) -> Waker {
        self.inner.waker()
    }
}

/// What is said about places, instead of the truth.
#[derive(Clone, Default)]
pub(crate) struct Doubts(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    is_away: bool,
    /// Questions so far.
    asked: u64,
    counts: HashMap<TopicName, u32>,
}

impl Doubts {
    /// The bus answers no question, or does again.
    pub(crate) fn away(&self, is_away: bool) {
        self.0.lock().unwrap().is_away = is_away;
    }

    /// A topic has so many partitions; with 0 it is gone.
    pub(crate) fn count(&self, topic: TopicName, count: u32) {
        self.0.lock().unwrap().counts.insert(topic, count);
    }

    /// How many questions were asked.
    pub(crate) fn asked(&self) -> u64 {
        self.0.lock().unwrap().asked
    }

    fn check(&self) -> Result<(), ConsumeError> {
        let mut said = self.0.lock().unwrap();
        said.asked += 1;
        match said.is_away {
            true => Err(ConsumeError::Unreachable("by order".into())),
            false => Ok(()),
        }
    }
}

/// A record as a topic would deliver it.
pub(super) fn delivered(topic: TopicName, key: &str, value: Vec<u8>) -> Box<Delivered> {
    let record = fantail_bus::Record {
        topic,
        partition: 0,
        key: key.to_owned().into(),
        value: Some(value.into()),
        headers: Default::default(),
        timestamp_micros: crate::testing::WALL,
    };
    Box::new(Delivered { record, offset: 0 })
}
