//! The bounds of the Kafka home of the bus, each with its reason. Owns numbers only.

use std::time::Duration;

/// Longest wait for an answer about topics, partitions or offsets. A caller that hears nothing
/// for this long is told that the broker is away.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// How often a topic that was given more partitions is looked at until every broker tells of them:
/// two seconds in all, many times what a cluster takes.
pub(super) const GROWN_LOOKS: u32 = 40;
/// The pause between two such looks.
pub(super) const GROWN_LOOK_EVERY: Duration = Duration::from_millis(50);

/// Longest wait for a topic to be made on every broker.
pub(super) const CREATE_WAIT: Duration = Duration::from_secs(30);

/// One nap of a waiting poll. The client calls back when something arrives and wakers ring the
/// same bell, so this only bounds what a missed callback could cost.
pub(super) const POLL_SLICE: Duration = Duration::from_millis(5);

/// Empty looks at the client's queue before it counts as empty: a look that met a statistics or
/// log event says "nothing" although records may stand behind it.
pub(super) const EMPTY_LOOKS: usize = 2;

/// How long a consumer that is always behind may put off looking for a lost offset. What it has
/// fetched is read first, so that it isn't given up for nothing.
pub(super) const SUSPICION_MAX: Duration = Duration::from_secs(1);

/// Longest wait for one partition's bounds while looking for a lost offset: the other partitions
/// wait with it.
pub(super) const SUSPICION_ANSWER_WAIT: Duration = Duration::from_secs(2);

/// How long an accepted record may wait for its broker before it is given up and counted as lost.
/// Longer than a leader election or a paused broker takes, short enough that what then arrives is
/// still worth something.
pub(super) const DELIVERY_WAIT: Duration = Duration::from_secs(60);

/// How long a group waits for a member that says nothing before its work is given to others.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a member says that it lives; a rebalance is noticed within it.
pub(super) const HEARTBEAT_EVERY: Duration = Duration::from_millis(500);

/// One wait of a member's poll.
pub(super) const MEMBER_POLL_SLICE: Duration = Duration::from_millis(100);

/// A gap between two polls that means the whole process was paused: several slices, and well below
/// the session timeout.
pub(super) const PAUSE_NOTICED: Duration = Duration::from_secs(1);

/// One look at whether a flush is done.
pub(super) const FLUSH_SLICE: Duration = Duration::from_millis(1);

/// How long a dropped producer still tries to store what it accepted.
pub(super) const DROP_FLUSH_WAIT: Duration = Duration::from_secs(5);

/// How long "there is no such topic" is believed before the broker is asked again, so that a
/// sender that keeps asking doesn't wait for the broker each time.
pub(super) const ABSENT_BELIEVED: Duration = Duration::from_secs(1);

/// Topics whose partition counts are remembered. Ours are a dozen.
pub(super) const TOPICS_REMEMBERED_MAX: usize = 1024;

/// Records in the producer's queue, besides its bound in bytes: each costs the client about 200
/// bytes of bookkeeping.
pub(super) const QUEUE_RECORDS_MAX: usize = 500_000;

/// Bytes a record may gain on its way to the broker (framing, and headers as Kafka packs them),
/// so that what our own limit allows is never refused there.
pub(super) const FRAMING_BYTES_MAX: usize = 64 * 1024;

/// Smallest segment Kafka allows.
pub(super) const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;

/// Largest segment we ask for: retention deletes whole segments only.
pub(super) const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Segments are closed at least this often in topics that are kept for a short time.
pub(super) const SEGMENT_TIME_MIN_MS: i64 = 60_000;

/// And at least this often in all others.
pub(super) const SEGMENT_TIME_MAX_MS: i64 = 24 * 60 * 60 * 1000;

/// How soon a compacted topic is compacted: a starting gateway reads at most this much history of
/// each key.
pub(super) const COMPACTION_LAG_MS: i64 = 60_000;

/// How often the client tells its figures.
pub(super) const STATISTICS_INTERVAL: Duration = Duration::from_secs(5);
