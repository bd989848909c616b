//! A history for people: what a client was told in one channel, with the sessions around it.

use std::io::Read;

use super::{Entry, HistoryError, Reader};

/// One line for each entry of the channel, and for each session's beginning and end.
///
/// # Errors
/// The file is broken.
pub(crate) fn told(from: impl Read, wanted: &str) -> Result<Vec<String>, HistoryError> {
    let (mut number, mut lines) = (None, Vec::new());
    for entry in Reader::new(from)? {
        let entry = entry?;
        let of = match &entry {
            Entry::Name { channel, name } => {
                if name == wanted {
                    number = Some(*channel);
                }
                continue;
            }
            Entry::Subscribe { channel, .. }
            | Entry::Acknowledged { channel, .. }
            | Entry::Refused { channel, .. }
            | Entry::Snapshot { channel, .. }
            | Entry::Event { channel, .. }
            | Entry::Gap { channel, .. } => Some(*channel),
            _ => None,
        };
        if of.is_none() || of == number {
            lines.push(format!("{entry:?}"));
        }
    }
    Ok(lines)
}
