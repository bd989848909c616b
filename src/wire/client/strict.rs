//! Reading commands from strangers: JSON and MessagePack to one small tree, the tree to a command.
//!
//! Written by hand so that every refusal has its byte offset and, where it was already read, the
//! command's id, so that duplicates and depth are seen, and so that nothing is allocated from a
//! declared length. Leaves (string escapes, float syntax) are serde_json's. Does not know what a
//! channel name means; that is the session's decision.

pub(super) mod fault;
pub(super) mod json;
pub(super) mod msgpack;

mod fields;
mod tree;

#[cfg(test)]
mod tests;
