//! Refusals of a command: where, which code, and words that name reason, limit and fix.

use crate::client::limits::QUOTE_CHARS;
use crate::client::{CommandError, CommandLimits, Id};
use crate::codes::Code;

/// A refusal before it is known whose command it was.
#[derive(Debug)]
pub(in crate::client) struct Fault {
    at: Option<usize>,
    code: Code,
    message: String,
}

impl Fault {
    /// With the id, if it was read.
    pub(in crate::client) fn into_error(self, id: Option<Id>) -> CommandError {
        CommandError { id, code: self.code, message: self.message, at: self.at }
    }
}

/// Something that is not a command.
pub(in crate::client) fn bad(at: Option<usize>, message: impl Into<String>) -> Fault {
    Fault { at, code: Code::BadRequest, message: message.into() }
}

/// Nested too deep.
pub(in crate::client) fn deep(at: usize, limits: &CommandLimits) -> Fault {
    bad(Some(at), format!("nested deeper than {} levels; a command needs four", limits.depth))
}

/// A list longer than a command may have.
pub(in crate::client) fn many_channels(at: Option<usize>, limits: &CommandLimits) -> Fault {
    let message = format!(
        "more than {} channels in one command; split them over several commands",
        limits.channels
    );
    Fault { at, code: Code::LimitExceeded, message }
}

/// An id that is too long to be echoed.
pub(in crate::client) fn long_id(at: Option<usize>, limits: &CommandLimits) -> Fault {
    bad(at, format!("`id` is longer than {} bytes; use a shorter one", limits.id_bytes))
}

/// No or no known operation.
pub(in crate::client) fn no_op(at: Option<usize>) -> Fault {
    bad(at, format!("`op` is missing; {OPS}"))
}

/// An operation nobody knows.
pub(in crate::client) fn unknown_op(at: usize, op: &str) -> Fault {
    bad(Some(at), format!("unknown op {}; {OPS}", quote(op)))
}

/// What can be asked.
const OPS: &str = "write one of subscribe, unsubscribe, list, ping, auth";

/// A client's own text, short and escaped, so that an error can repeat it.
pub(in crate::client) fn quote(text: &str) -> String {
    let mut quoted: String =
        text.chars().take(QUOTE_CHARS).flat_map(char::escape_default).collect();
    if text.chars().nth(QUOTE_CHARS).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}
