//! What the servers of this test process log: counted, and watched for what must not be in it.
//!
//! Owns the process's one log. A line with [`CANARY`] in it is a leak, whichever test caused it.

use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fantail_node::logging::{self, LogConfig, LogHandle, LogOutput};

/// Stands in every secret that a test hands in.
pub(crate) const CANARY: &str = "c4narY";
/// Leaks kept; the first tells enough.
const LEAKS_MAX: usize = 16;

#[derive(Default)]
struct Seen {
    lines: u64,
    leaks: Vec<String>,
}

static SEEN: Mutex<Seen> = Mutex::new(Seen { lines: 0, leaks: Vec::new() });

/// The process's log, started with the first server.
pub(crate) fn handle() -> LogHandle {
    static HANDLE: OnceLock<LogHandle> = OnceLock::new();
    let start = || {
        let config = LogConfig {
            filter: "info,fantail_gateway=trace,fantail_ops=trace,fantail_node=trace".to_owned(),
            output: LogOutput::new(Watch),
            ..LogConfig::default()
        };
        logging::start(config).unwrap_or_else(|error| panic!("logging: {error}"))
    };
    HANDLE.get_or_init(start).clone()
}

/// Lines written so far, and those with a secret in them.
pub(crate) fn seen() -> (u64, Vec<String>) {
    let seen = lock();
    (seen.lines, seen.leaks.clone())
}

struct Watch;

impl io::Write for Watch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        let mut seen = lock();
        seen.lines += 1;
        if line.contains(CANARY) && seen.leaks.len() < LEAKS_MAX {
            seen.leaks.push(line.into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock() -> MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}
