//! Every bound of the gateway that is not configured, with its reason.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Records the tail takes from the bus in one cycle. Larger batches amortise more, but shards
/// wait for the whole cycle: 4,096 decodes are a few milliseconds.
pub(crate) const CYCLE_RECORDS_MAX: usize = 4_096;
/// Bytes the tail takes from the bus in one cycle, for the same reason.
pub(crate) const CYCLE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How long an idle tail waits for records before it looks at its timers. A request wakes it.
pub(crate) const CYCLE_WAIT: Duration = Duration::from_millis(50);
/// The same while some shard lags: its backlog has to be pushed on soon.
pub(crate) const CYCLE_WAIT_LAGGING: Duration = Duration::from_millis(1);
/// Commands of sessions waiting for the tail, over all shards.
pub(crate) const REQUESTS_MAX: usize = 65_536;
/// Commands the tail answers before it looks at the bus again.
pub(crate) const REQUESTS_PER_CYCLE: usize = 1_024;
/// REST questions waiting for the tail.
pub(crate) const QUERIES_MAX: usize = 256;
/// REST questions the tail answers before it looks at the bus again.
pub(crate) const QUERIES_PER_CYCLE: usize = 32;
/// Messages between the tail and a shard. Beyond it the tail keeps the shard's lag itself.
pub(crate) const MAILBOX_MAX: usize = 1_024;
/// Bytes (estimated) of batches the tail keeps for a shard that lags, before it gives that shard
/// up and lets its sessions resume.
pub(crate) const SHARD_LAG_BYTES_MAX: usize =
    if cfg!(test) { 1_024 * 1_024 } else { 64 * 1_024 * 1_024 };
