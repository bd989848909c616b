//! The bounds of `ops`, each with its reason. Owns numbers only.

use std::time::Duration;

/// Session closes remembered for `/closes`: enough to see a storm's cause, about 300 KB at most.
pub const CLOSES_MAX: usize = 1_000;

/// Bytes kept of each text of a close (session, user, peer, reason): clients choose some of them.
pub const CLOSE_TEXT_BYTES_MAX: usize = 256;

/// Config mistakes reported at once. More than this means the wrong file was given.
pub const CONFIG_MISTAKES_MAX: usize = 100;

/// Levels of a config key. Ours have four; the tree is walked recursively.
pub const CONFIG_DEPTH_MAX: usize = 16;

/// Bytes of a config file. A hand-written one is a few KB; this keeps `--config /dev/zero` harmless.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Shortest text registered as a secret: scrubbing shorter ones would eat ordinary words.
pub const SECRET_BYTES_MIN: usize = 6;

/// Secrets the scrubber knows. They come from configuration, so hundreds are already many; each
/// costs a search per log line.
pub const SECRETS_MAX: usize = 1_024;

/// Bytes of a request body on the admin listener: a log filter is all that is ever sent.
pub const ADMIN_BODY_BYTES_MAX: usize = 4 * 1024;

/// Bytes of a log filter.
pub const LOG_FILTER_BYTES_MAX: usize = 1_024;

/// How long an admin request may take: scrapes take milliseconds.
pub const ADMIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Admin requests answered at once: a scraper, a probe and a few people.
pub const ADMIN_REQUESTS_MAX: usize = 64;

/// What is left of a drain that is cut short: time for last frames to leave, too short to notice.
pub const HURRY_MAX: Duration = Duration::from_millis(250);

/// How long what is away is asked again at start: an election is over by then, and a wrong address is
/// worth an error soon.
pub const START_PATIENCE: Duration = Duration::from_secs(15);

/// How often it is asked meanwhile.
pub const START_AGAIN: Duration = Duration::from_millis(250);

/// Bytes of a scraper's `Accept` header that are read. Prometheus' is about 400; a longer one gets
/// text.
pub const ACCEPT_BYTES_MAX: usize = 4 * 1024;

/// Media ranges read of an `Accept` header. Prometheus names six; later ones are not looked at.
pub const ACCEPT_RANGES_MAX: usize = 32;

/// Resolution of native histograms: 2⁴ = 16 buckets for each doubling, each 4.4 % wider than the
/// one before, so a quantile is within 4.4 % of the value it stands for. Our own jitter is more.
pub const NATIVE_SCHEMA: i8 = 4;

/// Native buckets of one histogram, 16 bytes each: 25 doublings, from 1 µs to half a minute. Beyond
/// it the histogram halves its resolution; it never drops a value.
pub const NATIVE_BUCKETS_MAX: usize = 400;
