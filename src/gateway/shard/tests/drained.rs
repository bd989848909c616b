//! A drain: paced by the clock, and nothing that was queued is lost (row D02).

use std::time::Duration;

use fantail_wire::client::{Reply, ServerMessage};
use fantail_wire::codes::Code;

use super::flush_paths::also_by_io_uring;
use super::{JSON, Rig};
use crate::testing::{identity, trade};

const TRADES: &str = "trade:binance:BTC-USDT";

also_by_io_uring! {
    d02_sessions_leave_at_a_pace,
    d02_a_drain_cut_short_tells_everybody,
    d02_what_is_queued_leaves_before_the_close,
}

#[test]
fn d02_sessions_leave_at_a_pace() {
    let mut rig = Rig::paced(Duration::from_secs(2));
    let clients: Vec<_> = (0..200).map(|_| rig.client(JSON)).collect();
    rig.until("has all", |all| all.total == clients.len());
    let closes = rig.closes.clone();
    let told = || closes.latest().len();
    rig.shutdown.begin("test");
    // The first leaves at once; the others wait for the clock.
    rig.until("tells the first", |_| told() == 1);
    for (advance, expected) in [(500, 51), (1_000, 151), (490, 200)] {
        rig.hand.advance(Duration::from_millis(advance));
        rig.until("goes on", |_| told() == expected);
    }
    assert!(closes.latest().iter().all(|close| close.name == "RESTART" && close.code == 1012));
}

#[test]
fn d02_a_drain_cut_short_tells_everybody() {
    let mut rig = Rig::paced(Duration::from_secs(600));
    let mut clients: Vec<_> = (0..200).map(|_| rig.client(JSON)).collect();
    rig.shutdown.begin("test");
    let closes = rig.closes.clone();
    rig.until("tells the first", |_| closes.latest().len() == 1);
    rig.shutdown.hurry("test");
    for client in &mut clients {
        assert!(matches!(client.reply(), Reply::Goodbye { code: Code::Restart, .. }));
        assert_eq!(client.closed().0, 1_012);
    }
}

#[test]
fn d02_what_is_queued_leaves_before_the_close() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADES);
    // Small socket buffers, so that a reader that pauses is noticed soon.
    let mut client = rig.client_with(JSON, Some(4_096), identity());
    client.subscribe(&[TRADES]);
    rig.answer_next();
    assert!(matches!(client.reply(), Reply::Subscribed { .. }));
    for seq in 1..=3_000 {
        rig.publish(vec![(ch, vec![trade(1, seq)])]);
    }
    rig.until("is behind", |all| all.sessions.iter().any(|one| one.queued > 0));
    rig.shutdown.begin("test");
    let closes = rig.closes.clone();
    rig.until("tells it", |_| closes.latest().len() == 1);
    let [_, queued, ..] = rig.metrics.figures();
    let mut last = 0;
    loop {
        match client.message() {
            ServerMessage::Data(data) => {
                assert_eq!(data.event.prev, last, "no hole");
                last = data.event.position.seq;
            }
            ServerMessage::Reply(Reply::Goodbye { code: Code::Restart, retry_after_ms }) => {
                assert!(retry_after_ms.is_some());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(client.closed().0, 1_012);
    assert_eq!(last, queued, "it leaves with everything that had been queued for it");
    assert!(last < 3_000, "but not with what had not: that it resumes");
}
