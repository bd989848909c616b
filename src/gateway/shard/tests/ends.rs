//! How sessions end: each with its code, its reason, and nothing after it.

use std::time::Duration;

use fantail_wire::client::{Command, Id, Reply};
use fantail_wire::codes::Code;
use fantail_wire::frame::Opcode;

use super::client::Seen;
use super::flush_paths::also_by_io_uring;
use super::{JSON, Rig};
use crate::link::ToShard;
use crate::testing::{bbo, identity, trade};

const TRADE: &str = "trade:binance:BTC-USDT";

also_by_io_uring! {
    a_drain_says_goodbye_with_a_time_to_come_back,
    a_silent_client_is_pinged_and_then_closed,
    a_flood_of_pings_is_closed,
    nothing_follows_the_close_of_an_abusive_session,
    a_close_is_answered_and_a_protocol_mistake_named,
    who_hangs_up_right_behind_a_command_is_gone_at_once,
    credentials_that_end_close_the_session,
    a_shard_that_lost_its_place_lets_everybody_resume,
    d18_a_panic_in_handling_one_clients_input_ends_that_session_only,
}

#[test]
fn a_drain_says_goodbye_with_a_time_to_come_back() {
    let mut rig = Rig::new();
    let mut clients: Vec<_> = (0..5).map(|_| rig.client(JSON)).collect();
    rig.shutdown.begin("test");
    for client in &mut clients {
        match client.reply() {
            Reply::Goodbye { code: Code::Restart, retry_after_ms: Some(after) } => {
                assert!((100..2_100).contains(&after), "{after}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(client.closed(), (1012, "RESTART".into()));
    }
    drop(clients);
    let drained = rig.shutdown.drained(crate::testing::PATIENCE);
    rig.runtime.block_on(drained).expect("the shard ends when its clients have gone");
}

#[test]
fn a_silent_client_is_pinged_and_then_closed() {
    let mut rig = Rig::new();
    let mut client = rig.client(JSON);
    let mut talkative = rig.client(JSON);
    rig.hand.advance(Duration::from_secs(15));
    for one in [&mut client, &mut talkative] {
        assert!(matches!(one.next(), Seen::Ping));
        assert!(matches!(one.reply(), Reply::Heartbeat { n: 1, .. }));
    }
    talkative.frame(Opcode::Pong, b"");
    talkative.command(&Command::Ping { id: None });
    assert!(matches!(talkative.reply(), Reply::Pong { .. }));
    rig.hand.advance(Duration::from_secs(15));
    assert!(matches!(client.reply(), Reply::Goodbye { code: Code::HeartbeatMissed, .. }));
    let (code, reason) = client.closed();
    assert_eq!(code, 4408);
    assert!(reason.starts_with("HEARTBEAT_MISSED"), "{reason}");
    assert!(matches!(talkative.reply(), Reply::Heartbeat { n: 2, .. }));
}

#[test]
fn a_flood_of_pings_is_closed() {
    let mut rig = Rig::new();
    let mut client = rig.client(JSON);
    for _ in 0..50 {
        client.frame(Opcode::Ping, b"x");
    }
    let (code, reason) = client.closed();
    assert_eq!(code, 1008);
    assert!(reason.contains("pings"), "{reason}");
}

#[test]
fn nothing_follows_the_close_of_an_abusive_session() {
    let mut rig = Rig::new();
    let mut client = rig.client(JSON);
    // The command that is one too many is a subscribe, whose answer must not follow the close.
    for _ in 0..101 {
        client.subscribe(&["nonsense"]);
    }
    let (code, _) = client.closed();
    assert_eq!(code, 4429);
}

#[test]
fn a_close_is_answered_and_a_protocol_mistake_named() {
    let mut rig = Rig::new();
    let mut polite = rig.client(JSON);
    polite.frame(Opcode::Close, &[&1000_u16.to_be_bytes()[..], b"bye"].concat());
    assert_eq!(polite.closed().0, 1000);
    let mut unmasked = rig.client(JSON);
    unmasked.raw(&[0x81, 0x01, b'x']);
    assert_eq!(unmasked.closed().0, 1002);
    let mut binary = rig.client(JSON);
    binary.frame(Opcode::Binary, b"{}");
    assert_eq!(binary.closed().0, 1003);
    let names: Vec<String> = rig.closes.latest().into_iter().map(|entry| entry.name).collect();
    for name in ["CLIENT_CLOSED", "PROTOCOL_ERROR", "UNSUPPORTED_DATA"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}

#[test]
fn who_hangs_up_right_behind_a_command_is_gone_at_once() {
    let mut rig = Rig::new();
    let mut clients: Vec<_> = (0..50).map(|_| rig.client(JSON)).collect();
    for client in &mut clients {
        client.command(&Command::Ping { id: None });
        client.hang_up();
    }
    // No clock moves: neither a heartbeat nor a deadline ends them.
    rig.until("gone", |shard| shard.total == 0);
    assert_eq!(rig.connections.count(), 0, "their places are free again");
}

#[test]
fn who_is_reset_or_times_out_is_counted_apart_from_who_left() {
    let mut rig = Rig::new();
    let ch = rig.open("bbo:binance:BTC-USDT");
    let named = |rig: &Rig, name: &str| {
        rig.until(name, |_| rig.closes.latest().iter().any(|entry| entry.name == name));
    };
    rig.client(JSON).hang_up();
    named(&rig, "CONNECTION_LOST");
    rig.client(JSON).reset();
    named(&rig, "CONNECTION_RESET");
    // It holds states only, so nothing but the kernel ends it when it does not read.
    rig.unacked_timeout = Some(Duration::from_millis(300));
    let mut stalled = rig.client_with(JSON, Some(4_096), identity());
    stalled.subscribe(&["bbo:binance:BTC-USDT"]);
    rig.answer_next();
    let mut seq = 0;
    while rig.closes.latest().len() < 3 {
        seq += 1;
        rig.publish(vec![(ch, vec![bbo(1, seq)])]);
        rig.sessions();
    }
    named(&rig, "CONNECTION_TIMED_OUT");
}

#[test]
fn credentials_that_end_close_the_session() {
    let mut rig = Rig::new();
    let expiry =
        crate::auth::Expiry { wall: fantail_model::Micros(1), deadline: Duration::from_secs(3) };
    let who = crate::auth::Identity { expiry: Some(expiry), ..identity() };
    let mut client = rig.client_with(JSON, None, who);
    match client.reply() {
        Reply::Error { code: Code::CredentialsExpired, id: None, .. } => {}
        other => panic!("{other:?}"),
    }
    rig.hand.advance(Duration::from_secs(3));
    assert_eq!(client.closed().0, 4401);
}

#[test]
fn a_shard_that_lost_its_place_lets_everybody_resume() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    let mut client = rig.client(JSON);
    client.subscribe(&[TRADE]);
    rig.answer_next();
    rig.publish(vec![(ch, vec![trade(1, 1)])]);
    rig.tell(ToShard::Lost);
    assert_eq!(client.closed().0, 4409);
}

#[test]
fn d18_a_panic_in_handling_one_clients_input_ends_that_session_only() {
    let mut rig = Rig::new();
    let ch = rig.open(TRADE);
    let mut other = rig.client(JSON);
    for round in 1..=3 {
        let mut victim = rig.client(JSON);
        victim.subscribe(&[TRADE]);
        rig.answer_next();
        assert!(matches!(victim.reply(), Reply::Subscribed { .. }));
        victim.command(&Command::Ping { id: Some(Id::Text("go wrong".into())) });
        assert!(matches!(victim.reply(), Reply::Goodbye { code: Code::Internal, .. }));
        let (code, reason) = victim.closed();
        assert_eq!(code, 1011, "{reason}");
        rig.publish(vec![(ch, vec![trade(1, round)])]);
        other.command(&Command::Ping { id: None });
        assert!(matches!(other.reply(), Reply::Pong { .. }), "the others are served");
    }
    rig.until("only the other is left", |shard| shard.total == 1);
    assert_eq!(rig.closes.latest().iter().filter(|entry| entry.code == 1011).count(), 3);
}
