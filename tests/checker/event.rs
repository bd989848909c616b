//! One event as both sides tell it: the JSON a client was sent, the Protobuf the bus holds. What is
//! compared is here, and nothing else: positions and sending times are not content.

use std::borrow::Cow;

use crate::fingerprint::Fingerprint;

/// Price and size, as canonical decimal text.
pub(crate) type Level<'a> = (Cow<'a, str>, Cow<'a, str>);

/// An event of a channel, without its epoch.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) seq: u64,
    pub(crate) prev: u64,
    /// Replaces what the client holds.
    pub(crate) reset: bool,
    pub(crate) ts: Option<i64>,
    pub(crate) rx: Option<i64>,
    pub(crate) vseq: Option<u64>,
    pub(crate) body: Body<'a>,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    Trade {
        id: Cow<'a, str>,
        price: Cow<'a, str>,
        size: Cow<'a, str>,
        side: &'a str,
    },
    Bbo {
        bid: Option<Level<'a>>,
        ask: Option<Level<'a>>,
    },
    /// last, open, high, low, volume
    Ticker([Option<Cow<'a, str>>; 5]),
    Book {
        bids: Vec<Level<'a>>,
        asks: Vec<Level<'a>>,
    },
    /// open, high, low, close, volume
    Candle {
        start: i64,
        numbers: [Option<Cow<'a, str>>; 5],
        closed: bool,
        partial: bool,
    },
    /// mark, index, rate
    Funding {
        numbers: [Option<Cow<'a, str>>; 3],
        next: Option<i64>,
    },
    Status {
        state: &'a str,
        reason: Cow<'a, str>,
    },
    VenueGap {
        reason: Cow<'a, str>,
    },
}

impl Event<'_> {
    /// The fingerprint of its content: the same for the same fact, in whatever encoding, on
    /// whatever node.
    pub(crate) fn hash(&self) -> u64 {
        let vseq = self.vseq.map(u64::cast_signed);
        let print = Fingerprint::new(self.body.name())
            .number_option(1, self.ts)
            .number_option(2, self.rx)
            .number_option(3, vseq);
        self.body.print(print).finish()
    }

    /// The fingerprint of its value alone. A merged message carries the last value with the newest
    /// venue time there was, which may be an earlier event's: some events have none.
    pub(crate) fn value_hash(&self) -> u64 {
        self.body.print(Fingerprint::new(self.body.name())).finish()
    }
}

impl Body<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Trade { .. } => "trade",
            Self::Bbo { .. } => "bbo",
            Self::Ticker(_) => "ticker",
            Self::Book { .. } => "book",
            Self::Candle { .. } => "candle",
            Self::Funding { .. } => "funding",
            Self::Status { .. } => "status",
            Self::VenueGap { .. } => "venue_gap",
        }
    }

    fn print(&self, print: Fingerprint) -> Fingerprint {
        match self {
            Self::Trade { id, price, size, side } => {
                print.text(10, id).text(11, price).text(12, size).text(13, side)
            }
            Self::Bbo { bid, ask } => pair(pair(print, 10, bid.as_ref()), 12, ask.as_ref()),
            Self::Ticker(numbers) => all(print, numbers),
            Self::Book { bids, asks } => levels(levels(print, 10, bids), 12, asks),
            Self::Candle { start, numbers, closed, partial } => all(print, numbers)
                .number(20, *start)
                .number(21, i64::from(*closed))
                .number(22, i64::from(*partial)),
            Self::Funding { numbers, next } => all(print, numbers).number_option(20, *next),
            Self::Status { state, reason } => print.text(10, state).text(11, reason),
            Self::VenueGap { reason } => print.text(10, reason),
        }
    }
}

fn all(print: Fingerprint, numbers: &[Option<Cow<'_, str>>]) -> Fingerprint {
    (10..)
        .zip(numbers)
        .fold(print, |print, (tag, number)| print.text_option(tag, number.as_deref()))
}

fn pair(print: Fingerprint, tag: u8, level: Option<&Level<'_>>) -> Fingerprint {
    match level {
        Some((price, size)) => print.text(tag, price).text(tag + 1, size),
        None => print,
    }
}

fn levels(print: Fingerprint, tag: u8, levels: &[Level<'_>]) -> Fingerprint {
    levels.iter().fold(print, |print, level| pair(print, tag, Some(level)))
}
