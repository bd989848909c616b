//! How far back a deflate stream refers: an independent reading of RFC 1951, for tests.
//!
//! zlib-rs inflates with a full window whatever it is told, so it can't show that a client with a
//! small one would manage. This walks the blocks and reports the largest distance.

use super::super::deflate::FLUSH_TAIL;

/// The largest distance in one message, which must be whole.
pub(super) fn largest_distance(message: &[u8]) -> usize {
    let bytes = [message, &FLUSH_TAIL[..]].concat();
    let mut bits = Bits { bytes: &bytes, at: 0 };
    let mut largest = 0;
    while bits.at < 8 * bytes.len() {
        let _last = bits.take(1);
        let distance = match bits.take(2) {
            0 => bits.skip_stored(),
            1 => bits.block(&fixed_lengths(), &Code::new(&[5; 30])),
            2 => {
                let (lengths, distances) = bits.dynamic_codes();
                bits.block(&lengths, &distances)
            }
            kind => panic!("block kind {kind}"),
        };
        largest = largest.max(distance);
    }
    largest
}

fn fixed_lengths() -> Code {
    let lengths: Vec<u8> = [(8, 144), (9, 112), (7, 24), (8, 8)]
        .into_iter()
        .flat_map(|(length, count)| vec![length; count])
        .collect();
    Code::new(&lengths)
}

/// A canonical Huffman code: symbols in order of their code words.
struct Code {
    /// How many code words have each length.
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|it| lengths[*it] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        symbols.iter().for_each(|symbol| counts[usize::from(lengths[*symbol])] += 1);
        Self { counts, symbols }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    /// Index of the next bit.
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> usize {
        let bit = |at: usize| usize::from(self.bytes[at / 8] >> (at % 8) & 1);
        let value = (0..count).map(|index| bit(self.at + index) << index).sum();
        self.at += count;
        value
    }

    fn symbol(&mut self, code: &Code) -> usize {
        let (mut word, mut first, mut index) = (0, 0, 0);
        for length in 1..16 {
            word = word << 1 | self.take(1);
            let count = code.counts[length];
            if word < first + count {
                return code.symbols[index + word - first];
            }
            index += count;
            first = (first + count) << 1;
        }
        panic!("no such code word");
    }

    fn skip_stored(&mut self) -> usize {
        self.at = self.at.next_multiple_of(8);
        let (length, inverse) = (self.take(16), self.take(16));
        assert_eq!(length ^ inverse, 0xFFFF);
        self.at += 8 * length;
        0
    }

    /// The two codes a dynamic block begins with: literals and lengths, distances.
    fn dynamic_codes(&mut self) -> (Code, Code) {
        const ORDER: [usize; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (literals, distances) = (self.take(5) + 257, self.take(5) + 1);
        let mut meta = [0; 19];
        for index in &ORDER[..self.take(4) + 4] {
            meta[*index] = self.take(3) as u8;
        }
        let meta = Code::new(&meta);
        let mut lengths: Vec<u8> = Vec::new();
        while lengths.len() < literals + distances {
            let (value, repeat) = match self.symbol(&meta) {
                16 => (lengths[lengths.len() - 1], 3 + self.take(2)),
                17 => (0, 3 + self.take(3)),
                18 => (0, 11 + self.take(7)),
                length => (length as u8, 1),
            };
            lengths.extend(vec![value; repeat]);
        }
        (Code::new(&lengths[..literals]), Code::new(&lengths[literals..]))
    }

    /// Reads a compressed block; its largest distance.
    fn block(&mut self, lengths: &Code, distances: &Code) -> usize {
        let mut largest = 0;
        loop {
            let extra_bits = match self.symbol(lengths) {
                0..256 => continue,
                256 => return largest,
                short @ 257..265 => (short - 257) / 8,
                285 => 0,
                long => (long - 261) / 4,
            };
            self.take(extra_bits);
            let symbol = self.symbol(distances);
            let distance = if symbol < 4 {
                symbol + 1
            } else {
                let extra_bits = symbol / 2 - 1;
                ((2 + symbol % 2) << extra_bits) + 1 + self.take(extra_bits)
            };
            largest = largest.max(distance);
        }
    }
}
