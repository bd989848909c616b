//! The bounds of the checker, each with its reason. Owns numbers only.

use std::time::Duration;

/// Longest text in a history (names, reasons): longer ones are cut when written.
pub const TEXT_BYTES_MAX: usize = 512;
/// Channels one history may name: a session holds 1,024, a run renames none.
pub const CHANNELS_MAX: usize = 4_096;
/// Violations of one property told one by one; all are counted.
pub const SAMPLES_MAX: usize = 20;
/// Ranges a client may be missing in one channel before they are only counted: a server this broken
/// needs no exact list.
pub const MISSING_RANGES_MAX: usize = 4_096;
/// Largest record a dump holds: the bus takes 4 MiB.
pub const RECORD_BYTES_MAX: u32 = 8 * 1024 * 1024;
/// Largest message a recording client takes: a full-depth book is a few megabytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a recording client reads at once: thousands of them run in one process.
pub const READ_BUFFER_BYTES: usize = 8 * 1024;
/// How far a fault may lie before what it is blamed for.
pub const BLAME: Duration = Duration::from_secs(15);
