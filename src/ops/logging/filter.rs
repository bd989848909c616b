//! Log filters as an operator writes them. Owns being stricter than `EnvFilter`, which takes any
//! mistyped level for the name of a target and silently logs nothing.

use tracing_subscriber::EnvFilter;

use crate::limits;

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: write levels like \"info,fantail_gateway=debug\"")]
pub struct FilterError(String);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn parse(text: &str) -> Result<EnvFilter, FilterError> {
    if text.len() > limits::LOG_FILTER_BYTES_MAX {
        return Err(FilterError("the log filter is too long".to_owned()));
    }
    if text.trim().is_empty() {
        return Err(FilterError("the log filter is empty".to_owned()));
    }
    for directive in text.split(',').map(str::trim) {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(FilterError(format!("{level:?} is not a log level")));
        }
    }
    let spaceless: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    EnvFilter::builder().parse(spaceless).map_err(|error| FilterError(error.to_string()))
}
