//! What can be wrong with a peer's bytes, and what the connection is closed with.
//!
//! Every error is the peer's fault and ends the connection: framing can't be resynchronised. The
//! `Display` text is the close reason (it fits a close frame and quotes nothing the peer sent).

use super::close;

/// Why a decoder gave up on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// RFC 6455 §5.1: a client must mask.
    #[error("client frames must be masked")]
    Unmasked,
    /// RFC 6455 §5.1: a server must not mask.
    #[error("server frames must not be masked")]
    Masked,
    /// RSV2 or RSV3, or RSV1 where no extension gives it a meaning.
    #[error("reserved bits must be zero")]
    ReservedBits,
    /// Opcodes 3–7 and 11–15.
    #[error("reserved opcode")]
    ReservedOpcode,
    /// A control frame of more than 125 bytes.
    #[error("control frames carry at most 125 bytes")]
    ControlTooLong,
    /// A control frame without FIN.
    #[error("control frames must not be fragmented")]
    ControlFragmented,
    /// A continuation frame with nothing to continue.
    #[error("nothing to continue")]
    UnexpectedContinuation,
    /// A new data frame inside a fragmented message.
    #[error("previous message is not finished")]
    UnfinishedMessage,
    /// A length in more bytes than needed, or with the top bit set.
    #[error("bad length encoding")]
    LengthEncoding,
    /// A close frame with one byte of payload or a code that must not be sent.
    #[error("bad close frame")]
    CloseFrame,
    /// A message above the limit, known from a header, a sum of fragments, or inflation.
    #[error("message exceeds {limit} bytes")]
    TooBig {
        /// The limit that was exceeded, in bytes.
        limit: u32,
    },
    /// A message in more frames than allowed.
    #[error("message exceeds {limit} fragments")]
    TooManyFragments {
        /// The limit that was exceeded, in frames.
        limit: u32,
    },
    /// A text message or close reason that isn't UTF-8.
    #[error("text must be valid UTF-8")]
    InvalidUtf8,
    /// A compressed message that isn't a deflate stream.
    #[error("bad compressed data")]
    InvalidDeflate,
}

impl DecodeError {
    /// The code to close the connection with.
    pub const fn close_code(self) -> u16 {
        match self {
            Self::TooBig { .. } => close::TOO_BIG,
            Self::TooManyFragments { .. } => close::POLICY,
            Self::InvalidUtf8 | Self::InvalidDeflate => close::INVALID_DATA,
            Self::Unmasked
            | Self::Masked
            | Self::ReservedBits
            | Self::ReservedOpcode
            | Self::ControlTooLong
            | Self::ControlFragmented
            | Self::UnexpectedContinuation
            | Self::UnfinishedMessage
            | Self::LengthEncoding
            | Self::CloseFrame => close::PROTOCOL_ERROR,
        }
    }

    /// The close frame's reason: what the peer did wrong, in our words.
    pub fn reason(self) -> String {
        self.to_string()
    }

    /// The value of a metric's `reason` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unmasked => "unmasked",
            Self::Masked => "masked",
            Self::ReservedBits => "reserved_bits",
            Self::ReservedOpcode => "reserved_opcode",
            Self::ControlTooLong => "control_too_long",
            Self::ControlFragmented => "control_fragmented",
            Self::UnexpectedContinuation => "unexpected_continuation",
            Self::UnfinishedMessage => "unfinished_message",
            Self::LengthEncoding => "length_encoding",
            Self::CloseFrame => "close_frame",
            Self::TooBig { .. } => "too_big",
            Self::TooManyFragments { .. } => "too_many_fragments",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidDeflate => "invalid_deflate",
        }
    }
}
