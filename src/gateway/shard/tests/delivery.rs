//! The cost model of the fan-out, counted: each publication is encoded once per kind, each socket
//! is written once per batch.

use fantail_wire::client::{Encoding, Reply, ServerMessage};
use fantail_wire::frame::Opcode;

use super::chains::Chains;
use super::client::Seen;
use super::flush_paths::also_by_io_uring;
use super::{HEARTBEAT, JSON, Rig};
use crate::kind::{FrameKind, KINDS};
use crate::testing::{bbo, trade};

const TRADE: &str = "trade:binance:BTC-USDT";
const BBO: &str = "bbo:binance:BTC-USDT";

also_by_io_uring! {
    a_hundred_subscribers_cost_one_encoding_a_kind_and_one_write_each,
    several_channels_of_one_batch_leave_in_one_write_and_in_order,
    every_kind_is_told_the_same,
    a_pong_repeats_the_payload_and_stands_between_frames,
    a_repeated_name_in_one_command_delivers_each_event_once,
    interest_is_not_given_up_while_a_seed_is_on_its_way,
}

#[test]
fn a_hundred_subscribers_cost_one_encoding_a_kind_and_one_write_each() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    rig.publish(vec![(ch, vec![trade(1, 1)])]);
    let kinds = [
        JSON,
        FrameKind { encoding: Encoding::MsgPack, ..JSON },
        FrameKind { encoding: Encoding::Protobuf, batch: true, ..JSON },
    ];
    let mut clients: Vec<_> = (0..100).map(|at| rig.client(kinds[at % kinds.len()])).collect();
    for client in &mut clients {
        client.subscribe(&[TRADE]);
        rig.answer_next();
        client.reply();
    }
    rig.sessions();
    let made = |rig: &Rig| kinds.map(|kind| rig.frames.of(kind));
    let (before, [writes, deliveries, ..]) = (made(&rig), rig.metrics.figures());
    for batch in 0..10 {
        let seqs = 2 + 3 * batch..5 + 3 * batch;
        rig.publish(vec![(ch, seqs.map(|seq| trade(1, seq)).collect())]);
        // What the shard takes together it also sends together: here each batch is one flush.
        rig.sessions();
    }
    let after = made(&rig);
    let frames: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(frames, [30, 30, 10], "three events a batch; as one message where asked");
    let [now_writes, now_deliveries, ..] = rig.metrics.figures();
    assert_eq!((now_writes - writes, now_deliveries - deliveries), (1_000, 3_000));
    for client in &mut clients {
        let mut chains = Chains::default();
        let last = Some(fantail_model::Position::new(1, 1));
        chains.held.insert(TRADE.into(), super::chains::Chain { last, book: None });
        while chains.events < 30 {
            let seen = client.next();
            chains.take(client, seen);
        }
        assert_eq!(chains.held[TRADE].last.unwrap().seq, 31);
    }
}

#[test]
fn several_channels_of_one_batch_leave_in_one_write_and_in_order() {
    let mut rig = Rig::new();
    let (trades, bbos) = (rig.open(TRADE), rig.open(BBO));
    let mut client = rig.client(JSON);
    client.subscribe(&[TRADE, BBO]);
    rig.answer_next();
    client.reply();
    let [writes, ..] = rig.metrics.figures();
    rig.publish(vec![(trades, vec![trade(1, 1), trade(1, 2)]), (bbos, vec![bbo(1, 1)])]);
    rig.sessions();
    assert_eq!(rig.metrics.figures()[0] - writes, 1);
    let names: Vec<String> = (0..3)
        .map(|_| match client.message() {
            ServerMessage::Data(data) => data.channel,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, [TRADE, TRADE, BBO]);
}

#[test]
fn every_kind_is_told_the_same() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    rig.publish(vec![(ch, vec![trade(1, 1)])]);
    let mut clients: Vec<_> = (0..KINDS).map(|at| rig.client(FrameKind::at(at))).collect();
    let mut chains: Vec<Chains> = clients.iter().map(|_| Chains::default()).collect();
    for client in &mut clients {
        client.subscribe(&[TRADE]);
        rig.answer_next();
    }
    // Enough in one batch that a `batch` message is worth compressing.
    rig.publish(vec![(ch, (2..=20).map(|seq| trade(1, seq)).collect())]);
    for (client, chains) in clients.iter_mut().zip(&mut chains) {
        while chains.events < 19 {
            let seen = client.next();
            chains.take(client, seen);
        }
        assert_eq!(chains.held[TRADE].last.unwrap().seq, 20);
    }
    assert!(rig.frames.compressed() > 0, "something was compressed");
}

#[test]
fn a_pong_repeats_the_payload_and_stands_between_frames() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    let mut client = rig.client(JSON);
    client.subscribe(&[TRADE]);
    rig.answer_next();
    client.reply();
    let (mut pongs, mut events) = (0_u8, 0);
    for round in 0..10 {
        client.frame(Opcode::Ping, &[round; 125]);
        rig.publish(vec![(ch, vec![trade(1, u64::from(round) + 1)])]);
    }
    while pongs < 10 || events < 10 {
        match client.next() {
            Seen::Pong(payload) => {
                assert_eq!(payload, [pongs; 125]);
                pongs += 1;
            }
            Seen::Message(ServerMessage::Data(_)) => events += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_repeated_name_in_one_command_delivers_each_event_once() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    let mut client = rig.client(JSON);
    client.subscribe(&[TRADE, TRADE, "trade:*:BTC-USDT"]);
    rig.answer_next();
    assert!(matches!(client.reply(), Reply::Subscribed { .. }));
    rig.publish(vec![(ch, vec![trade(1, 1)])]);
    rig.publish(vec![(ch, vec![trade(1, 2)])]);
    for seq in 1..=2 {
        match client.message() {
            ServerMessage::Data(data) => assert_eq!(data.event.position.seq, seq),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn interest_is_not_given_up_while_a_seed_is_on_its_way() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    let mut client = rig.client(JSON);
    client.subscribe(&[TRADE]);
    rig.answer_next();
    client.reply();
    client.unsubscribe(&[TRADE]);
    client.reply();
    client.subscribe(&[TRADE]);
    // The want is out, its seed is not: the linger passes now, and a tick sees it.
    rig.until("waiting", |shard| shard.sessions[0].channels == 1);
    rig.hand.advance(HEARTBEAT.max(2 * crate::limits::INTEREST_LINGER));
    assert!(matches!(client.reply(), Reply::Heartbeat { .. }));
    rig.sessions();
    let [.., flushes, _] = rig.metrics.figures();
    assert_eq!(rig.answer(), 1, "the want");
    client.reply();
    rig.answer();
    rig.publish(vec![(ch, vec![trade(1, 1)])]);
    match client.message() {
        ServerMessage::Data(data) => assert_eq!(data.event.position.seq, 1),
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.metrics.figures()[2], flushes + 1);
}
