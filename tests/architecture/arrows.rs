//! The arrows between crates, read from each `Cargo.toml`.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::bans::UNSAFE;
use super::source::Place;

/// A crate's folder and what it may depend on, of our own.
const ARROWS: &[(&str, &[&str])] = &[
    ("src/model", &[]),
    ("src/wire", &["model"]),
    ("src/ops", &[]),
    ("src/bus", &["ops"]),
    ("src/gateway", &["model", "wire", "ops", "bus"]),
    ("ingest", &["model", "wire", "ops", "bus"]),
    ("src/node", &["model", "wire", "ops", "bus", "gateway", "ingest"]),
    ("loadtest", &["wire", "model", "ops"]),
    ("tests", &["node", "wire", "model"]),
    // The judge shares no code with the judged.
    ("tests/checker", &[]),
];

/// What only tests may depend on besides.
const TEST_ARROWS: &[(&str, &[&str])] = &[("tests", &["loadtest"])];

/// Libraries that would end a crate's purity.
const PURE: &[(&str, &[&str])] = &[
    ("src/model", &["serde", "serde_json", "tokio", "bytes", "tracing"]),
    ("src/wire", &["tokio", "hyper", "mio", "tracing"]),
];

/// Arrows that are not drawn, and workspace members that nobody drew.
pub(crate) fn check(repository: &Path) -> Vec<Place> {
    let mut places = unknown_members(repository);
    for (folder, allowed) in ARROWS {
        let manifest = manifest(repository, folder);
        let extra = of(TEST_ARROWS, folder);
        let banned = of(PURE, folder);
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for name in names(&manifest, section) {
                let ours = name.strip_prefix("fantail-");
                let drawn = ours.is_none_or(|ours| {
                    allowed.contains(&ours)
                        || section == "dev-dependencies" && extra.contains(&ours)
                });
                if !drawn || section == "dependencies" && banned.contains(&name.as_str()) {
                    places.push(place(repository, folder, &name, "may not depend on it"));
                }
            }
        }
    }
    places
}

/// Every crate root carries `#![forbid(unsafe_code)]`, and crates are flat. A library one of whose
/// files may hold `unsafe` denies it instead, which that file alone can lift.
pub(crate) fn roots(repository: &Path) -> Vec<Place> {
    let mut places = Vec::new();
    for (folder, _) in ARROWS {
        let manifest = manifest(repository, folder);
        let mut paths = vec![manifest.get("lib").and_then(|lib| lib.get("path"))];
        for kind in ["bin", "test"] {
            let targets = manifest.get(kind).and_then(Value::as_array);
            paths.extend(targets.into_iter().flatten().map(|target| target.get("path")));
        }
        for path in paths {
            let Some(path) = path.and_then(Value::as_str) else {
                places.push(place(repository, folder, "[", "every target names its flat path"));
                continue;
            };
            let text = fs::read_to_string(repository.join(folder).join(path)).unwrap_or_default();
            let lifts = path == "lib.rs" && UNSAFE.iter().any(|file| file.starts_with(folder));
            let line = if lifts { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
            if !text.contains(line) {
                let path = format!("{folder}/{path}");
                places.push(Place { path, line: 1, rule: format!("no {line}") });
            }
        }
    }
    places
}

fn unknown_members(repository: &Path) -> Vec<Place> {
    let root = manifest(repository, ".");
    let members = root["workspace"]["members"].as_array().cloned().unwrap_or_default();
    let drawn = |name: &str| ARROWS.iter().any(|(folder, _)| *folder == name);
    let unknown = members.iter().filter_map(Value::as_str).filter(|name| !drawn(name));
    unknown.map(|name| place(repository, ".", name, "a member without arrows here")).collect()
}

fn of(table: &[(&str, &'static [&'static str])], folder: &str) -> &'static [&'static str] {
    table.iter().find(|(name, _)| *name == folder).map_or(&[], |(_, names)| names)
}

fn manifest(repository: &Path, folder: &str) -> Table {
    let path = repository.join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn names(manifest: &Table, section: &str) -> Vec<String> {
    let table = manifest.get(section).and_then(Value::as_table);
    table.into_iter().flat_map(Table::keys).cloned().collect()
}

/// A place in a manifest: the first line that says `text`.
fn place(repository: &Path, folder: &str, text: &str, rule: &str) -> Place {
    let path = format!("{folder}/Cargo.toml");
    let manifest = fs::read_to_string(repository.join(&path)).unwrap_or_default();
    let line = manifest.lines().position(|line| line.contains(text)).map_or(1, |at| at + 1);
    Place { path, line, rule: format!("{text}: {rule}") }
}
