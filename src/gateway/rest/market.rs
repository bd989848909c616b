//! The market's paths: instruments, books, trades, candles, feed states.
//!
//! Each handler reads its request, checks the permission, asks the tail once and writes the
//! answer. What is not permitted is left out of lists and refused by name.

use axum::Json;
use axum::extract::{Path, Query as UriQuery, State};
use fantail_model::{Body, Channel, Event, Kind, Micros};
use fantail_wire::codes::Code;
use serde_json::{Map, Value, json};

use super::ask::{Asker, ask, mismatch};
use super::error::RestError;
use super::path::{self, Pairs};
use super::{RestState, json as write, limits};
use crate::auth::Refusal;
use crate::query::{Answer, Query};

type Answered = Result<Json<Value>, RestError>;

/// The checksum's depth: fewer levels are never asked for.
const CHECKSUM_LEVELS: usize = 10;

/// `/v1/instruments`
pub(super) async fn instruments(
    State(state): State<RestState>,
    asker: Asker,
    UriQuery(pairs): UriQuery<Pairs>,
) -> Answered {
    path::known_keys(&pairs, &["venue"])?;
    let Answer::Instruments(list) = ask(&state, Query::Instruments).await? else {
        return Err(mismatch());
    };
    let venue = pairs.get("venue");
    let mut shown = Vec::new();
    for (instrument, feed) in &list {
        let allowed = |channel: &&Channel| asker.0.permission.allows(channel);
        let channels: Vec<String> =
            instrument.channels.iter().filter(allowed).map(ToString::to_string).collect();
        let is_wanted = venue.is_none_or(|venue| venue == instrument.venue.as_str());
        if is_wanted && !channels.is_empty() {
            shown.push(write::instrument(instrument, *feed, channels));
        }
    }
    Ok(Json(json!({ "time": now(&state).0, "instruments": shown })))
}

/// `/v1/book/{channel}?depth=`
pub(super) async fn book(
    State(state): State<RestState>,
    asker: Asker,
    Path(name): Path<String>,
    UriQuery(pairs): UriQuery<Pairs>,
) -> Answered {
    path::known_keys(&pairs, &["depth"])?;
    let channel = path::channel(&name, Kind::Book, None)?;
    let depth = path::number(&pairs, "depth", limits::DEPTH_DEFAULT, limits::DEPTH_MAX)?;
    asker.must_see(&channel)?;
    let shown = channel.to_string();
    let query = Query::Book { channel, depth: depth.max(CHECKSUM_LEVELS) };
    match ask(&state, query).await? {
        Answer::Book(book) => {
            let mut map = write::meta(&shown, &book.meta, now(&state));
            write::book(&book.view, depth, &mut map);
            Ok(Json(Value::Object(map)))
        }
        Answer::Unknown => Err(unknown(&shown)),
        _ => Err(mismatch()),
    }
}

/// `/v1/trades/{channel}?limit=`
pub(super) async fn trades(
    State(state): State<RestState>,
    asker: Asker,
    Path(name): Path<String>,
    UriQuery(pairs): UriQuery<Pairs>,
) -> Answered {
    path::known_keys(&pairs, &["limit"])?;
    let channel = path::channel(&name, Kind::Trade, None)?;
    let (mut map, events) = recent(&state, &asker, channel, &pairs).await?;
    let trades = events.iter().filter_map(|event| match &event.body {
        Body::Trade(trade) => Some(write::trade(event, trade)),
        _ => None,
    });
    map.insert("trades".to_owned(), trades.collect());
    Ok(Json(Value::Object(map)))
}

/// `/v1/candles/{channel}?interval=&limit=`
pub(super) async fn candles(
    State(state): State<RestState>,
    asker: Asker,
    Path(name): Path<String>,
    UriQuery(pairs): UriQuery<Pairs>,
) -> Answered {
    path::known_keys(&pairs, &["interval", "limit"])?;
    let interval = pairs.get("interval").map_or("1m", String::as_str);
    let channel = path::channel(&name, Kind::Candle, Some(interval))?;
    let (mut map, events) = recent(&state, &asker, channel, &pairs).await?;
    let candles = events.iter().filter_map(|event| match &event.body {
        Body::Candle(candle) => Some(write::candle(event, candle)),
        _ => None,
    });
    map.insert("candles".to_owned(), candles.collect());
    Ok(Json(Value::Object(map)))
}

/// `/v1/status`
pub(super) async fn status(
    State(state): State<RestState>,
    asker: Asker,
    UriQuery(pairs): UriQuery<Pairs>,
) -> Answered {
    path::known_keys(&pairs, &[])?;
    let Answer::Status(list) = ask(&state, Query::Status).await? else { return Err(mismatch()) };
    let now = now(&state);
    let feeds = list.iter().filter_map(|feed| {
        let channel = Channel::status(feed.venue.clone(), feed.symbol.clone());
        asker.0.permission.allows(&channel).then(|| write::status(feed, now))
    });
    let feeds: Value = feeds.collect();
    Ok(Json(json!({ "node": state.node, "time": now.0, "feeds": feeds })))
}

async fn recent(
    state: &RestState,
    asker: &Asker,
    channel: Channel,
    pairs: &Pairs,
) -> Result<(Map<String, Value>, Vec<Event>), RestError> {
    let limit = path::number(pairs, "limit", limits::LIMIT_DEFAULT, limits::LIMIT_MAX)?;
    asker.must_see(&channel)?;
    let shown = channel.to_string();
    match ask(state, Query::Recent { channel, limit }).await? {
        Answer::Recent { events, meta } => Ok((write::meta(&shown, &meta, now(state)), events)),
        Answer::Unknown => Err(unknown(&shown)),
        _ => Err(mismatch()),
    }
}

fn unknown(channel: &str) -> RestError {
    let message = format!("no feed of this node publishes {channel}; see /v1/instruments");
    RestError(Refusal::new(Code::UnknownChannel, message))
}

fn now(state: &RestState) -> Micros {
    Micros(state.clock.wall_micros())
}
