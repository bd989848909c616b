//! The list of promises. Owns their names and order only.

use super::{Case, coming, delivery, groups, starts};

/// Every promise, in reading order.
pub const CASES: &[Case] = &[
    Case { name: "order_per_partition", run: delivery::order_per_partition },
    Case { name: "broadcast", run: delivery::broadcast },
    Case { name: "round_trip", run: delivery::round_trip },
    Case { name: "tombstones", run: delivery::tombstones },
    Case { name: "compaction_keeps_the_last", run: delivery::compaction_keeps_the_last },
    Case { name: "poll_bounds", run: delivery::poll_bounds },
    Case { name: "no_partition_starves", run: delivery::no_partition_starves },
    Case { name: "many_producers", run: delivery::many_producers },
    Case { name: "refusals", run: delivery::refusals },
    Case { name: "earliest_latest_at", run: starts::earliest_latest_at },
    Case { name: "start_by_time", run: starts::start_by_time },
    Case { name: "offsets_of_an_empty_topic", run: starts::offsets_of_an_empty_topic },
    Case { name: "assign_replaces", run: starts::assign_replaces },
    Case { name: "partitions_come_and_go", run: coming::partitions_come_and_go },
    Case { name: "what_was_removed_is_silent", run: coming::what_was_removed_is_silent },
    Case { name: "unknown_places", run: starts::unknown_places },
    Case { name: "offset_out_of_range", run: starts::offset_out_of_range },
    Case { name: "retention_is_told", run: starts::retention_is_told },
    Case { name: "wake", run: starts::wake },
    Case { name: "a_group_shares_out", run: groups::a_group_shares_out },
];
