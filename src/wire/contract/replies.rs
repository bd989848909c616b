//! Sample replies and commands, for the golden vectors.

use fantail_model::Micros;

use super::samples::EPOCH;
use crate::client::{
    Ack, Command, Details, From, Id, Limits, Refusal, Reply, ServerMessage, SubscribeItem,
};
use crate::codes::Code;

const TIME: Micros = Micros(1_790_000_000_123_456);
const BOOK: &str = "book:binance:BTC-USDT";
const TRADES: &str = "trade:coinbase:BTC-USD";

fn refusal() -> Refusal {
    Refusal {
        channel: "ticker:kraken:BTC-USDT".into(),
        code: Code::Forbidden,
        message: "your permission does not include kraken; ask for it".into(),
    }
}

fn welcome(expires: Option<Micros>) -> Reply {
    Reply::Welcome {
        session: "01JZZZZZZZZZZZZZZZZZZZZZZZ".into(),
        node: "gw-1".into(),
        protocol: 1,
        time: TIME,
        heartbeat_ms: 15_000,
        limits: Limits {
            channels: 1_024,
            channels_per_command: 200,
            commands_per_s: 20,
            commands_burst: 50,
            message_bytes: 65_536,
        },
        user: if expires.is_some() { "alice" } else { "anonymous" }.into(),
        expires,
    }
}

fn subscribed() -> Reply {
    let ack = |channel: &str, ch, epoch, seq, resumed| Ack {
        channel: channel.into(),
        ch,
        epoch,
        seq,
        resumed,
    };
    Reply::Subscribed {
        id: Some(Id::Number(1)),
        channels: vec![
            ack(BOOK, 17, Some(EPOCH), Some(912), false),
            ack(TRADES, 4, Some(EPOCH), Some(88_120), true),
            ack("status:binance", 1, None, None, false),
        ],
        errors: vec![refusal()],
    }
}

fn error(id: Option<Id>, code: Code, details: Details) -> Reply {
    Reply::Error { id, code, message: "reason, limit and fix".into(), details }
}

fn gap(to: Option<u64>) -> Reply {
    Reply::Gap {
        channel: TRADES.into(),
        ch: 4,
        epoch: EPOCH,
        from: 88_170,
        to,
        reason: "retention".into(),
    }
}

/// Name, what it shows, the reply.
pub(super) fn replies() -> Vec<super::samples::Sample> {
    let wrap = |(name, about, reply)| (name, about, ServerMessage::Reply(reply));
    answers().into_iter().chain(notices()).map(wrap).collect()
}

type Named = (&'static str, &'static str, Reply);

fn answers() -> Vec<Named> {
    let text = || Some(Id::Text("a-1 ✓".into()));
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    vec![
        ("welcome", "the first message of a session", welcome(Some(Micros(1_790_003_600_000_000)))),
        ("welcome-anonymous", "credentials that do not end", welcome(None)),
        ("subscribed", "started, resumed, still without an event, refused", subscribed()),
        (
            "subscribed-nothing",
            "no id, nothing started",
            Reply::Subscribed { id: None, channels: vec![], errors: vec![] },
        ),
        (
            "unsubscribed",
            "answer to unsubscribe",
            Reply::Unsubscribed {
                id: Some(Id::Number(-2)),
                channels: list(&[BOOK]),
                errors: vec![refusal()],
                reason: None,
            },
        ),
        (
            "unsubscribed-notice",
            "the server stopped a channel by itself",
            Reply::Unsubscribed {
                id: None,
                channels: list(&[TRADES]),
                errors: vec![],
                reason: Some("revoked".into()),
            },
        ),
        (
            "subscriptions",
            "answer to list",
            Reply::Subscriptions {
                id: text(),
                channels: list(&[BOOK, TRADES]),
                patterns: list(&["ticker:*:BTC-USDT@250ms"]),
            },
        ),
        ("pong", "answer to ping", Reply::Pong { id: Some(Id::Number(i64::MAX)), time: TIME }),
        (
            "authenticated",
            "answer to auth",
            Reply::Authenticated { id: text(), expires: Some(TIME) },
        ),
    ]
}

fn notices() -> Vec<Named> {
    let text = || Some(Id::Text("a-1 ✓".into()));
    let details = Details { at: Some(17), limit: None, used: None };
    let used = Details { at: None, limit: Some(1_024), used: Some(1_030) };
    vec![
        (
            "error",
            "a command that was not understood, and where",
            error(Some(Id::Number(5)), Code::BadRequest, details),
        ),
        ("error-limit", "a limit and what was asked for", error(text(), Code::LimitExceeded, used)),
        ("error-bare", "no id could be read", error(None, Code::RateExceeded, Details::default())),
        ("gap", "events that cannot be delivered", gap(Some(88_190))),
        ("gap-open", "an epoch this node never saw end", gap(None)),
        (
            "stale",
            "no feed owner speaks any more",
            Reply::Stale { channel: TRADES.into(), ch: 4, reason: "ingest_silent".into() },
        ),
        ("heartbeat", "alive", Reply::Heartbeat { n: 7, time: TIME }),
        (
            "goodbye",
            "a planned close follows",
            Reply::Goodbye { code: Code::Restart, retry_after_ms: Some(1_500) },
        ),
        (
            "goodbye-never",
            "no sense in coming back",
            Reply::Goodbye { code: Code::Forbidden, retry_after_ms: None },
        ),
    ]
}

/// Name, what it shows, the command.
pub(super) fn commands() -> Vec<(&'static str, &'static str, Command)> {
    let plain =
        |channel: &str| SubscribeItem { channel: channel.into(), from: None, history: None };
    let from = |rx| Some(From { epoch: EPOCH, seq: 88_120, rx });
    let id = || Some(Id::Number(1));
    let channels = vec![
        plain(BOOK),
        SubscribeItem { from: from(Some(1_790_000_100_000_000)), ..plain(TRADES) },
        SubscribeItem { history: Some(500), ..plain("candle:binance:BTC-USDT:1m") },
        plain("ticker:*:BTC-USDT@250ms"),
    ];
    let both = vec![SubscribeItem { from: from(None), history: Some(0), ..plain(TRADES) }];
    let stopped = vec![BOOK.to_owned(), "ticker:*:BTC-USDT@250ms".to_owned()];
    vec![
        (
            "subscribe",
            "plain, resumed, with history, a pattern",
            Command::Subscribe { id: id(), channels },
        ),
        (
            "subscribe-options",
            "both options, no id, no rx",
            Command::Subscribe { id: None, channels: both },
        ),
        ("subscribe-nothing", "an empty list", Command::Subscribe { id: id(), channels: vec![] }),
        (
            "unsubscribe",
            "a channel and a pattern",
            Command::Unsubscribe { id: Some(Id::Text("é".into())), channels: stopped },
        ),
        ("list", "what does this session hold?", Command::List { id: Some(Id::Number(i64::MIN)) }),
        ("ping", "without an id", Command::Ping { id: None }),
        (
            "auth",
            "a fresh token in band",
            Command::Auth { id: Some(Id::Number(0)), token: "eyJ.payload.signature".into() },
        ),
    ]
}
