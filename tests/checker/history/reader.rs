//! Bytes → entries, one at a time: memory doesn't grow with the history.

use std::io::{self, Read};

use super::bytes::{MAGIC, get, get_signed, get_text, take};
use super::entry::{Entry, Shown};
use super::writer::Before;
use crate::limits;
use crate::place::Place;

/// Reads one history.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    before: Before,
}

/// Why a file is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// It begins otherwise.
    #[error("not a history of this version: it doesn't begin with FTHIST1")]
    Magic,
    /// Broken in the middle.
    #[error("the history is broken: {0}")]
    Broken(String),
    /// The file can't be read.
    #[error("the history can't be read: {0}")]
    Io(#[from] io::Error),
}

/// The entries in order, up to the end or to where the last one was cut.
impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entry, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = get(&mut self.from).and_then(|tag| self.entry(tag));
        let error = match read {
            Ok(entry) => return Some(Ok(entry)),
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::UnexpectedEof => None,
            io::ErrorKind::InvalidData => Some(Err(HistoryError::Broken(error.to_string()))),
            _ => Some(Err(error.into())),
        }
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// It is no history.
    pub fn new(mut from: R) -> Result<Self, HistoryError> {
        match take(&mut from) {
            Ok(magic) if &magic == MAGIC => Ok(Self { from, before: Before::default() }),
            Ok(_) => Err(HistoryError::Magic),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(HistoryError::Magic),
            Err(error) => Err(error.into()),
        }
    }

    fn entry(&mut self, tag: u64) -> io::Result<Entry> {
        Ok(match tag {
            0 => Entry::Name { channel: self.channel()?, name: get_text(&mut self.from)? },
            1 => Entry::Open { at: self.time()?, node: get_text(&mut self.from)? },
            2 | 3 => {
                let channel = self.channel()?;
                Entry::Subscribe { channel, from: self.place_option(tag == 3, channel)? }
            }
            4..=7 => {
                let channel = self.channel()?;
                let place = self.place_option((tag - 4) & 1 == 1, channel)?;
                Entry::Acknowledged { channel, place, resumed: (tag - 4) & 2 == 2 }
            }
            8 => Entry::Refused { channel: self.channel()?, code: get_text(&mut self.from)? },
            9..=16 => self.snapshot(tag - 9)?,
            17 => self.event()?,
            18 | 19 => self.gap(tag == 19)?,
            20 => Entry::Strange { why: get_text(&mut self.from)?, at: self.time()? },
            21 => Entry::Slow { at: self.time()? },
            22 => {
                let code = get(&mut self.from)? as u16;
                let reason = get_text(&mut self.from)?;
                Entry::Closed { at: self.time()?, code, reason }
            }
            23 | 24 => Entry::End { at: self.time()?, healthy: tag == 24 },
            other => {
                let why = format!("entry of kind {other}, which is not known");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        })
    }

    fn snapshot(&mut self, flags: u64) -> io::Result<Entry> {
        let channel = self.channel()?;
        let place = self.place_option(flags & 1 == 1, channel)?;
        let state = u64::from_le_bytes(take(&mut self.from)?);
        let shown = if flags & 2 == 2 { Shown::Value } else { Shown::Book };
        let (reset, at) = (flags & 4 == 4, self.time()?);
        Ok(Entry::Snapshot { channel, place, state, shown, reset, at })
    }

    fn event(&mut self) -> io::Result<Entry> {
        let channel = self.channel()?;
        let place = self.place(channel)?;
        let prev = place.seq.wrapping_sub(get_signed(&mut self.from)?.cast_unsigned());
        let n = get(&mut self.from)? as u32;
        let hash = u64::from_le_bytes(take(&mut self.from)?);
        let state = u64::from_le_bytes(take(&mut self.from)?);
        let at = self.time()?;
        Ok(Entry::Event { channel, place, prev, n, hash, state, at })
    }

    fn gap(&mut self, has_end: bool) -> io::Result<Entry> {
        let channel = self.channel()?;
        let Place { epoch, seq: from } = self.place(channel)?;
        let to = match has_end {
            true => Some(from.wrapping_add(get_signed(&mut self.from)?.cast_unsigned())),
            false => None,
        };
        let reason = get_text(&mut self.from)?;
        let at = self.time()?;
        Ok(Entry::Gap { channel, epoch, from, to, reason, at })
    }

    fn channel(&mut self) -> io::Result<u32> {
        let number = get(&mut self.from)?;
        u32::try_from(number).ok().filter(|n| (*n as usize) < limits::CHANNELS_MAX).ok_or_else(
            || io::Error::new(io::ErrorKind::InvalidData, "a channel number beyond the bound"),
        )
    }

    fn place_option(&mut self, present: bool, channel: u32) -> io::Result<Option<Place>> {
        if present { self.place(channel).map(Some) } else { Ok(None) }
    }

    fn place(&mut self, channel: u32) -> io::Result<Place> {
        let epoch = get_signed(&mut self.from)?.cast_unsigned();
        let seq = get_signed(&mut self.from)?.cast_unsigned();
        let before = self.before.place(channel);
        before.epoch = before.epoch.wrapping_add(epoch);
        before.seq = before.seq.wrapping_add(seq);
        Ok(*before)
    }

    fn time(&mut self) -> io::Result<u64> {
        self.before.at = self.before.at.wrapping_add(get_signed(&mut self.from)?.cast_unsigned());
        Ok(self.before.at)
    }
}
