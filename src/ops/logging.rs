//! Logs: one line per event, as JSON or as text, to stderr or where a test wants them.
//!
//! Owns the format, the level (changeable at run time through [`LogHandle`]) and that no line
//! leaves with a secret or a raw control character in it ([`Scrubber`]). Input: `tracing` events.
//! It writes no files and rotates nothing: that is the supervisor's.

mod filter;
mod scrub;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

pub use filter::FilterError;
pub use scrub::Scrubber;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a terminal: `time LEVEL target: message field=value`.
    #[default]
    Pretty,
    /// For a collector: one JSON object per line.
    Json,
}

/// Where lines go.
#[derive(Clone)]
pub struct LogOutput(Arc<Mutex<dyn io::Write + Send>>);

impl LogOutput {
    /// The process's standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// Anything one can write to. A lock keeps lines whole; it is held for one line.
    pub fn new(writer: impl io::Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }
}

/// What logging needs to know.
#[derive(Clone)]
pub struct LogConfig {
    /// Levels per target, e.g. `info,fantail_gateway=debug`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
    /// Where they go.
    pub output: LogOutput,
    /// What must not be in them.
    pub scrubber: Scrubber,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::default(),
            output: LogOutput::stderr(),
            scrubber: Scrubber::default(),
        }
    }
}

/// Installs logging for the whole process. Once.
///
/// # Errors
/// A filter that doesn't parse, or logging that is already installed.
pub fn start(config: LogConfig) -> Result<LogHandle, LogError> {
    let (subscriber, handle) = subscriber(config)?;
    subscriber.try_init().map_err(|_| LogError::AlreadyStarted)?;
    Ok(handle)
}

/// The same without installing it, for tests (`tracing::subscriber::with_default`).
///
/// # Errors
/// A filter that doesn't parse.
pub fn subscriber(
    config: LogConfig,
) -> Result<(impl Subscriber + Send + Sync, LogHandle), LogError> {
    let (filter, reload) = reload::Layer::new(filter::parse(&config.filter)?);
    let writer = ScrubbedOutput { output: config.output, scrubber: config.scrubber.clone() };
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let lines = match config.format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let handle = LogHandle { reload, scrubber: config.scrubber };
    Ok((tracing_subscriber::registry().with(filter).with(lines), handle))
}

/// Changes logging while the process runs. Cloning shares it.
#[derive(Debug, Clone)]
pub struct LogHandle {
    reload: reload::Handle<EnvFilter, Registry>,
    scrubber: Scrubber,
}

impl LogHandle {
    /// The filter in force.
    #[must_use]
    pub fn filter(&self) -> String {
        self.reload.with_current(EnvFilter::to_string).unwrap_or_default()
    }

    /// Replaces the filter; the old one stays if the new one is no filter.
    ///
    /// # Errors
    /// A filter that doesn't parse, or logging that has ended.
    pub fn set_filter(&self, filter: &str) -> Result<(), LogError> {
        let parsed = filter::parse(filter)?;
        self.reload.reload(parsed).map_err(|_| LogError::Ended)
    }

    /// The scrubber, to teach it secrets learnt later.
    #[must_use]
    pub fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }
}

/// Why logging can't be started or changed: the operator's input, or our own order of calls.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The text is no filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Another subscriber is installed.
    #[error("logging has already been started")]
    AlreadyStarted,
    /// The subscriber is gone.
    #[error("logging has ended")]
    Ended,
}

/// Makes a writer per event; the event arrives in one `write` and leaves scrubbed.
struct ScrubbedOutput {
    output: LogOutput,
    scrubber: Scrubber,
}

impl<'a> MakeWriter<'a> for ScrubbedOutput {
    type Writer = ScrubbedLine<'a>;

    fn make_writer(&'a self) -> ScrubbedLine<'a> {
        ScrubbedLine { output: self, text: Vec::new() }
    }
}

/// One event's text, scrubbed as a whole when it is complete, so that no secret is missed for
/// lying across two writes.
struct ScrubbedLine<'a> {
    output: &'a ScrubbedOutput,
    text: Vec<u8>,
}

impl io::Write for ScrubbedLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ScrubbedLine<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let mut line = self.output.scrubber.scrub(text.strip_suffix('\n').unwrap_or(&text));
        line.push('\n');
        let mut output = self.output.output.0.lock().unwrap_or_else(PoisonError::into_inner);
        // With the log gone there is nobody left to tell.
        let _ = output.write_all(line.as_bytes());
        let _ = output.flush();
    }
}
