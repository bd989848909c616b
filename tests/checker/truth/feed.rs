//! Feed → bus: the venue numbers its trades, so what never reached the bus shows as a jump in those
//! numbers that no `venue_gap` explains. An owner may tell a hole, or fill it; it may not be silent.

use std::collections::HashMap;

use crate::event::{Body, Event};

/// Trades by the venue's numbers.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    last: HashMap<String, Last>,
    pub(crate) figures: FeedFigures,
    /// First silent jumps, for the reader.
    pub(crate) silent: Vec<String>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct FeedFigures {
    /// Trades with a number.
    pub trades: u64,
    /// Numbers missing behind a `venue_gap`.
    pub told: u64,
    /// Numbers missing without one.
    pub silent: u64,
    /// Numbers that came again or late.
    pub again: u64,
}

#[derive(Debug, Default)]
struct Last {
    id: u64,
    /// A `venue_gap` came since.
    told: bool,
}

impl Feed {
    pub(crate) fn take(&mut self, channel: &str, event: &Event<'_>) {
        if !channel.starts_with("trade:") {
            return;
        }
        let last = match self.last.get_mut(channel) {
            Some(last) => last,
            None => self.last.entry(channel.to_owned()).or_default(),
        };
        let id = match &event.body {
            Body::VenueGap { .. } => return last.told = true,
            Body::Trade { id, .. } => id.parse::<u64>(),
            _ => return,
        };
        let Ok(id) = id else { return };
        self.figures.trades += 1;
        if last.id > 0 && id <= last.id {
            self.figures.again += 1;
            return;
        }
        if last.id > 0 && id > last.id + 1 {
            let missing = id - last.id - 1;
            if last.told {
                self.figures.told += missing;
            } else {
                self.figures.silent += missing;
                if self.silent.len() < crate::limits::SAMPLES_MAX {
                    let seq = event.seq;
                    let text = format!("{channel} seq {seq}: trade {id} after {}", last.id);
                    self.silent.push(text);
                }
            }
        }
        *last = Last { id, told: false };
    }
}
