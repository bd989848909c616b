//! `faults.jsonl`: what was done to whom and when, one JSON line at the beginning of a fault and one
//! at its end. Written as it happens, read again to say what a violation may be blamed on.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::limits;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Microseconds since the Unix epoch.
    pub(crate) at: u64,
    /// Number of the fault in its plan.
    pub(crate) fault: u32,
    pub(crate) kind: String,
    /// `begin`, `note`, `end` or `failed`.
    pub(crate) phase: String,
    /// Whom it met, or why it failed.
    pub(crate) target: String,
}

/// The file. The lock is held for one short write; faults overlap.
#[derive(Debug)]
pub(crate) struct FaultLog {
    clock: Clock,
    file: Mutex<File>,
}

impl FaultLog {
    pub(crate) fn new(path: &Path, clock: Clock) -> io::Result<Self> {
        Ok(Self { clock, file: Mutex::new(File::create(path)?) })
    }

    /// Writes a line, here and on the terminal.
    pub(crate) fn tell(&self, fault: u32, kind: &str, phase: &str, target: &str) {
        let (phase, target) = (phase.to_owned(), target.to_owned());
        let line = Line { at: self.clock.micros(), fault, kind: kind.to_owned(), phase, target };
        let seconds = self.clock.elapsed().as_secs_f64();
        eprintln!("{seconds:>7.1} s  {:<6} #{fault} {kind} {}", line.phase, line.target);
        let Ok(mut text) = serde_json::to_string(&line) else { return };
        text.push('\n');
        if let Ok(mut file) = self.file.lock() {
            // The terminal has it all the same.
            let _ = file.write_all(text.as_bytes());
        }
    }
}

/// Reads the file of a run.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Line>> {
    let lines = BufReader::new(File::open(path)?).lines();
    lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)).collect()
}

/// The faults that were on, or just over, at a time.
pub(crate) fn blamed(lines: &[Line], at: u64) -> Vec<String> {
    let blame = u64::try_from(limits::BLAME.as_micros()).unwrap_or(u64::MAX);
    let begun = lines.iter().filter(|line| line.phase == "begin" && line.at <= at);
    let of = |begin: &Line| {
        let end = lines.iter().find(|line| {
            line.fault == begin.fault && (line.phase == "end" || line.phase == "failed")
        });
        let end = end.map_or(u64::MAX, |line| line.at);
        let ago = (at - begin.at) as f64 / 1e6;
        (end.saturating_add(blame) >= at).then(|| {
            format!("#{} {} {} ({ago:.1} s before)", begin.fault, begin.kind, begin.target)
        })
    };
    begun.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_blamed_on_what_was_on() {
        let line = |at: u64, fault, phase: &str| Line {
            at: at * 1_000_000,
            fault,
            kind: "k".into(),
            phase: phase.into(),
            target: "t".into(),
        };
        let lines = [
            line(100, 1, "begin"),
            line(101, 1, "end"),
            line(110, 2, "begin"),
            line(118, 3, "begin"),
            line(125, 2, "end"),
        ];
        let check = |at: u64, wanted: &[&str]| {
            let blamed = blamed(&lines, at * 1_000_000);
            let faults: Vec<&str> = blamed.iter().map(|text| &text[..2]).collect();
            assert_eq!(faults, wanted, "at {at}");
        };
        check(99, &[]);
        check(112, &["#1", "#2"]);
        check(120, &["#2", "#3"]);
        check(300, &["#3"]);
    }
}
