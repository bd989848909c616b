//! The bounds of REST, each with its reason. Owns numbers only.

use std::time::Duration;

/// Levels a side of a book answered unless asked for otherwise.
pub(super) const DEPTH_DEFAULT: usize = 100;

/// Most levels a side: five times what a book keeps unless configured, about 400 KB of JSON.
pub(super) const DEPTH_MAX: usize = 5_000;

/// Trades or candles answered unless asked for otherwise.
pub(super) const LIMIT_DEFAULT: usize = 100;

/// Most trades or candles: the same as a subscription's `history`.
pub(super) const LIMIT_MAX: usize = 500;

/// How long the tail may take to answer: it answers in microseconds unless the node is
/// overloaded, and then a client is better told so.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// When to come back after that.
pub(super) const OVERLOADED_RETRY: Duration = Duration::from_secs(1);

/// How long a browser may remember a preflight's answer.
pub(super) const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);
