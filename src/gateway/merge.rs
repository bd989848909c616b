//! Several groups of one channel as one: what a reader that is behind is sent.
//!
//! The latest value wins on last-value channels; book changes are merged exactly (a level appears
//! once, with its last size); trades all stay. Facts about the feed (status, venue gap) are never
//! merged away. A merged event's `prev` is the first one's and `n` says for how many it stands, so
//! the chain stays unbroken.

use std::collections::BTreeMap;
use std::sync::Arc;

use fantail_model::{Body, BookChange, Decimal, Kind, Level};

use crate::group::{Group, Published};

/// The groups' events, merged; `groups` are of one channel and in order.
pub(crate) fn merge(groups: &[Arc<Group>]) -> Option<Arc<Group>> {
    let first = groups.first()?;
    if groups.len() == 1 {
        return Some(Arc::clone(first));
    }
    let last = groups.last()?;
    let events = groups.iter().flat_map(|group| group.events.iter());
    let events = match first.info.channel.kind {
        Kind::Trade => events.cloned().collect(),
        _ => merge_events(events),
    };
    Some(Arc::new(Group::merged(Arc::clone(&first.info), last.tx, events, first.is_batch)))
}

/// Runs of values become one value each; facts about the feed stand between them.
fn merge_events<'a>(events: impl Iterator<Item = &'a Published>) -> Vec<Published> {
    let mut merged: Vec<Published> = Vec::new();
    let mut open = false;
    for next in events {
        let is_value = !matches!(next.event.body, Body::Status(_) | Body::VenueGap(_));
        match merged.last_mut() {
            Some(run) if open && is_value => join(run, next),
            _ => merged.push(next.clone()),
        }
        open = is_value;
    }
    merged
}

/// Puts a later value into a run.
fn join(run: &mut Published, next: &Published) {
    let n = run.n.unwrap_or(1).saturating_add(next.n.unwrap_or(1));
    let new_epoch = next.event.position.epoch != run.event.position.epoch;
    let prev = if new_epoch { next.event.prev } else { run.event.prev };
    let reset = run.event.reset || next.event.reset;
    let body = match (&run.event.body, &next.event.body) {
        (Body::Book(old), Body::Book(new)) if !next.event.reset => {
            Body::Book(merge_books(old, new, run.event.reset))
        }
        (_, body) => body.clone(),
    };
    let vseq = next.event.vseq.or(run.event.vseq);
    let ts = next.event.ts.or(run.event.ts);
    let event = fantail_model::Event { prev, reset, ts, vseq, body, ..next.event.clone() };
    *run = Published { event, crc: next.crc, n: Some(n) };
}

/// Later sizes over earlier ones. A whole view (`reset`) needs no word about levels that are gone.
fn merge_books(old: &BookChange, new: &BookChange, whole: bool) -> BookChange {
    let side = |old: &[Level], new: &[Level]| {
        let mut sizes: BTreeMap<Decimal, Decimal> = BTreeMap::new();
        for level in old.iter().chain(new) {
            sizes.insert(level.price, level.size);
        }
        if whole {
            sizes.retain(|_, size| !size.is_zero());
        }
        sizes.into_iter().map(|(price, size)| Level { price, size })
    };
    BookChange {
        bids: side(&old.bids, &new.bids).rev().collect(),
        asks: side(&old.asks, &new.asks).collect(),
    }
}

#[cfg(test)]
mod tests;
