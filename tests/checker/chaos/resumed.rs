//! How long clients were without service, fault by fault: told on the terminal and in `resumed.json`.
//!
//! A client's time runs from the moment its connection ended until all its channels were acknowledged
//! on another one. It is put down to the fault that began last before it; where faults overlap that is
//! a guess, where there is one it is not. Reports only: what was lost is the verdict's to say.

use std::path::Path;

use serde::Serialize;

use super::faultlog::{self, Line};
use crate::client::Away;

/// What one fault cost.
#[derive(Debug, PartialEq, Serialize)]
struct Resumed {
    fault: u32,
    kind: String,
    target: String,
    /// Sessions that ended.
    sessions: usize,
    /// Of these, never back.
    never: usize,
    /// Seconds without service.
    p50_s: f64,
    p99_s: f64,
    max_s: f64,
    /// From the fault to the last client's return, in seconds.
    all_back_s: f64,
}

/// Tells it, and writes it down.
///
/// # Errors
/// Files that can't be read or written.
pub(super) fn tell(dir: &Path, away: &[Away]) -> anyhow::Result<()> {
    let lines = faultlog::read(&dir.join("faults.jsonl"))?;
    let resumed = resumed(&lines, away);
    for it in &resumed {
        let never = if it.never > 0 { format!(", {} NEVER", it.never) } else { String::new() };
        eprintln!(
            "#{} {} {}: {} sessions ended, all back {:.2} s after it{never}; each was away \
             p50 {:.2} s, p99 {:.2} s, at most {:.2} s",
            it.fault, it.kind, it.target, it.sessions, it.all_back_s, it.p50_s, it.p99_s, it.max_s
        );
    }
    std::fs::write(dir.join("resumed.json"), serde_json::to_vec_pretty(&resumed)?)?;
    Ok(())
}

fn resumed(lines: &[Line], away: &[Away]) -> Vec<Resumed> {
    let mut begun: Vec<&Line> = lines.iter().filter(|line| line.phase == "begin").collect();
    begun.sort_by_key(|line| line.at);
    let of = |(number, begin): (usize, &&Line)| {
        let next = begun.get(number + 1).map_or(u64::MAX, |line| line.at);
        let mine: Vec<&Away> =
            away.iter().filter(|away| (begin.at..next).contains(&away.lost)).collect();
        let mut took: Vec<u64> =
            mine.iter().filter_map(|away| Some(away.back?.saturating_sub(away.lost))).collect();
        took.sort_unstable();
        let last = mine.iter().filter_map(|away| away.back).max().unwrap_or(begin.at);
        (!mine.is_empty()).then(|| Resumed {
            fault: begin.fault,
            kind: begin.kind.clone(),
            target: begin.target.clone(),
            sessions: mine.len(),
            never: mine.len() - took.len(),
            p50_s: percentile(&took, 50),
            p99_s: percentile(&took, 99),
            max_s: percentile(&took, 100),
            all_back_s: seconds(last.saturating_sub(begin.at)),
        })
    };
    begun.iter().enumerate().filter_map(of).collect()
}

/// Of sorted microseconds, in seconds; 0 of nothing.
fn percentile(sorted: &[u64], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    seconds(sorted.get(at).copied().unwrap_or(0))
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, fault: u32, phase: &str) -> Line {
        let (kind, phase, target) = ("GatewayKill".into(), phase.into(), "gw-1".into());
        Line { at: at * 1_000_000, fault, kind, phase, target }
    }

    #[test]
    fn who_was_away_is_put_down_to_the_fault_before_it() {
        let lines = [line(10, 1, "begin"), line(12, 1, "end"), line(20, 2, "begin")];
        let away = |lost: u64, back: Option<u64>| Away {
            lost: lost * 1_000_000,
            back: back.map(|back| back * 1_000_000),
        };
        // One before any fault, three of the first, one of the second that never came back.
        let all = [
            away(5, Some(6)),
            away(10, Some(11)),
            away(10, Some(12)),
            away(11, Some(15)),
            away(21, None),
        ];
        let told = resumed(&lines, &all);
        assert_eq!(told.len(), 2);
        let first = &told[0];
        assert_eq!((first.fault, first.sessions, first.never), (1, 3, 0));
        assert_eq!((first.p50_s, first.max_s, first.all_back_s), (2.0, 4.0, 5.0));
        let second = &told[1];
        assert_eq!((second.fault, second.sessions, second.never), (2, 1, 1));
        assert_eq!(second.max_s, 0.0);
    }
}
