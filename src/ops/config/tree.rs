//! A configuration as a tree of plain values. Owns setting, finding and removing by dotted path,
//! and what a text from the environment or a flag looks like. Knows no sources and no types.

use std::collections::BTreeMap;
use std::fmt;

use figment::value::Value;
use toml::de::DeInteger;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Bool(bool),
    Signed(i64),
    Float(f64),
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Default for Node {
    fn default() -> Self {
        Self::Table(BTreeMap::new())
    }
}

impl Node {
    pub(super) fn integer(number: &DeInteger<'_>) -> Self {
        let parsed = i64::from_str_radix(number.as_str(), number.radix());
        parsed.map_or_else(|_| Self::Text(number.as_str().to_owned()), Self::Signed)
    }

    pub(super) fn float(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Float)
    }

    /// Puts a value at a dotted path, making tables on the way. An array is entered by index.
    /// Says `false` where the path leads through a plain value.
    pub(super) fn set(&mut self, path: &str, value: Node) -> bool {
        let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        let slot = match self {
            Self::Table(table) => Some(table.entry(first.to_owned()).or_default()),
            Self::Array(items) => first.parse().ok().and_then(|at: usize| items.get_mut(at)),
            _ => None,
        };
        match (slot, rest) {
            (None, _) => false,
            (Some(slot), Some(rest)) => slot.set(rest, value),
            (Some(slot), None) => {
                *slot = value;
                true
            }
        }
    }

    pub(super) fn get(&self, path: &[String]) -> Option<&Node> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        match self {
            Self::Table(table) => table.get(first)?.get(rest),
            Self::Array(items) => items.get(first.parse::<usize>().ok()?)?.get(rest),
            _ => None,
        }
    }

    /// Takes what is at the path away; `false` if there was nothing.
    pub(super) fn remove(&mut self, path: &[String]) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        match self {
            Self::Table(table) if rest.is_empty() => table.remove(first).is_some(),
            Self::Table(table) => table.get_mut(first).is_some_and(|node| node.remove(rest)),
            Self::Array(items) => match first.parse::<usize>() {
                Ok(at) if at < items.len() && rest.is_empty() => {
                    items.remove(at);
                    true
                }
                Ok(at) => items.get_mut(at).is_some_and(|node| node.remove(rest)),
                Err(_) => false,
            },
            _ => false,
        }
    }

    pub(super) fn to_figment(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Bool(flag) => Value::from(*flag),
            Self::Signed(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Array(items) => {
                Value::from(items.iter().map(Self::to_figment).collect::<Vec<_>>())
            }
            Self::Table(table) => {
                let entries = table.iter().map(|(key, node)| (key.clone(), node.to_figment()));
                Value::from(entries.collect::<figment::value::Dict>())
            }
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Signed(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            // What is inside may be secret under its own key, so it isn't shown under this one.
            Self::Array(_) => f.write_str("[…]"),
            Self::Table(_) => f.write_str("{…}"),
        }
    }
}

/// What a text from outside a file means: TOML where it is unmistakably that, else the text.
pub(super) fn parse_text(text: &str) -> Node {
    let trimmed = text.trim();
    match trimmed {
        "true" => return Node::Bool(true),
        "false" => return Node::Bool(false),
        _ => {}
    }
    if let Ok(number) = trimmed.parse::<i64>() {
        return Node::Signed(number);
    }
    if trimmed.starts_with(['[', '{', '"', '\'']) {
        let parsed = format!("v = {trimmed}").parse::<toml::Table>().ok();
        if let Some(value) = parsed.and_then(|mut table| table.remove("v")) {
            return from_toml(value);
        }
    }
    let is_decimal =
        trimmed.contains('.') && trimmed.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if let (true, Ok(number)) = (is_decimal, trimmed.parse::<f64>()) {
        return Node::Float(number);
    }
    Node::Text(text.to_owned())
}

fn from_toml(value: toml::Value) -> Node {
    match value {
        toml::Value::String(text) => Node::Text(text),
        toml::Value::Boolean(flag) => Node::Bool(flag),
        toml::Value::Integer(number) => Node::Signed(number),
        toml::Value::Float(number) => Node::Float(number),
        toml::Value::Datetime(time) => Node::Text(time.to_string()),
        toml::Value::Array(items) => Node::Array(items.into_iter().map(from_toml).collect()),
        toml::Value::Table(table) => {
            Node::Table(table.into_iter().map(|(key, value)| (key, from_toml(value))).collect())
        }
    }
}
