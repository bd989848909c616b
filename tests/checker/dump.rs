//! The dump's file: records as they lie in the bus, with topic, partition and offset.

use std::io::{self, Read, Write};

use crate::limits;
use crate::truth::{Spot, Truth};

/// Identifies the file and its format.
const MAGIC: &[u8; 8] = b"FTDUMP1\n";

/// Writes a dump.
#[derive(Debug)]
pub struct DumpWriter<W> {
    out: W,
}

impl<W: Write> DumpWriter<W> {
    /// Begins a dump.
    ///
    /// # Errors
    /// What the file says.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// What the file says.
    pub fn write(&mut self, spot: Spot<'_>, value: &[u8]) -> io::Result<()> {
        let topic = spot.topic.as_bytes();
        let (name, size) = (topic.len().min(255) as u8, value.len() as u32);
        self.out.write_all(&[name])?;
        self.out.write_all(&topic[..usize::from(name)])?;
        self.out.write_all(&spot.partition.to_le_bytes())?;
        self.out.write_all(&spot.offset.to_le_bytes())?;
        self.out.write_all(&size.to_le_bytes())?;
        self.out.write_all(value)
    }

    /// Hands everything to the file.
    ///
    /// # Errors
    /// What the file says.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Reads a dump as the truth.
///
/// # Errors
/// A file that is none, that is cut, or a record that can't be judged.
pub fn read(mut from: impl Read) -> anyhow::Result<Truth> {
    let mut magic = [0; 8];
    from.read_exact(&mut magic)?;
    anyhow::ensure!(&magic == MAGIC, "not a dump of this version");
    let (mut truth, mut value) = (Truth::default(), Vec::new());
    let mut name = [0; 255];
    loop {
        let mut length = [0];
        if from.read(&mut length)? == 0 {
            return Ok(truth);
        }
        let name = &mut name[..usize::from(length[0])];
        from.read_exact(name)?;
        let mut head = [0; 16];
        from.read_exact(&mut head)?;
        let number = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
        let partition = i32::from_le_bytes(number(0));
        let offset = i64::from(u32::from_le_bytes(number(4)))
            | i64::from(u32::from_le_bytes(number(8))) << 32;
        let size = u32::from_le_bytes(number(12));
        anyhow::ensure!(size <= limits::RECORD_BYTES_MAX, "a record of {size} bytes");
        value.resize(size as usize, 0);
        from.read_exact(&mut value)?;
        let topic = str::from_utf8(name)?;
        // A compacted key's end has no value and tells no event.
        if !value.is_empty() {
            truth.take(Spot { topic, partition, offset }, &value)?;
        }
    }
}
