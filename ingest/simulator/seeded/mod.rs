//! The engine of generated markets. One task owns the markets and the desk: every 10 ms it moves
//! all markets (whether or not anyone listens), and publishes what was asked for. Input: ticks and
//! mail; output: messages. REST bodies are in [`answers`].

mod answers;
mod stage;

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::time::MissedTickBehavior;

use super::catalogue::listings;
use super::coinbase::{control, frames as coinbase};
use super::desk::{Desk, Mail, Out, Overflow, Todo};
use super::faults::{self, Fault};
use super::limits;
use super::market::Market;
use super::{SeededConfig, Shell, Symbol, Venue};
use stage::{Pace, Stage};

pub(super) struct Engine {
    shell: Shell,
    desk: Desk,
    binance: Vec<Stage>,
    coinbase: Vec<Stage>,
    /// What happens in a tick; nothing where it happens in beats.
    per_tick: (f64, f64),
    beat: Option<Beat>,
    calm: bool,
    tick: u64,
    burst: Option<(f64, u64)>,
    rng: SmallRng,
}

/// Moments at which a fixed number of trades happens.
struct Beat {
    every: Duration,
    trades: f64,
    updates: f64,
}

impl Beat {
    fn of(config: &SeededConfig) -> Option<Self> {
        let trades = f64::from(config.burst?);
        let every = Duration::try_from_secs_f64(trades / config.trades_per_s).ok()?;
        let updates = config.book_updates_per_s.max(0.0) * every.as_secs_f64();
        (!every.is_zero()).then_some(Self { every, trades, updates })
    }

    /// Its moments; never, without a beat. A late one is made up for, so that the rate is kept.
    fn interval(beat: Option<&Self>) -> tokio::time::Interval {
        let mut beats = tokio::time::interval(beat.map_or(limits::NEVER, |beat| beat.every));
        beats.set_missed_tick_behavior(MissedTickBehavior::Burst);
        beats.reset();
        beats
    }
}

impl Engine {
    pub(super) fn new(config: SeededConfig, shell: Shell) -> Self {
        let now_us = shell.now_us();
        let stages = |venue: Venue| -> Vec<Stage> {
            let salt = match venue {
                Venue::Binance => 0x0062_696e,
                Venue::Coinbase => 0x0063_6f69,
            };
            listings(venue, config.symbols)
                .into_iter()
                .enumerate()
                .map(|(at, listing)| {
                    let seed = config.seed
                        ^ (salt << 24)
                        ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    Stage::new(Market::new(listing, seed, now_us), at as u64)
                })
                .collect()
        };
        let (binance, coinbase) = (stages(Venue::Binance), stages(Venue::Coinbase));
        let products = coinbase.iter().map(|stage| stage.market.listing.native.clone()).collect();
        let rules = control::Rules { products, level2_is_open: false };
        let beat = Beat::of(&config);
        let share = if beat.is_some() { 0.0 } else { limits::TICK.as_secs_f64() };
        Self {
            shell,
            desk: Desk::new(rules, Overflow::Cut),
            binance,
            coinbase,
            per_tick: (
                config.trades_per_s.max(0.0) * share,
                config.book_updates_per_s.max(0.0) * share,
            ),
            beat,
            calm: config.calm,
            tick: 0,
            burst: None,
            rng: SmallRng::seed_from_u64(config.seed.wrapping_add(1)),
        }
    }

