//! Fingerprints: 64-bit hashes that make two tellings of the same fact comparable, whatever encoding
//! they came in. Stable across processes, so histories and dumps may be read by another run.
//!
//! Not cryptographic: the server under test makes mistakes, it doesn't forge.

/// FNV-1a's offset basis and prime.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// A fingerprint in the making. Each field is preceded by its tag and followed by its length, so
/// that fields cannot run into one another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn new(what: &str) -> Self {
        Self(BASIS).field(0, what.as_bytes())
    }

    pub(crate) fn field(self, tag: u8, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut hash = (self.0 ^ u64::from(tag)).wrapping_mul(PRIME);
        for byte in bytes.iter().chain(&length) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        Self(hash)
    }

    pub(crate) fn text(self, tag: u8, text: &str) -> Self {
        self.field(tag, text.as_bytes())
    }

    pub(crate) fn number(self, tag: u8, number: i64) -> Self {
        self.field(tag, &number.to_le_bytes())
    }

    /// An absent field differs from every present one.
    pub(crate) fn number_option(self, tag: u8, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.number(tag, number),
            None => self,
        }
    }

    pub(crate) fn text_option(self, tag: u8, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(tag, text),
            None => self,
        }
    }

    /// Never 0, which stands for "unknown" in histories and the truth.
    pub(crate) fn finish(self) -> u64 {
        mixed(self.0).max(1)
    }
}

/// Spreads every bit over all others (the finalizer of splitmix64), so that sums of fingerprints
/// don't cancel out.
pub(crate) const fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_one_another() {
        let all = [
            Fingerprint::new("a").text(1, "bc").text(2, "d"),
            Fingerprint::new("a").text(1, "b").text(2, "cd"),
            Fingerprint::new("a").text(2, "bc").text(1, "d"),
            Fingerprint::new("ab").text(1, "c").text(2, "d"),
            Fingerprint::new("a").text(1, "bc").text(2, "d").text(3, ""),
            Fingerprint::new("a").text_option(3, None),
        ];
        for (at, one) in all.iter().enumerate() {
            let same = all.iter().filter(|other| other.finish() == one.finish()).count();
            assert_eq!(same, 1, "fingerprint {at} is not unique");
        }
    }
}