/// Commands waiting for a position this node has not reached yet.
pub(crate) const AHEAD_WAIT: Duration = Duration::from_secs(5);
/// Most commands that may wait like that at once; beyond it the answer comes at once.
pub(crate) const AHEAD_MAX: usize = 10_000;
/// A feed owner speaks every second; silent for this long, its channels are stale.
pub(crate) const OWNER_SILENCE: Duration = Duration::from_secs(5);
/// Groups a venue's symbols may be divided into: each is a partition of the control topic.
pub(crate) const FEED_GROUPS_MAX: u32 = fantail_bus::limits::PARTITIONS_MAX;
/// A snapshot older than this tells of an owner that is gone: its channels are stale.
pub(crate) const SNAPSHOT_AGE_MAX: Duration = Duration::from_secs(120);
/// Owners rewrite their snapshots each 30 s; with what a busy owner may be late.
pub(crate) const SNAPSHOT_TURN: Duration = Duration::from_secs(40);
/// How much earlier than a snapshot its partition is read: events are stamped when they are
/// received, and sent a little later.
pub(crate) const SNAPSHOT_SLACK: Duration = Duration::from_secs(5);
/// How long a node that found no channel at all on the bus waits for the first one before it admits
/// clients: ingest that starts beside it announces its instruments within a second or two.
pub(crate) const FIRST_CHANNEL_WAIT: Duration = Duration::from_secs(5);
/// Pause before a warm start is tried again on a bus that is away.
pub(crate) const LOAD_RETRY: Duration = Duration::from_millis(500);
/// Silence after which a compacted topic counts as read although its end was not met.
pub(crate) const LOAD_SILENCE: Duration = Duration::from_secs(5);
/// How long events that are thought to be lost may still come before their channel begins again
/// at a later snapshot.
pub(crate) const MEND_WAIT: Duration = Duration::from_secs(5);
/// Unknown record versions that are named in the log, once each.
pub(crate) const VERSIONS_NAMED_MAX: usize = 8;
/// Positions waiting to be read back, a channel each; beyond it a gap is told at once.
pub(crate) const PAST_QUESTIONS_MAX: usize = 1_024;
/// Positions read back together, so that what is kept meanwhile stays below 128 MiB.
pub(crate) const PAST_TOGETHER_MAX: usize = 16;
/// Bytes (estimated) kept of one channel's past; beyond it the oldest events are told as a gap.
pub(crate) const PAST_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// How long one partition may be read back: a client waits for it. Twice what a paused broker may
/// stand still before another leads its partitions.
pub(crate) const PAST_TIME_MAX: Duration = Duration::from_secs(20);
/// The pause before a bus that is away is asked again for the past.
pub(crate) const PAST_RETRY_EVERY: Duration = Duration::from_millis(100);
/// Starts tried, each further back, before everything that is kept is read: 1 min, 8 min, 1 h.
pub(crate) const PAST_ATTEMPTS: u32 = 3;
/// Readings for one command: a ring that moves faster than that cannot be met.
pub(crate) const PAST_READS_MAX: u32 = 3;
/// Events in one group of the past: its frames are made at once.
pub(crate) const PAST_GROUP_EVENTS: usize = 256;
/// Commands that may wait for their past at once; each wakes with its answer.
pub(crate) const READING_MAX: usize = 10_000;
/// How long a partition nobody wants may be configured to be read still. Less than a second, and
/// whoever reconnects finds it cold each time; for more than an hour, consuming everything is meant.
pub(crate) const PARTITION_LINGER: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3_600);
/// How long a command waits for a partition that is only beginning to be read. Reading takes
/// seconds; a bus that does not answer for longer than this is away, and the client may ask again.
pub(crate) const WAKE_WAIT: Duration = Duration::from_secs(10);
/// Channels of a partition that is to be read opened in one cycle: a deep book takes about 100 µs,
/// and live channels wait meanwhile.
pub(crate) const OPENED_PER_CYCLE: usize = 32;
/// Commands that may wait for partitions at once; beyond it they are refused.
pub(crate) const WAKING_MAX: usize = 10_000;
/// Questions to the scout that may wait: one for each partition of a large layout.
pub(crate) const SCOUT_QUESTIONS_MAX: usize = 1_024;
/// How often the topics' partition counts are looked at.
pub(crate) const TOPICS_LOOK_EVERY: Duration = Duration::from_secs(10);
/// Least ring bytes a channel keeps however many channels there are.
pub(crate) const RING_CHANNEL_BYTES_MIN: usize = 64 * 1_024;
/// Most ring bytes one channel may keep.
pub(crate) const RING_CHANNEL_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Ended epochs a channel remembers, so that a gap over them has an exact end.
pub(crate) const EPOCHS_KEPT: usize = 8;
/// `history: n` and REST answers carry at most this many events.
pub(crate) const HISTORY_MAX: u32 = 500;
/// Batches a shard may take from its mailbox into one flush: what arrived together leaves
/// together, but nobody waits for an endless queue.
pub(crate) const FLUSH_BATCHES_MAX: usize = 64;
/// Sessions flushed before reads and accepts get a turn: about a millisecond of sends. A newcomer
/// needs a handful of turns, and is to be served within 10 ms. Tests flush by so few that everything
/// else happens between chunks, too.
pub(crate) const FLUSH_CHUNK: usize = if cfg!(test) { 3 } else { 256 };
/// The same in bytes: under load a socket is due many messages at once, and 256 of them would be a
/// quarter of a second.
pub(crate) const FLUSH_CHUNK_BYTES: usize = 1_024 * 1_024;
/// Turns the runtime's tasks get between two chunks. A newcomer's socket is accepted in one, its request
/// is read in the next, its answer taken up in the third; a turn with nothing to do is a microsecond.
pub(crate) const TURNS_PER_CHUNK: usize = 3;
/// Sockets of a chunk that are worth a call through io_uring; fewer are written by `send(2)`. A bare
/// loop of either is as fast up to eight, and faster through io_uring from sixteen on.
pub(crate) const RING_SENDS_MIN: usize = if cfg!(test) { 1 } else { 8 };
/// Bytes copied for the sockets of a chunk that are due several groups before they are sent through
/// io_uring: they should still be in the core's cache then.
pub(crate) const RING_COPY_BYTES: usize = if cfg!(test) { 1_024 } else { 256 * 1_024 };
/// Starts of subscriptions served in such a turn, so that a storm of them does not hold up the flush.
pub(crate) const SEEDS_PER_CHUNK: usize = 64;
/// Bytes a session that is behind may be sent in one turn.
pub(crate) const CATCH_UP_BYTES: usize = 256 * 1_024;
/// The same for all who are behind, in one turn: what is sent between two chunks of a flush is waited
/// for by newcomers and by everybody who is not behind.
pub(crate) const CATCH_UP_TURN_BYTES: usize = 1_024 * 1_024;
/// The same in time: merging what was missed costs more than sending it.
pub(crate) const CATCH_UP_TURN: Duration = Duration::from_millis(1);
/// Merged groups kept for others who fell behind at the same place.
pub(crate) const MERGES_MAX: usize = 4_096;
/// Estimated bytes of missed events a shard is expected to send in a second beside its stream. A core
/// sends about three times as much in large pieces when it does nothing else.
pub(crate) const REPLAY_BYTES_PER_S: usize = 256 * 1_024 * 1_024;
/// A resume of so little is one write, and is never refused.
pub(crate) const REPLAY_BYTES_FREE: usize = 64 * 1_024;
/// Sessions closed before they were sent what they resumed for are a crowd from so many on, if they are
/// also at least one of [`CROWD_SHARE`] of their shard's.
pub(crate) const CROWD_MIN: usize = 32;
/// See [`CROWD_MIN`].
pub(crate) const CROWD_SHARE: usize = 8;
/// Turns in a row that begin too late before a shard lets go of sessions with trades. A process that
/// stood still is late for one, in which it takes all that waited.
pub(crate) const LATE_TURNS_MAX: u32 = 3;
/// Bytes read from one socket in one turn, so a talkative client does not starve the others.
pub(crate) const READ_TURN_BYTES: usize = 256 * 1_024;
/// One shard's read buffer, shared by all its sessions.
pub(crate) const READ_SCRATCH_BYTES: usize = 64 * 1_024;
/// Scratch capacity a shard keeps between flushes.
pub(crate) const SCRATCH_BYTES_KEPT: usize = 1_024 * 1_024;
/// Replies waiting for one socket. More means it does not read its own answers.
pub(crate) const SESSION_QUEUE_MAX: usize = 4_096;
/// References to shared frames and groups waiting for one socket: a resume out of a dozen full
/// rings fits. More means that it asks again and again for what it does not read.
pub(crate) const SESSION_PARTS_MAX: usize = 262_144;
/// Sockets handed from the listener to its shard and not yet taken.
pub(crate) const ARRIVALS_MAX: usize = 1_024;
/// How often timers are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(250);
/// A shard keeps its interest in a channel this long after the last subscriber left.
pub(crate) const INTEREST_LINGER: Duration = Duration::from_secs(2);
/// Time a closing session has to take its last frames and close its side.
pub(crate) const CLOSE_LINGER: Duration = Duration::from_secs(1);
/// The same for a slow session, whose last frames are queued behind what it has not read.
pub(crate) const CLOSE_LINGER_SLOW: Duration = Duration::from_secs(5);
/// Notice before credentials end.
pub(crate) const EXPIRY_NOTICE: Duration = Duration::from_secs(30);
/// Pings a client may send per second, sustained and as a burst.
pub(crate) const PINGS_PER_S: u32 = 20;
/// Refused or malformed commands a session may send per second before it is closed with 4429.
pub(crate) const ABUSE_PER_S: u32 = 10;
/// Burst of the same.
pub(crate) const ABUSE_BURST: u32 = 100;
/// Connections waiting to be accepted, per shard.
pub(crate) const BACKLOG: i32 = 4_096;
/// Sessions a draining shard lets go per second at least: so few are no wave for other nodes, and
/// a node with a handful of clients ends at once.
pub(crate) const DRAIN_PER_S_MIN: u32 = 50;
/// How often a draining shard looks whose turn it is: at 2,500 a second, 50 at a time.
pub(crate) const DRAIN_STEP: Duration = Duration::from_millis(20);
/// Earliest reconnect after a drain, in milliseconds: the balancer must have noticed.
pub(crate) const RETRY_MIN_MS: u64 = 100;
/// Reconnects after a drain are spread over this many milliseconds beyond that.
pub(crate) const RETRY_SPREAD_MS: u64 = 2_000;
/// Doublings of a shard's spread of values: in µs, from 1 µs to over an hour, which no frame waits.
/// What is beyond counts in the last cell. With the native histograms' 16 cells a doubling, some
/// 13 KiB a spread, two a shard.
pub(crate) const SPREAD_DOUBLINGS: u32 = 32;
