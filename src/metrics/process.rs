//! Figures of the process, under the names that all exporters give them. What the system does not tell is left out.

use std::{fs, time::SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// What the system says of this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Process {
    /// Of all threads, user and system.
    pub(super) cpu_seconds: f64,
    /// When it began to serve, in seconds since the epoch.
    pub(super) started: f64,
    /// Memory that it holds, in bytes.
    pub(super) resident: Option<u64>,
    /// Memory that it may use, in bytes.
    pub(super) virtual_memory: Option<u64>,
    /// Open file descriptors.
    pub(super) open_files: Option<u64>,
    /// How many it may open.
    pub(super) open_files_limit: u64,
}

/// Seconds since the epoch, for the time of the start.
pub(super) fn time_of_day() -> f64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.map_or(0.0, |since| since.as_secs_f64())
}

impl Process {
    pub(super) fn now(started: f64, open_files_limit: u64) -> Self {
        let memory = memory();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            started,
            resident: memory.map(|(resident, _)| resident),
            virtual_memory: memory.map(|(_, all)| all),
            // The folder itself is open while it is read.
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|files| (files.count() as u64).saturating_sub(1)),
            open_files_limit,
        }
    }
}

/// Resident and virtual memory, in bytes: the second and the first number of proc_pid_statm(5).
fn memory() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split(' ').map_while(|number| number.parse::<u64>().ok());
    let (all, resident) = (pages.next()?, pages.next()?);
    let page = rustix::param::page_size() as u64;
    Some((resident * page, all * page))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_this_process_uses() {
        let before = Process::now(1.0, 1024);
        let held: Vec<_> = (0..5).filter_map(|_| fs::File::open("/dev/null").ok()).collect();
        let now = Process::now(1.0, 1024);
        assert!(now.cpu_seconds > 0.0);
        assert!(now.resident.unwrap_or_default() > 1024 * 1024);
        assert!(now.virtual_memory >= now.resident);
        assert!(now.open_files.unwrap_or_default() >= held.len() as u64);
        assert!(before.open_files.is_some());
    }
}
