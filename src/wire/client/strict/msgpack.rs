//! MessagePack → tree. Maps with string keys, lists, strings, integers, booleans, nil; binary and
//! extension types are refused, floats are never what a command wants.

use std::borrow::Cow;

use super::fault::{Fault, bad};
use super::fields;
use super::tree::{Field, Growth, Node, Value};
use crate::client::{Command, CommandError, CommandLimits};

/// Reads a command.
pub(in crate::client) fn command(
    bytes: &[u8],
    limits: &CommandLimits,
) -> Result<Command, CommandError> {
    let mut growth = Growth::new(limits);
    let read = root(bytes, &mut growth);
    let id = growth.id;
    match read.and_then(|root| fields::command(root, id.clone())) {
        Ok(command) => Ok(command),
        Err(fault) => Err(fault.into_error(id)),
    }
}

fn root<'a>(bytes: &'a [u8], growth: &mut Growth<'_>) -> Result<Node<'a>, Fault> {
    let mut reader = Reader { bytes, at: 0, growth };
    let root = reader.value(0)?;
    if reader.at < bytes.len() {
        return Err(bad(Some(reader.at), "bytes after the command; send one per message"));
    }
    Ok(root)
}

struct Reader<'a, 'g, 'l> {
    bytes: &'a [u8],
    at: usize,
    growth: &'g mut Growth<'l>,
}

impl<'a> Reader<'a, '_, '_> {
    /// The next `count` bytes; a declared length is only ever compared with what is there.
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let Some((taken, _)) = rest.split_at_checked(count) else {
            return Err(bad(Some(self.bytes.len()), "the message is cut short"));
        };
        self.at += count;
        Ok(taken)
    }

    /// A big-endian number of `width` bytes.
    fn unsigned(&mut self, width: usize) -> Result<u64, Fault> {
        Ok(self.bytes(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, width: usize) -> Result<Value<'a>, Fault> {
        let unused = 64 - 8 * width as u32;
        let value = (self.unsigned(width)? << unused) as i64 >> unused;
        Ok(Value::Integer(i128::from(value)))
    }

    fn length(&mut self, width: usize) -> Result<usize, Fault> {
        Ok(usize::try_from(self.unsigned(width)?).unwrap_or(usize::MAX))
    }

    fn positive(&mut self, width: usize) -> Result<Value<'a>, Fault> {
        Ok(Value::Integer(i128::from(self.unsigned(width)?)))
    }

    /// A value inside `depth` containers.
    fn value(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        let at = self.at;
        self.growth.value(at, depth)?;
        let marker = self.unsigned(1)? as u8;
        let value = match marker {
            0x00..=0x7f => Value::Integer(i128::from(marker)),
            0x80..=0x8f => self.map(at, usize::from(marker & 0x0f), depth + 1)?,
            0x90..=0x9f => self.list(at, usize::from(marker & 0x0f), depth + 1)?,
            0xa0..=0xbf => self.string(usize::from(marker & 0x1f))?,
            0xc0 => Value::Null,
            0xc2 | 0xc3 => Value::Bool,
            0xca | 0xcb => {
                self.bytes(if marker == 0xca { 4 } else { 8 })?;
                Value::Fraction
            }
            0xcc..=0xcf => self.positive(1 << (marker - 0xcc))?,
            0xd0..=0xd3 => self.signed(1 << (marker - 0xd0))?,
            0xd9..=0xdb => {
                let length = self.length(1 << (marker - 0xd9))?;
                self.string(length)?
            }
            0xdc | 0xdd => {
                let count = self.length(if marker == 0xdc { 2 } else { 4 })?;
                self.list(at, count, depth + 1)?
            }
            0xde | 0xdf => {
                let count = self.length(if marker == 0xde { 2 } else { 4 })?;
                self.map(at, count, depth + 1)?
            }
            0xe0..=0xff => Value::Integer(i128::from(marker as i8)),
            0xc4..=0xc6 => return Err(bad(Some(at), "binary data; write text as a string")),
            _ => return Err(bad(Some(at), "an extension or reserved type; no command has one")),
        };
        Ok(Node { at, value })
    }

    fn string(&mut self, length: usize) -> Result<Value<'a>, Fault> {
        let at = self.at;
        simdutf8::compat::from_utf8(self.bytes(length)?)
            .map(|text| Value::Text(Cow::Borrowed(text)))
            .map_err(|error| bad(Some(at + error.valid_up_to()), "a string is not UTF-8"))
    }

    fn list(&mut self, at: usize, count: usize, depth: usize) -> Result<Value<'a>, Fault> {
        self.growth.list(at, count)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, at: usize, count: usize, depth: usize) -> Result<Value<'a>, Fault> {
        self.growth.map(at, count)?;
        let mut fields = Vec::new();
        for _ in 0..count {
            let key = self.value(depth)?;
            let at = key.at;
            let Value::Text(key) = key.value else {
                return Err(bad(Some(at), "a key that is not a string"));
            };
            let value = self.value(depth)?;
            self.growth.field(&mut fields, Field { at, key, value }, depth)?;
        }
        Ok(Value::Map(fields))
    }
}
