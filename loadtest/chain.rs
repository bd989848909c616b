//! Every sequence number is checked: what does not continue its channel's chain is counted.
//!
//! One [`Chains`] per socket holds where each of its channels has got; a thread's [`Holes`] remember
//! what is missing, so that a late message is told from a repeated one. Knows no bytes.

use std::collections::HashMap;

use crate::limits::HOLES_MAX;

/// What went wrong in a run, over all sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Losses {
    /// Messages that continued something that never came: silent loss.
    pub holes: u64,
    /// Events missing in those holes.
    pub lost: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Messages that came late, behind a later one, or states older than what was there.
    pub reordered: u64,
    /// Losses the server told.
    pub gaps: u64,
}

impl Losses {
    /// Nothing happened that the server did not tell.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.holes == 0 && self.duplicates == 0 && self.reordered == 0
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: Self) {
        self.holes += other.holes;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.gaps += other.gaps;
    }
}

/// A message's place in its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Told with whatever restarts a channel.
    pub epoch: Option<u64>,
    /// Its seq.
    pub seq: u64,
    /// What it continues.
    pub prev: u64,
    /// An event that replaces what the client holds.
    pub reset: bool,
    /// A state: it has the seq it stands at.
    pub snapshot: bool,
    /// Receive time at ingest, µs: a resume names it.
    pub rx: i64,
}

/// How far one channel of one socket has got.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The thread's number of the channel.
    pub channel: u32,
    /// Its epoch, 0 before it is known.
    pub epoch: u64,
    /// Last seq; `None` when anything may come next.
    pub last: Option<u64>,
    /// Receive time of that message, µs.
    pub rx: i64,
}

/// The chains of one socket, sorted by channel.
#[derive(Debug, Default)]
pub struct Chains(Vec<Link>);

/// What is missing, by socket and channel.
#[derive(Debug, Default)]
pub struct Holes(HashMap<(u32, u32), Vec<(u64, u64)>>);

impl Chains {
    /// Every channel of the socket.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.0
    }

    /// The server's acknowledgement: the first event continues `seq`. A channel that is resumed
    /// keeps its own place.
    pub fn acknowledged(&mut self, channel: u32, epoch: Option<u64>, seq: Option<u64>) {
        let link = self.link(channel);
        if link.last.is_none() {
            link.last = seq;
            link.epoch = epoch.unwrap_or(0);
        }
    }

    /// Takes one message's place.
    pub fn take(
        &mut self,
        (socket, channel): (u32, u32),
        place: Place,
        holes: &mut Holes,
        losses: &mut Losses,
    ) {
        let link = self.link(channel);
        if place.reset || place.snapshot {
            link.restart(place, losses);
            return;
        }
        match link.last {
            Some(last) if place.seq <= last => {
                match holes.fill((socket, channel), place.seq) {
                    true => {
                        losses.reordered += 1;
                        // The hole may be older than the measurement.
                        losses.lost = losses.lost.saturating_sub(1);
                    }
                    false => losses.duplicates += 1,
                }
                return;
            }
            Some(last) if place.prev > last => {
                losses.holes += 1;
                losses.lost += place.prev - last;
                holes.remember((socket, channel), (last + 1, place.prev));
            }
            Some(_) | None => {}
        }
        link.last = Some(place.seq);
        link.rx = place.rx;
    }

    /// A loss the server told: the chain goes on behind it.
    pub fn told(&mut self, channel: u32, epoch: u64, to: Option<u64>, losses: &mut Losses) {
        losses.gaps += 1;
        let link = self.link(channel);
        link.last = match (to, link.last) {
            (Some(to), Some(last)) if link.epoch == epoch => Some(to.max(last)),
            // Another epoch's loss, or one without an end: a restart follows.
            _ => None,
        };
    }

    /// The server ended these channels.
    pub fn forget(&mut self, channel: u32) {
        self.0.retain(|link| link.channel != channel);
    }

    fn link(&mut self, channel: u32) -> &mut Link {
        let at = match self.0.binary_search_by_key(&channel, |link| link.channel) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, Link { channel, epoch: 0, last: None, rx: 0 });
                at
            }
        };
        &mut self.0[at]
    }
}

impl Link {
    /// A state may stand where the chain stands; an event with `reset` is a new one. Neither may
    /// go back.
    fn restart(&mut self, place: Place, losses: &mut Losses) {
        let epoch = place.epoch.unwrap_or(self.epoch);
        if let Some(last) = self.last {
            let goes_back = epoch < self.epoch
                || (epoch == self.epoch
                    && (place.seq < last || (place.reset && !place.snapshot && place.seq == last)));
            if goes_back {
                losses.reordered += 1;
                return;
            }
        }
        (self.epoch, self.last, self.rx) = (epoch, Some(place.seq), place.rx);
    }
}

impl Holes {
    fn remember(&mut self, key: (u32, u32), hole: (u64, u64)) {
        if self.0.len() < HOLES_MAX {
            let holes = self.0.entry(key).or_default();
            if holes.len() < HOLES_MAX {
                holes.push(hole);
            }
        }
    }

    /// True if `seq` was missing; it no longer is.
    fn fill(&mut self, key: (u32, u32), seq: u64) -> bool {
        let Some(holes) = self.0.get_mut(&key) else { return false };
        let Some(at) = holes.iter().position(|(from, to)| (*from..=*to).contains(&seq)) else {
            return false;
        };
        let (from, to) = holes.swap_remove(at);
        holes.extend([(from, seq - 1), (seq + 1, to)].into_iter().filter(|(from, to)| from <= to));
        true
    }
}

/// The thread's numbers of channels, so that a socket holds none of their names.
#[derive(Debug, Default)]
pub struct Names {
    numbers: HashMap<Box<[u8]>, u32, foldhash::fast::RandomState>,
    names: Vec<Box<str>>,
    /// By the node's number: Protobuf carries only that.
    by_ch: HashMap<u32, u32, foldhash::fast::RandomState>,
}

impl Names {
    /// The number of a name.
    pub fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.into(), number);
        self.names.push(String::from_utf8_lossy(name).into());
        number
    }

    /// The node's number `ch` means this name.
    pub fn announce(&mut self, ch: u32, name: &str) -> u32 {
        let number = self.number(name.as_bytes());
        self.by_ch.insert(ch, number);
        number
    }

    /// By name, or where there is none by the node's number.
    pub fn of(&mut self, name: &str, ch: u32) -> Option<u32> {
        match name {
            "" => self.by_ch.get(&ch).copied(),
            _ => Some(self.number(name.as_bytes())),
        }
    }

    /// The name of a number.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }
}

#[cfg(test)]
mod tests;
