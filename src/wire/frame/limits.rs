//! Every bound of the frame codec, each with its reason.
//!
//! What differs between a gateway and a load generator is in [`Limits`] and is handed to the
//! decoder; what follows from the protocol or from our own choices is a constant.

/// Bounds of what one peer may send; a decoder keeps a copy, so it stays small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one whole message: the sum of its fragments, and its size after inflation.
    /// Beyond it the connection is closed with 1009.
    pub message_bytes_max: u32,
    /// Frames one data message may come in, empty ones included. Beyond it: 1008.
    pub fragments_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes_max: MESSAGE_BYTES_MAX, fragments_max: FRAGMENTS_MAX }
    }
}

/// The largest legal command (a subscribe of some hundred channels, an `auth` with a long token)
/// is below 32 KiB; twice that leaves room, and is the most a connection can make us hold.
pub const MESSAGE_BYTES_MAX: u32 = 65_536;

/// Browsers never fragment commands and libraries split at 4 KiB or more: 65,536 / 4,096 = 16,
/// doubled. Empty fragments count, or a peer could send them forever.
pub const FRAGMENTS_MAX: u32 = 32;

/// RFC 6455 §5.5: a control frame carries at most 125 bytes.
pub const CONTROL_BYTES_MAX: usize = 125;

/// A close frame's reason: [`CONTROL_BYTES_MAX`] without the two bytes of the code.
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// The longest frame header: 2 bytes, a 64-bit length, a mask.
pub const HEADER_BYTES_MAX: usize = 14;

/// What a compressed message may weigh on the wire. Deflate makes incompressible data a little
/// larger (stored blocks: 5 bytes each; the worst compressors emit blocks of 100 bytes), and a
/// message of exactly the limit must still pass. No inflation ratio is needed as a bound: output
/// stops at the message limit, so the work is bounded by input plus limit.
pub const fn compressed_bytes_max(message_bytes_max: u32) -> u64 {
    message_bytes_max as u64 + message_bytes_max as u64 / 16 + 64
}

/// Final deflate blocks (BFINAL = 1) one message may contain. RFC 7692 allows them; each costs an
/// inflater reset, and 65,536 bytes could hold 32,768. Senders that use them do so once a fragment.
pub const FINAL_BLOCKS_MAX: u32 = 64;

/// First guess of an inflated message: a command is rarely larger, and it doubles from there.
pub const INFLATE_BYTES_START: usize = 1_024;

/// What a shard's scratch buffers keep between messages, so that one huge message doesn't hold
/// memory for good. It covers the default message limit.
pub const SCRATCH_BYTES_KEPT: usize = 128 * 1_024;

/// Below this a deflated message hardly shrinks (207 → 154 bytes measured) and costs more than
/// the bytes it saves.
pub const DEFLATE_BYTES_MIN: usize = 256;

/// Unless configured, the LZ77 window of every compressed server frame is 2^12 bytes, although 15 is allowed: frames
/// are shared by all sessions, and Python's `websockets` asks for `server_max_window_bits=12` in
/// its default offer. Frames are mostly below 4 KiB, where a larger window changes nothing.
pub const SERVER_WINDOW_BITS: u8 = 12;

/// Deflate's largest window, and what an absent `…_max_window_bits` means.
pub const WINDOW_BITS_MAX: u8 = 15;

/// zlib's level 1 is left out: zlib-rs 0.6.8 panics in it (`buf.len() must fit in remaining()`) on
/// messages from about 70 KB on, and a shard that panics ends the node.
pub const DEFLATE_LEVEL_MIN: u8 = 2;

/// zlib's smallest window; what a client that insists on 8 is sent has to be plain.
pub const DEFLATE_WINDOW_BITS_MIN: u8 = 9;

/// RFC 7692's smallest window value.
pub const WINDOW_BITS_MIN: u8 = 8;

/// `Sec-WebSocket-Extensions` bytes we read; browsers send 45, the longest library offer is below
/// 300. A longer header gets no extension.
pub const OFFER_HEADER_BYTES_MAX: usize = 2_048;

/// Offers we consider; real clients send one or two. Later ones are ignored.
pub const OFFERS_MAX: usize = 16;

/// Bytes of the decoder fuzz loop when `FANTAIL_FUZZ_BYTES` doesn't say otherwise.
#[cfg(test)]
pub(crate) const FUZZ_BYTES: usize = 3_000_000;
