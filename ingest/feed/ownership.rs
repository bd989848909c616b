//! A feed becomes the owner of what another worker published before.

use std::collections::HashMap;

use fantail_model::{Instrument, Kind, Micros};

use super::Feed;

/// Numbers of the earlier owner's last trades, by channel name.
pub(crate) type LastTrades = HashMap<String, u64>;

/// A standby is to speak.
#[derive(Debug)]
pub(crate) struct Promotion {
    /// Above every epoch heard.
    pub(crate) epoch: u64,
    pub(crate) last_trades: LastTrades,
}

impl Feed {
    /// What another owner left: every channel is told, and trades are looked for.
    pub(crate) fn take_over(&mut self, last_trades: &LastTrades) {
        for index in 0..self.markets.len() {
            self.with_market(index, |market, outlet| {
                let last = last_of(&market.instrument, last_trades);
                market.taken_over(last, outlet);
            });
        }
    }

    /// The standby speaks from now on.
    pub(super) fn promoted(&mut self, promotion: &Promotion) {
        if !self.publisher.is_standby() {
            return;
        }
        let epoch = promotion.epoch;
        tracing::info!(venue = %self.venue.id(), group = self.group, epoch, "the standby takes over");
        self.publisher.promote(epoch);
        let now = Micros(self.clock.wall_micros());
        self.publisher.heartbeat(self.venue.id(), (self.group, self.groups), now);
        self.status.forget_told();
        for index in 0..self.markets.len() {
            if let Some(market) = self.markets.get(index) {
                self.publisher.instrument(&market.instrument, now);
            }
            self.with_market(index, |market, outlet| {
                let last = last_of(&market.instrument, &promotion.last_trades);
                market.promoted(last, outlet);
            });
        }
        self.publisher.tell_held();
        self.settle_venue();
    }
}

fn last_of(instrument: &Instrument, last_trades: &LastTrades) -> Option<u64> {
    let channel = instrument.channels.iter().find(|channel| channel.kind == Kind::Trade)?;
    last_trades.get(&channel.to_string()).copied()
}
