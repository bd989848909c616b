//! Chunks in which every socket fares differently: what one of them does not take, or that it is
//! dead, is its own matter; and a ring that fails is nobody's.

use fantail_wire::client::{Reply, ServerMessage};

use super::client::Client;
use super::flush_paths::{FAILING_CALL, also_by_io_uring, by_io_uring};
use super::{JSON, Rig};
use crate::testing::{bbo, identity, trade};

const TRADE: &str = "trade:binance:BTC-USDT";
const BBO: &str = "bbo:binance:BTC-USDT";

also_by_io_uring! {
    a_full_socket_and_a_dead_one_in_a_chunk_are_nobody_elses_matter,
    several_groups_leave_whole_and_in_order_to_every_socket,
}

#[test]
fn a_full_socket_and_a_dead_one_in_a_chunk_are_nobody_elses_matter() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    let mut healthy: Vec<_> = (0..4).map(|_| rig.client(JSON)).collect();
    let mut full = rig.client_with(JSON, Some(4_096), identity());
    let mut dead: Vec<_> = (0..3).map(|_| rig.client(JSON)).collect();
    for client in healthy.iter_mut().chain([&mut full]).chain(&mut dead) {
        client.subscribe(&[TRADE]);
        rig.answer_next();
        assert!(matches!(client.reply(), Reply::Subscribed { .. }));
    }
    let published = 3_000;
    for seq in 1..=published {
        if seq == 10 {
            // They reset their connections; whether the next flush or the poll set sees it first is
            // chance.
            dead.drain(..).for_each(Client::reset);
        }
        rig.publish(vec![(ch, vec![trade(1, seq)])]);
        if seq % 100 == 0 {
            healthy.iter_mut().for_each(|client| read_to(client, seq - 99, seq));
        }
    }
    rig.until("has lost three", |all| all.total == 5);
    rig.until("has one behind", |all| all.sessions.iter().any(|one| one.behind_batches > 0));
    let lost = rig.closes.latest();
    assert_eq!(lost.len(), 3, "{lost:?}");
    assert!(lost.iter().all(|close| close.name == "CONNECTION_RESET"), "{lost:?}");
    read_to(&mut full, 1, published);
    rig.until("level", |all| all.sessions.iter().all(|one| one.behind_batches == 0));
}

#[test]
fn several_groups_leave_whole_and_in_order_to_every_socket() {
    let mut rig = Rig::new();
    let (trades, bbos) = (rig.open(TRADE), rig.open(BBO));
    let mut clients: Vec<_> = (0..7).map(|_| rig.client(JSON)).collect();
    for client in &mut clients {
        client.subscribe(&[TRADE, BBO]);
        rig.answer_next();
        assert!(matches!(client.reply(), Reply::Subscribed { .. }));
    }
    for round in 0..50 {
        let seqs = 3 * round + 1..=3 * round + 3;
        rig.publish(vec![
            (trades, seqs.map(|seq| trade(1, seq)).collect()),
            (bbos, vec![bbo(1, round + 1)]),
        ]);
    }
    for client in &mut clients {
        let (mut last, mut events) = ([0; 2], 0);
        while events < 200 {
            let ServerMessage::Data(data) = client.message() else { panic!("only events") };
            let last = &mut last[usize::from(data.channel == BBO)];
            assert_eq!(data.event.prev, *last);
            *last = data.event.position.seq;
            events += 1;
        }
        assert_eq!(last, [150, 50]);
    }
}

#[test]
fn a_ring_that_fails_half_way_loses_and_doubles_nothing() {
    by_io_uring(|| {
        FAILING_CALL.set(Some(5));
        let mut rig = Rig::new();
        let ch = rig.open(TRADE);
        let mut clients: Vec<_> = (0..10).map(|_| rig.client(JSON)).collect();
        for client in &mut clients {
            client.subscribe(&[TRADE]);
            rig.answer_next();
            assert!(matches!(client.reply(), Reply::Subscribed { .. }));
        }
        assert_eq!(rig.sessions().flush_path, "io_uring");
        for seq in 1..=20 {
            rig.publish(vec![(ch, vec![trade(1, seq)])]);
            clients.iter_mut().for_each(|client| read_to(client, seq, seq));
        }
        assert_eq!(rig.sessions().flush_path, "send");
    });
}

/// Reads events of one channel from one seq to another, each exactly once.
fn read_to(client: &mut Client, first: u64, last: u64) {
    for seq in first..=last {
        match client.message() {
            ServerMessage::Data(data) => assert_eq!(data.event.position.seq, seq),
            other => panic!("{other:?}"),
        }
    }
}
