//! What the venue lists: names, steps and states of our symbols.

use std::collections::HashMap;

use fantail_model::{InstrumentState, Micros};

use super::Feed;
use crate::connection::Order;
use crate::market::Market;
use crate::rest::{Content, RestError};
use crate::venue::Listed;

impl Feed {
    pub(super) fn instruments(&mut self, result: Result<Content, RestError>) {
        let now = self.clock.monotonic();
        match result {
            Ok(Content::Instruments(listed)) => {
                self.timers.instruments_came(now);
                self.list(&listed);
            }
            Ok(_) => {}
            Err(error) => {
                self.timers.instruments_failed(now);
                tracing::warn!(venue = %self.venue.id(), %error, "instruments unknown");
            }
        }
    }

    /// What the venue lists decides names, steps and states of our markets.
    fn list(&mut self, listed: &[Listed]) {
        let by_symbol: HashMap<_, _> = listed.iter().map(|l| (&l.symbol, l)).collect();
        let mut renamed = Vec::new();
        for index in 0..self.markets.len() {
            let Some(market) = self.markets.get_mut(index) else { continue };
            let before = market.instrument.clone();
            let instrument = &mut market.instrument;
            market.condition.unlisted = None;
            match by_symbol.get(&instrument.symbol) {
                Some(listed) => {
                    (instrument.tick, instrument.lot) = (listed.tick, listed.lot);
                    instrument.state = listed.state;
                    if instrument.native != listed.native {
                        instrument.native.clone_from(&listed.native);
                        renamed.push(market.connection);
                    }
                }
                None => {
                    let (venue, symbol) = (&instrument.venue, &instrument.symbol);
                    let reason = format!("{venue} does not list {symbol}");
                    if instrument.state != InstrumentState::Delisted {
                        tracing::error!(%venue, %symbol, "the venue does not list this symbol");
                    }
                    instrument.state = InstrumentState::Delisted;
                    market.condition.unlisted = Some(reason);
                }
            }
            if before != market.instrument {
                let now = Micros(self.clock.wall_micros());
                self.publisher.instrument(&market.instrument, now);
                if market.instrument.state == InstrumentState::Delisted {
                    self.with_market(index, |market, outlet| market.channels.forget(outlet));
                }
            }
            self.with_market(index, Market::settle);
        }
        self.rename(renamed);
    }

    /// Native names differ from what was guessed: subscribe again under the right ones.
    fn rename(&mut self, mut connections: Vec<usize>) {
        if connections.is_empty() {
            return;
        }
        let natives = self.markets.iter().enumerate();
        self.by_native =
            natives.map(|(index, market)| (market.instrument.native.clone(), index)).collect();
        connections.dedup();
        for connection in connections {
            let carried = self.carried_by(connection).into_iter();
            let natives: Vec<String> = carried
                .filter_map(|index| Some(self.markets.get(index)?.instrument.native.clone()))
                .collect();
            let subscribe = self.venue.subscribe(&natives);
            self.order(connection, Order::Renew(Some(subscribe)));
        }
    }
}
