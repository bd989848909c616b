//! Which topics there are, how many partitions they have, and where their offsets begin and end.
//! Owns one client that only asks and the memory of its answers, shared by every producer and
//! consumer of a bus. Reads and writes no records.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fantail_ops::clock::Clock;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::client;
use super::config::KafkaConfig;
use super::context::AskingContext;
use super::limits;
use crate::OpenError;
use crate::consumer::ConsumeError;
use crate::topic::TopicName;

pub(super) struct Places {
    client: BaseConsumer<AskingContext>,
    clock: Clock,
    /// A lock, because all producers of a bus share the answers; held for one look, never while
    /// a broker is asked.
    known: Mutex<HashMap<TopicName, Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// 0: there is no such topic.
    partitions: u32,
    /// The count keys are spread over; 0 as long as none is known.
    spread: u32,
    /// When that was said; `None`: it is not true any more, and asked for again.
    at: Option<Duration>,
}

/// The count keys are spread over: as it was first known, so that a raised count moves no key while
/// we run; fewer only if there are fewer.
const fn spread(before: u32, found: u32) -> u32 {
    if found == 0 || (before > 0 && before <= found) { before } else { found }
}

/// Offsets of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) low: u64,
    pub(super) end: u64,
}

impl Places {
    pub(super) fn new(config: &KafkaConfig, clock: Clock) -> Result<Self, OpenError> {
        let client = client::enquirer(config)
            .create_with_context(AskingContext)
            .map_err(|error| OpenError::Unreachable(client::told(&error)))?;
        Ok(Self { client, clock, known: Mutex::default() })
    }

    /// The partition count, remembered if it is known. `None`: there is no such topic, and the
    /// broker was asked not long ago.
    pub(super) fn remembered(&self, topic: &TopicName) -> Result<Option<u32>, ConsumeError> {
        let known = self.known().get(topic).copied();
        let now = self.clock.monotonic();
        match known {
            Some(Known { partitions, .. }) if partitions > 0 => Ok(Some(partitions)),
            Some(Known { at: Some(at), .. }) if now < at + limits::ABSENT_BELIEVED => Ok(None),
            _ => self.partitions(topic),
        }
    }

    /// The partition count keys are spread over by who sends: it does not grow while we run.
    pub(super) fn spread(&self, topic: &TopicName) -> Result<Option<u32>, ConsumeError> {
        let told = self.remembered(topic)?;
        Ok(told.map(|count| self.known().get(topic).map_or(count, |known| known.spread)))
    }

    /// The partition count as the broker says now, unless it said so a moment ago. For a caller
    /// who met a partition beyond the remembered count.
    pub(super) fn recent(&self, topic: &TopicName) -> Result<Option<u32>, ConsumeError> {
        let known = self.known().get(topic).copied();
        let now = self.clock.monotonic();
        match known {
            Some(Known { partitions, at: Some(at), .. }) if now < at + limits::ABSENT_BELIEVED => {
                Ok(Some(partitions).filter(|&count| count > 0))
            }
            _ => self.partitions(topic),
        }
    }

    /// The partition count as the broker says now.
    pub(super) fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, ConsumeError> {
        let metadata = self.client.fetch_metadata(Some(topic.as_str()), limits::ANSWER_WAIT);
        let metadata = metadata.map_err(|error| away(&error))?;
        let told = metadata.topics().iter().find(|told| told.name() == topic.as_str());
        let partitions = match told.map(|told| (told.error(), told.partitions().len())) {
            Some((None, count)) => u32::try_from(count).unwrap_or(u32::MAX),
            None | Some((Some(UNKNOWN_TOPIC | NO_NAME), _)) => 0,
            Some((Some(error), _)) => {
                return Err(ConsumeError::Unreachable(format!("{topic}: {error:?}")));
            }
        };
        self.remember(topic, partitions);
        Ok(Some(partitions).filter(|&count| count > 0))
    }

