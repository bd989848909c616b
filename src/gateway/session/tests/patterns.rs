//! Patterns: expansion, later instruments, limits, and channels several things hold.

use fantail_wire::client::Reply;
use fantail_wire::codes::Code;

use super::{Desk, acked, identity, permission, refusals, wanted};
use crate::auth::{Identity, LimitOverrides};
use crate::session::state::Action;
use crate::session::subscriptions::Phase;

#[test]
fn a_pattern_expands_to_what_is_permitted_and_goes_on_expanding() {
    let may = permission(&["trade:binance:*", "book:*:*"]);
    let mut desk = Desk::new(Identity { permission: may, ..identity() });
    let reply = desk.hold(&["trade:*:*"]);
    assert_eq!(acked(&reply), ["trade:binance:BTC-USDT", "trade:binance:ETH-USDT"]);
    assert!(desk.list("trade:coinbase:SOL-USD").is_none(), "not permitted");
    assert!(desk.list("book:binance:SOL-USDT").is_none(), "not asked for");
    let (token, items) = wanted(desk.list("trade:binance:SOL-USDT").into_iter().collect());
    let (reply, joins) = desk.seeds(token, &items);
    assert_eq!(joins.len(), 1);
    match reply {
        Some(Reply::Subscribed { id: None, channels, .. }) => {
            assert_eq!(channels[0].channel, "trade:binance:SOL-USDT");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pattern_with_an_interval_expands_to_derived_channels() {
    let mut desk = Desk::new(identity());
    let reply = desk.hold(&["trade:binance:*@250ms"]);
    let both = ["trade:binance:BTC-USDT@250ms", "trade:binance:ETH-USDT@250ms"];
    assert_eq!(acked(&reply), both);
    let (_, items) = wanted(desk.list("trade:binance:SOL-USDT").into_iter().collect());
    assert_eq!(desk.directory.name(items[0].ch), "trade:binance:SOL-USDT@250ms");
}

#[test]
fn a_pattern_that_matches_nothing_yet_is_kept() {
    let mut desk = Desk::new(identity());
    let actions = desk.subscribe(&["ticker:*:*"]);
    match &actions[..] {
        [Action::Reply(Reply::Subscribed { channels, errors, .. })] => {
            assert!(channels.is_empty() && errors.is_empty());
        }
        other => panic!("{other:?}"),
    }
    assert!(desk.list("ticker:binance:BTC-USDT").is_some());
}

#[test]
fn a_pattern_that_would_exceed_the_limit_is_refused_whole() {
    let limits = LimitOverrides { channels: Some(3), ..LimitOverrides::default() };
    let mut desk = Desk::new(Identity { limits, ..identity() });
    desk.hold(&["status:binance"]);
    let refused = refusals(&desk.subscribe(&["trade:*:*"]));
    assert_eq!(refused[0].0, Code::LimitExceeded);
    assert!(refused[0].1.contains("limit of 3"), "{}", refused[0].1);
    assert_eq!(desk.held(), ["status:binance"]);
    assert!(desk.state.patterns.is_empty());
    desk.hold(&["trade:binance:BTC-USDT", "trade:binance:ETH-USDT"]);
    let refused = refusals(&desk.subscribe(&["book:binance:BTC-USDT"]));
    assert_eq!(refused[0].0, Code::LimitExceeded);
    let repeat = wanted(desk.subscribe(&["status:binance"])).1;
    assert!(repeat[0].repeat, "what is held may be named again at the limit");
}

#[test]
fn a_channel_that_appears_beyond_the_limit_is_not_taken() {
    let limits = LimitOverrides { channels: Some(4), ..LimitOverrides::default() };
    let mut desk = Desk::new(Identity { limits, ..identity() });
    desk.hold(&["trade:*:*"]);
    assert_eq!(desk.held().len(), 3);
    assert!(desk.list("trade:binance:SOL-USDT").is_none());
}

#[test]
fn unsubscribing_a_pattern_leaves_what_something_else_holds() {
    let mut desk = Desk::new(identity());
    desk.hold(&["trade:binance:*", "trade:*:BTC-USDT", "trade:binance:ETH-USDT"]);
    let actions = desk.unsubscribe(&["trade:binance:*"]);
    assert!(!actions.iter().any(|action| matches!(action, Action::Leave(..))));
    assert_eq!(desk.held().len(), 2, "one by name, one by the other pattern");

    let refused = refusals(&desk.unsubscribe(&["trade:binance:BTC-USDT"]));
    assert_eq!(refused[0].0, Code::NotSubscribed);
    assert!(refused[0].1.contains("trade:*:BTC-USDT"), "{}", refused[0].1);
    assert_eq!(desk.held().len(), 2);

    let actions = desk.unsubscribe(&["trade:*:BTC-USDT"]);
    assert!(matches!(actions[0], Action::Leave(_, Phase::Live { .. })), "{actions:?}");
    assert_eq!(desk.held(), ["trade:binance:ETH-USDT"]);
    match &actions[1] {
        Action::Reply(Reply::Unsubscribed { channels, reason: None, .. }) => {
            assert_eq!(channels[..], ["trade:*:BTC-USDT"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pattern_cannot_resume() {
    let mut desk = Desk::new(identity());
    let from = Some(fantail_wire::client::From { epoch: 1, seq: 1, rx: None });
    let channels = vec![fantail_wire::client::SubscribeItem { from, ..super::item("trade:*:*") }];
    let command = fantail_wire::client::Command::Subscribe { id: None, channels };
    assert_eq!(refusals(&desk.take(Ok(command)))[0].0, Code::BadRequest);
    assert!(desk.state.patterns.is_empty());
}
