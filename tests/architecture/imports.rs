//! Who may not import whom inside and between crates, beyond what Cargo enforces.

use super::code::{line_of, words};
use super::source::{Language, Place, Source};

/// A part of the tree and the names it may not say.
struct Wall {
    /// Beginning of the paths inside.
    inside: &'static str,
    /// Names it may not say.
    names: &'static [&'static str],
    /// Why.
    reason: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        inside: "src/gateway/",
        names: &["fantail_ingest"],
        reason: "gateway and ingest meet only in schemas/",
    },
    Wall {
        inside: "ingest/",
        names: &["fantail_gateway"],
        reason: "gateway and ingest meet only in schemas/",
    },
    Wall {
        inside: "ingest/simulator/",
        names: &["fantail_model", "crate::venue", "crate::books", "super::venue", "venue::"],
        reason: "a simulator that shares code with its reader proves nothing",
    },
    Wall {
        inside: "src/bus/",
        names: &["fantail_model", "fantail_wire"],
        reason: "the bus carries bytes and knows no market",
    },
    Wall {
        inside: "src/model/",
        names: &["serde", "tokio", "std::fs", "std::net", "std::io", "std::thread"],
        reason: "the model is pure",
    },
    Wall {
        inside: "src/wire/",
        names: &["tokio", "std::net", "std::thread"],
        reason: "wire does no I/O",
    },
    Wall {
        inside: "loadtest/",
        names: &["fantail_gateway", "fantail_ingest", "fantail_bus", "fantail_node"],
        reason: "the load generator is a client like any other",
    },
];

/// Folders whose children may not know one another.
const SIBLINGS: &[(&str, &str)] =
    &[("ingest/venue/", "venue"), ("src/gateway/dialect/", "dialect")];

/// Every broken wall of a file.
pub(crate) fn check(source: &Source) -> Vec<Place> {
    if source.language != Language::Rust {
        return Vec::new();
    }
    let mut places = Vec::new();
    // A test may read vectors and count threads; it still imports only what Cargo lets it.
    let is_test = source.path.contains("test");
    for wall in WALLS.iter().filter(|wall| !is_test && source.path.starts_with(wall.inside)) {
        for name in wall.names {
            let found = words(&source.code, name).map(|at| line_of(&source.code, at));
            let rule = format!("{name} inside {}: {}", wall.inside, wall.reason);
            places.extend(found.map(|line| source.place(line, rule.clone())));
        }
    }
    for (folder, parent) in SIBLINGS {
        if let Some(child) = child_of(&source.path, folder) {
            places.extend(siblings(source, parent, child));
        }
    }
    places
}

/// The child of `folder` that a path lies in; the folder's own files have none.
fn child_of<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let child = path.strip_prefix(folder)?.split('/').next()?;
    let child = child.strip_suffix(".rs").unwrap_or(child);
    (child != "mod").then_some(child)
}

/// `crate::<parent>::<other>::…` and `super::<other>::…`.
fn siblings(source: &Source, parent: &str, child: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for prefix in [format!("crate::{parent}::"), "super::".to_owned()] {
        for (at, _) in source.code.match_indices(&prefix) {
            let rest = &source.code[at + prefix.len()..];
            let named = |c: &char| c.is_alphanumeric() || *c == '_';
            let name: String = rest.chars().take_while(named).collect();
            if name != child && CHILDREN.contains(&name.as_str()) {
                let rule = format!("{child} imports {name}: {parent}s don't import one another");
                places.push(source.place(line_of(&source.code, at), rule));
            }
        }
    }
    places
}

/// The names of venues and dialects, present and planned.
const CHILDREN: &[&str] = &[
    "binance",
    "binance_usdm",
    "binance_coinm",
    "coinbase",
    "coinbase_advanced",
    "kraken",
    "hyperliquid",
    "dydx",
    "evm",
    "native",
];

#[test]
fn walls_hold() {
    let check = |path: &str, text: &str, wanted: usize| {
        let places = super::imports::check(&Source::new(path.to_owned(), text.to_owned()));
        assert_eq!(places.len(), wanted, "{path}: {text}: {places:?}");
    };
    check("src/gateway/tail.rs", "use fantail_ingest::x; // fantail_ingest", 1);
    check("ingest/simulator/mod.rs", "use fantail_model::Decimal;", 1);
    check("ingest/venue/binance/parse.rs", "use crate::venue::coinbase::parse;", 1);
    check("ingest/venue/binance/parse.rs", "use super::super::coinbase::parse;", 1);
    check("ingest/venue/binance/parse.rs", "use crate::venue::binance::urls;", 0);
    check("ingest/venue/mod.rs", "use crate::venue::coinbase::parse;", 0);
    check("src/bus/record.rs", "use fantail_ops::clock;", 0);
}
