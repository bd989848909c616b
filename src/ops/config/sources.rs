//! Where configuration comes from: a file, the environment, flags. Owns reading them into one
//! tree with the origin of every value; judges no value.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::problems::{Problem, Problems};
use super::tree::{Node, parse_text};
use super::written::Written;
use crate::limits;

/// Environment variables that are configuration start with this; `__` separates the levels.
pub const ENVIRONMENT_PREFIX: &str = "FANTAIL__";

/// What to read. Later ones win: file, environment, flags.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The TOML file, if any. A file that is named must be readable.
    pub file: Option<PathBuf>,
    /// Environment variables; those without [`ENVIRONMENT_PREFIX`] are ignored.
    pub environment: Vec<(String, String)>,
    /// Overrides, `key.path=value` each.
    pub flags: Vec<String>,
}

impl Sources {
    /// A file (or none), this process's environment, and flags.
    #[must_use]
    pub fn from_process(file: Option<PathBuf>, flags: Vec<String>) -> Self {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        Self { file, environment: texts.collect(), flags }
    }

    pub(super) fn read(&self, problems: &mut Problems) -> Written {
        let mut written = Written::default();
        if let Some(path) = &self.file {
            read_file(path, &mut written, problems);
        }
        let mut variables: Vec<_> = self.environment.iter().collect();
        variables.sort();
        for (name, value) in variables {
            if let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let key = key.to_ascii_lowercase().replace("__", ".");
                set_text(&key, value, &format!("environment {name}"), &mut written, problems);
            }
        }
        for flag in &self.flags {
            match flag.split_once('=') {
                Some((key, value)) => {
                    let key = key.trim();
                    set_text(key, value, &format!("flag {key}"), &mut written, problems);
                }
                None => {
                    let reason = "an override needs a value";
                    problems.add(problem(flag, "flag", reason, "write key.path=value"));
                }
            }
        }
        written
    }
}

fn read_file(path: &Path, written: &mut Written, problems: &mut Problems) {
    let name = path.display().to_string();
    let mut text = String::new();
    let read = File::open(path)
        .and_then(|file| file.take(limits::CONFIG_FILE_BYTES_MAX + 1).read_to_string(&mut text));
    if let Err(error) = read {
        problems.add(problem(&name, "file", format!("can't be read: {error}"), ""));
        return;
    }
    if text.len() as u64 > limits::CONFIG_FILE_BYTES_MAX {
        problems.add(problem(&name, "file", "is too large for a configuration", ""));
        return;
    }
    match DeTable::parse(&text) {
        Ok(table) => {
            let mut origins = FileOrigins { name: &name, text: &text, written };
            let node = origins.table("", table.get_ref());
            written.root = node;
        }
        // The error's own Display quotes the line, which may hold a secret.
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            let source = format!("line {line}");
            problems.add(problem(&name, &source, format!("is not TOML: {}", error.message()), ""));
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&b| b == b'\n').count() + 1
}

/// Turns a parsed file into nodes, noting each key's line on the way.
struct FileOrigins<'a> {
    name: &'a str,
    text: &'a str,
    written: &'a mut Written,
}

impl FileOrigins<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) -> Node {
        let entries = table.iter().map(|(key, value)| {
            let child = join(path, key.get_ref());
            self.note(&child, key.span().start, value.get_ref());
            (key.get_ref().to_string(), self.value(&child, value.get_ref()))
        });
        Node::Table(entries.collect())
    }

    fn value(&mut self, path: &str, value: &DeValue<'_>) -> Node {
        match value {
            DeValue::Table(table) => self.table(path, table),
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    let child = join(path, &index.to_string());
                    self.note(&child, item.span().start, item.get_ref());
                    self.value(&child, item.get_ref())
                });
                Node::Array(items.collect())
            }
            DeValue::String(text) => Node::Text(text.to_string()),
            DeValue::Boolean(flag) => Node::Bool(*flag),
            DeValue::Integer(number) => Node::integer(number),
            DeValue::Float(number) => Node::float(number.as_str()),
            DeValue::Datetime(time) => Node::Text(time.to_string()),
        }
    }

    fn note(&mut self, path: &str, at: usize, value: &DeValue<'_>) {
        let origin = format!("{} line {}", self.name, line_of(self.text, at));
        let is_table = matches!(value, DeValue::Table(_));
        let map = if is_table { &mut self.written.tables } else { &mut self.written.origins };
        map.insert(path.to_owned(), origin);
    }
}

fn set_text(key: &str, text: &str, origin: &str, written: &mut Written, problems: &mut Problems) {
    if key.is_empty() || key.split('.').any(str::is_empty) {
        problems.add(problem(key, origin, "is not a key", "write key.path"));
        return;
    }
    if key.split('.').count() > limits::CONFIG_DEPTH_MAX {
        problems.add(problem("a key", origin, "is nested too deeply", ""));
        return;
    }
    if written.root.set(key, parse_text(text)) {
        written.forget_below(key);
        written.origins.insert(key.to_owned(), origin.to_owned());
        written.texts.insert(key.to_owned(), text.to_owned());
    } else {
        problems.add(problem(key, origin, "lies below a value that has no keys", ""));
    }
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn problem(key: &str, source: &str, reason: impl Display, fix: &str) -> Problem {
    Problem {
        key: key.to_owned(),
        value: String::new(),
        source: source.to_owned(),
        reason: reason.to_string(),
        fix: fix.to_owned(),
    }
}
