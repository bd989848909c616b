//! The bounds of the bus, each with its reason. Owns numbers only; enforcement stands where the
//! bound is met.

/// Largest record (key, value and headers together). A deep book snapshot of 20,000 levels a side
/// takes about 1 MB; four times that leaves room and still bounds what one record can hold up.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Headers on one record. We write five (schema, epoch, seq, receive time, trace); more than this
/// is a mistake.
pub const HEADERS_MAX: usize = 16;

/// Bytes of a header's name. Its length is packed in one byte.
pub const HEADER_NAME_BYTES_MAX: usize = 64;

/// Bytes of a header's value. Numbers and ids live here, payloads do not.
pub const HEADER_VALUE_BYTES_MAX: usize = 1024;

/// Bytes of a topic's name: Kafka's own bound, so that a name valid here is valid there.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Topics of one embedded bus. Topics are per event kind, not per instrument.
pub const TOPICS_MAX: usize = 256;

/// Partitions of one topic. A consumer visits each of its partitions in a poll.
pub const PARTITIONS_MAX: u32 = 1024;

/// Records copied out of one partition while its lock is held, so that a reader far behind never
/// holds up the writer for longer than about 50 µs.
pub const POLL_RUN_RECORDS_MAX: usize = 512;

/// What one kept record costs beyond its bytes (the slot and the shared-buffer bookkeeping).
/// Counted against retention, so that many tiny records can't outgrow the byte bound.
pub const RECORD_OVERHEAD_BYTES: usize = 192;

/// How long a compacted topic keeps a tombstone, so that a consumer reading live sees the deletion.
/// Kafka's `delete.retention.ms` has the same purpose; a consumer further behind than this must
/// start again at the earliest offset.
pub const TOMBSTONE_KEEP_MICROS: i64 = 10 * 60 * 1_000_000;
