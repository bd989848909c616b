//! The session as a pure state machine: each command with the actions it must cause.

mod credentials;
mod patterns;

use std::sync::Arc;
use std::time::Duration;

use fantail_model::{Interval, Micros, Position};
use fantail_ops::clock::{Clock, ManualClock};
use fantail_wire::client::{Command, CommandError, From, Id, Refusal, Reply, SubscribeItem};
use fantail_wire::codes::Code;

use super::commands::Context;
use super::directory::Directory;
use super::state::{Action, SessionState};
use super::subscriptions::Phase;
use crate::auth::{Authenticator, Identity};
use crate::group::ChannelInfo;
use crate::link::WantItem;
use crate::seed::{Seed, Seeds, SessionKey};
use crate::testing::{WALL, authenticator, identity, limits, permission};
use crate::variant::{Variants, base_number};

/// A session with a directory of six channels and a clock that stands still.
struct Desk {
    state: SessionState,
    directory: Directory,
    authenticator: Authenticator,
    clock: Clock,
    hand: ManualClock,
    known: usize,
}

impl Desk {
    fn new(identity: Identity) -> Self {
        let (clock, hand) = Clock::manual(WALL);
        let state =
            SessionState::new("s-1".into(), Arc::new(identity), limits(), clock.monotonic());
        let variants = Variants::new(Interval::from_millis(250).into_iter().collect());
        let authenticator = authenticator(&clock);
        let directory = Directory::new(variants);
        let mut desk = Self { state, directory, authenticator, clock, hand, known: 0 };
        for name in [
            "trade:binance:BTC-USDT",
            "book:binance:BTC-USDT",
            "bbo:binance:BTC-USDT",
            "trade:coinbase:BTC-USD",
            "status:binance",
            "trade:binance:ETH-USDT",
        ] {
            assert!(desk.list(name).is_none());
        }
        desk
    }

    /// An instrument's channel appears.
    fn list(&mut self, name: &str) -> Option<Action> {
        let ch = base_number(self.known).unwrap();
        self.known += 1;
        let channel = name.parse().unwrap();
        let info = Arc::new(ChannelInfo { ch, name: name.into(), channel });
        self.directory.add(Arc::clone(&info));
        self.state.appeared(&info, &self.directory)
    }

    fn take(&mut self, command: Result<Command, CommandError>) -> Vec<Action> {
        let context = Context {
            directory: &self.directory,
            authenticator: &self.authenticator,
            now: self.clock.monotonic(),
            wall: Micros(self.clock.wall_micros()),
        };
        self.state.command(command, &context)
    }

    fn subscribe(&mut self, names: &[&str]) -> Vec<Action> {
        let channels = names.iter().map(|name| item(name)).collect();
        self.take(Ok(Command::Subscribe { id: Some(Id::Number(1)), channels }))
    }

    fn unsubscribe(&mut self, names: &[&str]) -> Vec<Action> {
        let channels = names.iter().map(|name| (*name).to_owned()).collect();
        self.take(Ok(Command::Unsubscribe { id: Some(Id::Number(2)), channels }))
    }

    /// The tail answers a want: every channel at 7/3.
    fn seeds(&mut self, token: u64, items: &[WantItem]) -> (Option<Reply>, Vec<u32>) {
        let seed = |item: &WantItem| {
            let position = Some(Position::new(7, 3));
            Ok(Seed { ch: item.ch, position, resumed: false, parts: Vec::new() })
        };
        let session = SessionKey { slot: 0, generation: 1 };
        let seeds =
            Seeds { session, token, seeds: items.iter().map(seed).collect(), lent_bytes: 0 };
        let Some((reply, joins)) = self.state.seeded(&seeds, &self.directory, |_| None) else {
            return (None, Vec::new());
        };
        let joined: Vec<u32> = joins.iter().map(|seed| seed.ch).collect();
        for ch in &joined {
            let held = self.state.held.get_mut(*ch).unwrap();
            assert_eq!(held.phase, Phase::Waiting { token });
            held.phase = Phase::Live { slot: 0, since: 0 };
        }
        (reply, joined)
    }

    /// Subscribes and is seeded.
    fn hold(&mut self, names: &[&str]) -> Reply {
        let (token, items) = wanted(self.subscribe(names));
        self.seeds(token, &items).0.unwrap()
    }

    fn held(&self) -> Vec<String> {
        self.state.held.iter().map(|held| self.directory.name(held.ch)).collect()
    }
}

fn item(name: &str) -> SubscribeItem {
    SubscribeItem { channel: name.into(), from: None, history: None }
}

/// The want among some actions; there must be one.
fn wanted(actions: Vec<Action>) -> (u64, Vec<WantItem>) {
    let want = |action| match action {
        Action::Want { token, items } => Some((token, items)),
        _ => None,
    };
    actions.into_iter().find_map(want).unwrap()
}

fn replies(actions: &[Action]) -> Vec<&Reply> {
    fn reply(action: &Action) -> Option<&Reply> {
        match action {
            Action::Reply(reply) => Some(reply),
            _ => None,
        }
    }
    actions.iter().filter_map(reply).collect()
}

