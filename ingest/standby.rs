//! What a standby remembers of a symbol so that it can continue another owner's trades without
//! asking anybody: the last ones it heard.
//!
//! Pure; bounded. The trail judges what is missing.

use std::collections::VecDeque;

use crate::backfill::Heard;
use crate::limits;

/// The last trades heard, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    trades: VecDeque<Heard>,
}

impl Recent {
    pub(crate) fn note(&mut self, heard: &Heard) {
        if self.trades.len() >= limits::STANDBY_TRADES_MAX {
            self.trades.pop_front();
        }
        self.trades.push_back(heard.clone());
    }

    /// Those after this number; nothing is remembered any more.
    pub(crate) fn after(&mut self, number: u64) -> impl Iterator<Item = Heard> {
        std::mem::take(&mut self.trades).into_iter().filter(move |heard| heard.number > number)
    }
}
