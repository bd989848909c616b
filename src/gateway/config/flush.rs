//! How a shard writes to its sockets: `gateway.flush`.

use serde::Deserialize;

/// The way a flush leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flush {
    /// Through io_uring where it is allowed, else by `send(2)`.
    #[default]
    Auto,
    /// One `send(2)` for each socket.
    Send,
    /// The sends of many sockets in one call; a node that may not does not start.
    IoUring,
}
