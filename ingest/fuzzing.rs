//! The venues' readers as plain functions, for the targets in `fuzz/`.
//!
//! Built only with the feature `fuzzing`. Input: any text. Output: nothing; what matters is that
//! they return. It decides nothing and keeps nothing.

use std::time::Duration;

use fantail_model::VenueId;

use crate::config::{VenueConfig, VenueKind};
use crate::venue::Venue;
use crate::venue::binance::Binance;
use crate::venue::coinbase::Coinbase;

/// Everything that reads text of Binance spot.
pub fn binance(text: &str) {
    if let Some(config) = config(VenueKind::Binance, "binance") {
        read(&Binance::new(&config), text);
    }
}

/// Everything that reads text of Coinbase Exchange.
pub fn coinbase(text: &str) {
    if let Some(config) = config(VenueKind::Coinbase, "coinbase") {
        read(&Coinbase::new(&config), text);
    }
}

fn read(venue: &dyn Venue, text: &str) {
    // A refusal is as good as a reading; only a panic is not.
    let _ = venue.parse(text);
    let _ = venue.read_snapshot(text);
    let _ = venue.read_instruments(text);
    let _ = venue.read_candles(text);
}

fn config(kind: VenueKind, id: &str) -> Option<VenueConfig> {
    Some(VenueConfig {
        kind,
        id: VenueId::new(id).ok()?,
        symbols: vec![],
        ws: None,
        rest: None,
        book_depth: 10,
        candles: vec![],
        stale_after: Duration::from_secs(5),
        rest_weight_per_minute: 1_000,
        groups: 1,
        standby: false,
    })
}
