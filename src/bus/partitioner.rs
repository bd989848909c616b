//! Which partition a key belongs to. Owns one pure function, the same on every node and in every
//! version: changing it would move instruments between partitions under a running cluster.

/// The partition of `key` among `partitions`: 32-bit FNV-1a of the key, finished with
/// MurmurHash3's 32-bit mix, folded by multiplication (`hash * partitions >> 32`). 0 if there are no partitions.
///
/// ```
/// assert_eq!(fantail_bus::stable_partition(b"binance:BTC-USDT", 1), 0);
/// ```
#[must_use]
pub fn stable_partition(key: &[u8], partitions: u32) -> u32 {
    let hash = key
        .iter()
        .fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // FNV's high bits barely move for short keys; a final mix spreads the difference.
    let mixed = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    let mixed = mixed ^ (mixed >> 16);
    ((u64::from(mixed) * u64::from(partitions)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::stable_partition;

    #[test]
    fn never_changes() {
        // Golden values: a change here moves instruments under a running cluster.
        let golden: Vec<u32> = ["", "a", "binance:BTC-USDT", "coinbase:ETH-USD"]
            .iter()
            .map(|key| stable_partition(key.as_bytes(), 16))
            .collect();
        assert_eq!(golden, GOLDEN);
    }

    const GOLDEN: [u32; 4] = [10, 1, 7, 2];

    #[test]
    fn spreads_and_stays_inside() {
        let mut counts = [0_u32; 8];
        for n in 0..8_000 {
            let partition = stable_partition(format!("venue:S{n}-USDT").as_bytes(), 8);
            counts[partition as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
        assert_eq!(stable_partition(b"x", 0), 0);
    }
}
