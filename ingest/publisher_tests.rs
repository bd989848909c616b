//! The publisher against a bus that refuses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fantail_bus::FlushError;
use fantail_model::{Bbo, BookChange, Symbol};
use fantail_ops::clock::Clock;
use fantail_ops::metrics::{BuildInfo, Metrics};
use fantail_wire::record::{Record as WireRecord, decode};

use super::*;
use crate::metrics::IngestMetrics;

/// What was taken, and how many records are refused next.
#[derive(Clone, Default)]
struct Fussy(Arc<Mutex<(Vec<Event>, usize)>>);

impl Producer for Fussy {
    fn partitions(&self, _topic: &TopicName) -> Option<u32> {
        Some(1)
    }

    fn send(&mut self, record: Record) -> Result<(), SendError> {
        let mut state = self.0.lock().unwrap();
        if state.1 > 0 {
            state.1 -= 1;
            return Err(SendError::QueueFull(Box::new(record)));
        }
        if let Some(WireRecord::Event { event, .. }) = record.value.map(|v| decode(&v).unwrap()) {
            state.0.push(event);
        }
        Ok(())
    }

    fn flush(&mut self, _timeout: Duration) -> Result<(), FlushError> {
        Ok(())
    }
}

fn publisher(bus: &Fussy) -> Publisher {
    let build = BuildInfo { version: "", commit: "", role: String::new() };
    let metrics = Metrics::new(build, &Clock::system());
    let metrics = IngestMetrics::new(&metrics).venue("binance");
    let sequencer = Sequencer::with_epoch(100);
    Publisher::new(Box::new(bus.clone()), sequencer, RecordFormat::Protobuf, metrics)
}

fn channel(kind: Kind) -> Channel {
    Channel::new(kind, VenueId::new("binance").unwrap(), Symbol::new("BTC-USDT").unwrap())
}

fn draft(body: Body) -> Draft {
    Draft::own(body, Micros(1))
}

#[test]
fn refused_events_use_no_position_and_the_loss_is_told_first() {
    let bus = Fussy::default();
    let mut publisher = publisher(&bus);
    let slot = publisher.open(&channel(Kind::Bbo));
    let bbo = || draft(Body::Bbo(Bbo { bid: None, ask: None }));
    assert!(publisher.publish(slot, bbo()));
    bus.0.lock().unwrap().1 = 2;
    assert!(!publisher.publish(slot, bbo()));
    assert!(publisher.is_broken(slot));
    assert!(!publisher.publish(slot, bbo()), "the gap itself is refused");
    assert!(publisher.publish(slot, bbo()));
    assert!(!publisher.is_broken(slot));
    let taken = &bus.0.lock().unwrap().0;
    let seqs: Vec<_> = taken.iter().map(|event| (event.position.seq, event.prev)).collect();
    assert_eq!(seqs, [(1, 0), (2, 1), (3, 2)]);
    assert!(taken[0].reset && !taken[1].reset);
    assert!(matches!(&taken[1].body, Body::VenueGap(gap) if gap.reason == "overload"));
}

#[test]
fn a_broken_book_takes_nothing_but_a_reset() {
    let bus = Fussy::default();
    let mut publisher = publisher(&bus);
    let slot = publisher.open(&channel(Kind::Book));
    let book = |reset| Draft { reset, ..draft(Body::Book(BookChange::default())) };
    assert!(publisher.publish(slot, book(true)));
    bus.0.lock().unwrap().1 = 1;
    assert!(!publisher.publish(slot, book(false)));
    assert!(!publisher.publish(slot, book(false)));
    assert!(!publisher.mend(slot, Micros(2)));
    assert!(publisher.publish(slot, book(true)));
    assert!(publisher.publish(slot, book(false)));
    let taken = &bus.0.lock().unwrap().0;
    let marks: Vec<_> = taken.iter().map(|event| (event.position.seq, event.reset)).collect();
    assert_eq!(marks, [(1, true), (2, true), (3, false)]);
}
