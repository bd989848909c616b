//! WebSocket programs of other people, as `tests/strict_clients/install.sh` installs them.

use std::path::PathBuf;

use super::require;

/// Names the folder they were installed in.
pub const FOLDER: &str = "FANTAIL_STRICT_CLIENTS";

/// Where they are: `target/strict_clients`, unless the environment says otherwise.
#[must_use]
pub fn folder() -> PathBuf {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    match std::env::var_os(FOLDER) {
        Some(written) => repository.join(written),
        None => repository.join("target/strict_clients"),
    }
}

/// A file or folder of theirs, or `None` after saying that `name` is missing.
///
/// # Panics
/// If `name` is required and missing.
#[track_caller]
#[must_use]
pub fn installed(name: &str, path: &str) -> Option<PathBuf> {
    let found = folder().join(path);
    if found.exists() {
        return Some(found);
    }
    let why = format!("{} is missing: run tests/strict_clients/install.sh", found.display());
    require::skip(name, &why);
    None
}
