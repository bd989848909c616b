//! What the machine says of a run: busy time of cores, CPU, memory and context switches of a
//! process and of its threads by name, what sockets hold. Linux's /proc and `ss`; elsewhere it knows
//! nothing.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::Command;

/// Ticks of /proc/stat per second, on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Idle seconds of a core since boot, waiting for disks included.
///
/// A core's busy time is taken as elapsed time minus this. The kernel keeps idle time exactly (in
/// steps of 10 ms), while it samples the busy columns at its ticks, and work that is started by a
/// timer hides from those.
#[must_use]
pub fn core_idle_seconds(core: usize) -> Option<f64> {
    let stat = read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find(|line| line.starts_with(&format!("cpu{core} ")))?;
    // user nice system idle iowait irq softirq steal
    let ticks = line.split_whitespace().skip(4).take(2);
    Some(ticks.filter_map(|word| word.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND)
}

/// What a thread has had so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// On a core, s.
    pub cpu_seconds: f64,
    /// Ready, waiting for a core, s.
    pub waited_seconds: f64,
}

/// What each thread of a process has had, summed by thread name.
#[must_use]
pub fn thread_times(pid: u32) -> BTreeMap<String, Spent> {
    let mut sums: BTreeMap<String, Spent> = BTreeMap::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return sums };
    for task in tasks.flatten() {
        let path = task.path();
        let name = read_to_string(path.join("comm")).unwrap_or_default();
        let told = read_to_string(path.join("schedstat")).unwrap_or_default();
        let mut nanos = told.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
        let spent = sums.entry(name.trim().to_owned()).or_default();
        spent.cpu_seconds += nanos.next().unwrap_or(0.0) / 1e9;
        spent.waited_seconds += nanos.next().unwrap_or(0.0) / 1e9;
    }
    sums
}

/// Context switches of all threads of a process: by waiting, and by being put off the core.
#[must_use]
pub fn switches(pid: u32) -> Option<(u64, u64)> {
    let mut sum = (0, 0);
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let status = read_to_string(task.path().join("status")).unwrap_or_default();
        sum.0 += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        sum.1 += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
    }
    Some(sum)
}

/// Threads of a process: id and name.
#[must_use]
pub fn threads(pid: u32) -> Vec<(u32, String)> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let thread = |task: std::fs::DirEntry| {
        let id = task.file_name().to_str()?.parse().ok()?;
        Some((id, read_to_string(task.path().join("comm")).ok()?.trim().to_owned()))
    };
    tasks.flatten().filter_map(thread).collect()
}

/// Resident memory of a process, kB.
#[must_use]
pub fn resident_kb(pid: u32) -> Option<u64> {
    field(&read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

/// Memory the whole kernel holds in slabs, kB: both ends of every loopback socket are in it.
#[must_use]
pub fn slab_kb() -> Option<u64> {
    field(&read_to_string("/proc/meminfo").ok()?, "Slab:")
}

/// Memory the kernel holds for the server's ends of the connections to a port, kB: what lies in
/// their queues, both ways, and what they have reserved. Needs `ss` (iproute2).
#[must_use]
pub fn server_sockets_kb(port: u16) -> Option<f64> {
    let filter = format!("sport = :{port}");
    let output =
        Command::new("ss").args(["-Htnm", "state", "established", &filter]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().map(queued_bytes).sum::<f64>() / 1_024.0)
}

/// Received, reserved and queued bytes of one line of `ss -m`.
fn queued_bytes(line: &str) -> f64 {
    let Some((_, told)) = line.split_once("skmem:(") else { return 0.0 };
    let told = told.split(')').next().unwrap_or_default();
    // r: received and unread, f: reserved, w: queued, sent or not. rb and tb are bounds, not use.
    let one = |word: &str| {
        let bytes = word.strip_prefix(['r', 'f', 'w'])?;
        bytes.parse::<f64>().ok()
    };
    told.split(',').filter_map(one).sum()
}

/// How many descriptors a process has open.
#[must_use]
pub fn descriptors(pid: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// How many descriptors this process may have open.
#[must_use]
pub fn descriptors_max() -> Option<u64> {
    let limits = read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\nVmRSS:\t 12 kB\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), Some(5));
        assert_eq!(field(text, "nonvoluntary_ctxt_switches:"), Some(7));
        assert_eq!(field(text, "VmRSS:"), Some(12));
        assert_eq!(field(text, "VmSwap:"), None);
    }

    #[test]
    fn what_a_socket_holds_is_summed() {
        let line = "0 0 1:1 2:2 skmem:(r100,rb131072,t0,tb2626560,f200,w300,o0,bl0,d0)";
        assert!((queued_bytes(line) - 600.0).abs() < 1e-9);
        assert!(queued_bytes("nothing of the kind").abs() < 1e-9);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_known() {
        let pid = std::process::id();
        assert!(resident_kb(pid).is_some_and(|kb| kb > 0));
        assert!(switches(pid).is_some());
        assert!(!threads(pid).is_empty());
        assert!(descriptors_max().is_some());
        assert!(descriptors(pid).is_some_and(|count| count > 2));
        assert!(core_idle_seconds(0).is_some());
        assert!(core_idle_seconds(100_000).is_none());
    }
}
