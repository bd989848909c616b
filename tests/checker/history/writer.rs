//! Entries → bytes. An event in order costs about 25 bytes: places are written as differences to the
//! channel's previous one, times to the previous entry's.

use std::io::{self, Write};

use super::bytes::{MAGIC, put, put_signed, put_text};
use super::entry::{Entry, Shown};
use crate::place::Place;

/// Writes one history.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    before: Before,
}

/// What the next differences are taken to; the reader keeps the same.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Place by channel number.
    pub(super) places: Vec<Place>,
    pub(super) at: u64,
}

impl Before {
    pub(super) fn place(&mut self, channel: u32) -> &mut Place {
        let at = channel as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, Place::default());
        }
        &mut self.places[at]
    }
}

impl<W: Write> Writer<W> {
    /// Begins a history.
    ///
    /// # Errors
    /// What the file says.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out, before: Before::default() })
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// What the file says.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let out = &mut self.out;
        match entry {
            Entry::Name { channel, name } => {
                head(out, 0, *channel)?;
                put_text(out, name)
            }
            Entry::Open { at, node } => {
                put(out, 1)?;
                self.time(*at)?;
                put_text(&mut self.out, node)
            }
            Entry::Subscribe { channel, from } => {
                head(out, 2 + u64::from(from.is_some()), *channel)?;
                self.place_option(*channel, *from)
            }
            Entry::Acknowledged { channel, place, resumed } => {
                let tag = 4 + u64::from(place.is_some()) + 2 * u64::from(*resumed);
                head(out, tag, *channel)?;
                self.place_option(*channel, *place)
            }
            Entry::Refused { channel, code } => {
                head(out, 8, *channel)?;
                put_text(out, code)
            }
            Entry::Snapshot { channel, place, state, shown, reset, at } => {
                let value = u64::from(*shown == Shown::Value);
                let tag = 9 + u64::from(place.is_some()) + 2 * value + 4 * u64::from(*reset);
                head(out, tag, *channel)?;
                self.place_option(*channel, *place)?;
                self.out.write_all(&state.to_le_bytes())?;
                self.time(*at)
            }
            Entry::Event { .. } => self.event(entry),
            Entry::Gap { channel, epoch, from, to, reason, at } => {
                head(out, 18 + u64::from(to.is_some()), *channel)?;
                self.place(*channel, Place::new(*epoch, *from))?;
                if let Some(to) = to {
                    put_signed(&mut self.out, to.wrapping_sub(*from).cast_signed())?;
                }
                put_text(&mut self.out, reason)?;
                self.time(*at)
            }
            Entry::Strange { why, at } => {
                put(out, 20)?;
                put_text(out, why)?;
                self.time(*at)
            }
            Entry::Slow { at } => {
                put(out, 21)?;
                self.time(*at)
            }
            Entry::Closed { at, code, reason } => {
                put(out, 22)?;
                put(out, u64::from(*code))?;
                put_text(out, reason)?;
                self.time(*at)
            }
            Entry::End { at, healthy } => {
                put(out, 23 + u64::from(*healthy))?;
                self.time(*at)
            }
        }
    }

    fn event(&mut self, entry: &Entry) -> io::Result<()> {
        let Entry::Event { channel, place, prev, n, hash, state, at } = entry else {
            return Ok(());
        };
        head(&mut self.out, 17, *channel)?;
        self.place(*channel, *place)?;
        put_signed(&mut self.out, place.seq.wrapping_sub(*prev).cast_signed())?;
        put(&mut self.out, u64::from(*n))?;
        self.out.write_all(&hash.to_le_bytes())?;
        self.out.write_all(&state.to_le_bytes())?;
        self.time(*at)
    }

    fn place_option(&mut self, channel: u32, place: Option<Place>) -> io::Result<()> {
        place.map_or(Ok(()), |place| self.place(channel, place))
    }

    fn place(&mut self, channel: u32, place: Place) -> io::Result<()> {
        let before = std::mem::replace(self.before.place(channel), place);
        put_signed(&mut self.out, place.epoch.wrapping_sub(before.epoch).cast_signed())?;
        put_signed(&mut self.out, place.seq.wrapping_sub(before.seq).cast_signed())
    }

    fn time(&mut self, at: u64) -> io::Result<()> {
        let before = std::mem::replace(&mut self.before.at, at);
        put_signed(&mut self.out, at.wrapping_sub(before).cast_signed())
    }

    /// Hands everything to the file.
    ///
    /// # Errors
    /// What the file says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The file itself.
    pub fn into_inner(self) -> W {
        self.out
    }
}

fn head(out: &mut impl Write, tag: u64, channel: u32) -> io::Result<()> {
    put(out, tag)?;
    put(out, u64::from(channel))
}
