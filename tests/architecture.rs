//! The tree keeps its promises: arrows, headers, sizes, bans.
//!
//! Input: the repository as it lies on disk. Output: one failure per broken rule, each listing
//! every place as `file:line: rule`. It reads text and compiles nothing; what the compiler or
//! clippy already refuses is checked again only where an `allow` would hide it. Exceptions stand
//! beside the rule they weaken, with their reason.
#![forbid(unsafe_code)]

/// The rules, by subject.
mod architecture {
    pub(crate) mod arrows;
    pub(crate) mod bans;
    pub(crate) mod code;
    pub(crate) mod faults;
    pub(crate) mod imports;
    pub(crate) mod sizes;
    pub(crate) mod source;
}

use architecture::source::{Place, Source, repository, sources};
use architecture::{arrows, bans, faults, imports, sizes};

/// Fails with every place that breaks a rule.
#[track_caller]
fn nothing_breaks(rule: &str, places: Vec<Place>) {
    let listed: Vec<String> = places.iter().map(ToString::to_string).collect();
    assert!(places.is_empty(), "{rule}:\n{}\n{} in all", listed.join("\n"), listed.len());
}

/// Runs one rule over every source file.
fn over(sources: &[Source], rule: fn(&Source) -> Vec<Place>) -> Vec<Place> {
    sources.iter().flat_map(rule).collect()
}

#[test]
fn crates_depend_only_downwards() {
    nothing_breaks("an arrow that ARCHITECTURE.md does not draw", arrows::check(&repository()));
}

#[test]
fn every_crate_root_forbids_unsafe() {
    nothing_breaks("crate roots", arrows::roots(&repository()));
}

#[test]
fn every_file_opens_with_its_header() {
    nothing_breaks("headers", over(&sources(), sizes::header));
}

#[test]
fn files_are_small() {
    nothing_breaks("file sizes", over(&sources(), sizes::file));
}

#[test]
fn functions_are_small() {
    nothing_breaks("function sizes", over(&sources(), sizes::functions));
}

#[test]
fn nothing_banned_is_used() {
    nothing_breaks("bans", over(&sources(), bans::code));
}

#[test]
fn nothing_is_left_unfinished() {
    nothing_breaks("unfinished work", over(&sources(), bans::unfinished));
}

#[test]
fn nothing_names_this_machine() {
    nothing_breaks("paths of one machine", over(&sources(), bans::machine_paths));
}

#[test]
fn the_table_of_faults_names_what_there_is() {
    nothing_breaks("faults in ARCHITECTURE.md", faults::check(&sources()));
}

#[test]
fn neighbours_do_not_import_one_another() {
    nothing_breaks("imports", over(&sources(), imports::check));
}
