//! The frame decoder: bytes as they come from a socket in, whole messages or one error out.
//!
//! Enforces RFC 6455's rules for one peer (masks, reserved bits, fragmentation, control frames,
//! close frames, UTF-8) and our [`Limits`], each as soon as a byte allows it: sizes from the header
//! alone, text at the first impossible byte. It keeps no read buffer: the caller lends the bytes
//! it read, a message that lies wholly in them is unmasked and handed out in place, and only the
//! tail of an unfinished frame or message stays here. Memory grows with bytes received, never with
//! lengths declared. It doesn't answer pings, send closes, or count rates.

use std::mem;
use std::ops::Range;

use super::close;
use super::error::DecodeError;
use super::header::{Lead, Opcode, apply_mask, header_bytes, length, length_end, mask};
use super::inflate::Inflater;
use super::limits::{CONTROL_BYTES_MAX, HEADER_BYTES_MAX, Limits, compressed_bytes_max};
use super::utf8::Utf8;

/// Which end reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads a client's frames: all masked.
    Server,
    /// Reads a server's frames: none masked.
    Client,
}

/// One complete message or control frame. Lives until the next call of [`Decoder::feed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping, with what its pong must repeat.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The peer's last frame: everything it sends afterwards is ignored.
    Close {
        /// Its code, if it gave one; then one a peer may send.
        code: Option<u16>,
        /// Its reason, which may be empty.
        reason: &'a str,
    },
}

/// What one call of [`Decoder::feed`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with; all of them if there is no message.
    pub consumed: usize,
    /// The message that ended with the last of those bytes.
    pub message: Option<Message<'a>>,
}

/// The state of one connection's incoming direction.
#[derive(Debug)]
pub struct Decoder {
    /// The data message so far: unmasked, still compressed.
    message: Vec<u8>,
    /// The control frame so far.
    control: Vec<u8>,
    limits: Limits,
    role: Role,
    deflate: bool,
    expect: Expect,
    /// The frame's header so far.
    header: [u8; HEADER_BYTES_MAX],
    header_len: u8,
    lead: Lead,
    mask: [u8; 4],
    mask_phase: u8,
    payload_left: u32,
    /// The data message begun and not yet ended: the lead of its first frame.
    begun: Option<Lead>,
    fragments: u32,
    utf8: Utf8,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Header,
    Payload,
    /// Of no interest: after a close frame or an error.
    Nothing,
}

/// A complete payload and where it lies.
struct Complete {
    opcode: Opcode,
    compressed: bool,
    place: Place,
}

enum Place {
    Input(Range<usize>),
    Message,
    Control,
}

impl Decoder {
    /// A decoder at the start of a connection; `deflate` if permessage-deflate was agreed on.
    pub fn new(role: Role, limits: Limits, deflate: bool) -> Self {
        Self {
            message: Vec::new(),
            control: Vec::new(),
            limits,
            role,
            deflate,
            expect: Expect::Header,
            header: [0; HEADER_BYTES_MAX],
            header_len: 0,
            lead: Lead { fin: true, rsv1: false, opcode: Opcode::Binary },
            mask: [0; 4],
            mask_phase: 0,
            payload_left: 0,
            begun: None,
            fragments: 0,
            utf8: Utf8::new(),
        }
    }

