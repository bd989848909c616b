//! What the machine says of a run: busy time of a core, CPU and memory of a process and of its
//! threads by name. Linux's /proc, nothing else.

use std::collections::BTreeMap;

/// Ticks of /proc/stat per second, on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Busy seconds of a core since boot: everything but idle and waiting for disks.
#[must_use]
pub fn core_busy_seconds(core: usize) -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find(|line| line.starts_with(&format!("cpu{core} ")))?;
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum::<f64>();
    Some(busy / TICKS_PER_SECOND)
}

/// CPU seconds of each thread of a process, summed by thread name.
#[must_use]
pub fn thread_seconds(pid: u32) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return sums };
    for task in tasks.flatten() {
        let path = task.path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        let spent = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        let nanos: f64 = spent.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
        *sums.entry(name.trim().to_owned()).or_insert(0.0) += nanos / 1e9;
    }
    sums
}

/// Threads of a process: id and name.
#[must_use]
pub fn threads(pid: u32) -> Vec<(u32, String)> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let thread = |task: std::fs::DirEntry| {
        let id = task.file_name().to_str()?.parse().ok()?;
        Some((id, std::fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned()))
    };
    tasks.flatten().filter_map(thread).collect()
}

/// A field of /proc/<pid>/status, in its own unit (kB for memory).
#[must_use]
pub fn status_field(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
