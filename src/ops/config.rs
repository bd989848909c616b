//! Configuration: defaults < TOML file < environment < flags, into one struct of the caller's.
//!
//! Owns the merging and the reporting: every mistake is found in one run and told with its key,
//! its value, where it was written and what to write instead. Input: [`Sources`]. Output:
//! [`Loaded`]: what was written, with the [`Problems`] so far. What it *means* is decided by the
//! caller, who pushes what it finds into the same [`Problems`] before asking for the result.
//!
//! The struct derives `Deserialize` with `#[serde(default, deny_unknown_fields)]` on every level:
//! defaults live there, and a key that isn't a field is refused.

mod problems;
mod sources;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod written;

use serde::de::DeserializeOwned;

pub use problems::{ConfigErrors, Problem, Problems};
pub use sources::{ENVIRONMENT_PREFIX, Sources};
pub use units::{ByteSize, HumanDuration, UnitError};

/// What was written, and what is wrong with it so far.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The values as written; a value with a mistake is at its default.
    pub raw: T,
    /// Mistakes so far. Validate `raw`, push more, then call [`Problems::into_result`].
    pub problems: Problems,
}

/// Reads and merges all sources. Never fails: mistakes are in [`Loaded::problems`].
///
/// ```
/// # use fantail_ops::config::{Sources, load};
/// #[derive(serde::Deserialize, Default)]
/// #[serde(default, deny_unknown_fields)]
/// struct Config { depth: u32 }
///
/// let sources = Sources { flags: vec!["depth=20".to_owned()], ..Sources::default() };
/// let loaded = load::<Config>(&sources);
/// loaded.problems.into_result()?;
/// assert_eq!(loaded.raw.depth, 20);
/// # Ok::<(), fantail_ops::config::ConfigErrors>(())
/// ```
#[must_use]
pub fn load<T: DeserializeOwned + Default>(sources: &Sources) -> Loaded<T> {
    let mut problems = Problems::default();
    let mut written = sources.read(&mut problems);
    problems.origins = written.origins.clone();
    problems.tables = written.tables.clone();
    let raw = written.extract(&mut problems);
    Loaded { raw, problems }
}