    /// Takes bytes up to the end of the next message. Call it again with the rest of the input
    /// until all is consumed. Payloads are unmasked in `input`.
    ///
    /// After an error the decoder ignores all input: the connection is to be closed.
    pub fn feed<'a>(
        &mut self,
        input: &'a mut [u8],
        inflater: &'a mut Inflater,
    ) -> Result<Step<'a>, DecodeError> {
        let result = self.advance(input).and_then(|(consumed, complete)| {
            let message = complete.map(|it| self.hand_out(it, input, inflater)).transpose()?;
            Ok(Step { consumed, message })
        });
        if result.is_err() {
            self.stop();
        }
        result
    }

    /// Bytes of memory held for an unfinished frame or message.
    pub fn held_bytes(&self) -> usize {
        self.message.capacity() + self.control.capacity()
    }

    /// After a close frame or an error nothing more will come.
    pub fn is_finished(&self) -> bool {
        self.expect == Expect::Nothing
    }

    /// Reads until something is complete or the input ends.
    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Complete>), DecodeError> {
        let mut at = 0;
        loop {
            if self.expect == Expect::Header {
                at += self.read_header(&input[at..])?;
            }
            if self.expect != Expect::Payload {
                return Ok((input.len(), None));
            }
            let end = input.len().min(at + self.payload_left as usize);
            let complete = self.read_payload(&mut input[at..end], at)?;
            at = end;
            if complete.is_some() || self.expect == Expect::Payload {
                return Ok((at, complete));
            }
        }
    }

    /// Reads header bytes, judging each as it comes; returns how many.
    fn read_header(&mut self, input: &[u8]) -> Result<usize, DecodeError> {
        for (index, &byte) in input.iter().enumerate() {
            self.header[usize::from(self.header_len)] = byte;
            self.header_len += 1;
            let have = usize::from(self.header_len);
            match have {
                1 => self.lead = self.check_lead(Lead::parse(byte)?)?,
                2 => self.check_second(byte)?,
                _ => {}
            }
            if have == length_end(self.header[1]) && have > 1 {
                self.payload_left = self.check_length(length(&self.header)?)?;
            }
            if have == header_bytes(self.header[1]) && have > 1 {
                (self.mask, self.mask_phase) = (mask(&self.header), 0);
                (self.expect, self.header_len) = (Expect::Payload, 0);
                return Ok(index + 1);
            }
        }
        Ok(input.len())
    }

    /// May a frame with this first byte come now?
    fn check_lead(&self, lead: Lead) -> Result<Lead, DecodeError> {
        match (lead.opcode, self.begun) {
            _ if lead.rsv1 && !self.deflate => Err(DecodeError::ReservedBits),
            (Opcode::Continuation, None) => Err(DecodeError::UnexpectedContinuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => Err(DecodeError::UnfinishedMessage),
            _ => Ok(lead),
        }
    }

    fn check_second(&self, byte: u8) -> Result<(), DecodeError> {
        match (self.role, byte & 0x80 != 0) {
            (Role::Server, false) => return Err(DecodeError::Unmasked),
            (Role::Client, true) => return Err(DecodeError::Masked),
            _ => {}
        }
        if self.lead.opcode.is_control() && usize::from(byte & 0x7F) > CONTROL_BYTES_MAX {
            return Err(DecodeError::ControlTooLong);
        }
        Ok(())
    }

    /// Counts a data frame into its message, before a byte of it is stored.
    fn check_length(&mut self, length: u64) -> Result<u32, DecodeError> {
        let limit = self.limits.message_bytes_max;
        let too_big = DecodeError::TooBig { limit };
        let length = u32::try_from(length).map_err(|_| too_big)?;
        if self.lead.opcode.is_control() {
            return Ok(length);
        }
        if self.lead.opcode != Opcode::Continuation {
            (self.begun, self.fragments, self.utf8) = (Some(self.lead), 0, Utf8::new());
        }
        if self.fragments == self.limits.fragments_max {
            return Err(DecodeError::TooManyFragments { limit: self.limits.fragments_max });
        }
        self.fragments += 1;
        let total = self.message.len() as u64 + u64::from(length);
        if total > self.stored_bytes_max() as u64 { Err(too_big) } else { Ok(length) }
    }

    /// What the message in progress may weigh here, where it is still compressed if it ever was.
    fn stored_bytes_max(&self) -> usize {
        let limit = self.limits.message_bytes_max;
        match self.begun {
            Some(Lead { rsv1: true, .. }) => compressed_bytes_max(limit) as usize,
            _ => limit as usize,
        }
    }

    /// Takes the next piece of the frame's payload, which lies at `at` of the input.
    fn read_payload(
        &mut self,
        piece: &mut [u8],
        at: usize,
    ) -> Result<Option<Complete>, DecodeError> {
        apply_mask(piece, self.mask, self.mask_phase);
        self.mask_phase = (self.mask_phase + (piece.len() % 4) as u8) % 4;
        self.payload_left -= piece.len() as u32;
        let ended = self.payload_left == 0;
        if ended {
            self.expect = Expect::Header;
        }
        let in_place = Place::Input(at..at + piece.len());
        match self.begun {
            _ if self.lead.opcode.is_control() => Ok(self.control_piece(piece, in_place, ended)),
            Some(first) => self.data_piece(first, piece, in_place, ended && self.lead.fin),
            None => Err(DecodeError::UnexpectedContinuation),
        }
    }

    fn control_piece(&mut self, piece: &[u8], in_place: Place, ended: bool) -> Option<Complete> {
        let opcode = self.lead.opcode;
        if ended && self.control.is_empty() {
            return Some(Complete { opcode, compressed: false, place: in_place });
        }
        store(&mut self.control, piece, CONTROL_BYTES_MAX);
        ended.then_some(Complete { opcode, compressed: false, place: Place::Control })
    }

    fn data_piece(
        &mut self,
        first: Lead,
        piece: &[u8],
        in_place: Place,
        ended: bool,
    ) -> Result<Option<Complete>, DecodeError> {
        let whole = ended && self.message.is_empty();
        if !whole {
            if first.opcode == Opcode::Text && !first.rsv1 {
                self.utf8.feed(piece).map_err(|_| DecodeError::InvalidUtf8)?;
            }
            let bytes_max = self.stored_bytes_max();
            store(&mut self.message, piece, bytes_max);
        }
        if !ended {
            return Ok(None);
        }
        self.begun = None;
        let place = if whole { in_place } else { Place::Message };
        Ok(Some(Complete { opcode: first.opcode, compressed: first.rsv1, place }))
    }

    /// Turns a complete payload into a message; storage that came from here goes to `inflater`.
    fn hand_out<'a>(
        &mut self,
        Complete { opcode, compressed, place }: Complete,
        input: &'a [u8],
        inflater: &'a mut Inflater,
    ) -> Result<Message<'a>, DecodeError> {
        let limit = self.limits.message_bytes_max;
        let payload = match place {
            Place::Input(range) if compressed => inflater.inflate(&input[range], limit)?,
            Place::Input(range) => &input[range],
            Place::Message if compressed => {
                inflater.inflate(&mem::take(&mut self.message), limit)?
            }
            Place::Message => inflater.hold(mem::take(&mut self.message)),
            Place::Control => inflater.hold(mem::take(&mut self.control)),
        };
        Ok(match opcode {
            Opcode::Text => Message::Text(text(payload)?),
            Opcode::Binary | Opcode::Continuation => Message::Binary(payload),
            Opcode::Ping => Message::Ping(payload),
            Opcode::Pong => Message::Pong(payload),
            Opcode::Close => {
                let message = close_message(payload)?;
                self.stop();
                message
            }
        })
    }

    /// Ignores all further input and holds no memory for it.
    fn stop(&mut self) {
        self.expect = Expect::Nothing;
        self.message = Vec::new();
        self.control = Vec::new();
    }
}

/// Appends, growing by doubling but never beyond what may ever be stored.
fn store(stored: &mut Vec<u8>, piece: &[u8], bytes_max: usize) {
    let needed = stored.len() + piece.len();
    if needed > stored.capacity() {
        let target = needed.max((2 * stored.len()).min(bytes_max));
        stored.reserve_exact(target - stored.len());
    }
    stored.extend_from_slice(piece);
}

fn text(payload: &[u8]) -> Result<&str, DecodeError> {
    simdutf8::basic::from_utf8(payload).map_err(|_| DecodeError::InvalidUtf8)
}

/// Reads a close frame's payload: nothing, or a legal code and a UTF-8 reason.
fn close_message(payload: &[u8]) -> Result<Message<'_>, DecodeError> {
    match payload {
        [] => Ok(Message::Close { code: None, reason: "" }),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !close::receivable(code) {
                return Err(DecodeError::CloseFrame);
            }
            Ok(Message::Close { code: Some(code), reason: text(reason)? })
        }
        [_] => Err(DecodeError::CloseFrame),
    }
}
