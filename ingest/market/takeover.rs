//! A symbol changes its owner: what is told as lost, and how trades go on where the earlier owner's
//! end.

use std::time::Duration;

use fantail_model::{Kind, Micros};

use super::Market;
use crate::backfill::{Backfill, Heard};
use crate::channels::Outlet;
use crate::trail::{TradeTrail, Verdict};
use crate::venue::PastTrade;

/// Why events between two owners' epochs are missing.
const OWNER_CHANGE: &str = "owner_change";

impl Market {
    /// Another owner published it before, its last trade under this number if that is known. What
    /// happened in between is told as lost, but for trades that can be asked for.
    pub(crate) fn taken_over(&mut self, last_trade: Option<u64>, outlet: &mut Outlet<'_>) {
        for kind in [Kind::Book, Kind::Bbo, Kind::Ticker, Kind::Candle] {
            self.channels.gap(kind, OWNER_CHANGE, outlet);
        }
        match last_trade {
            Some(last) => {
                self.trail = TradeTrail::after(last);
                self.backfill = Backfill::Wanted;
            }
            None => self.channels.gap(Kind::Trade, OWNER_CHANGE, outlet),
        }
    }

    /// Whether the venue is to be asked for trades of the past, now that it is connected.
    pub(crate) fn wants_trades(&mut self, now: Duration) -> bool {
        self.backfill.begin(now)
    }

    /// Trades of the past came, oldest first, or none will: what was held back follows them.
    pub(crate) fn past_trades(
        &mut self,
        trades: Vec<PastTrade>,
        rx: Micros,
        outlet: &mut Outlet<'_>,
    ) {
        let held = self.backfill.end();
        let last = self.trail.last();
        for PastTrade { number, trade, ts } in trades {
            // Those before the earlier owner's last one are no news.
            if last.is_none_or(|last| number > last) {
                self.trade(Heard { number, trade, ts, rx, earlier: false }, outlet);
            }
        }
        held.into_iter().for_each(|heard| self.trade(heard, outlet));
    }

    /// The standby becomes the owner: what it holds is told at once, whole; trades it heard after
    /// the earlier owner's last one follow it.
    pub(crate) fn promoted(&mut self, last_trade: Option<u64>, outlet: &mut Outlet<'_>) {
        for kind in [Kind::Book, Kind::Bbo, Kind::Ticker, Kind::Candle] {
            self.channels.gap(kind, OWNER_CHANGE, outlet);
        }
        self.channels.forget_told();
        self.settle(outlet);
        if self.book.is_live() {
            let draft = self.whole_book(outlet.wall);
            outlet.publisher.publish(self.channels.book.slot, draft);
        }
        if let Some((bbo, vseq)) = self.last_bbo.take() {
            self.bbo(bbo, vseq, (None, outlet.wall), outlet);
        }
        let Some(last) = last_trade else {
            self.recent.after(u64::MAX).for_each(drop);
            self.channels.gap(Kind::Trade, OWNER_CHANGE, outlet);
            return;
        };
        self.trail = TradeTrail::after(last);
        for heard in self.recent.after(last).collect::<Vec<_>>() {
            if let Verdict::After(reason) = self.trail.see(heard.number, heard.earlier) {
                self.channels.gap(Kind::Trade, reason, outlet);
            }
            // Candles have had it already.
            self.publish_trade(heard.trade, (heard.ts, heard.rx), outlet);
        }
    }
}
