//! What a start does when the bus does not answer, or lacks a topic.

use fantail_bus::{Bus, ConsumeError, Consumer, EmbeddedBus, Retention, TopicName, TopicSpec};
use fantail_ops::clock::Clock;
use fantail_ops::shutdown::Shutdown;
use tokio::task::{JoinHandle, yield_now};

use super::{GatewayError, layout};
use crate::tail::layout::Layout;
use crate::tail::tests::faulty::{Doubts, doubtful};
use crate::testing::{PATIENCE, WALL};

type Read = Result<(Box<dyn Consumer>, Layout), GatewayError>;

/// A start on a bus with all topics, that has asked it in vain.
async fn asked_in_vain(clock: &Clock) -> (JoinHandle<Read>, Doubts) {
    let spec = |name| TopicSpec {
        name: TopicName::from_static(name),
        partitions: 3,
        retention: Retention::bytes(1 << 20),
        compacted: Layout::COMPACTED.contains(&name),
        at_least: false,
    };
    let bus = EmbeddedBus::new(Layout::topics().map(spec).collect(), clock.clone()).unwrap();
    let (consumer, doubts) = doubtful(bus.consumer().unwrap());
    doubts.away(true);
    let (clock, end) = (clock.clone(), Shutdown::new());
    let reading = tokio::spawn(async move { layout(consumer, &clock, &end).await });
    let asked = async {
        while doubts.asked() == 0 {
            yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    (reading, doubts)
}

async fn end_of(reading: JoinHandle<Read>) -> Read {
    tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_bus_that_is_away_for_a_moment_is_asked_again() {
    let (clock, _hand) = Clock::manual(WALL);
    let (reading, doubts) = asked_in_vain(&clock).await;
    doubts.away(false);
    let (_, layout) = end_of(reading).await.unwrap();
    assert_eq!(layout.count("fantail.trade"), 3);
}

#[tokio::test]
async fn a_bus_that_stays_away_ends_the_start() {
    let (clock, hand) = Clock::manual(WALL);
    let (reading, _doubts) = asked_in_vain(&clock).await;
    hand.advance(fantail_ops::limits::START_PATIENCE);
    let error = end_of(reading).await.err().unwrap();
    assert!(matches!(error, GatewayError::Bus(ConsumeError::Unreachable(_))), "{error}");
}

#[tokio::test]
async fn a_topic_that_is_missing_is_named_at_once() {
    let (clock, _hand) = Clock::manual(WALL);
    let bus = EmbeddedBus::new(Vec::new(), clock.clone()).unwrap();
    let read = layout(bus.consumer().unwrap(), &clock, &Shutdown::new()).await;
    let told = read.err().unwrap().to_string();
    assert_eq!(told, "cannot read the bus: there is no topic fantail.instrument");
}
