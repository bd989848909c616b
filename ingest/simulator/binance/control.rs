//! Binance's WebSocket control messages. Input: one client text and the connection's state;
//! output: the venue's exact answer and what was newly subscribed. Stream names are taken as they
//! come, as the venue does: an unknown one is acknowledged and stays silent.

use serde_json::Value;

use crate::simulator::limits;

/// What one connection has asked for.
#[derive(Debug, Default, Clone)]
pub(in crate::simulator) struct Streams {
    /// In the order of asking; the symbol part in lower case as sent.
    pub(in crate::simulator) names: Vec<String>,
    pub(in crate::simulator) combined: bool,
}

/// The answer, and whether the stream list changed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::simulator) struct Answer {
    pub(in crate::simulator) text: String,
    pub(in crate::simulator) changed: bool,
}

impl Answer {
    fn told(text: String) -> Self {
        Self { text, changed: false }
    }

    fn refused(code: i32, message: &str) -> Self {
        Self::told(format!(r#"{{"code":{code},"msg":"{message}"}}"#))
    }
}

/// Carries out one control message.
pub(in crate::simulator) fn answer(text: &str, streams: &mut Streams) -> Answer {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let place = format!("at line {} column {}", error.line(), error.column());
            return Answer::refused(3, &format!("Invalid JSON: expected value {place}"));
        }
    };
    let Some(method) = value.get("method") else {
        let message =
            format!("Invalid request: missing field `method` at line 1 column {}", text.len());
        return Answer::refused(2, &message);
    };
    let Some(id) = request_id(value.get("id")) else {
        return Answer::refused(2, "Invalid request: request ID must be an unsigned integer");
    };
    let none = Vec::new();
    let params = value.get("params").and_then(Value::as_array).unwrap_or(&none);
    match method.as_str() {
        Some("SUBSCRIBE") => subscribe(params, &id, streams),
        Some("UNSUBSCRIBE") => unsubscribe(params, &id, streams),
        Some("LIST_SUBSCRIPTIONS") => {
            let names = Value::from(streams.names.clone());
            Answer::told(format!(r#"{{"result":{names},"id":{id}}}"#))
        }
        Some("SET_PROPERTY") => set_property(params, &id, streams),
        Some("GET_PROPERTY") => get_property(params, &id, streams),
        _ => Answer::refused(
            2,
            &format!(
                "Invalid request: unknown variant {}, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, \
                 `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 28",
                method.as_str().unwrap_or("?").replace(['"', '\\'], "'")
            ),
        ),
    }
}

/// Adds a stream once; `false` at the connection's bound.
pub(in crate::simulator) fn add(streams: &mut Streams, name: &str) -> bool {
    if streams.names.iter().any(|held| held == name) {
        return true;
    }
    if streams.names.len() >= limits::BINANCE_STREAMS_MAX {
        return false;
    }
    streams.names.push(name.to_owned());
    true
}

fn subscribe(params: &[Value], id: &str, streams: &mut Streams) -> Answer {
    for name in params {
        let Some(name) = name.as_str() else {
            return Answer::refused(2, "Invalid request: property name must be a string");
        };
        if !add(streams, name) {
            return Answer {
                changed: true,
                ..Answer::refused(2, "Invalid request: too many parameters")
            };
        }
    }
    Answer { text: done(id), changed: true }
}

fn unsubscribe(params: &[Value], id: &str, streams: &mut Streams) -> Answer {
    streams.names.retain(|held| !params.iter().any(|name| name.as_str() == Some(held)));
    Answer { text: done(id), changed: true }
}

fn set_property(params: &[Value], id: &str, streams: &mut Streams) -> Answer {
    match (params.first().and_then(Value::as_str), params.get(1)) {
        (Some("combined"), Some(Value::Bool(combined))) => {
            streams.combined = *combined;
            Answer { text: done(id), changed: true }
        }
        (Some("combined"), _) => Answer::refused(1, "Invalid value type: expected Boolean"),
        (Some(_), _) => Answer::told(format!(r#"{{"code":0,"msg":"Unknown property","id":{id}}}"#)),
        (None, _) => Answer::refused(2, "Invalid request: property name must be a string"),
    }
}

fn get_property(params: &[Value], id: &str, streams: &Streams) -> Answer {
    match params.first().and_then(Value::as_str) {
        Some("combined") => Answer::told(format!(r#"{{"result":{},"id":{id}}}"#, streams.combined)),
        Some(_) => Answer::told(format!(r#"{{"code":0,"msg":"Unknown property","id":{id}}}"#)),
        None => Answer::refused(2, "Invalid request: property name must be a string"),
    }
}

fn done(id: &str) -> String {
    format!(r#"{{"result":null,"id":{id}}}"#)
}

/// The id as JSON text: a signed 64-bit integer, an alphanumeric string of at most 36, or null.
fn request_id(id: Option<&Value>) -> Option<String> {
    match id {
        None | Some(Value::Null) => Some("null".to_owned()),
        Some(Value::Number(number)) if number.is_i64() => Some(number.to_string()),
        Some(Value::String(text))
            if text.len() <= 36 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            Some(format!("\"{text}\""))
        }
        Some(_) => None,
    }
}
