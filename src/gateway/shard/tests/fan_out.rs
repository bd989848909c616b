//! Encoded once, sent once, and the end of a session told.

use fantail_wire::client::{Reply, ServerMessage};
use fantail_wire::codes::Code;
use fantail_wire::frame::Opcode;

use super::client::Seen;
use super::flush_paths::also_by_io_uring;
use super::{JSON, Rig};
use crate::testing::trade;

const TRADES: &str = "trade:binance:BTC-USDT";

also_by_io_uring! {
    a_batch_is_encoded_once_and_written_once_to_each_socket,
    a_pong_stands_between_frames_and_repeats_the_ping,
    a_drain_says_goodbye_and_closes_with_1012,
}

#[test]
fn a_batch_is_encoded_once_and_written_once_to_each_socket() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADES);
    let mut clients: Vec<_> = (0..100).map(|_| rig.client(JSON)).collect();
    for client in &mut clients {
        client.subscribe(&[TRADES]);
        rig.answer_next();
        assert!(matches!(client.reply(), Reply::Subscribed { .. }));
    }
    let ([writes, deliveries, ..], frames) = (rig.metrics.figures(), rig.frames.of(JSON));
    for seq in 1..=50 {
        rig.publish(vec![(ch, vec![trade(1, seq)])]);
        // One at a time, so that no two batches share a flush.
        for client in &mut clients {
            assert!(matches!(client.message(), ServerMessage::Data(_)));
        }
    }
    let [writes_after, deliveries_after, ..] = rig.metrics.figures();
    assert_eq!(rig.frames.of(JSON) - frames, 50);
    assert_eq!(writes_after - writes, 50 * 100);
    assert_eq!(deliveries_after - deliveries, 50 * 100);
}

#[test]
fn a_pong_stands_between_frames_and_repeats_the_ping() {
    let mut rig = Rig::new();
    let mut client = rig.client(JSON);
    client.frame(Opcode::Ping, b"payload");
    assert!(matches!(client.next(), Seen::Pong(payload) if payload == b"payload"));
}

#[test]
fn a_drain_says_goodbye_and_closes_with_1012() {
    let mut rig = Rig::new();
    let mut client = rig.client(JSON);
    rig.shutdown.begin("test");
    assert!(matches!(client.reply(), Reply::Goodbye { code: Code::Restart, .. }));
    assert_eq!(client.closed().0, 1_012);
}
