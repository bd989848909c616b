//! What a test needs from the machine, and what happens where it is missing.
//!
//! Input: `FANTAIL_REQUIRE`, names separated by commas or spaces, and `FANTAIL_RECORDINGS`, a
//! folder. Output: the thing, or `None` after a loud `SKIPPED` line. A required thing that is
//! missing fails the test instead: in CI nothing is skipped by accident.

use std::env;
use std::path::PathBuf;

/// Names what must be present.
pub const REQUIRE: &str = "FANTAIL_REQUIRE";
/// Names the folder of recordings.
pub const RECORDINGS: &str = "FANTAIL_RECORDINGS";

/// True if `name` must be present on this run.
pub fn is_required(name: &str) -> bool {
    names(&env::var(REQUIRE).unwrap_or_default()).any(|required| required == name)
}

/// Says that a test is skipped because `name` is missing; fails it if that was required.
///
/// # Panics
/// If `name` is required.
#[track_caller]
pub fn skip(name: &str, why: &str) {
    assert!(!is_required(name), "{name} is required by {REQUIRE}, but {why}");
    let place = std::panic::Location::caller();
    eprintln!("SKIPPED {}:{}: needs {name}: {why}", place.file(), place.line());
}

/// The folder of recordings, or `None` after saying so.
///
/// # Panics
/// If recordings are required and missing.
#[track_caller]
pub fn recordings() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recordings");
    // A relative path is meant from the repository, where CI and people run cargo.
    let written = env::var_os(RECORDINGS).map(PathBuf::from);
    let folder = written.map_or_else(beside, |path| {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
    });
    if folder.is_dir() {
        return Some(folder);
    }
    skip("recordings", &format!("{} is no folder", folder.display()));
    None
}

/// A recording by its path inside the folder, or `None` after saying so.
///
/// # Panics
/// If recordings are required and this one is missing.
#[track_caller]
pub fn recording(path: &str) -> Option<PathBuf> {
    let file = recordings()?.join(path);
    if file.is_file() {
        return Some(file);
    }
    skip("recordings", &format!("{} is no file", file.display()));
    None
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ']).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_separated_by_commas_or_spaces() {
        let all: Vec<&str> = names("chromium, recordings kafka,").collect();
        assert_eq!(all, ["chromium", "recordings", "kafka"]);
        assert_eq!(names("").count(), 0);
    }
}
