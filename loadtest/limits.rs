//! Every bound of the load test, with its reason.

use std::time::Duration;

/// Longest plan file read: plans are a page of text.
pub const PLAN_BYTES_MAX: u64 = 64 * 1_024;
/// Most sockets of one process: three source addresses' worth.
pub const SOCKETS_MAX: usize = 60_000;
/// Most poll threads: one a core of a large machine.
pub const THREADS_MAX: usize = 64;
/// Sockets of one source address: below the usual 28,000 ephemeral ports.
pub const SOCKETS_PER_SOURCE: usize = 20_000;
/// Most channels one subscribe command names: what servers allow by default.
pub const CHANNELS_PER_COMMAND: usize = 200;
/// Most channels a probe collects.
pub const CHANNELS_MAX: usize = 100_000;
/// Descriptors besides the sockets: poll sets, standard streams, /proc files.
pub const DESCRIPTORS_SPARE: u64 = 64;

/// Handshakes of one thread that may be under way: a listener's backlog is usually 128 or more.
pub const IN_FLIGHT_MAX: usize = 96;
/// Longest answer to a handshake.
pub const ANSWER_BYTES_MAX: usize = 8_192;
/// A book's snapshot is a few hundred kilobytes.
pub const MESSAGE_BYTES_MAX: u32 = 16 * 1_024 * 1_024;
/// Bytes a socket may owe the server (commands, pongs) before it counts as broken.
pub const OUT_BYTES_MAX: usize = 256 * 1_024;
/// Events taken from the kernel at once.
pub const EVENTS: usize = 1_024;
/// Compressed messages remembered with what they inflate to: a few for each channel of a plan.
pub const INFLATED_KEPT: usize = 256;
/// The one read buffer of a thread.
pub const BUFFER_BYTES: usize = 256 * 1_024;

/// Holes remembered to tell a late message from a repeated one; losses are rare or the run failed.
pub const HOLES_MAX: usize = 4_096;
/// One message in so many is decoded in full and compared with what the scan saw.
pub const SAMPLE_EVERY: u64 = 1_024;
/// Longest latency told apart, µs.
pub const LATENCY_MICROS_MAX: u64 = 60_000_000;
/// Most points on a plot's time axis.
pub const ROWS_MAX: usize = 120;

/// A ramp that makes no progress for so long has failed.
pub const RAMP_PATIENCE: Duration = Duration::from_secs(30);
/// How often a throttled reader gets its share.
pub const SLOW_TICK: Duration = Duration::from_millis(100);
/// A reconnection that was refused is tried again after this.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A server that lets a socket go says when it wants it back; longer than this nobody waits.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// A poll set is looked at no less often, so that a phase's end is never missed.
pub const TURN_MAX: Duration = Duration::from_millis(50);
/// How long the idle machine is watched before a run: the kernel counts idle time in steps of 10 ms.
pub const BASELINE: Duration = Duration::from_secs(2);
/// Longest wait for the probe's acknowledgement.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// Read buffer of a socket that asks one thing.
pub const LINE_BYTES: usize = 16 * 1_024;
/// Largest page of metrics read.
pub const METRICS_BYTES_MAX: u64 = 8 * 1_024 * 1_024;
/// A load generator busier than this was the bottleneck: the run is void.
pub const BUSY_MAX: f64 = 0.95;
/// A run that received less of what its plan's rate offers did not test that rate.
pub const OFFERED_SHARE_MIN: f64 = 0.9;
/// Server cores that were busier than this before the run are used by others: what is subtracted then
/// says nothing, and neither does the rest.
pub const BASELINE_BUSY_MAX: f64 = 0.2;
/// A server that has not let go of its descriptors by then keeps them.
pub const SETTLED_BY: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
pub const SETTLING_LOOK: Duration = Duration::from_millis(200);
/// How long a server without clients is watched for what it grows by on its own.
pub const ALONE: Duration = Duration::from_secs(30);
/// What may be left of memory and descriptors behind many connections.
pub const LEFT_SHARE_MAX: f64 = 0.02;
/// Less than this of what was offered is not everything: the source's own clock is allowed for.
pub const EVERYTHING_SHARE: f64 = 0.98;
/// Messages later than this stand in a queue that grows: the rate is beyond capacity.
pub const CAPACITY_P99: Duration = Duration::from_millis(100);
