//! JSON → tree, after RFC 8259 and nothing more.
//!
//! Structure is read here; the inside of an escaped string and the syntax of a fraction are
//! serde_json's.

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
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(bad(Some(0), "starts with a byte order mark; send UTF-8 without one"));
    }
    let text = simdutf8::compat::from_utf8(bytes)
        .map_err(|error| bad(Some(error.valid_up_to()), "not UTF-8; send UTF-8"))?;
    let mut reader = Reader { text, bytes, at: 0, growth };
    let root = reader.value(0)?;
    reader.skip_space();
    if reader.at < bytes.len() {
        return Err(bad(Some(reader.at), "text after the command; send one per message"));
    }
    Ok(root)
}

struct Reader<'a, 'g, 'l> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    growth: &'g mut Growth<'l>,
}

impl<'a> Reader<'a, '_, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips space, then exactly this byte or nothing.
    fn accept(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expected(&self, what: &str) -> Fault {
        match self.bytes.len() {
            end if self.at >= end => bad(Some(end), format!("ends where {what} was expected")),
            _ => bad(Some(self.at), format!("not JSON: expected {what}")),
        }
    }

    /// A value inside `depth` containers.
    fn value(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        self.skip_space();
        let at = self.at;
        self.growth.value(at, depth)?;
        let value = match self.peek() {
            Some(b'{') => self.map(depth + 1)?,
            Some(b'[') => self.list(depth + 1)?,
            Some(b'"') => Value::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ if self.word("true") || self.word("false") => Value::Bool,
            _ if self.word("null") => Value::Null,
            _ => return Err(self.expected("a value")),
        };
        Ok(Node { at, value })
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        if self.accept(b']') {
            return Ok(Value::List(items));
        }
        loop {
            self.growth.list(self.at, items.len() + 1)?;
            items.push(self.value(depth)?);
            if self.accept(b']') {
                return Ok(Value::List(items));
            }
            if !self.accept(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        self.at += 1;
        let mut fields = Vec::new();
        if self.accept(b'}') {
            return Ok(Value::Map(fields));
        }
        loop {
            self.skip_space();
            let at = self.at;
            self.growth.map(at, fields.len() + 1)?;
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in quotes"));
            }
            let key = self.string()?;
            if !self.accept(b':') {
                return Err(self.expected("`:`"));
            }
            let value = self.value(depth)?;
            self.growth.field(&mut fields, Field { at, key, value }, depth)?;
            if self.accept(b'}') {
                return Ok(Value::Map(fields));
            }
            if !self.accept(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    /// From the opening quote to behind the closing one.
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += 1;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                }
                Some(0..=0x1f) => {
                    return Err(bad(Some(self.at), "a control character in a string; escape it"));
                }
                Some(_) => {}
                None => return Err(bad(Some(self.bytes.len()), "ends inside a string")),
            }
        }
        self.at += 1;
        if !escaped {
            // Quotes are ASCII, so both cuts are at character boundaries.
            return Ok(Cow::Borrowed(self.text.get(start + 1..self.at - 1).unwrap_or_default()));
        }
        serde_json::from_slice::<String>(&self.bytes[start..self.at]).map(Cow::Owned).map_err(
            |error| {
                let within = error.column().saturating_sub(1);
                bad(Some(start + within), "an escape in a string is not understood")
            },
        )
    }

    fn number(&mut self) -> Result<Value<'a>, Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let figures = text.strip_prefix('-').unwrap_or(text);
        let whole = figures.bytes().all(|byte| byte.is_ascii_digit());
        let plain = whole && (figures.len() == 1 || !figures.starts_with('0'));
        if plain && let Ok(value) = text.parse::<i64>() {
            return Ok(Value::Integer(i128::from(value)));
        }
        if plain && let Ok(value) = text.parse::<u64>() {
            return Ok(Value::Integer(i128::from(value)));
        }
        match serde_json::from_str::<f64>(text) {
            Ok(_) => Ok(Value::Fraction),
            Err(error) if error.to_string().starts_with("number out of range") => {
                Err(bad(Some(start), "a number is out of range; every number here is 64 bits"))
            }
            Err(_) => Err(bad(Some(start), "not a JSON number")),
        }
    }
}
