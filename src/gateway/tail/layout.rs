//! Which topics a gateway reads, how many partitions each had at the start, and in which partition
//! a channel's events travel. Later changes of the counts move no channel of this node.

use std::collections::HashMap;

use fantail_bus::{ConsumeError, Consumer, TopicName, stable_partition};
use fantail_model::Kind;
use fantail_wire::record;

/// A partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) topic: &'static str,
    pub(crate) partition: u32,
}

/// The partition counts of the topics.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    counts: HashMap<&'static str, u32>,
}

impl Place {
    pub(crate) fn topic_name(&self) -> TopicName {
        TopicName::from_static(self.topic)
    }
}

impl Layout {
    /// Topics that hold the latest record of each key.
    pub(crate) const COMPACTED: [&'static str; 2] = [record::INSTRUMENT, record::SNAPSHOT];

    /// Asks the bus.
    ///
    /// # Errors
    /// The topic that does not exist, or a bus that is away.
    pub(crate) fn read(consumer: &mut dyn Consumer) -> Result<Self, ConsumeError> {
        let mut counts = HashMap::new();
        for topic in Self::topics() {
            counts.insert(topic, consumer.partitions(&TopicName::from_static(topic))?);
        }
        Ok(Self { counts })
    }

    /// Every topic a gateway reads.
    pub(crate) fn topics() -> impl Iterator<Item = &'static str> {
        let kinds = Kind::ALL.into_iter().map(record::topic);
        Self::COMPACTED.into_iter().chain([record::CONTROL]).chain(kinds)
    }

    /// How many partitions a topic had at the start.
    pub(crate) fn count(&self, topic: &str) -> u32 {
        self.counts.get(topic).copied().unwrap_or(0)
    }

    /// The partitions of one topic.
    pub(crate) fn places_of(&self, topic: &'static str) -> impl Iterator<Item = Place> + use<> {
        let count = self.counts.get(topic).copied().unwrap_or(0);
        (0..count).map(move |partition| Place { topic, partition })
    }

    /// The partitions that events travel in.
    pub(crate) fn event_places(&self) -> impl Iterator<Item = Place> + '_ {
        Kind::ALL.into_iter().flat_map(|kind| self.places_of(record::topic(kind)))
    }

    /// Where a channel's events travel.
    pub(crate) fn place(&self, kind: Kind, name: &str) -> Place {
        let topic = record::topic(kind);
        let count = self.counts.get(topic).copied().unwrap_or(1);
        Place { topic, partition: stable_partition(record::key(name).as_bytes(), count) }
    }

    /// One of our topics by the bus's name for it.
    pub(crate) fn topic(&self, name: &TopicName) -> Option<&'static str> {
        self.counts.get_key_value(name.as_str()).map(|(topic, _)| *topic)
    }
}
