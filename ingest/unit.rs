//! What one worker can own: a venue, or a group of its symbols where it is divided.
//!
//! Pure: configuration in, units out, the same list in every process that has the same
//! configuration. A unit's place in the list is its partition of the control topic.

use fantail_bus::stable_partition;

use crate::config::{IngestConfig, VenueConfig};

/// A venue's symbols, or a part of them.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// Which group of the venue's symbols.
    pub(crate) group: u32,
    /// Whether it tells how the venue as a whole is doing: one unit of each venue does.
    pub(crate) leads: bool,
    /// The venue with this unit's symbols and its share of the REST budget.
    pub(crate) venue: VenueConfig,
}

/// All units, in the order of their partitions. A symbol's group follows from its name, so that
/// adding one moves no other.
pub(crate) fn units(config: &IngestConfig) -> Vec<Unit> {
    config.venues.iter().flat_map(of_venue).collect()
}

fn of_venue(venue: &VenueConfig) -> Vec<Unit> {
    let groups = venue.groups.max(1);
    let mut units: Vec<Unit> = Vec::new();
    for group in 0..groups {
        let is_ours = |name: &str| stable_partition(name.as_bytes(), groups) == group;
        let mut part = venue.clone();
        part.symbols.retain(|symbol| is_ours(symbol.as_str()));
        part.rest_weight_per_minute = (venue.rest_weight_per_minute / groups).max(1);
        if !part.symbols.is_empty() {
            units.push(Unit { group, leads: units.is_empty(), venue: part });
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use fantail_ops::config::Problems;

    use super::*;
    use crate::config::{RawVenue, RawVenues};

    #[test]
    fn every_symbol_is_in_one_unit_and_one_unit_of_a_venue_leads() {
        let symbols: Vec<String> = (0..50).map(|n| format!("S{n}-USD")).collect();
        let binance = RawVenue { symbols: symbols.clone(), groups: 4, ..RawVenue::default() };
        let coinbase = RawVenue { symbols: vec!["BTC-USD".into()], ..RawVenue::default() };
        let mut problems = Problems::default();
        let config = IngestConfig::from_raw(&RawVenues { binance, coinbase }, &mut problems);
        problems.into_result().unwrap();
        let units = units(&config);
        assert_eq!(units.len(), 5);
        assert_eq!(units.iter().filter(|unit| unit.leads).count(), 2);
        let mut found: Vec<String> = units
            .iter()
            .filter(|unit| unit.venue.id.as_str() == "binance")
            .flat_map(|unit| unit.venue.symbols.iter().map(|symbol| symbol.as_str().to_owned()))
            .collect();
        found.sort();
        let mut all = symbols;
        all.sort();
        assert_eq!(found, all);
        assert_eq!(units[0].venue.rest_weight_per_minute, 3_000 / 4);
    }
}
