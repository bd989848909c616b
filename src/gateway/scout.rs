//! The thread that asks the bus what the tail must not wait for: where a partition has to be read
//! from and where it ends, and how many partitions the topics have now.
//!
//! It has a consumer of its own and reads no records. One question at a time; a bus that is away
//! holds up the next question, never the tail. What the answers mean is the tail's.

use fantail_bus::{ConsumeError, Consumer, TopicName, Waker};
use fantail_ops::shutdown::Shutdown;
use tokio::sync::mpsc;

use crate::limits;
use crate::tail::layout::{Layout, Place};

/// What the tail asks.
#[derive(Debug)]
pub(crate) enum Question {
    /// Where a partition is read from to see everything since a time, µs, and where it ends.
    Bounds { place: Place, time: i64 },
    /// Where a partition ends; which question about it this is.
    End { place: Place, number: u64 },
    /// The partition counts of every topic.
    Counts,
}

/// What the bus said.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The first offset at or after `time`, and the end.
    Bounds { place: Place, time: i64, found: Result<(u64, u64), ConsumeError> },
    /// The end.
    End { place: Place, number: u64, found: Result<u64, ConsumeError> },
    /// As far as it could be asked.
    Counts(Vec<(&'static str, Result<u32, ConsumeError>)>),
}

/// The tail's end of the two mailboxes.
#[derive(Debug)]
pub(crate) struct ScoutLink {
    questions: mpsc::Sender<Question>,
    pub(crate) answers: mpsc::Receiver<Answer>,
}

impl ScoutLink {
    /// Asks; false if too many questions wait.
    pub(crate) fn ask(&self, question: Question) -> bool {
        self.questions.try_send(question).is_ok()
    }
}

/// The asking side; [`Scout::run`] is its thread.
pub(crate) struct Scout {
    consumer: Box<dyn Consumer>,
    questions: mpsc::Receiver<Question>,
    answers: mpsc::Sender<Answer>,
    shutdown: Shutdown,
    wake_tail: Waker,
}

impl Scout {
    /// A scout and the tail's link to it. Answers wake the tail.
    pub(crate) fn new(
        consumer: Box<dyn Consumer>,
        shutdown: Shutdown,
        wake_tail: Waker,
    ) -> (Self, ScoutLink) {
        let (ask, questions) = mpsc::channel(limits::SCOUT_QUESTIONS_MAX);
        let (answers, answered) = mpsc::channel(limits::SCOUT_QUESTIONS_MAX);
        let link = ScoutLink { questions: ask, answers: answered };
        (Self { consumer, questions, answers, shutdown, wake_tail }, link)
    }

    /// Answers until the tail is gone or the node ends.
    pub(crate) fn run(mut self) {
        while let Some(question) = self.questions.blocking_recv() {
            if self.shutdown.has_begun() {
                return;
            }
            let answer = match question {
                Question::Bounds { place, time } => {
                    Answer::Bounds { place, time, found: self.bounds(place, time) }
                }
                Question::End { place, number } => {
                    let found = self.consumer.end_offset(&place.topic_name(), place.partition);
                    Answer::End { place, number, found }
                }
                Question::Counts => Answer::Counts(self.counts()),
            };
            if self.answers.blocking_send(answer).is_err() {
                return;
            }
            self.wake_tail.wake();
        }
    }

    fn bounds(&mut self, place: Place, time: i64) -> Result<(u64, u64), ConsumeError> {
        let (topic, partition) = (place.topic_name(), place.partition);
        let from = self.consumer.offset_for_time(&topic, partition, time)?;
        Ok((from, self.consumer.end_offset(&topic, partition)?))
    }

    /// Stops at the first topic a bus that is away does not answer for: each would take as long.
    fn counts(&mut self) -> Vec<(&'static str, Result<u32, ConsumeError>)> {
        let mut counts = Vec::new();
        for topic in Layout::topics() {
            let count = self.consumer.partitions(&TopicName::from_static(topic));
            let is_away = matches!(count, Err(ConsumeError::Unreachable(_)));
            counts.push((topic, count));
            if is_away {
                break;
            }
        }
        counts
    }
}
