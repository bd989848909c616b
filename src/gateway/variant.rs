//! Numbers of derived channels, computed alike by the tail and by every shard.
//!
//! A base channel's number is a multiple of 64; the lower bits say which top-n depth and which
//! conflation interval are derived from it. So a derived channel needs no announcement: whoever
//! knows the parent and the configured intervals knows its number.

use fantail_model::{Channel, Interval, Kind, Parameter};

/// Bits of a number that name the variant.
const BITS: u32 = 6;
/// Most conflation intervals a node may be configured with: (5 depths + none) × (9 + none) = 60.
pub(crate) const INTERVALS_MAX: usize = 9;
/// Variants of one depth: no interval, or one of them.
const PER_DEPTH: u32 = INTERVALS_MAX as u32 + 1;

/// The configured intervals, in an order every part of the node shares.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variants {
    intervals: Vec<Interval>,
}

/// The number of the `index`-th base channel.
pub(crate) fn base_number(index: usize) -> Option<u32> {
    let index = u32::try_from(index).ok()?;
    (index < 1 << (u32::BITS - BITS)).then_some(index << BITS)
}

/// The place of a channel's parent (or of itself) among the base channels.
pub(crate) const fn base_index(ch: u32) -> usize {
    (ch >> BITS) as usize
}

/// True for a derived channel.
pub(crate) const fn is_derived(ch: u32) -> bool {
    ch & ((1 << BITS) - 1) != 0
}

impl Variants {
    pub(crate) fn new(intervals: Vec<Interval>) -> Self {
        Self { intervals }
    }

    /// The number of a channel whose base channel has number `base`; `None` if its interval is not
    /// configured or its kind cannot be derived that way.
    pub(crate) fn number(&self, base: u32, channel: &Channel) -> Option<u32> {
        let depth = match channel.depth() {
            Some(levels) => 1 + Parameter::DEPTHS.iter().position(|depth| *depth == levels)?,
            None => 0,
        };
        let interval = match channel.interval {
            Some(interval) => 1 + self.intervals.iter().position(|known| *known == interval)?,
            None => 0,
        };
        if matches!(channel.kind, Kind::Cbbo) && interval > 0 {
            return None;
        }
        Some(base + u32::try_from(depth).ok()? * PER_DEPTH + u32::try_from(interval).ok()?)
    }

    /// The channel of a number, from its base channel.
    pub(crate) fn channel(&self, ch: u32, base: &Channel) -> Option<Channel> {
        let variant = ch & ((1 << BITS) - 1);
        let (depth, interval) = ((variant / PER_DEPTH) as usize, (variant % PER_DEPTH) as usize);
        let mut channel = base.clone();
        if depth > 0 {
            channel.parameter = Some(Parameter::Depth(*Parameter::DEPTHS.get(depth - 1)?));
        }
        if interval > 0 {
            channel.interval = Some(*self.intervals.get(interval - 1)?);
        }
        Some(channel)
    }

    /// Whether an interval is configured.
    pub(crate) fn has(&self, interval: Interval) -> bool {
        self.intervals.contains(&interval)
    }

    /// The intervals, as they are written in names.
    pub(crate) fn words(&self) -> String {
        let words: Vec<String> = self.intervals.iter().map(|word| format!("@{word}")).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_channels_round_trip() {
        let intervals = [50, 100, 250, 500, 1_000, 5_000].map(Interval::from_millis);
        let variants = Variants::new(intervals.into_iter().flatten().collect());
        let base: Channel = "book:binance:BTC-USDT".parse().expect("a channel");
        let number = base_number(3).expect("room");
        let mut seen = std::collections::HashSet::new();
        for name in ["", "@50ms", "@5s", ":5", ":100", ":10@250ms", ":100@5s"] {
            let channel: Channel = format!("{base}{name}").parse().expect(name);
            let ch = variants.number(number, &channel).expect(name);
            assert_eq!(base_index(ch), 3);
            assert_eq!(is_derived(ch), !name.is_empty());
            assert_eq!(variants.channel(ch, &base).as_ref(), Some(&channel));
            assert!(seen.insert(ch), "{name} shares a number");
        }
        let unknown: Channel = "book:binance:BTC-USDT@300ms".parse().expect("a channel");
        assert_eq!(variants.number(number, &unknown), None);
    }
}
