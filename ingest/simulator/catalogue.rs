//! The instruments a seed lists: known names with plausible prices, then generated ones.
//! Input: how many; output: [`Listing`]s. It knows no venue frame and no rates.

use super::Venue;

/// One instrument: integers count ticks (prices) and lots (sizes).
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) base: String,
    pub(super) quote: &'static str,
    /// The venue's own name: `BTCUSDT`, `BTC-USD`.
    pub(super) native: String,
    pub(super) price_decimals: u32,
    pub(super) lot_decimals: u32,
    pub(super) start_ticks: i64,
    /// A usual size of a level.
    pub(super) usual_lots: i64,
    /// Usual distance between neighbouring levels.
    pub(super) gap_ticks: i64,
}

impl Listing {
    /// `BASE-QUOTE`.
    pub(super) fn canonical(&self) -> String {
        format!("{}-{}", self.base, self.quote)
    }
}

/// base, start price in ticks, price decimals, lot decimals, usual lots.
type Row = (&'static str, i64, u32, u32, i64);

const KNOWN: [Row; 24] = [
    ("BTC", 6_701_250, 2, 5, 20_000),
    ("ETH", 348_120, 2, 4, 40_000),
    ("SOL", 17_245, 2, 3, 60_000),
    ("BNB", 58_410, 2, 3, 8_000),
    ("XRP", 5_812, 4, 0, 9_000),
    ("DOGE", 12_385, 5, 0, 40_000),
    ("ADA", 4_021, 4, 1, 80_000),
    ("AVAX", 2_817, 2, 2, 20_000),
    ("LINK", 1_433, 2, 2, 30_000),
    ("DOT", 6_280, 3, 2, 30_000),
    ("LTC", 7_125, 2, 3, 40_000),
    ("BCH", 3_872, 1, 3, 5_000),
    ("UNI", 7_890, 3, 2, 30_000),
    ("ATOM", 6_114, 3, 2, 30_000),
    ("NEAR", 5_032, 3, 1, 8_000),
    ("AAVE", 15_630, 2, 3, 9_000),
    ("FIL", 4_471, 3, 2, 25_000),
    ("APT", 8_822, 3, 2, 20_000),
    ("ARB", 7_613, 4, 1, 30_000),
    ("OP", 1_841, 3, 2, 40_000),
    ("SUI", 16_422, 4, 1, 20_000),
    ("INJ", 2_214, 2, 2, 9_000),
    ("TIA", 6_377, 3, 2, 15_000),
    ("SEI", 3_981, 4, 1, 40_000),
];

/// The first `count` instruments of a venue.
pub(super) fn listings(venue: Venue, count: usize) -> Vec<Listing> {
    (0..count.min(super::limits::SYMBOLS_MAX)).map(|index| listing(venue, index)).collect()
}

fn listing(venue: Venue, index: usize) -> Listing {
    let quote = match venue {
        Venue::Binance => "USDT",
        Venue::Coinbase => "USD",
    };
    let (base, row) = match KNOWN.get(index) {
        Some(row) => (row.0.to_owned(), *row),
        None => generated(index),
    };
    let native = match venue {
        Venue::Binance => format!("{base}{quote}"),
        Venue::Coinbase => format!("{base}-{quote}"),
    };
    let (_, start_ticks, price_decimals, lot_decimals, usual_lots) = row;
    // Levels about a third of a basis point apart, so that 1,100 of them span some per cent.
    let gap_ticks = (start_ticks / 30_000).max(1);
    Listing {
        base,
        quote,
        native,
        price_decimals,
        lot_decimals,
        start_ticks,
        usual_lots,
        gap_ticks,
    }
}

fn generated(index: usize) -> (String, Row) {
    let spread = i64::try_from(index).unwrap_or(0);
    let start_ticks = 3_000 + (spread * 7_919) % 60_000;
    (format!("SIM{index:03}"), ("", start_ticks, 3, 2, 20_000))
}
