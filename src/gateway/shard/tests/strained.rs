//! A shard that is made to lag: what it lets go of, what it merges, and what a mere pause costs.

use std::time::Duration;

use fantail_wire::client::{Reply, ServerMessage};

use super::chains::Chains;
use super::client::{Client, Seen};
use super::{JSON, Rig};
use crate::limits;
use crate::link::{ToShard, ToTail};
use crate::testing::{bbo, trade};

const TRADE: &str = "trade:binance:BTC-USDT";
const BBO: &str = "bbo:binance:BTC-USDT";
/// Later than a session may be behind.
const LATE: Duration = Duration::from_secs(11);
/// Batches that take more turns than a shard may be late for.
const MANY: u64 = limits::FLUSH_BATCHES_MAX as u64 * (limits::LATE_TURNS_MAX as u64 + 2);

/// A client that holds `name` from the head on.
fn subscribed(rig: &mut Rig, name: &str) -> (Client, Chains) {
    let (mut client, mut chains) = (rig.client(JSON), Chains::default());
    client.subscribe(&[name]);
    rig.answer_next();
    while !chains.held.contains_key(name) {
        let seen = client.next();
        chains.take(&client, seen);
    }
    (client, chains)
}

/// Reads until the channel stands at `seq`.
fn read_to(client: &mut Client, chains: &mut Chains, name: &str, seq: u64) {
    while chains.held[name].last.is_none_or(|last| last.seq < seq) {
        let seen = client.next();
        chains.take(client, seen);
        assert_eq!(chains.ended, None);
    }
}

#[test]
fn a_shard_that_is_too_late_lets_go_of_trades_and_goes_on_with_states() {
    let mut rig = Rig::new();
    let (trades, quotes) = (rig.open(TRADE), rig.open(BBO));
    rig.publish(vec![(trades, vec![trade(1, 1)]), (quotes, vec![bbo(1, 1)])]);
    let (mut of_trades, _) = subscribed(&mut rig, TRADE);
    let (mut of_quotes, mut quoted) = subscribed(&mut rig, BBO);
    let mut newcomer = rig.client(JSON);
    newcomer.subscribe(&[TRADE]);
    let asked = rig.runtime.block_on(rig.requests.recv()).unwrap();
    assert!(matches!(asked, ToTail::Want { .. }));

    let stall = rig.stall();
    for seq in 2..=MANY {
        rig.publish(vec![(trades, vec![trade(1, seq)]), (quotes, vec![bbo(1, seq)])]);
    }
    rig.answer_one(asked);
    rig.hand.advance(LATE);
    drop(stall);

    let goodbye = loop {
        if let ServerMessage::Reply(reply @ Reply::Goodbye { .. }) = of_trades.message() {
            break reply;
        }
    };
    let Reply::Goodbye { retry_after_ms: Some(after), .. } = goodbye else {
        panic!("who leaves with many is told when to come back: {goodbye:?}")
    };
    assert!(
        (limits::RETRY_MIN_MS..limits::RETRY_MIN_MS + limits::RETRY_SPREAD_MS).contains(&after)
    );
    let (code, reason) = of_trades.closed();
    assert_eq!(code, 4409);
    assert!(reason.starts_with("TOO_SLOW: the node"), "{reason}");
    read_to(&mut of_quotes, &mut quoted, BBO, MANY);
    assert!(quoted.events < MANY / 2, "what waited was merged: {}", quoted.events);
    // Who only waited for its start was not late: it begins where the tail was.
    let mut chains = Chains::default();
    rig.publish(vec![(trades, vec![trade(1, MANY + 1)])]);
    while !chains.held.contains_key(TRADE) {
        let seen = newcomer.next();
        chains.take(&newcomer, seen);
    }
    read_to(&mut newcomer, &mut chains, TRADE, MANY + 1);
    assert_eq!(chains.events, 1);
    let closed = rig.closes.latest();
    assert_eq!((closed.len(), closed[0].code), (1, 4409));
    assert!(!rig.strain.would_lend(limits::REPLAY_BYTES_FREE + 1, rig.clock.monotonic()));
    rig.hand.advance(Duration::from_secs(10));
    rig.until("at ease", |_| {
        rig.strain.would_lend(limits::REPLAY_BYTES_FREE + 1, rig.clock.monotonic())
    });
}

#[test]
fn a_pause_lets_go_of_nobody() {
    let mut rig = Rig::new();
    let trades = rig.open(TRADE);
    rig.publish(vec![(trades, vec![trade(1, 1)])]);
    let (mut client, mut chains) = subscribed(&mut rig, TRADE);
    for round in 0..5 {
        let stall = rig.stall();
        let first = 2 + round * limits::FLUSH_BATCHES_MAX as u64;
        let end = first + limits::FLUSH_BATCHES_MAX as u64;
        for seq in first..end {
            rig.publish(vec![(trades, vec![trade(1, seq)])]);
        }
        rig.hand.advance(LATE);
        client.command(&fantail_wire::client::Command::Ping { id: None });
        drop(stall);
        read_to(&mut client, &mut chains, TRADE, end - 1);
    }
    assert_eq!(chains.events, 5 * limits::FLUSH_BATCHES_MAX as u64);
    assert!(rig.closes.latest().is_empty());
}

