//! Credentials in band: renewal, another user, a smaller scope, the end.

use std::time::Duration;

use fantail_wire::client::{Command, CommandError, Id, Reply};
use fantail_wire::codes::Code;

use super::{Desk, identity, replies};
use crate::limits;
use crate::session::state::Action;
use crate::testing::token;

const HOUR: Duration = Duration::from_secs(3_600);

/// A session of alice's token for these channels.
fn desk(channels: &[&str]) -> Desk {
    let mut desk = Desk::new(identity());
    let jwt = token(&desk.clock, "alice", channels, HOUR);
    desk.state.identity = desk.authenticator.token(&jwt).unwrap().into();
    desk
}

fn auth(desk: &mut Desk, user: &str, channels: &[&str], lifetime: Duration) -> Vec<Action> {
    let token = token(&desk.clock, user, channels, lifetime);
    desk.take(Ok(Command::Auth { id: Some(Id::Number(3)), token }))
}

#[test]
fn a_fresh_token_of_the_same_user_moves_the_end() {
    let mut desk = desk(&["trade:*:*"]);
    desk.hold(&["trade:binance:BTC-USDT"]);
    let before = desk.state.identity.expires().unwrap();
    let actions = auth(&mut desk, "alice", &["trade:*:*"], 2 * HOUR);
    match &actions[..] {
        [Action::Reply(Reply::Authenticated { id: Some(Id::Number(3)), expires })] => {
            assert!(expires.unwrap() > before);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(desk.held().len(), 1);
}

#[test]
fn another_user_or_a_bad_token_changes_nothing() {
    let mut desk = desk(&["trade:*:*"]);
    let before = desk.state.identity.clone();
    let actions = auth(&mut desk, "mallory", &["trade:*:*"], HOUR);
    assert!(matches!(replies(&actions)[..], [Reply::Error { .. }]), "{actions:?}");
    let bad = Command::Auth { id: None, token: "no.such.token".into() };
    let actions = desk.take(Ok(bad));
    match replies(&actions)[..] {
        [Reply::Error { code, message, .. }] => {
            assert_eq!(*code, Code::TokenInvalid);
            assert!(!message.contains("no.such.token"), "a token is never repeated");
        }
        ref other => panic!("{other:?}"),
    }
    assert_eq!(desk.state.identity, before);
}

#[test]
fn a_smaller_scope_stops_what_it_no_longer_covers() {
    let mut desk = desk(&["trade:*:*", "book:*:*"]);
    desk.hold(&["trade:*:*", "book:binance:BTC-USDT"]);
    assert_eq!(desk.held().len(), 4);
    let actions = auth(&mut desk, "alice", &["trade:binance:*"], HOUR);
    let left = actions.iter().filter(|action| matches!(action, Action::Leave(..))).count();
    assert_eq!(left, 2);
    match replies(&actions)[..] {
        [Reply::Authenticated { .. }, Reply::Unsubscribed { id: None, channels, reason, .. }] => {
            assert_eq!(channels[..], ["book:binance:BTC-USDT", "trade:coinbase:BTC-USD"]);
            assert_eq!(reason.as_deref(), Some("revoked"));
        }
        ref other => panic!("{other:?}"),
    }
    let last = actions.last().unwrap();
    assert!(matches!(last, Action::Reply(_)), "told after the last event, not before: {last:?}");
    assert_eq!(desk.held(), ["trade:binance:BTC-USDT", "trade:binance:ETH-USDT"]);
    assert!(desk.list("trade:coinbase:SOL-USD").is_none(), "the pattern lives on, permitted part");
    assert!(desk.list("trade:binance:SOL-USDT").is_some());
}

#[test]
fn the_end_is_announced_once_and_then_enforced() {
    let mut desk = desk(&["trade:*:*"]);
    let deadline = desk.state.identity.expiry.unwrap().deadline;
    assert!(desk.state.tick(desk.clock.monotonic()).is_none());
    desk.hand.advance(deadline - limits::EXPIRY_NOTICE);
    match desk.state.tick(desk.clock.monotonic()) {
        Some(Action::Reply(Reply::Error { id: None, code, message, .. })) => {
            assert_eq!(code, Code::CredentialsExpired);
            assert!(message.contains("auth"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert!(desk.state.tick(desk.clock.monotonic()).is_none(), "once");
    desk.hand.set_wall(0);
    desk.hand.advance(limits::EXPIRY_NOTICE - Duration::from_millis(1));
    assert!(desk.state.tick(desk.clock.monotonic()).is_none(), "the wall clock decides nothing");
    desk.hand.advance(Duration::from_millis(1));
    match desk.state.tick(desk.clock.monotonic()) {
        Some(Action::Close(code, _)) => assert_eq!(code.close_code(), Some(4401)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_read_is_answered_and_counted() {
    let mut desk = Desk::new(identity());
    let unreadable = || CommandError {
        id: Some(Id::Text("x".into())),
        code: Code::BadRequest,
        message: "no op".into(),
        at: Some(17),
    };
    let mut answered = 0;
    loop {
        let actions = desk.take(Err(unreadable()));
        match &actions[0] {
            Action::Reply(Reply::Error { id, code, details, .. }) => {
                assert_eq!(id, &Some(Id::Text("x".into())));
                assert_eq!((*code, details.at), (Code::BadRequest, Some(17)));
            }
            other => panic!("{other:?}"),
        }
        answered += 1;
        if let Some(Action::Close(code, _)) = actions.get(1) {
            assert_eq!(code.close_code(), Some(4429));
            break;
        }
    }
    assert_eq!(answered, limits::ABUSE_BURST + 1);
}
