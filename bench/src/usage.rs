//! What a tree of processes has used, from /proc: CPU to the nanosecond, memory with shared pages counted once.

use std::{collections::HashMap, fs, time::Duration};

/// The process and all its descendants.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        if let Some(parent) = stat.as_deref().and_then(parent_in) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = vec![root];
    let mut seen = 0;
    while let Some(&pid) = all.get(seen) {
        all.extend(children.remove(&pid).unwrap_or_default());
        seen += 1;
    }
    all
}

/// CPU time, user and system, of all threads. A thread that has ended is not counted, which balancers' never do while
/// they are measured.
pub(crate) fn cpu(processes: &[u32]) -> Duration {
    let threads = processes.iter().flat_map(|pid| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        tasks.flatten().map(|task| task.path().join("schedstat"))
    });
    threads
        .filter_map(|path| cpu_in(&fs::read_to_string(path).ok()?))
        .sum()
}

/// CPU time of this thread.
pub(crate) fn own_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    cpu_in(&text).unwrap_or_default()
}

/// Memory in KiB: the proportional set size, or the resident size where the kernel does not tell it.
pub(crate) fn memory(processes: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        let status = || fs::read_to_string(format!("/proc/{pid}/status")).ok();
        rollup
            .and_then(|text| kib_in(&text, "Pss:"))
            .or_else(|| kib_in(&status()?, "VmRSS:"))
    };
    processes.iter().filter_map(of).sum()
}

/// `/proc/PID/stat`: the name stands in brackets and may contain anything, brackets among it.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// `schedstat`: nanoseconds on a CPU, nanoseconds waiting for one, time slices.
fn cpu_in(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn kib_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(parent_in("12 (a) b (c) S 7 12 12 0 -1"), Some(7));
        assert_eq!(cpu_in("2317698 11 1\n"), Some(Duration::from_nanos(2_317_698)));
        assert_eq!(kib_in("Rss:  20 kB\nPss:          17 kB\n", "Pss:"), Some(17));
        assert_eq!(kib_in("Rss:  20 kB\n", "Pss:"), None);
    }

    #[test]
    fn this_process_uses_memory_and_time() {
        let own = tree(std::process::id());
        assert_eq!(own.first(), Some(&std::process::id()));
        assert!(memory(&own) > 0);
        while own_cpu().is_zero() {}
        assert!(cpu(&own) > Duration::ZERO);
    }
}
