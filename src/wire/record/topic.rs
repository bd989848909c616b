//! Topic names and record keys: the only place that knows how channels spread over topics.

use fantail_model::Kind;

/// Heartbeats of feed owners.
pub const CONTROL: &str = "fantail.control";
/// Instruments, compacted by key `<venue>:<symbol>`.
pub const INSTRUMENT: &str = "fantail.instrument";
/// Latest states of channels for gateways that start, compacted by key: a book or last value has
/// its channel's name as key, a channel's feed state that of [`state_key`].
pub const SNAPSHOT: &str = "fantail.snapshot";

/// The topic of a kind's events.
pub const fn topic(kind: Kind) -> &'static str {
    match kind {
        Kind::Trade => "fantail.trade",
        Kind::Bbo => "fantail.bbo",
        Kind::Ticker => "fantail.ticker",
        Kind::Book => "fantail.book",
        Kind::Candle => "fantail.candle",
        Kind::Funding => "fantail.funding",
        Kind::Status => "fantail.status",
        Kind::Cbbo => "fantail.cbbo",
    }
}

/// Marks the key of a channel's feed state; no channel's name contains it.
const STATE: &str = "#state";

/// The key in [`SNAPSHOT`] of what is known of a channel's feed, beside its value.
pub fn state_key(channel: &str) -> String {
    format!("{channel}{STATE}")
}

/// The channel a key of [`SNAPSHOT`] speaks of.
pub fn snapshot_channel(key: &str) -> &str {
    key.strip_suffix(STATE).unwrap_or(key)
}

/// The key of a channel's events, `<venue>:<symbol>`: all channels of an instrument share a
/// partition number. A venue's `status` has the key `<venue>`, a `cbbo` the key `<symbol>`.
pub fn key(channel: &str) -> &str {
    let path = channel.split_once(':').map_or(channel, |(_kind, path)| path);
    let path = path.split_once('@').map_or(path, |(path, _interval)| path);
    match path.match_indices(':').nth(1) {
        Some((second, _)) => &path[..second],
        None => path,
    }
}
