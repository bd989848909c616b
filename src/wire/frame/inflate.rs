//! Inflating a peer's compressed message, with bounded output and no memory of earlier ones.
//!
//! One [`Inflater`] per shard thread serves all its sessions, since `client_no_context_takeover`
//! leaves nothing to keep between messages. It also lends the storage in which a message that
//! came in pieces is handed out, so that an idle decoder holds no buffer. It doesn't know frames.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::deflate::FLUSH_TAIL;
use super::error::DecodeError;
use super::limits::{FINAL_BLOCKS_MAX, INFLATE_BYTES_START, SCRATCH_BYTES_KEPT};
use super::memo::Memo;

/// An empty final block. Fed after [`FLUSH_TAIL`], it ends the stream if and only if the message
/// stopped at a block boundary; else the message was cut off, which inflate doesn't report.
const FINAL_BLOCK: [u8; 2] = [0x03, 0x00];

/// A reusable decompressor; allocates zlib's state at its first compressed message.
#[derive(Default)]
pub struct Inflater {
    stream: Option<Decompress>,
    output: Vec<u8>,
    held: Vec<u8>,
    memo: Option<Memo>,
}

impl Inflater {
    /// An inflater without any state yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that inflates equal bytes once, as long as it remembers them: for a program that reads
    /// many sockets of the same channels. Holds up to `messages` messages.
    pub fn remembering(messages: usize) -> Self {
        Self { memo: Some(Memo::new(messages)), ..Self::default() }
    }

    /// Inflates one message (RFC 7692 §7.2.2) of at most `limit` bytes.
    ///
    /// Final blocks are legal anywhere in it. Whatever a message does, the next one is unaffected.
    pub fn inflate(&mut self, compressed: &[u8], limit: u32) -> Result<&[u8], DecodeError> {
        self.output.clear();
        self.output.shrink_to(SCRATCH_BYTES_KEPT);
        // Strictly an empty message is one byte, 00; some senders leave that out too.
        if compressed.is_empty() {
            return Ok(&self.output);
        }
        if let Some(at) = self.memo.as_ref().and_then(|memo| memo.find(compressed, limit)) {
            return Ok(self.memo.as_ref().map_or(&[], |memo| memo.inflated(at)));
        }
        let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
        stream.reset(false);
        let mut run = Run { stream, output: &mut self.output, limit, final_blocks: 0 };
        if run.take(compressed)? == Stopped::Open {
            run.take(&FLUSH_TAIL)?;
            if run.take(&FINAL_BLOCK)? == Stopped::Open {
                return Err(DecodeError::InvalidDeflate);
            }
        }
        if let Some(memo) = &mut self.memo {
            memo.keep(compressed, &self.output);
        }
        Ok(&self.output)
    }

    /// Bytes of memory held for messages, zlib's own state (about 40 KiB) left out.
    pub fn held_bytes(&self) -> usize {
        self.output.capacity() + self.held.capacity()
    }

    /// Keeps `message` until the next one, and lends it.
    pub(crate) fn hold(&mut self, message: Vec<u8>) -> &[u8] {
        self.held = message;
        &self.held
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// How a piece of input ended.
#[derive(Debug, PartialEq, Eq)]
enum Stopped {
    /// Exactly with a final block.
    Final,
    /// Anywhere else.
    Open,
}

/// One message on its way through the stream.
struct Run<'a> {
    stream: &'a mut Decompress,
    output: &'a mut Vec<u8>,
    limit: u32,
    final_blocks: u32,
}

impl Run<'_> {
    /// Inflates all of `input`. Ends because every turn consumes, produces, or returns.
    fn take(&mut self, mut input: &[u8]) -> Result<Stopped, DecodeError> {
        loop {
            self.make_room();
            let read_before = self.stream.total_in();
            let written_before = self.output.len();
            let status = self
                .stream
                .decompress_vec(input, self.output, FlushDecompress::None)
                .map_err(|_| DecodeError::InvalidDeflate)?;
            let read = (self.stream.total_in() - read_before) as usize;
            let full = self.output.len() == self.output.capacity();
            input = input.get(read..).unwrap_or_default();
            if self.output.len() > self.limit as usize {
                return Err(DecodeError::TooBig { limit: self.limit });
            }
            if status == Status::StreamEnd {
                self.after_final_block()?;
                if input.is_empty() {
                    return Ok(Stopped::Final);
                }
            } else if input.is_empty() && !full {
                return Ok(Stopped::Open);
            } else if read == 0 && self.output.len() == written_before {
                return Err(DecodeError::InvalidDeflate);
            }
        }
    }

    /// At least one free byte of output, up to the one that proves the limit is exceeded.
    fn make_room(&mut self) {
        let written = self.output.len();
        if written == self.output.capacity() {
            let target = (2 * written).max(INFLATE_BYTES_START).min(self.limit as usize + 1);
            self.output.reserve_exact(target - written);
        }
    }

    /// A final block ends zlib's stream but not the message: what follows is a stream again.
    fn after_final_block(&mut self) -> Result<(), DecodeError> {
        self.final_blocks += 1;
        if self.final_blocks > FINAL_BLOCKS_MAX {
            return Err(DecodeError::InvalidDeflate);
        }
        self.stream.reset(false);
        Ok(())
    }
}
