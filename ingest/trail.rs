//! Which trades of one symbol were seen, by their consecutive ids.
//!
//! Pure. Input: ids; output: whether a trade is new and whether trades are missing before it.

use crate::limits;

/// The last trade seen.
#[derive(Debug, Default)]
pub(crate) struct TradeTrail {
    last: Option<u64>,
    /// What a hole found next is due to, if not to the venue.
    cause: Option<&'static str>,
    /// Trades that came but could not be read, already told.
    told: u64,
}

/// What a trade's id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Seen already, or only where we start.
    Known,
    /// New, and nothing is missing.
    Next,
    /// New, but trades before it are missing.
    After(&'static str),
}

impl TradeTrail {
    /// Goes on where another owner's trades end.
    pub(crate) fn after(last: u64) -> Self {
        Self { last: Some(last), cause: Some("owner_change"), told: 0 }
    }

    /// The last trade seen.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    /// A new connection: a hole now has another reason.
    pub(crate) fn reconnected(&mut self) {
        self.cause = self.cause.or(self.last.map(|_| "reconnect"));
    }

    /// A trade came that could not be read; its loss is told already.
    pub(crate) fn unreadable(&mut self) {
        self.told = self.told.saturating_add(1);
    }

    /// A trade came. `earlier` says that it happened before we listened.
    pub(crate) fn see(&mut self, number: u64, earlier: bool) -> Verdict {
        let told = std::mem::take(&mut self.told);
        let reason = self.cause.unwrap_or("sequence");
        let Some(last) = self.last else {
            self.last = Some(number);
            return if earlier { Verdict::Known } else { Verdict::Next };
        };
        if number <= last && last - number < limits::TRADE_RENUMBERED {
            self.told = told;
            self.cause = self.cause.filter(|_| !earlier);
            return Verdict::Known;
        }
        self.last = Some(number);
        self.cause = None;
        if number < last || number - last - 1 > told {
            return Verdict::After(reason);
        }
        Verdict::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_repetitions_are_seen() {
        let mut trail = TradeTrail::default();
        assert_eq!(trail.see(10, true), Verdict::Known, "before we listened");
        assert_eq!(trail.see(11, false), Verdict::Next);
        assert_eq!(trail.see(11, false), Verdict::Known);
        assert_eq!(trail.see(13, false), Verdict::After("sequence"));
        trail.reconnected();
        assert_eq!(trail.see(14, false), Verdict::Next, "nothing happened meanwhile");
        trail.reconnected();
        assert_eq!(trail.see(14, true), Verdict::Known);
        assert_eq!(trail.see(15, false), Verdict::Next);
        trail.reconnected();
        assert_eq!(trail.see(20, true), Verdict::After("reconnect"));
        assert_eq!(trail.see(21, false), Verdict::Next);
    }

    #[test]
    fn an_unreadable_trade_is_told_once_and_a_renumbering_does_not_silence_the_channel() {
        let mut trail = TradeTrail::default();
        assert_eq!(trail.see(u64::MAX, false), Verdict::Next);
        assert_eq!(trail.see(5, false), Verdict::After("sequence"));
        trail.unreadable();
        assert_eq!(trail.see(7, false), Verdict::Next);
        trail.unreadable();
        assert_eq!(trail.see(10, false), Verdict::After("sequence"));
    }
}
