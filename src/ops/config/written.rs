//! The merged configuration and how it becomes the caller's struct. Owns finding *all* mistakes:
//! deserialising stops at the first, so each one is noted, taken out of the tree, and the rest
//! tried again.

use std::collections::BTreeMap;

use figment::error::{Error, Kind};
use serde::de::DeserializeOwned;

use super::problems::{Problem, Problems, is_secret_key};
use super::sources::join;
use super::tree::Node;
use crate::limits;

/// Everything that was written, merged.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) root: Node,
    /// Where each value was written, by dotted path.
    pub(super) origins: BTreeMap<String, String>,
    /// Where each table of the file begins.
    pub(super) tables: BTreeMap<String, String>,
    /// The original text of what came from the environment or a flag, where types are guessed.
    pub(super) texts: BTreeMap<String, String>,
    /// Array elements taken out, by array path: later indexes are told as they were written.
    removed: BTreeMap<String, Vec<usize>>,
}

impl Written {
    /// A value replaced as a whole takes the origins of its old parts with it.
    pub(super) fn forget_below(&mut self, key: &str) {
        let below = format!("{key}.");
        self.tables.retain(|path, _| path != key && !path.starts_with(&below));
        self.origins.retain(|path, _| !path.starts_with(&below));
        self.texts.retain(|path, _| !path.starts_with(&below));
    }

    pub(super) fn extract<T: DeserializeOwned + Default>(&mut self, problems: &mut Problems) -> T {
        // Each round takes at least one value out of the tree or turns one text around, so the
        // number of rounds is bounded by what was written; the limit makes that plain.
        for _ in 0..=2 * limits::CONFIG_MISTAKES_MAX {
            match self.root.to_figment().deserialize::<T>() {
                Ok(raw) => return raw,
                Err(error) => {
                    if !self.reinterpret(&error) && !self.report(error, problems) {
                        break;
                    }
                }
            }
        }
        T::default()
    }

    /// A text from outside a file whose type was guessed wrongly: `12345` where a text was meant,
    /// `a,b` where a list was.
    fn reinterpret(&mut self, error: &Error) -> bool {
        let Kind::InvalidType(_, expected) = &error.kind else { return false };
        let key = self.as_written(&error.path);
        let Some(text) = self.texts.get(&key).cloned() else { return false };
        let node = match self.root.get(&error.path) {
            Some(Node::Text(_)) if expected.contains("sequence") => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Node::Array(items.map(|item| Node::Text(item.to_owned())).collect())
            }
            Some(Node::Signed(_) | Node::Float(_) | Node::Bool(_)) => Node::Text(text),
            _ => return false,
        };
        // Once only: with the text gone, a second failure is reported.
        self.texts.remove(&key);
        self.root.set(&error.path.join("."), node)
    }

    /// Notes the mistake and takes it out; `false` if nothing could be taken out.
    fn report(&mut self, error: Error, problems: &mut Problems) -> bool {
        let key = self.as_written(&error.path);
        let value = self.root.get(&error.path).map_or_else(String::new, Node::to_string);
        let (key, value, reason, fix) = match error.kind {
            Kind::MissingField(field) => {
                let key = join(&key, &field);
                // A required value that was taken out for its own mistake isn't told twice.
                if problems.list().iter().any(|problem| problem.key == key) {
                    return self.take_out(&error.path);
                }
                (key, String::new(), "is required".to_owned(), String::new())
            }
            Kind::UnknownField(name, known) => {
                (key, value, "is not a known key".to_owned(), suggestion(&name, known))
            }
            Kind::UnknownVariant(_, known) => {
                let fix = format!("write one of: {}", known.join(", "));
                (key, value, "is not one of the choices".to_owned(), fix)
            }
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
                (key, value, format!("expected {expected}"), String::new())
            }
            // A parser's own words may quote the value.
            _ if is_secret_key(&key) => (key, value, "is not valid".to_owned(), String::new()),
            kind => (key, value, kind.to_string(), String::new()),
        };
        let source = problems.source_of(&key);
        problems.add(Problem { key, value, source, reason, fix });
        self.take_out(&error.path)
    }

    fn take_out(&mut self, path: &[String]) -> bool {
        let parent = &path[..path.len().saturating_sub(1)];
        if let (Some(Node::Array(_)), Some(last)) = (self.root.get(parent), path.last()) {
            let written = self.as_written(path);
            let index = written.rsplit('.').next().and_then(|index| index.parse().ok());
            let array = self.as_written(parent);
            self.removed.entry(array).or_default().push(index.unwrap_or_default());
            debug_assert!(last.parse::<usize>().is_ok());
        }
        self.root.remove(path)
    }

    /// The path as the operator wrote it: array indexes as they were before anything was taken
    /// out.
    fn as_written(&self, path: &[String]) -> String {
        let mut written = String::new();
        for part in path {
            let part = match (self.removed.get(&written), part.parse::<usize>()) {
                (Some(removed), Ok(mut index)) => {
                    let mut removed = removed.clone();
                    removed.sort_unstable();
                    removed.iter().for_each(|&gone| index += usize::from(gone <= index));
                    index.to_string()
                }
                _ => part.clone(),
            };
            written = join(&written, &part);
        }
        written
    }
}

/// The known key that was probably meant, or all of them.
fn suggestion(name: &str, known: &[&str]) -> String {
    let closest = known.iter().map(|key| (distance(name, key), key)).min();
    match closest {
        Some((edits, key)) if edits <= 2 => format!("did you mean `{key}`?"),
        _ if known.is_empty() => String::new(),
        _ => format!("known here: {}", known.join(", ")),
    }
}

/// How many letters must be changed, added or removed to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
