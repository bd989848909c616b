//! What is refused, with which code, offset and id; JSON and MessagePack alike.

use crate::client::{Command, CommandError, CommandLimits, Encoding, Id, decode_command};
use crate::codes::Code;

fn json(text: &str) -> Result<Command, CommandError> {
    decode_command(Encoding::Json, text.as_bytes(), &CommandLimits::default())
}

fn msgpack(bytes: &[u8]) -> Result<Command, CommandError> {
    decode_command(Encoding::MsgPack, bytes, &CommandLimits::default())
}

fn number(id: i64) -> Option<Id> {
    Some(Id::Number(id))
}

#[track_caller]
fn refused(text: &str, id: Option<Id>, at: usize, words: &str) {
    let error = json(text).unwrap_err();
    assert_eq!((error.id, error.code, error.at), (id, Code::BadRequest, Some(at)), "{text}");
    assert!(error.message.contains(words), "{text}: {}", error.message);
}

#[test]
fn what_is_not_a_command_is_refused_with_its_place() {
    refused("", None, 0, "ends where a value");
    refused("[]", None, 0, "a command is an object");
    refused("{}", None, 0, "`op` is missing");
    refused(r#"{"op":"fly","id":7}"#, number(7), 6, "unknown op `fly`");
    refused(r#"{"op":"ping","id":7,"x":1}"#, number(7), 20, "no key `x`");
    refused(r#"{"op":"list","channels":[]}"#, None, 13, "no key `channels`");
    refused(r#"{"op":"subscribe","id":1}"#, number(1), 0, "needs `channels`");
    refused(r#"{"op":"auth","id":1}"#, number(1), 0, "needs `token`");
    refused(r#"{"op":5,"id":1}"#, number(1), 6, "`op` is an integer");
    refused(r#"{"op":"ping"} {"op":"ping"}"#, None, 14, "text after the command");
    refused(r#"{"op":"ping","op":"list"}"#, None, 13, "written twice");
    refused(r#"{"id":1,"op":"ping","id":2}"#, number(1), 20, "written twice");
    refused(r#"{"op":"ping",}"#, None, 13, "a key in quotes");
    refused(r#"{"op":"ping""#, None, 12, "ends where");
    refused("{'op':'ping'}", None, 1, "a key in quotes");
    refused("\u{feff}{\"op\":\"ping\"}", None, 0, "byte order mark");
    refused("{\"op\":\"pi\nng\"}", None, 9, "control character");
    refused(r#"{"op":"\ud800"}"#, None, 13, "escape");
}

#[test]
fn odd_numbers_are_refused() {
    refused(r#"{"op":"ping","id":NaN}"#, None, 18, "expected a value");
    refused(r#"{"op":"ping","id":1e999999}"#, None, 18, "out of range");
    refused(r#"{"op":"ping","id":1.5}"#, None, 18, "`id` is a fraction");
    refused(r#"{"op":"ping","id":01}"#, None, 18, "not a JSON number");
    refused(r#"{"op":"ping","id":-}"#, None, 18, "not a JSON number");
    refused(r#"{"op":"ping","id":18446744073709551615}"#, None, 18, "beyond 64 bits");
    refused(r#"{"op":"ping","id":null}"#, None, 18, "`id` is null");
    let from = |from: &str| {
        format!(r#"{{"op":"subscribe","id":1,"channels":[{{"channel":"a","from":{from}}}]}}"#)
    };
    refused(&from(r#"{"epoch":1}"#), number(1), 59, "`from` needs `seq`");
    refused(&from(r#"{"epoch":1,"seq":-1}"#), number(1), 76, "`seq` is out of its range");
    refused(&from(r#"{"epoch":1,"seq":1,"t":1}"#), number(1), 78, "`from` has no key `t`");
    let huge = "9".repeat(60_000);
    assert!(json(&format!(r#"{{"op":"ping","id":{huge}}}"#)).is_err());
}

#[test]
fn limits_are_named_and_the_limit_itself_is_accepted() {
    let names = |count: usize| vec![r#""a""#; count].join(",");
    let subscribe = |count| format!(r#"{{"op":"subscribe","id":3,"channels":[{}]}}"#, names(count));
    assert!(json(&subscribe(200)).is_ok());
    let error = json(&subscribe(201)).unwrap_err();
    assert_eq!((error.id, error.code), (number(3), Code::LimitExceeded));
    assert!(error.message.contains("200") && error.message.contains("split"));
    let id = |bytes| format!(r#"{{"op":"ping","id":"{}"}}"#, "i".repeat(bytes));
    assert!(json(&id(64)).is_ok());
    assert!(json(&id(65)).unwrap_err().message.contains("64 bytes"));
    let nested = |depth: usize| {
        format!(r#"{{"op":"ping","id":1,"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    assert!(json(&nested(31)).unwrap_err().message.contains("no key `x`"));
    let deep = json(&nested(40)).unwrap_err();
    assert_eq!(deep.id, number(1));
    assert!(deep.message.contains("32 levels"), "{}", deep.message);
}

#[test]
fn a_full_command_of_rich_items_fits() {
    let item = r#"{"channel":"trade:a:B-C","from":{"epoch":1,"seq":2,"rx":3},"history":4}"#;
    let items = vec![item; 200].join(",");
    let command = json(&format!(r#"{{"op":"subscribe","channels":[{items}]}}"#)).unwrap();
    assert!(matches!(command, Command::Subscribe { channels, .. } if channels.len() == 200));
}

#[test]
fn a_hundred_thousand_levels_do_not_overflow_the_stack() {
    for open in ["[", r#"{"a":"#] {
        let text = open.repeat(100_000);
        assert!(json(&text).unwrap_err().message.contains("32 levels"));
    }
    for open in [&b"\x91"[..], b"\x81\xa1a", b"\xdd\x00\x00\x00\x01"] {
        let bytes = open.repeat(100_000);
        assert!(msgpack(&bytes).unwrap_err().message.contains("32 levels"));
    }
    let group = b"\x0b".repeat(100_000);
    let limits = CommandLimits::default();
    assert!(decode_command(Encoding::Protobuf, &group, &limits).is_err());
}

#[test]
fn declared_lengths_are_not_believed() {
    let error = msgpack(b"\x82\xa2id\x07\xa8channels\xdd\xff\xff\xff\xff").unwrap_err();
    assert_eq!((error.id, error.code), (number(7), Code::LimitExceeded));
    for bytes in [
        &b"\xdf\xff\xff\xff\xff"[..],
        b"\xdb\xff\xff\xff\xffabc",
        b"\x81\xa2op\xd9\xff",
        b"\xdc\x00",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
    ] {
        assert_eq!(msgpack(bytes).unwrap_err().code, Code::BadRequest, "{bytes:02x?}");
    }
}

#[test]
fn msgpack_is_as_strict_as_json() {
    let refused = |bytes: &[u8], at, words: &str| {
        let error = msgpack(bytes).unwrap_err();
        assert_eq!(error.at, Some(at), "{}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
    };
    refused(b"\x81\xa2op\xa4ping\xc0", 9, "after the command");
    refused(b"\x82\xa2op\xa4ping\xa1x\x01", 9, "no key `x`");
    refused(b"\x82\xa2op\xa4ping\xa2op\xa4list", 9, "written twice");
    refused(b"\x82\xa2op\xa4ping\xa2id\xcb\x7f\xf8\0\0\0\0\0\0", 12, "`id` is a fraction");
    refused(b"\x81\x01\xa4ping", 1, "a key that is not a string");
    refused(b"\x81\xa2op\xa4pi\xff\xff", 7, "not UTF-8");
    refused(b"\x81\xa2op\xc4\x04ping", 4, "binary");
    refused(b"\xc1", 0, "reserved");
    let id = |bytes: &[u8]| {
        let message = [b"\x82\xa2op\xa4ping\xa2id", bytes].concat();
        msgpack(&message).map(|command| command.id().cloned())
    };
    assert_eq!(id(b"\xff"), Ok(number(-1)));
    assert_eq!(id(b"\xd1\xff\x00"), Ok(number(-256)));
    assert_eq!(id(b"\xd3\x80\0\0\0\0\0\0\0"), Ok(number(i64::MIN)));
    assert_eq!(id(b"\xce\xff\xff\xff\xff"), Ok(number(4_294_967_295)));
    assert!(id(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
}

#[test]
fn protobuf_refuses_what_has_no_op_and_what_is_too_much() {
    let limits = CommandLimits::default();
    let read = |bytes: &[u8]| decode_command(Encoding::Protobuf, bytes, &limits);
    let error = read(b"\x0a\x02\x08\x0e").unwrap_err();
    assert_eq!((error.id, error.code), (number(7), Code::BadRequest));
    let empty_names = b"\x0a\x00".repeat(201);
    let many = [&b"\x0a\x02\x08\x0e\x1a\x92\x03"[..], &empty_names].concat();
    let error = read(&many).unwrap_err();
    assert_eq!((error.id, error.code), (number(7), Code::LimitExceeded));
    assert!(read(b"\xff").unwrap_err().message.contains("client.proto"));
    assert_eq!(read(b"\x2a\x00\xc0\x06\x01"), Ok(Command::Ping { id: None }));
}

#[test]
fn hostile_text_is_repeated_short_and_escaped() {
    let op = "\\u001b[31m".to_owned() + &"x".repeat(1_000);
    let message = json(&format!(r#"{{"op":"{op}"}}"#)).unwrap_err().message;
    assert!(message.len() < 200 && !message.contains('\u{1b}'), "{message}");
}