    /// Checks that the partition exists.
    pub(super) fn check(&self, topic: &TopicName, partition: u32) -> Result<(), ConsumeError> {
        let unknown = || ConsumeError::UnknownTopic(topic.clone());
        if partition < self.remembered(topic)?.ok_or_else(unknown)? {
            return Ok(());
        }
        if partition < self.recent(topic)?.ok_or_else(unknown)? {
            return Ok(());
        }
        Err(ConsumeError::UnknownPartition(topic.clone(), partition))
    }

    /// Where the partition begins and ends now.
    pub(super) fn bounds(&self, topic: &TopicName, index: u32) -> Result<Bounds, ConsumeError> {
        self.bounds_within(topic, index, limits::ANSWER_WAIT)
    }

    /// The same, waiting at most `wait` once the partition is known.
    pub(super) fn bounds_within(
        &self,
        topic: &TopicName,
        index: u32,
        wait: Duration,
    ) -> Result<Bounds, ConsumeError> {
        self.check(topic, index)?;
        let told = self.client.fetch_watermarks(topic.as_str(), signed(index), wait);
        let (low, end) = told.map_err(|error| self.place_error(topic, index, &error))?;
        Ok(Bounds { low: unsigned(low), end: unsigned(end) })
    }

    /// The first offset at or after each time, µs since 1970; the end where there is none.
    pub(super) fn at_times(
        &self,
        wanted: &[(&TopicName, u32, i64)],
    ) -> Result<Vec<u64>, ConsumeError> {
        let mut list = TopicPartitionList::with_capacity(wanted.len());
        for (topic, index, micros) in wanted {
            self.check(topic, *index)?;
            // Brokers know milliseconds; the earlier one, so that nothing is left out. Negative
            // ones have other meanings.
            let millis = Offset::Offset(micros.div_euclid(1000).max(0));
            let added = list.add_partition_offset(topic.as_str(), signed(*index), millis);
            added.map_err(|error| away(&error))?;
        }
        let told = self.client.offsets_for_times(list, limits::ANSWER_WAIT);
        let told = told.map_err(|error| away(&error))?;
        let offset_of = |(topic, index, _): &(&TopicName, u32, i64)| {
            let Some(place) = told.find_partition(topic.as_str(), signed(*index)) else {
                return Err(ConsumeError::Unreachable(format!("{topic}/{index}: no answer")));
            };
            place.error().map_err(|error| self.place_error(topic, *index, &error))?;
            match place.offset() {
                Offset::Offset(offset) => Ok(unsigned(offset)),
                _ => Ok(self.bounds(topic, *index)?.end),
            }
        };
        wanted.iter().map(offset_of).collect()
    }

    fn place_error(&self, topic: &TopicName, index: u32, error: &KafkaError) -> ConsumeError {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopic,
            ) => {
                if let Some(known) = self.known().get_mut(topic) {
                    (known.partitions, known.at) = (0, None);
                }
                ConsumeError::UnknownPartition(topic.clone(), index)
            }
            _ => away(error),
        }
    }

    fn remember(&self, topic: &TopicName, partitions: u32) {
        let mut known = self.known();
        // Names come from our own configuration; whoever makes up more starts over.
        if known.len() >= limits::TOPICS_REMEMBERED_MAX {
            known.clear();
        }
        let before = known.get(topic).map_or(0, |known| known.spread);
        let (spread, at) = (spread(before, partitions), Some(self.clock.monotonic()));
        known.insert(topic.clone(), Known { partitions, spread, at });
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TopicName, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const UNKNOWN_TOPIC: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
const NO_NAME: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;

fn away(error: &KafkaError) -> ConsumeError {
    ConsumeError::Unreachable(client::told(error))
}

/// A partition as the library counts them. Ours are at most [`crate::limits::PARTITIONS_MAX`].
pub(super) fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// An offset as we count them; the library's negative ones are no places.
pub(super) fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_raised_count_moves_no_key_and_a_lowered_one_must() {
        assert_eq!([spread(0, 4), spread(4, 4), spread(4, 6), spread(4, 2)], [4, 4, 4, 2]);
        assert_eq!([spread(0, 0), spread(4, 0)], [0, 4], "a topic that is gone for a while");
    }
}