/// Code and message of the refusals of the one reply.
fn refusals(actions: &[Action]) -> Vec<(Code, String)> {
    match replies(actions)[..] {
        [Reply::Subscribed { errors, .. } | Reply::Unsubscribed { errors, .. }] => {
            errors.iter().map(|Refusal { code, message, .. }| (*code, message.clone())).collect()
        }
        ref other => panic!("{other:?}"),
    }
}

fn acked(reply: &Reply) -> Vec<&str> {
    match reply {
        Reply::Subscribed { channels, .. } => channels.iter().map(|a| &a.channel[..]).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_refused_name_has_its_code_and_says_what_to_do() {
    let may = permission(&["trade:*:*", "book:*:*", "funding:*:*", "cbbo:*", "ticker:*:*"]);
    let mut desk = Desk::new(Identity { permission: may, ..identity() });
    let table = [
        ("bbo:binance:BTC-USDT", Code::Forbidden, "credentials"),
        ("candle:*:BTC-USDT:1m", Code::Forbidden, "credentials"),
        ("Trade:binance:BTC-USDT", Code::InvalidChannel, "all lower case"),
        ("trade:binance:btc-usdt", Code::InvalidChannel, "upper case"),
        ("book:binance:BTC-USDT:7", Code::InvalidChannel, "depths are 5, 10"),
        ("trade", Code::InvalidChannel, ""),
        ("", Code::InvalidChannel, ""),
        ("trade:binance:DOGE-USDT", Code::UnknownChannel, "/v1/instruments"),
        ("ticker:kraken:BTC-USD", Code::UnknownChannel, "/v1/instruments"),
        ("trade:binance:BTC-USDT@300ms", Code::Unsupported, "@250ms"),
        ("trade:*:*@300ms", Code::Unsupported, "@250ms"),
        ("funding:binance:BTC-USDT", Code::Unsupported, "not served"),
        ("cbbo:BTC-USDT", Code::Unsupported, "not served"),
    ];
    for (name, code, hint) in table {
        let actions = desk.subscribe(&[name]);
        let refused = refusals(&actions);
        assert_eq!(refused.len(), 1, "{name}");
        assert_eq!(refused[0].0, code, "{name}: {}", refused[0].1);
        assert!(refused[0].1.contains(hint), "{name}: {}", refused[0].1);
        assert!(desk.held().is_empty() && desk.state.patterns.is_empty(), "{name}");
    }
}

#[test]
fn derived_channels_have_numbers_of_their_own() {
    let mut desk = Desk::new(identity());
    let names =
        ["book:binance:BTC-USDT@250ms", "book:binance:BTC-USDT:10", "book:binance:BTC-USDT"];
    let reply = desk.hold(&names);
    assert_eq!(acked(&reply), names);
    assert_eq!(desk.held().len(), 3);
}

#[test]
fn good_and_bad_names_of_one_command_share_its_answer() {
    let mut desk = Desk::new(identity());
    let actions = desk.subscribe(&["trade:binance:BTC-USDT", "nonsense", "status:binance"]);
    assert!(replies(&actions).is_empty(), "nothing is acknowledged before its seed");
    let (token, items) = wanted(actions);
    match desk.seeds(token, &items) {
        (Some(Reply::Subscribed { id, channels, errors }), joins) => {
            assert_eq!(id, Some(Id::Number(1)));
            assert_eq!((channels.len(), errors.len(), joins.len()), (2, 1, 2));
            assert_eq!((channels[0].epoch, channels[0].seq), (Some(7), Some(3)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeated_subscription_is_acknowledged_and_joins_nothing() {
    let mut desk = Desk::new(identity());
    desk.hold(&["trade:binance:BTC-USDT"]);
    let (token, items) = wanted(desk.subscribe(&["trade:binance:BTC-USDT"]));
    assert!(items[0].repeat);
    let (reply, joins) = desk.seeds(token, &items);
    assert_eq!(acked(&reply.unwrap()), ["trade:binance:BTC-USDT"]);
    assert!(joins.is_empty());
}

#[test]
fn a_channel_named_twice_in_one_command_joins_once() {
    let mut desk = Desk::new(identity());
    let twice = ["trade:binance:BTC-USDT", "trade:binance:BTC-USDT", "trade:*:BTC-USDT"];
    let (token, items) = wanted(desk.subscribe(&twice));
    assert_eq!(desk.seeds(token, &items).1.len(), 1, "two joins would deliver everything twice");
    let (token, items) = wanted(desk.subscribe(&["trade:*:*", "trade:coinbase:BTC-USD"]));
    let (_, mut joins) = desk.seeds(token, &items);
    joins.sort_unstable();
    joins.dedup();
    assert_eq!(joins.len(), 2);
    assert_eq!(desk.held().len(), 3);
}

#[test]
fn a_late_seed_of_an_earlier_subscription_joins_nothing() {
    let mut desk = Desk::new(identity());
    let name = ["trade:binance:BTC-USDT"];
    let (first, items) = wanted(desk.subscribe(&name));
    let left = desk.unsubscribe(&name);
    assert!(matches!(left[0], Action::Leave(_, Phase::Waiting { .. })));
    let (second, again) = wanted(desk.subscribe(&name));
    assert!(!again[0].repeat);
    assert!(desk.seeds(first, &items).1.is_empty(), "voided by the unsubscribe");
    assert_eq!(desk.seeds(second, &again).1.len(), 1);
    assert_eq!(desk.seeds(second, &again), (None, Vec::new()), "answered once");
}

#[test]
fn a_refused_seed_gives_the_channel_back() {
    let mut desk = Desk::new(identity());
    let from = Some(From { epoch: 9, seq: 9, rx: None });
    let ahead = SubscribeItem { from, ..item("trade:binance:BTC-USDT") };
    let command = Command::Subscribe { id: None, channels: vec![ahead] };
    let (token, items) = wanted(desk.take(Ok(command)));
    assert_eq!(items[0].from, from);
    let session = SessionKey { slot: 0, generation: 1 };
    let seeds = vec![Err((items[0].ch, Code::PositionUnknown))];
    let seeds = Seeds { session, token, seeds, lent_bytes: 0 };
    let (reply, joins) = desk.state.seeded(&seeds, &desk.directory, |_| None).unwrap();
    assert!(joins.is_empty() && desk.state.held.len() == 0);
    match reply {
        Some(Reply::Subscribed { errors, .. }) => {
            assert_eq!(errors[0].code, Code::PositionUnknown);
            assert_eq!(errors[0].channel, "trade:binance:BTC-USDT");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn starting_again_spares_what_waits_for_its_first_seed() {
    let mut desk = Desk::new(identity());
    desk.hold(&["bbo:binance:BTC-USDT"]);
    let (first, items) = wanted(desk.subscribe(&["book:binance:BTC-USDT"]));
    let again = desk.state.start_again(&desk.directory).unwrap();
    let (token, restarted) = wanted(vec![again]);
    assert_eq!(restarted.len(), 1);
    assert!(restarted[0].reset);
    assert_eq!(desk.seeds(token, &restarted), (None, vec![restarted[0].ch]), "silently");
    assert_eq!(desk.seeds(first, &items).1.len(), 1, "and is still acknowledged");
    desk.hold(&["trade:binance:BTC-USDT"]);
    assert!(desk.state.start_again(&desk.directory).is_none(), "trades must not be lost");
}

#[test]
fn list_ping_and_what_is_not_held() {
    let mut desk = Desk::new(identity());
    desk.hold(&["status:binance", "trade:coinbase:*"]);
    match replies(&desk.take(Ok(Command::List { id: Some(Id::Text("x".into())) })))[..] {
        [Reply::Subscriptions { id, channels, patterns }] => {
            assert_eq!(id, &Some(Id::Text("x".into())));
            assert_eq!(channels[..], ["trade:coinbase:BTC-USD", "status:binance"]);
            assert_eq!(patterns[..], ["trade:coinbase:*"]);
        }
        ref other => panic!("{other:?}"),
    }
    let pong = desk.take(Ok(Command::Ping { id: Some(Id::Number(4)) }));
    let wanted = Reply::Pong { id: Some(Id::Number(4)), time: Micros(WALL) };
    assert_eq!(replies(&pong), [&wanted]);
    for name in ["bbo:binance:BTC-USDT", "bbo:*:*", "trade:x:NO-SUCH"] {
        assert_eq!(refusals(&desk.unsubscribe(&[name]))[0].0, Code::NotSubscribed, "{name}");
    }
    assert_eq!(refusals(&desk.unsubscribe(&["nonsense"]))[0].0, Code::InvalidChannel);
}

#[test]
fn commands_beyond_the_rate_are_refused_and_then_end_the_session() {
    let limits = crate::auth::LimitOverrides {
        commands_per_s: Some(1),
        commands_burst: Some(5),
        ..Default::default()
    };
    let mut desk = Desk::new(Identity { limits, ..identity() });
    let ping = || Ok(Command::Ping { id: Some(Id::Number(1)) });
    for _ in 0..5 {
        assert!(matches!(desk.take(ping())[..], [Action::Reply(Reply::Pong { .. })]));
    }
    let mut refused = 0;
    let close = loop {
        let actions = desk.take(ping());
        match &actions[0] {
            Action::Reply(Reply::Error { id: Some(Id::Number(1)), code, details, .. }) => {
                assert_eq!((*code, details.limit), (Code::RateExceeded, Some(1)));
            }
            other => panic!("{other:?}"),
        }
        refused += 1;
        if let Some(Action::Close(code, reason)) = actions.into_iter().nth(1) {
            break (code, reason);
        }
    };
    assert_eq!((refused, close.0), (101, Code::RateExceeded));
    assert_eq!(close.0.close_code(), Some(4429));
    desk.hand.advance(Duration::from_secs(1));
    assert!(matches!(desk.take(ping())[..], [Action::Reply(Reply::Pong { .. })]));
}
