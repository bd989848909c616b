//! What a consumer reads and where it stands: a table of partitions with their next offsets.
//! Owns finding the entry of a record quickly; talks to no broker.

use std::collections::HashMap;

use rdkafka::message::{BorrowedMessage, Message};

use super::places::unsigned;
use crate::topic::TopicName;

#[derive(Debug, Default)]
pub(super) struct Assignment {
    all: Vec<Assigned>,
    /// Places in `all` by topic and partition.
    places: HashMap<TopicName, HashMap<u32, usize>>,
    /// The entry of the last record: records come in runs of one partition.
    last: usize,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) topic: TopicName,
    pub(super) index: u32,
    /// The next offset to be read.
    pub(super) next: u64,
    /// Out of range and told so: not with the client any more, stands still until moved.
    pub(super) lost: bool,
}

impl Assigned {
    pub(super) fn new(topic: TopicName, index: u32, next: u64) -> Self {
        Self { topic, index, next, lost: false }
    }
}

impl Assignment {
    pub(super) fn new(all: Vec<Assigned>) -> Self {
        let mut places: HashMap<TopicName, HashMap<u32, usize>> = HashMap::new();
        for (at, assigned) in all.iter().enumerate() {
            places.entry(assigned.topic.clone()).or_default().insert(assigned.index, at);
        }
        Self { all, places, last: 0 }
    }

    pub(super) fn all(&self) -> &[Assigned] {
        &self.all
    }

    pub(super) fn position(&self, topic: &str, index: u32) -> Option<usize> {
        self.places.get(topic)?.get(&index).copied()
    }

    /// The entry a record belongs to; none if it is not read (any more).
    pub(super) fn of(&mut self, message: &BorrowedMessage<'_>) -> Option<&mut Assigned> {
        let (topic, index) = (message.topic(), u32::try_from(message.partition()).ok()?);
        let is_last =
            |assigned: &Assigned| assigned.index == index && assigned.topic.as_str() == topic;
        if !self.all.get(self.last).is_some_and(is_last) {
            self.last = self.position(topic, index)?;
        }
        self.all.get_mut(self.last).filter(|assigned| !assigned.lost)
    }

    /// The partition stands still from now on.
    pub(super) fn lose(&mut self, at: usize) -> &Assigned {
        self.all[at].lost = true;
        &self.all[at]
    }

    /// The partition goes on elsewhere.
    pub(super) fn replace(&mut self, at: usize, moved: Assigned) {
        self.all[at] = moved;
    }

    /// One partition more.
    pub(super) fn push(&mut self, added: Assigned) {
        let places = self.places.entry(added.topic.clone()).or_default();
        places.insert(added.index, self.all.len());
        self.all.push(added);
    }

    /// One partition less; the last one takes its place in the list.
    pub(super) fn remove(&mut self, at: usize) {
        let removed = self.all.swap_remove(at);
        let places = self.places.entry(removed.topic).or_default();
        places.remove(&removed.index);
        if let Some(moved) = self.all.get(at) {
            self.places.entry(moved.topic.clone()).or_default().insert(moved.index, at);
        }
    }

    /// The one partition whose next offset the client's words name ("… offset 17 (…"); none if
    /// there are several.
    pub(super) fn named_by(&self, reason: &str) -> Option<usize> {
        let (_, after) = reason.split_once("offset ")?;
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let offset: u64 = after[..digits].parse().ok()?;
        let mut named = self.all.iter().enumerate().filter(|(_, a)| !a.lost && a.next == offset);
        let (at, _) = named.next()?;
        named.next().is_none().then_some(at)
    }
}

/// The offset of a record.
pub(super) fn offset_of(message: &BorrowedMessage<'_>) -> u64 {
    unsigned(message.offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_partition_an_error_names() {
        let topic = TopicName::from_static("t");
        let at = |index, next| Assigned::new(topic.clone(), index, next);
        let mut assignment = Assignment::new(vec![at(0, 17), at(1, 5), at(2, 5)]);
        let reason = "Partition log truncation detected at offset 17 (leader epoch 3): …";
        assert_eq!(assignment.named_by(reason), Some(0));
        assert_eq!(assignment.named_by("offset 5"), None, "two of them");
        assert_eq!(assignment.named_by("offset INVALID"), None);
        assert_eq!(assignment.named_by("no place"), None);
        assignment.lose(0);
        assert_eq!(assignment.named_by(reason), None, "told already");
        assert_eq!(assignment.position("t", 1), Some(1));
        assert_eq!(assignment.position("u", 1), None);
    }

    #[test]
    fn partitions_come_and_go() {
        let topic = TopicName::from_static("t");
        let at = |index| Assigned::new(topic.clone(), index, 0);
        let mut assignment = Assignment::new(vec![at(0), at(1), at(2)]);
        assignment.remove(0);
        let index_at = |assignment: &Assignment, index| {
            assignment.position("t", index).map(|at| assignment.all()[at].index)
        };
        assert_eq!([0, 1, 2].map(|index| index_at(&assignment, index)), [None, Some(1), Some(2)]);
        assignment.remove(assignment.position("t", 1).expect("it is assigned"));
        assignment.push(at(0));
        assert_eq!([0, 1, 2].map(|index| index_at(&assignment, index)), [Some(0), None, Some(2)]);
    }
}
