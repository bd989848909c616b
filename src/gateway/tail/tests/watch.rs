//! Topics that change while the node runs.

use std::sync::atomic::Ordering;

use fantail_bus::TopicName;
use fantail_model::Position;

use super::{RAW, Rig, TRADE};
use crate::limits;
use crate::testing::trade;

impl Rig {
    /// Lets the topics be looked at until so many are wrong.
    fn until_wrong(&self, wanted: u64) {
        while self.metrics.topics_wrong.load(Ordering::Relaxed) != wanted {
            self.hand.advance(limits::TOPICS_LOOK_EVERY);
            self.position();
        }
    }
}

#[test]
fn a_raised_partition_count_and_a_topic_that_is_gone_are_told_and_change_nothing_else() {
    let (mut rig, _) = Rig::with_trades(65_536, 3);
    let books = TopicName::from_static("fantail.book");
    rig.ready();
    rig.doubts.count(RAW, 4);
    rig.until_wrong(1);
    let told = rig.readiness.warnings();
    let raised = "topic fantail.trade has 4 partitions, this node knows 1; restart the nodes one \
                  after the other";
    assert_eq!(told, [raised]);
    rig.doubts.count(books.clone(), 0);
    rig.until_wrong(2);
    let told = rig.readiness.warnings();
    let gone = "topic fantail.book is gone; make it with `fantail topics create` and restart the \
                nodes one after the other";
    assert_eq!(told, [gone, raised]);
    assert!(rig.readiness.is_ready(), "what is there is served");
    // Its channels keep their partition.
    rig.publish(TRADE, &trade(1, 4));
    while rig.position() != Some(Position::new(1, 4)) {}
    // A bus that is away says nothing about its topics; one that is back may take back what it said.
    rig.doubts.away(true);
    let errors = rig.metrics.bus_errors.load(Ordering::Relaxed);
    while rig.metrics.bus_errors.load(Ordering::Relaxed) == errors {
        rig.hand.advance(limits::TOPICS_LOOK_EVERY);
        rig.position();
    }
    assert_eq!(rig.readiness.warnings().len(), 2);
    rig.doubts.away(false);
    rig.doubts.count(RAW, 1);
    rig.doubts.count(books, 1);
    rig.until_wrong(0);
    assert!(rig.readiness.warnings().is_empty());
}
