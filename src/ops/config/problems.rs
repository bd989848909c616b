//! Mistakes in a configuration, collected so that all are told at once. Owns how a mistake is
//! told, and that secret values are not.

use std::collections::BTreeMap;
use std::fmt;

use crate::limits;
use crate::secret::REDACTED;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, dotted: `venues.binance.symbols`.
    pub key: String,
    /// The value as written; `[redacted]` if the key names a secret.
    pub value: String,
    /// Where it was written: the file and line, the environment variable or the flag.
    pub source: String,
    /// What is wrong.
    pub reason: String,
    /// What to write instead; may be empty.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if !self.value.is_empty() {
            write!(f, " = {}", self.value)?;
        }
        write!(f, " ({}): {}", self.source, self.reason)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "; {}", self.fix) }
    }
}

/// The collector.
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Mistakes beyond [`limits::CONFIG_MISTAKES_MAX`], only counted.
    more: usize,
    /// Where each value was written, by dotted path.
    pub(super) origins: BTreeMap<String, String>,
    /// Where each table of the file begins. What a table doesn't mention isn't written there.
    pub(super) tables: BTreeMap<String, String>,
}

impl Problems {
    /// Adds a mistake found by the caller. Where the key was written is looked up; a value under
    /// a secret key is not kept.
    pub fn push(
        &mut self,
        key: impl Into<String>,
        value: impl fmt::Display,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let key = key.into();
        let source = self.source_of(&key);
        let value = value.to_string();
        self.add(Problem { key, value, source, reason: reason.into(), fix: fix.into() });
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The mistakes so far.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Where a key was written; `default` if nowhere.
    #[must_use]
    pub fn source_of(&self, key: &str) -> String {
        if let Some(origin) = self.tables.get(key) {
            return origin.clone();
        }
        let mut path = key;
        loop {
            if let Some(origin) = self.origins.get(path) {
                return origin.clone();
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return "default".to_owned(),
            }
        }
    }

    /// Nothing wrong, or all of it, in the order of the keys.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake.
    pub fn into_result(self) -> Result<(), ConfigErrors> {
        if self.list.is_empty() {
            return Ok(());
        }
        let mut problems = self.list;
        problems.sort_by(|a, b| a.key.cmp(&b.key));
        Err(ConfigErrors { problems, more: self.more })
    }

    pub(super) fn add(&mut self, mut problem: Problem) {
        if is_secret_key(&problem.key) && !problem.value.is_empty() {
            problem.value = REDACTED.to_owned();
        }
        if self.list.len() < limits::CONFIG_MISTAKES_MAX {
            self.list.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// Whether values under this key must not be shown. Errs on the side of hiding.
pub(super) fn is_secret_key(key: &str) -> bool {
    let is_index = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
    let Some(last) = key.rsplit('.').find(|part| !is_index(part)) else { return false };
    let last = last.to_ascii_lowercase();
    ["secret", "token", "password", "passphrase", "credential", "hash", "pem", "key"]
        .iter()
        .any(|word| last.contains(word))
}

/// Every mistake of a configuration. The operator's to fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The mistakes, by key.
    pub problems: Vec<Problem>,
    /// How many more there were than are listed.
    pub more: usize,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len() + self.more;
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        write!(f, "{count} {noun} in the configuration:")?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        if self.more > 0 {
            write!(f, "\n  and {} more", self.more)?;
        }
        Ok(())
    }
}
