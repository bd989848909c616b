//! The files the rules are about, and how a broken rule is told.
//!
//! Owns the walk over the repository and what it leaves out (builds, version control, generated
//! code, fuzzing's finds). Knows no rule.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::code;

/// Where a rule is broken.
#[derive(Debug)]
pub(crate) struct Place {
    /// File, relative to the repository.
    pub(crate) path: String,
    /// Line, from 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    pub(crate) rule: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// Rust.
    Rust,
    /// The page's ES modules.
    JavaScript,
    /// Anything else that is text.
    Other,
}

/// One text file of the repository.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the repository, with `/`.
    pub(crate) path: String,
    /// What it is written in.
    pub(crate) language: Language,
    /// As written.
    pub(crate) text: String,
    /// As written, with comments and the insides of strings blanked.
    pub(crate) code: String,
}

impl Source {
    /// A source as the rules see it.
    pub(crate) fn new(path: String, text: String) -> Self {
        let language = match path.rsplit_once('.') {
            Some((_, "rs")) => Language::Rust,
            Some((_, "js")) => Language::JavaScript,
            _ => Language::Other,
        };
        let code = code::blank(&text, language);
        Self { path, language, text, code }
    }

    /// A broken rule at a line of this file.
    pub(crate) fn place(&self, line: usize, rule: impl Into<String>) -> Place {
        Place { path: self.path.clone(), line, rule: rule.into() }
    }
}

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file of the repository.
pub(crate) fn sources() -> Vec<Source> {
    let root = repository();
    let mut found = Vec::new();
    walk(&root, String::new(), &mut found);
    assert!(found.len() > 20, "{}: where is the repository?", root.display());
    found
}

/// Folders that hold nothing written by hand.
const LEFT_OUT: [&str; 8] = [
    ".git",
    "target",
    "generated",
    "node_modules",
    "corpus",
    "artifacts",
    "__pycache__",
    "coverage",
];

/// What is read besides files that have no extension at all (justfile, .ci/run).
const TEXT: [&str; 14] = [
    "rs", "js", "mjs", "css", "html", "py", "toml", "md", "yml", "yaml", "json", "proto", "sh",
    "txt",
];

fn walk(folder: &Path, prefix: String, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        let (path, relative) = (folder.join(&name), format!("{prefix}{name}"));
        if path.is_dir() {
            if !LEFT_OUT.contains(&name.as_str()) {
                walk(&path, format!("{relative}/"), found);
            }
        } else if is_text(&name)
            && let Ok(text) = fs::read_to_string(&path)
        {
            found.push(Source::new(relative, text));
        }
    }
}

fn is_text(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => TEXT.contains(&extension),
        _ => true,
    }
}
