//! Bounds of reading a command that are not a client's to tune.

/// Most keys of one map: the richest map of ours has four; more is noise or an attack on the
/// duplicate check, which is quadratic.
pub(super) const FIELDS_MAX: usize = 16;

/// Values a command may spend on one channel: the item, its three fields, the three of `from`.
pub(super) const VALUES_PER_CHANNEL: usize = 8;

/// Values a command may hold beside its channels.
pub(super) const VALUES_BASE: usize = 64;

/// Most of a client's own text that an error message repeats, in characters.
pub(super) const QUOTE_CHARS: usize = 40;