#[test]
fn when_what_waited_is_given_up_states_start_again_and_trades_resume() {
    let mut rig = Rig::new();
    let (trades, quotes) = (rig.open(TRADE), rig.open(BBO));
    rig.publish(vec![(trades, vec![trade(1, 1)]), (quotes, vec![bbo(1, 1)])]);
    let (mut of_trades, _) = subscribed(&mut rig, TRADE);
    let (mut of_quotes, mut quoted) = subscribed(&mut rig, BBO);
    let mut idle = rig.client(JSON);
    let mut waiting = rig.client(JSON);
    waiting.subscribe(&[BBO]);
    // Its seed is among what is given up.
    rig.runtime.block_on(rig.requests.recv()).unwrap();
    // The store goes on, and the shard is told nothing of it.
    let lost = (2..=50).map(|seq| bbo(1, seq));
    lost.for_each(|event| drop(rig.store.channel_mut(quotes).unwrap().apply(event)));
    rig.tell(ToShard::Lost);
    assert_eq!(of_trades.closed().0, 4409);
    assert_eq!(waiting.closed().0, 4409);
    rig.answer_next();
    rig.publish(vec![(quotes, vec![bbo(1, 51)])]);
    read_to(&mut of_quotes, &mut quoted, BBO, 51);
    assert_eq!((quoted.resets, quoted.ended), (1, None), "its state replaced what it held");
    idle.subscribe(&[BBO]);
    rig.answer_next();
    assert!(matches!(idle.next(), Seen::Message(ServerMessage::Reply(Reply::Subscribed { .. }))));
}

/// A rig whose ring keeps this many trades.
fn with_trades(count: u64) -> (Rig, u32) {
    let mut rig = Rig::new();
    rig.ring_bytes = 64 * 1_024 * 1_024;
    let ch = rig.open(TRADE);
    for seq in 1..=count {
        rig.publish(vec![(ch, vec![trade(1, seq)])]);
    }
    (rig, ch)
}

#[test]
fn what_was_lent_is_repaid_when_it_is_sent_or_nobody_wants_it() {
    let (mut rig, _) = with_trades(5_000);
    let mut reader = rig.client_with(JSON, Some(4_096), crate::testing::identity());
    let mut leaver = rig.client_with(JSON, Some(4_096), crate::testing::identity());
    let mut chains = Chains::default();
    for client in [&mut reader, &mut leaver] {
        client.resume(TRADE, 1, 1);
        rig.answer_next();
    }
    rig.until("queued", |shard| shard.sessions.iter().all(|one| one.queued > 100));
    assert!(rig.strain.owed_bytes() > 0);
    leaver.hang_up();
    let last = Some(fantail_model::Position::new(1, 1));
    chains.resuming.insert(TRADE.into(), super::chains::Chain { last, book: None });
    while chains.events < 4_999 {
        let seen = reader.next();
        chains.take(&reader, seen);
    }
    rig.until("repaid", |_| rig.strain.owed_bytes() == 0);
}

#[test]
fn a_crowd_closed_before_it_was_sent_what_it_resumed_for_is_lent_nothing_for_a_while() {
    let (mut rig, ch) = with_trades(3_000);
    let lends =
        |rig: &Rig| rig.strain.would_lend(limits::REPLAY_BYTES_FREE + 1, rig.clock.monotonic());
    // Each round one more that reads nothing of what it resumed for.
    let mut stopped = Vec::new();
    for count in [limits::CROWD_MIN - 1, limits::CROWD_MIN] {
        for _ in 0..count {
            let mut client = rig.client_with(JSON, Some(4_096), crate::testing::identity());
            client.resume(TRADE, 1, 1);
            rig.answer_next();
            stopped.push(client);
        }
        rig.publish(vec![(ch, vec![trade(1, 3_001 + count as u64)])]);
        rig.until("behind", |all| {
            all.sessions.iter().filter(|one| one.behind_batches > 0).count() == count
        });
        assert!(lends(&rig));
        rig.hand.advance(Duration::from_secs(10));
        rig.until("closing", |all| all.sessions.iter().all(|one| one.closing));
        assert_eq!(lends(&rig), count < limits::CROWD_MIN, "{count} readers");
        rig.hand.advance(Duration::from_secs(10));
        rig.until("gone", |all| all.total == 0);
    }
    rig.hand.advance(Duration::from_secs(10));
    assert!(lends(&rig), "after a while it is tried again");
}