    pub(super) fn symbols(&self) -> Vec<Symbol> {
        let of = |venue: Venue, stages: &[Stage]| -> Vec<Symbol> {
            let symbol = |stage: &Stage| Symbol {
                venue,
                native: stage.market.listing.native.clone(),
                canonical: stage.market.listing.canonical(),
            };
            stages.iter().map(symbol).collect()
        };
        let mut all = of(Venue::Binance, &self.binance);
        all.extend(of(Venue::Coinbase, &self.coinbase));
        all
    }

    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(limits::TICK);
        // A late tick is not made up for: markets of a busy machine run slower, not in bursts.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = Beat::interval(self.beat.as_ref());
        let stop = self.shell.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                mail = self.shell.mail.recv() => match mail {
                    Some(mail) => self.take(mail),
                    None => return,
                },
                _ = ticks.tick() => self.step(),
                _ = beats.tick() => self.strike(),
            }
        }
    }

    pub(super) fn take(&mut self, mail: Mail) {
        match self.desk.take(mail) {
            Todo::Nothing | Todo::Streams => {}
            Todo::Subscribed { session, added } => self.greet(session, &added),
            Todo::Rest { call, reply } => {
                // The caller may have given up.
                let _ = reply.send(self.answer(&call));
            }
            Todo::Fault(fault) => self.make(&fault),
        }
    }

    /// Moves every market by one tick.
    pub(super) fn step(&mut self) {
        self.tick += 1;
        if !self.calm {
            self.misbehave();
        }
        let pace = self.pace(self.per_tick);
        for stage in &mut self.binance {
            stage.play_binance(&pace, &mut self.desk);
        }
        for stage in &mut self.coinbase {
            stage.play_coinbase(&pace, &mut self.desk);
        }
    }

    /// One beat of every market.
    fn strike(&mut self) {
        let Some(beat) = &self.beat else { return };
        let pace = self.pace((beat.trades, beat.updates));
        for stage in &mut self.binance {
            stage.strike_binance(&pace, &mut self.desk);
        }
        for stage in &mut self.coinbase {
            stage.strike_coinbase(&pace, &mut self.desk);
        }
    }

    fn pace(&self, (trades, updates): (f64, f64)) -> Pace {
        let factor = match self.burst {
            Some((factor, until)) if self.tick <= until => factor,
            _ => 1.0,
        };
        let (trades, updates) = (trades * factor, updates * factor);
        Pace { trades, updates, tick: self.tick, now_us: self.shell.now_us() }
    }

    /// What a Coinbase client gets right after its acknowledgement.
    fn greet(&mut self, session: u64, added: &[control::Pair]) {
        for pair in added {
            let Some(stage) =
                self.coinbase.iter_mut().find(|s| s.market.listing.native == pair.product)
            else {
                continue;
            };
            let text = match pair.channel.as_str() {
                "level2_batch" => {
                    // Others get the changes so far first: one delta serves all from here on.
                    stage.flush_coinbase(self.shell.now_us(), &mut self.desk, Some(session));
                    Some(coinbase::snapshot(&stage.market))
                }
                "ticker" | "ticker_batch" => Some(coinbase::ticker(&stage.market)),
                "matches" => stage
                    .market
                    .trades
                    .back()
                    .map(|trade| coinbase::matched(&stage.market.listing, trade, "last_match")),
                _ => None,
            };
            if let Some(text) = text {
                self.desk.send(session, Out::Text(text.into()));
            }
        }
    }

    fn misbehave(&mut self) {
        let (binance, coinbase) = (&self.binance, &self.coinbase);
        let pick = |venue: Venue, rng: &mut SmallRng| {
            let stages = if venue == Venue::Binance { binance } else { coinbase };
            let at = rng.random_range(0..stages.len().max(1));
            stages.get(at).map(|stage| stage.market.listing.native.clone()).unwrap_or_default()
        };
        if let Some(fault) = faults::scheduled(self.tick, &mut self.rng, pick) {
            self.make(&fault);
        }
    }

    fn make(&mut self, fault: &Fault) {
        let tick = self.tick;
        let mut canonical = None;
        match fault {
            Fault::DropConnection { venue } => self.desk.cut_venue(*venue),
            Fault::Garbage { venue } => self.desk.send_garbage(*venue),
            Fault::Burst { factor, lasting } => {
                self.burst = Some((factor.max(0.0), tick + ticks_of(*lasting)));
            }
            Fault::SkipDelta { venue, symbol } => {
                let Some(stage) = self.stage(*venue, symbol) else { return };
                stage.skip_next = true;
                canonical = Some(stage.market.listing.canonical());
            }
            Fault::Freeze { venue, symbol, lasting } => {
                let Some(stage) = self.stage(*venue, symbol) else { return };
                stage.frozen_until = tick + ticks_of(*lasting);
                canonical = Some(stage.market.listing.canonical());
            }
        }
        self.shell.announce(fault, canonical);
    }

    fn stage(&mut self, venue: Venue, symbol: &str) -> Option<&mut Stage> {
        let stages = match venue {
            Venue::Binance => &mut self.binance,
            Venue::Coinbase => &mut self.coinbase,
        };
        stages.iter_mut().find(|stage| {
            stage.market.listing.native == symbol || stage.market.listing.canonical() == symbol
        })
    }
}

fn ticks_of(lasting: Duration) -> u64 {
    u64::try_from(lasting.as_millis() / limits::TICK.as_millis()).unwrap_or(u64::MAX / 2)
}
