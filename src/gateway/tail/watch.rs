//! Looks now and then whether the topics are still as they were at the start.
//!
//! A raised partition count, or a topic that is gone, changes nothing this node does: its channels
//! keep their partitions, and what is there is served. But records may travel where nobody here
//! reads, so it is told: in the log once, as a figure for as long as it lasts, and beside the
//! readiness. What helps is a restart of the nodes, one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use fantail_bus::{ConsumeError, Consumer};
use fantail_model::Micros;

use super::Tail;
use crate::limits;
use crate::scout::{Answer, Question};

/// What is wrong with topics, and when that was last looked at.
#[derive(Debug, Default)]
pub(super) struct Watch {
    asked: Option<Duration>,
    wrong: BTreeMap<&'static str, String>,
}

impl Tail {
    /// Takes what the scout found.
    pub(super) fn take_scouted(&mut self, consumer: &mut dyn Consumer, now: Micros) {
        while let Ok(answer) = self.scout.answers.try_recv() {
            match answer {
                Answer::Bounds { place, time, found } => {
                    self.open_partition((place, time), found);
                }
                Answer::End { place, number, found } => self.take_end((place, number), found),
                Answer::Counts(counts) => self.take_counts(counts),
            }
        }
        self.settle_partitions(consumer, now);
        self.settle_returning(consumer);
    }

    /// Asks for the topics' counts when it is time.
    pub(super) fn watch_topics(&mut self, elapsed: Duration) {
        let due = self
            .watch
            .asked
            .is_none_or(|asked| elapsed.saturating_sub(asked) >= limits::TOPICS_LOOK_EVERY);
        if due && self.scout.ask(Question::Counts) {
            self.watch.asked = Some(elapsed);
        }
    }

    fn take_counts(&mut self, counts: Vec<(&'static str, Result<u32, ConsumeError>)>) {
        for (topic, found) in counts {
            let ours = self.layout.count(topic);
            let wrong = match found {
                Ok(count) if count == ours => None,
                Ok(count) => Some(format!(
                    "topic {topic} has {count} partitions, this node knows {ours}; restart the \
                     nodes one after the other"
                )),
                Err(ConsumeError::UnknownTopic(_)) => Some(format!(
                    "topic {topic} is gone; make it with `fantail topics create` and restart the \
                     nodes one after the other"
                )),
                // A bus that is away says nothing about its topics.
                Err(error) => {
                    self.count_bus_error(&error);
                    continue;
                }
            };
            self.note_topic(topic, wrong);
        }
        self.metrics.topics_wrong(self.watch.wrong.len());
    }

    fn note_topic(&mut self, topic: &'static str, wrong: Option<String>) {
        if self.watch.wrong.get(topic) == wrong.as_ref() {
            return;
        }
        match &wrong {
            Some(wrong) => tracing::error!(topic, "{wrong}"),
            None => tracing::info!(topic, "the topic is again as it was at the start"),
        }
        self.readiness.warn(topic, wrong.clone());
        match wrong {
            Some(wrong) => self.watch.wrong.insert(topic, wrong),
            None => self.watch.wrong.remove(topic),
        };
    }
}
