//! A channel name in which `*` may stand for the whole venue or symbol: wildcard subscriptions
//! and permission grants.

use std::fmt;
use std::str::FromStr;

use crate::channel::{Parts, error};
use crate::{Channel, ChannelError, Interval, Kind, Parameter, Symbol, VenueId};

/// One segment: anything, or exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Segment<T> {
    Any,
    Exactly(T),
}

/// A set of channels of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    kind: Kind,
    venue: Option<Segment<VenueId>>,
    symbol: Option<Segment<Symbol>>,
    parameter: Option<Parameter>,
    interval: Option<Interval>,
}

impl<T: PartialEq> Segment<T> {
    fn admits(&self, value: Option<&T>) -> bool {
        match (self, value) {
            (Self::Any, Some(_)) => true,
            (Self::Exactly(wanted), Some(value)) => wanted == value,
            (_, None) => false,
        }
    }
}

impl Pattern {
    /// The kind of all its channels.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Conflation asked for by a wildcard subscription.
    pub const fn interval(&self) -> Option<Interval> {
        self.interval
    }

    /// Depth or candle length asked for by a wildcard subscription.
    pub const fn parameter(&self) -> Option<Parameter> {
        self.parameter
    }

    /// True when some segment is `*`.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.venue, Some(Segment::Any)) || matches!(self.symbol, Some(Segment::Any))
    }

    /// Subscription match: every segment, parameter and interval included.
    pub fn matches(&self, channel: &Channel) -> bool {
        self.parameter == channel.parameter
            && self.interval == channel.interval
            && self.admits_market(channel)
    }

    /// Grant match: kind, venue and symbol decide, parameter and interval don't; and a grant on
    /// anything of a venue includes the venue's status.
    pub fn grants(&self, channel: &Channel) -> bool {
        if channel.kind == Kind::Status && self.kind != Kind::Status {
            let venue_ok = self.venue.as_ref().is_some_and(|v| v.admits(channel.venue.as_ref()));
            let symbol_ok = channel.symbol.is_none()
                || self.symbol.as_ref().is_some_and(|s| s.admits(channel.symbol.as_ref()));
            return venue_ok && symbol_ok;
        }
        self.admits_market(channel)
    }

    /// The base channel of this pattern if it names exactly one.
    pub fn channel(&self) -> Option<Channel> {
        self.to_string().parse().ok()
    }

    fn admits_market(&self, channel: &Channel) -> bool {
        fn admits<T: PartialEq>(segment: Option<&Segment<T>>, value: Option<&T>) -> bool {
            segment.map_or(value.is_none(), |segment| segment.admits(value))
        }
        self.kind == channel.kind
            && admits(self.venue.as_ref(), channel.venue.as_ref())
            && admits(self.symbol.as_ref(), channel.symbol.as_ref())
    }
}

impl FromStr for Pattern {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Parts::cut(text)?;
        let venue = match parts.venue {
            Some("*") => Some(Segment::Any),
            Some(word) => Some(Segment::Exactly(VenueId::new(word).map_err(|_| {
                error("the venue is not understood", "a venue is in lower case, or * for all")
            })?)),
            None => None,
        };
        let symbol = match parts.symbol {
            Some("*") => Some(Segment::Any),
            Some(word) => Some(Segment::Exactly(Symbol::new(word).map_err(|_| {
                error(
                    "the symbol is not understood",
                    "a symbol is BASE-QUOTE in upper case, or * for all",
                )
            })?)),
            None => None,
        };
        let (kind, parameter, interval) = (parts.kind, parts.parameter, parts.interval);
        Ok(Self { kind, venue, symbol, parameter, interval })
    }
}

impl<T: fmt::Display> fmt::Display for Segment<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exactly(value) => value.fmt(f),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let Some(venue) = &self.venue {
            write!(f, ":{venue}")?;
        }
        if let Some(symbol) = &self.symbol {
            write!(f, ":{symbol}")?;
        }
        if let Some(parameter) = &self.parameter {
            write!(f, ":{parameter}")?;
        }
        if let Some(interval) = &self.interval {
            write!(f, "@{interval}")?;
        }
        Ok(())
    }
}
