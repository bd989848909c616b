//! What both readers produce: values with the byte offset where each began, and the counters that
//! bound them.

use std::borrow::Cow;

use super::fault::{Fault, bad, deep, long_id, many_channels};
use crate::client::limits::{FIELDS_MAX, VALUES_BASE, VALUES_PER_CHANNEL};
use crate::client::{CommandLimits, Id};

/// A value and where it began.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) at: usize,
    pub(super) value: Value<'a>,
}

/// A value of JSON or MessagePack.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool,
    Integer(i128),
    /// A fraction, or an integer beyond 64 bits: nothing of ours is one.
    Fraction,
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<Field<'a>>),
}

/// A key of a map with its value.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) at: usize,
    pub(super) key: Cow<'a, str>,
    pub(super) value: Node<'a>,
}

impl Node<'_> {
    /// In words, for "expected …, found …".
    pub(super) const fn found(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Fraction => "a fraction or a number beyond 64 bits",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
        }
    }
}

/// Bounds and the id, while a tree grows.
pub(super) struct Growth<'l> {
    limits: &'l CommandLimits,
    values_left: usize,
    /// The command's id as soon as it is read: a later mistake is answered with it.
    pub(super) id: Option<Id>,
}

impl<'l> Growth<'l> {
    pub(super) const fn new(limits: &'l CommandLimits) -> Self {
        let values = limits.channels.saturating_mul(VALUES_PER_CHANNEL);
        Self { limits, values_left: values.saturating_add(VALUES_BASE), id: None }
    }

    /// Before each value.
    pub(super) fn value(&mut self, at: usize, depth: usize) -> Result<(), Fault> {
        if depth > self.limits.depth {
            return Err(deep(at, self.limits));
        }
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or_else(|| bad(Some(at), "more values than any command needs"))?;
        Ok(())
    }

    /// Before a list has `count` items.
    pub(super) fn list(&self, at: usize, count: usize) -> Result<(), Fault> {
        if count > self.limits.channels {
            Err(many_channels(Some(at), self.limits))
        } else {
            Ok(())
        }
    }

    /// Before a map has `count` keys.
    pub(super) fn map(&self, at: usize, count: usize) -> Result<(), Fault> {
        if count > FIELDS_MAX {
            let message =
                format!("more than {FIELDS_MAX} keys in one object; no command has so many");
            return Err(bad(Some(at), message));
        }
        Ok(())
    }

    /// Adds a key once; notes the command's id.
    pub(super) fn field<'a>(
        &mut self,
        fields: &mut Vec<Field<'a>>,
        field: Field<'a>,
        depth: usize,
    ) -> Result<(), Fault> {
        if fields.iter().any(|earlier| earlier.key == field.key) {
            let key = super::fault::quote(&field.key);
            return Err(bad(Some(field.at), format!("{key} is written twice; write it once")));
        }
        if depth == 1 && field.key == "id" {
            self.id = Some(self.read_id(&field.value)?);
        }
        fields.push(field);
        Ok(())
    }

    fn read_id(&self, node: &Node<'_>) -> Result<Id, Fault> {
        match &node.value {
            Value::Integer(number) => i64::try_from(*number)
                .map(Id::Number)
                .map_err(|_| bad(Some(node.at), "`id` is beyond 64 bits; use a smaller one")),
            Value::Text(text) if text.len() > self.limits.id_bytes => {
                Err(long_id(Some(node.at), self.limits))
            }
            Value::Text(text) => Ok(Id::Text(text.clone().into_owned())),
            _ => {
                let found = node.found();
                let message =
                    format!("`id` is {found}; write an integer or a string, or leave it out");
                Err(bad(Some(node.at), message))
            }
        }
    }
}
