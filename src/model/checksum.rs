//! The book checksum: CRC32 of the top ten levels, by Kraken's published rule, over canonical
//! decimals, so that a client can prove its book equal to the server's.

use crate::{Decimal, Level};

/// Levels of each side that enter the checksum.
const CHECKSUM_LEVELS: usize = 10;

/// CRC32 (IEEE) of the ten best asks, lowest first, then the ten best bids, highest first: the
/// digits of each price, then of its size, without point and leading zeros, all joined.
pub fn checksum(bids: impl Iterator<Item = Level>, asks: impl Iterator<Item = Level>) -> u32 {
    let mut text = String::with_capacity(512);
    let mut push = |value: Decimal| value.push_digits(&mut text);
    for level in asks.take(CHECKSUM_LEVELS).chain(bids.take(CHECKSUM_LEVELS)) {
        push(level.price);
        push(level.size);
    }
    crc32fast::hash(text.as_bytes())
}
