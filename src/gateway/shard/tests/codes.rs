//! Every close code of the catalogue, and how a session comes to end with it.

use std::time::Duration;

use fantail_model::Micros;
use fantail_wire::client::{Command, Id};
use fantail_wire::codes::Code;
use fantail_wire::frame::Opcode;

use super::client::Client;
use super::{JSON, Rig};
use crate::auth::{Expiry, Identity};
use crate::link::ToShard;
use crate::testing::{identity, limits, trade};

const TRADE: &str = "trade:binance:BTC-USDT";

/// How a code is reached.
enum Way {
    /// By this client, whose close is still to be read.
    By(fn(&mut Rig) -> Client),
    /// No session of this node ends with it.
    NotSent(&'static str),
}
use Way::{By, NotSent};

const WAYS: [(Code, Way); 14] = [
    (
        Code::Forbidden,
        NotSent("a new token ends channels by `unsubscribed`; handshakes answer 403"),
    ),
    (Code::RateExceeded, By(refused_too_often)),
    (Code::GoingAway, NotSent("a node that ends says RESTART, which promises another one")),
    (Code::ProtocolError, By(|rig| after(rig, |client| client.raw(&[0x81, 0x01, b'x'])))),
    (Code::UnsupportedData, By(|rig| after(rig, |client| client.frame(Opcode::Binary, b"{}")))),
    (Code::InvalidPayload, By(|rig| after(rig, |client| client.frame(Opcode::Text, &[0xff])))),
    (Code::Policy, By(|rig| after(rig, ping_too_often))),
    (Code::MessageTooBig, By(|rig| after(rig, write_too_much))),
    (Code::Internal, By(|rig| after(rig, |client| client.command(&ping("go wrong"))))),
    (Code::Restart, By(restarted)),
    (Code::Overloaded, NotSent("handshakes answer 503; a session that is open is 4409")),
    (Code::CredentialsExpired, By(expired)),
    (Code::HeartbeatMissed, By(silent)),
    (Code::TooSlow, By(left_behind)),
];

#[test]
fn every_close_code_of_the_catalogue_is_reached_or_says_why_not() {
    let known: Vec<Code> =
        Code::ALL.into_iter().filter(|code| code.close_code().is_some()).collect();
    assert_eq!(WAYS.map(|(code, _)| code).to_vec(), known);
    for (code, way) in WAYS {
        let By(reach) = way else { continue };
        let mut rig = Rig::new();
        let (number, reason) = reach(&mut rig).closed();
        assert_eq!(Some(number), code.close_code(), "{reason}");
        assert!(reason.starts_with(code.name()), "{reason}");
        let entry = rig.closes.latest().remove(0);
        assert_eq!((entry.code, &entry.name[..]), (number, code.name()));
    }
}

#[test]
fn what_no_session_ends_with_says_why() {
    let reasons = WAYS.into_iter().filter_map(|(_, way)| match way {
        NotSent(reason) => Some(reason),
        By(_) => None,
    });
    assert!(reasons.into_iter().all(|reason| reason.len() > 20));
}

/// A client that has done something.
fn after(rig: &mut Rig, deed: fn(&mut Client)) -> Client {
    let mut client = rig.client(JSON);
    deed(&mut client);
    client
}

fn ping(id: &str) -> Command {
    Command::Ping { id: Some(Id::Text(id.into())) }
}

fn refused_too_often(rig: &mut Rig) -> Client {
    after(rig, |client| (0..101).for_each(|_| client.subscribe(&["nonsense"])))
}

fn ping_too_often(client: &mut Client) {
    (0..50).for_each(|_| client.frame(Opcode::Ping, b"x"));
}

fn write_too_much(client: &mut Client) {
    client.frame(Opcode::Text, &vec![b' '; limits().message_bytes as usize + 1]);
}

fn restarted(rig: &mut Rig) -> Client {
    let client = rig.client(JSON);
    rig.shutdown.begin("test");
    client
}

fn expired(rig: &mut Rig) -> Client {
    let deadline = Duration::from_secs(3);
    let expiry = Some(Expiry { wall: Micros(1), deadline });
    let client = rig.client_with(JSON, None, Identity { expiry, ..identity() });
    rig.hand.advance(deadline);
    client
}

fn silent(rig: &mut Rig) -> Client {
    let client = rig.client(JSON);
    rig.hand.advance(2 * super::HEARTBEAT);
    client
}

fn left_behind(rig: &mut Rig) -> Client {
    let ch = rig.open(TRADE);
    let mut client = rig.client(JSON);
    client.subscribe(&[TRADE]);
    rig.answer_next();
    rig.publish(vec![(ch, vec![trade(1, 1)])]);
    rig.tell(ToShard::Lost);
    client
}
