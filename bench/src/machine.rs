//! Cores and file descriptors: who runs where, and how many connections there can be.

use std::fs;

use anyhow::{Context, Result};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// The cores that this program may use, and who gets which when they are shared out.
pub(crate) struct Cores {
    all: CpuSet,
    balancer: Option<usize>,
    load: Option<usize>,
}

impl Cores {
    /// Two cores, on different cores of the processor if it has siblings.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(crate) fn find() -> Result<Self> {
        let all = sched_getaffinity(None).context("cannot tell which cores there are")?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
        let balancer = cores[0];
        let siblings = siblings_of(balancer);
        let others = || cores.iter().copied().filter(|core| *core != balancer);
        let load = others()
            .find(|core| !siblings.contains(core))
            .or_else(|| others().next());
        Ok(Self {
            all,
            balancer: load.is_some().then_some(balancer),
            load,
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.all.count()
    }

    /// Whether balancer and load have a core each.
    pub(crate) fn can_pin(&self) -> bool {
        self.load.is_some()
    }

    /// Keeps the calling thread, and what it starts, on the balancer's core.
    pub(crate) fn to_balancer(&self, pinned: bool) -> Result<()> {
        self.keep(self.balancer.filter(|_| pinned))
    }

    /// Keeps the calling thread on the load's core.
    pub(crate) fn to_load(&self, pinned: bool) -> Result<()> {
        self.keep(self.load.filter(|_| pinned))
    }

    fn keep(&self, core: Option<usize>) -> Result<()> {
        let mut one = CpuSet::new();
        let set = core.map_or(&self.all, |core| {
            one.set(core);
            &one
        });
        sched_setaffinity(None, set).context("cannot choose a core")
    }
}

/// The hardware threads that share a core with that one, itself among them.
fn siblings_of(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    list_in(&fs::read_to_string(path).unwrap_or_default())
}

/// `0-1,4`
fn list_in(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

/// Raises the limit of open files, for this program and those it starts, to what is allowed; returns it.
pub(crate) fn raise_open_files() -> u64 {
    /// As much as the largest case can use.
    const ENOUGH: u64 = 100_000;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Root may go beyond the hard limit, others not.
    for (wanted, hard) in [
        (ENOUGH, maximum.map(|hard| hard.max(ENOUGH))),
        (maximum.unwrap_or(ENOUGH), maximum),
    ] {
        let raised = Rlimit {
            current: Some(wanted.min(ENOUGH)),
            maximum: hard,
        };
        if current.is_some_and(|current| current < ENOUGH) && setrlimit(Resource::Nofile, raised).is_ok() {
            break;
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lists_of_cores_are_read() {
        assert_eq!(list_in("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(list_in("3"), [3]);
        assert!(list_in("").is_empty());
    }

    #[test]
    fn balancer_and_load_never_share_a_core() {
        let cores = Cores::find().unwrap();
        assert!(cores.count() >= 1);
        assert_eq!(cores.can_pin(), cores.count() > 1);
        assert!(cores.load.is_none() || cores.load != cores.balancer);
    }
}
