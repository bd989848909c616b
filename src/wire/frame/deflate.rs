//! Compressing a server message once, so that every session can be sent the same bytes.
//!
//! Each message is a raw deflate stream of its own (no context takeover) within a window of
//! 2^[`SERVER_WINDOW_BITS`] unless configured, ended by a full flush whose `00 00 FF FF` is cut off (RFC 7692
//! §7.2.1). One [`Deflater`] per shard thread. It doesn't build frames and doesn't decide who may
//! be sent compressed bytes: only public channel data may, never anything next to a secret.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress};

use super::limits::{
    DEFLATE_BYTES_MIN, DEFLATE_LEVEL_MIN, DEFLATE_WINDOW_BITS_MIN, SCRATCH_BYTES_KEPT,
    SERVER_WINDOW_BITS, WINDOW_BITS_MAX,
};

/// What every flush ends in, and what RFC 7692 leaves off the wire.
pub(crate) const FLUSH_TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Room beyond the payload's size in which a flush always fits: if it didn't, the result is
/// larger than the payload and of no use.
const FLUSH_ROOM_BYTES: usize = 64;

/// A reusable compressor.
pub struct Deflater {
    stream: Compress,
    scratch: Vec<u8>,
}

impl Deflater {
    /// Nearly level 6's size for about two thirds of its time: 8,698 bytes of book levels become
    /// 2,392 bytes instead of 2,311, and 3,808 at level 1.
    pub const LEVEL_DEFAULT: u8 = 2;

    /// `level` is zlib's, 2 (fast) to 9 (small); beyond it is cut to that range.
    pub fn new(level: u8) -> Self {
        Self::with_window(level, SERVER_WINDOW_BITS)
    }

    /// The same with a window of 2^`window_bits` bytes, 9 to 15; beyond it is cut to that range.
    pub fn with_window(level: u8, window_bits: u8) -> Self {
        let window_bits = window_bits.clamp(DEFLATE_WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        let level = Compression::new(u32::from(level.clamp(DEFLATE_LEVEL_MIN, 9)));
        Self {
            stream: Compress::new_with_window_bits(level, false, window_bits),
            scratch: Vec::new(),
        }
    }

    /// Appends the compressed payload to `out`, for a frame with RSV1. False, and nothing
    /// appended, if that wouldn't pay: send it plain.
    pub fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let compressed = self.deflate(payload);
        out.extend_from_slice(compressed.unwrap_or_default());
        compressed.is_some()
    }

    /// The compressed payload, if it is large enough to try and became smaller.
    pub fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < DEFLATE_BYTES_MIN {
            return None;
        }
        if !self.run(payload) {
            // An unfinished or failed stream must not leak into the next message.
            self.stream.reset();
            return None;
        }
        let compressed = self.scratch.strip_suffix(&FLUSH_TAIL)?;
        (compressed.len() < payload.len()).then_some(compressed)
    }

    /// Compresses into the scratch buffer; false unless the stream was flushed completely.
    fn run(&mut self, payload: &[u8]) -> bool {
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_BYTES_KEPT);
        self.scratch.reserve(payload.len() + FLUSH_ROOM_BYTES);
        let read_before = self.stream.total_in();
        let flush = FlushCompress::Full;
        let result = self.stream.compress_vec(payload, &mut self.scratch, flush);
        let read = self.stream.total_in() - read_before;
        // A full buffer means that zlib may have kept some output back.
        let flushed = self.scratch.len() < self.scratch.capacity();
        result.is_ok() && flushed && read == payload.len() as u64
    }
}

impl Default for Deflater {
    fn default() -> Self {
        Self::new(Self::LEVEL_DEFAULT)
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}
