//! Channels and options as REST requests write them.
//!
//! Owns both readings of `{channel}`: the full name, or `<venue>:<symbol>` where the path already
//! says the kind.

use std::collections::BTreeMap;

use fantail_model::{Channel, Kind};
use fantail_wire::codes::Code;

use super::error::RestError;
use crate::auth::Refusal;

/// The query's keys and values.
pub(super) type Pairs = BTreeMap<String, String>;

/// Reads a channel of the path's kind. `parameter` completes a candle's short form.
pub(super) fn channel(
    text: &str,
    kind: Kind,
    parameter: Option<&str>,
) -> Result<Channel, RestError> {
    let is_short = text.matches(':').count() == 1 && Kind::parse(head(text)).is_none();
    let name = match parameter.filter(|_| is_short) {
        Some(parameter) => format!("{}:{text}:{parameter}", kind.as_str()),
        None if is_short => format!("{}:{text}", kind.as_str()),
        None => text.to_owned(),
    };
    let channel: Channel = name.parse().map_err(|error: fantail_model::ChannelError| {
        RestError(Refusal::new(Code::InvalidChannel, error.to_string()))
    })?;
    if channel.kind != kind {
        let message = format!("this path answers {} channels", kind.as_str());
        return Err(RestError(Refusal::new(Code::InvalidChannel, message)));
    }
    if channel.is_derived() {
        let message = "REST answers base channels; use ?depth= for a part of a book";
        return Err(RestError(Refusal::new(Code::Unsupported, message)));
    }
    Ok(channel)
}

fn head(text: &str) -> &str {
    text.split(':').next().unwrap_or_default()
}

/// Refuses a query with other keys than these.
pub(super) fn known_keys(pairs: &Pairs, known: &[&str]) -> Result<(), RestError> {
    // The authenticator has already judged a token in the query.
    match pairs.keys().find(|key| !known.contains(&key.as_str()) && *key != "token") {
        None => Ok(()),
        Some(key) => {
            let shown: String = key.chars().take(64).collect();
            Err(bad(&format!("the query key {shown:?} is not known; known: {}", known.join(", "))))
        }
    }
}

/// A number between 1 and `max`.
pub(super) fn number(
    pairs: &Pairs,
    key: &str,
    default: usize,
    max: usize,
) -> Result<usize, RestError> {
    let Some(text) = pairs.get(key) else { return Ok(default) };
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_plain && (1..=max).contains(number));
    number.ok_or_else(|| bad(&format!("{key} is a number from 1 to {max}")))
}

fn bad(message: &str) -> RestError {
    RestError(Refusal::new(Code::BadRequest, message))
}
