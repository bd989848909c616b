//! What a session means: who it is, what it may do, what it holds. Pure: (command | seeds | tick,
//! now) → actions. Sockets and the fan-out loop know nothing of this.

pub(crate) mod bucket;
pub(crate) mod commands;
pub(crate) mod directory;
pub(crate) mod state;
pub(crate) mod subscribe;
pub(crate) mod subscriptions;
pub(crate) mod unsubscribe;

#[cfg(test)]
mod tests;
