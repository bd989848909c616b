//! Trades between the last one an earlier owner published and the first one we heard: asked for by
//! REST, while what comes live is held back, so that all leave in order.
//!
//! Pure. Owns the state of that question and the held trades; the trail judges what is missing.

use std::collections::VecDeque;
use std::time::Duration;

use fantail_model::{Micros, Trade};

use crate::limits;

/// A trade on its way to be published.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) number: u64,
    pub(crate) trade: Trade,
    pub(crate) ts: Option<Micros>,
    pub(crate) rx: Micros,
    /// It happened before we listened.
    pub(crate) earlier: bool,
}

/// Whether trades of the past are needed, and what waits for them.
#[derive(Debug, Default)]
pub(crate) enum Backfill {
    /// Not needed, or done.
    #[default]
    Idle,
    /// To be asked for once connected.
    Wanted,
    /// Asked for at this monotonic time.
    Asked { since: Duration, held: VecDeque<Heard> },
}

impl Backfill {
    /// Connected: true if the venue is to be asked now.
    pub(crate) fn begin(&mut self, now: Duration) -> bool {
        let is_wanted = matches!(self, Self::Wanted);
        if is_wanted {
            *self = Self::Asked { since: now, held: VecDeque::new() };
        }
        is_wanted
    }

    /// Holds a live trade back, or gives it back if nothing is waited for.
    pub(crate) fn hold(&mut self, heard: Heard) -> Option<Heard> {
        match self {
            Self::Asked { held, .. } => {
                held.push_back(heard);
                None
            }
            _ => Some(heard),
        }
    }

    /// Whether waiting has to end: too long, or too much held.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        match self {
            Self::Asked { since, held } => {
                let waited = now.saturating_sub(*since);
                waited >= limits::BACKFILL_WAIT || held.len() >= limits::BACKFILL_HELD_MAX
            }
            _ => false,
        }
    }

    /// Ends it; what was held goes on, in order.
    pub(crate) fn end(&mut self) -> VecDeque<Heard> {
        match std::mem::take(self) {
            Self::Asked { held, .. } => held,
            _ => VecDeque::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use fantail_model::{Decimal, Side};

    use super::*;

    fn heard(number: u64) -> Heard {
        let one = Decimal::parse("1").unwrap();
        let trade = Trade { id: number.to_string(), price: one, size: one, side: Side::Buy };
        Heard { number, trade, ts: None, rx: Micros(0), earlier: false }
    }

    #[test]
    fn live_trades_wait_only_while_the_past_is_asked_for() {
        let mut backfill = Backfill::default();
        assert!(!backfill.begin(Duration::ZERO));
        assert_eq!(backfill.hold(heard(1)), Some(heard(1)));
        backfill = Backfill::Wanted;
        assert_eq!(backfill.hold(heard(1)), Some(heard(1)), "not connected yet");
        assert!(backfill.begin(Duration::ZERO) && !backfill.begin(Duration::ZERO));
        assert_eq!((backfill.hold(heard(2)), backfill.hold(heard(3))), (None, None));
        assert!(!backfill.is_over(limits::BACKFILL_WAIT / 2));
        assert!(backfill.is_over(limits::BACKFILL_WAIT));
        assert_eq!(backfill.end(), [heard(2), heard(3)]);
        assert_eq!(backfill.hold(heard(4)), Some(heard(4)));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut backfill = Backfill::Wanted;
        backfill.begin(Duration::ZERO);
        for number in 0..limits::BACKFILL_HELD_MAX as u64 {
            assert!(!backfill.is_over(Duration::ZERO));
            backfill.hold(heard(number));
        }
        assert!(backfill.is_over(Duration::ZERO));
    }
}
