//! A tree → a command: which keys each op has, of which type, and nothing else.

use super::fault::{Fault, bad, no_op, quote, unknown_op};
use super::tree::{Field, Node, Value};
use crate::client::{Command, From, Id, SubscribeItem};

/// Reads a command; `id` was taken while the tree grew.
pub(super) fn command(root: Node<'_>, id: Option<Id>) -> Result<Command, Fault> {
    let at = root.at;
    let mut fields = Fields::of(root, "a command")?;
    fields.take("id");
    let op = fields.take("op").ok_or_else(|| no_op(Some(at)))?;
    let op_at = op.at;
    let command = match text(op, "op")?.as_str() {
        "subscribe" => Command::Subscribe { id, channels: fields.list("channels", item)? },
        "unsubscribe" => Command::Unsubscribe {
            id,
            channels: fields.list("channels", |node| text(node, "channels"))?,
        },
        "list" => Command::List { id },
        "ping" => Command::Ping { id },
        "auth" => Command::Auth { id, token: text(fields.need("token")?, "token")? },
        other => return Err(unknown_op(op_at, other)),
    };
    fields.finish()?;
    Ok(command)
}

/// `"book:…"` or `{"channel", "from"?, "history"?}`.
fn item(node: Node<'_>) -> Result<SubscribeItem, Fault> {
    if matches!(node.value, Value::Text(_)) {
        return Ok(SubscribeItem { channel: text(node, "channels")?, from: None, history: None });
    }
    let mut fields = Fields::of(node, "a channel")?;
    let item = SubscribeItem {
        channel: text(fields.need("channel")?, "channel")?,
        from: fields.take("from").map(from).transpose()?,
        history: fields.take("history").map(|node| integer(node, "history")).transpose()?,
    };
    fields.finish()?;
    Ok(item)
}

/// `{"epoch", "seq", "rx"?}`.
fn from(node: Node<'_>) -> Result<From, Fault> {
    let mut fields = Fields::of(node, "`from`")?;
    let from = From {
        epoch: integer(fields.need("epoch")?, "epoch")?,
        seq: integer(fields.need("seq")?, "seq")?,
        rx: fields.take("rx").map(|node| integer(node, "rx")).transpose()?,
    };
    fields.finish()?;
    Ok(from)
}

fn text(node: Node<'_>, key: &str) -> Result<String, Fault> {
    match node.value {
        Value::Text(text) => Ok(text.into_owned()),
        _ => Err(wrong(&node, key, "a string")),
    }
}

fn integer<T: TryFrom<i128>>(node: Node<'_>, key: &str) -> Result<T, Fault> {
    match node.value {
        Value::Integer(value) => T::try_from(value)
            .map_err(|_| bad(Some(node.at), format!("`{key}` is out of its range"))),
        _ => Err(wrong(&node, key, "an integer")),
    }
}

fn wrong(node: &Node<'_>, key: &str, expected: &str) -> Fault {
    bad(Some(node.at), format!("`{key}` is {}; write {expected}", node.found()))
}

/// The keys of one map, taken one by one.
struct Fields<'a> {
    at: usize,
    what: &'static str,
    left: Vec<Field<'a>>,
}

impl<'a> Fields<'a> {
    fn of(node: Node<'a>, what: &'static str) -> Result<Self, Fault> {
        let (at, found) = (node.at, node.found());
        match node.value {
            Value::Map(left) => Ok(Self { at, what, left }),
            _ => Err(bad(Some(at), format!("{what} is an object; found {found}"))),
        }
    }

    fn take(&mut self, key: &str) -> Option<Node<'a>> {
        let index = self.left.iter().position(|field| field.key == key)?;
        Some(self.left.swap_remove(index).value)
    }

    fn need(&mut self, key: &str) -> Result<Node<'a>, Fault> {
        let missing = || bad(Some(self.at), format!("{} needs `{key}`", self.what));
        let index = self.left.iter().position(|field| field.key == key).ok_or_else(missing)?;
        Ok(self.left.swap_remove(index).value)
    }

    fn list<T>(
        &mut self,
        key: &str,
        item: impl Fn(Node<'a>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let node = self.need(key)?;
        match node.value {
            Value::List(nodes) => nodes.into_iter().map(item).collect(),
            _ => Err(wrong(&node, key, "a list of channels")),
        }
    }

    /// Whatever is left is unknown; the first in the message is named.
    fn finish(self) -> Result<(), Fault> {
        match self.left.iter().min_by_key(|field| field.at) {
            None => Ok(()),
            Some(field) => {
                let message = format!("{} has no key {}; remove it", self.what, quote(&field.key));
                Err(bad(Some(field.at), message))
            }
        }
    }
}
