//! Every sequence number is checked: what does not continue the chain is counted.

use std::collections::HashMap;

/// Losses of a run, over all sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Losses {
    /// A message continued something that never came: silent loss.
    pub holes: u64,
    /// A message came again, or out of order.
    pub repeats: u64,
    /// Losses the server told.
    pub gaps: u64,
}

/// The chains of one socket, by a hash of the channel's name.
#[derive(Debug, Default)]
pub struct Chains(HashMap<u64, u64>);

impl Chains {
    /// Takes one message's place.
    pub fn take(&mut self, channel: u64, prev: u64, seq: u64, restarts: bool, losses: &mut Losses) {
        let Some(last) = self.0.insert(channel, seq) else { return };
        if restarts {
            return;
        }
        if prev > last {
            losses.holes += 1;
        } else if seq <= last {
            losses.repeats += 1;
        }
    }
}

/// A channel's name as a number.
#[must_use]
pub fn hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_mistakes_are_counted() {
        let (mut chains, mut losses) = (Chains::default(), Losses::default());
        let mut take = |prev, seq, restarts| chains.take(1, prev, seq, restarts, &mut losses);
        take(9, 10, false); // joined here
        take(10, 11, false);
        take(12, 13, false); // 12 is missing
        take(12, 13, false); // again
        take(11, 12, false); // late
        take(12, 20, false); // conflated
        take(0, 1, true); // a new epoch
        take(1, 2, false);
        assert_eq!(losses, Losses { holes: 1, repeats: 2, gaps: 0 });
    }
}
