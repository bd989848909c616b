//! What the kernel and slow sessions may keep: the bounds of bytes and times that may be written.

use std::time::Duration;

use fantail_ops::config::Problems;

use super::{GatewaySection, KernelBounds};

/// The smallest unsent bound still fits a batch or two; the largest suits one very fat path.
const UNSENT_BYTES: std::ops::RangeInclusive<u64> = 4_096..=16 * 1_024 * 1_024;
/// Below a second a busy network looks dead; above an hour nothing is bounded.
const UNACKED_TIMEOUT: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3_600);

pub(super) fn kernel(gateway: &GatewaySection, problems: &mut Problems) -> KernelBounds {
    let unsent = gateway.kernel_unsent_bytes.bytes();
    if !UNSENT_BYTES.contains(&unsent) {
        let (reason, fix) = ("outside 4KiB … 16MiB", "16KiB keeps a stalled reader small");
        problems.push("gateway.kernel_unsent_bytes", unsent, reason, fix);
    }
    let unacked_timeout = gateway.kernel_unacked_timeout.get();
    if !UNACKED_TIMEOUT.contains(&unacked_timeout) {
        let (reason, fix) = ("outside 1s … 1h", "20s ends dead peers and outlasts hiccups");
        let written = format!("{unacked_timeout:?}");
        problems.push("gateway.kernel_unacked_timeout", written, reason, fix);
    }
    KernelBounds { unsent_bytes: u32::try_from(unsent).unwrap_or(u32::MAX), unacked_timeout }
}

/// Bounds of memory for slow sessions: too small, and nobody could be behind for a moment.
pub(super) fn check_backlog(gateway: &GatewaySection, problems: &mut Problems) {
    const LEAST: u64 = 64 * 1_024;
    let bounds = [
        ("gateway.backlog_bytes", gateway.backlog_bytes),
        ("gateway.session_backlog_bytes", gateway.session_backlog_bytes),
        ("gateway.session_reply_bytes", gateway.session_reply_bytes),
    ];
    for (key, bound) in bounds {
        if bound.bytes() < LEAST {
            problems.push(key, bound, "below 64KiB", "write 1MiB or more");
        }
    }
}
