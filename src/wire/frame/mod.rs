//! RFC 6455 frames and permessage-deflate (RFC 7692), without any I/O.
//!
//! Owns every byte of the WebSocket protocol after the handshake: what a frame looks like, which
//! input is refused with which close code, how a message is compressed so that all sockets can
//! share it. Input is byte slices somebody else read from a socket; output is messages, errors
//! that know their close code, and bytes to write. It does not read, write, wait, keep time, count
//! metrics, or compute the handshake's accept key.
//!
//! Read in this order: [`limits`], [`Opcode`] and [`close`] are the vocabulary, [`decode`] and
//! [`encode`] the two directions, [`inflate`], [`deflate`] and [`mod@negotiate`] the extension.

pub mod limits;

pub mod close;
pub mod error;
pub mod header;
mod utf8;

pub mod decode;
pub mod encode;

pub mod deflate;
pub mod inflate;
mod memo;
pub mod negotiate;

#[cfg(test)]
mod tests;

pub use decode::{Decoder, Message, Role, Step};
pub use deflate::Deflater;
pub use error::DecodeError;
pub use header::Opcode;
pub use inflate::Inflater;
pub use limits::Limits;
pub use negotiate::{Agreed, negotiate};
