//! Messages that were inflated lately, for a reader of many sockets that are sent the same bytes.
//!
//! A swarm on one machine gets each shared frame once per socket; without context takeover what a
//! message inflates to depends on nothing else, so bytes that are equal need no second inflating.
//! Servers have no use for it: their clients' commands differ. It doesn't know zlib.

/// A bounded, direct-mapped memory: a message takes the place of the one before it there.
pub(super) struct Memo {
    places: Box<[Place]>,
}

#[derive(Clone, Default)]
struct Place {
    compressed: Vec<u8>,
    inflated: Vec<u8>,
}

impl Memo {
    pub(super) fn new(messages: usize) -> Self {
        Self { places: vec![Place::default(); messages.max(1)].into() }
    }

    /// Where it is kept what these bytes inflate to, if that is within `limit`.
    pub(super) fn find(&self, compressed: &[u8], limit: u32) -> Option<usize> {
        let at = self.at(compressed);
        let place = self.places.get(at)?;
        let known = place.compressed == compressed && place.inflated.len() <= limit as usize;
        known.then_some(at)
    }

    /// What is kept there.
    pub(super) fn inflated(&self, at: usize) -> &[u8] {
        self.places.get(at).map_or(&[], |place| &place.inflated)
    }

    pub(super) fn keep(&mut self, compressed: &[u8], inflated: &[u8]) {
        let at = self.at(compressed);
        if let Some(place) = self.places.get_mut(at) {
            place.compressed.clear();
            place.compressed.extend_from_slice(compressed);
            place.inflated.clear();
            place.inflated.extend_from_slice(inflated);
        }
    }

    /// By length and last bytes: beginnings are alike, and a good spread is all it takes.
    fn at(&self, compressed: &[u8]) -> usize {
        let last = compressed.iter().rev().take(16);
        let mixed = last.fold(compressed.len() as u64, |mixed, byte| {
            (mixed ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (mixed >> 8) as usize % self.places.len()
    }
}
