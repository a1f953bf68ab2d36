//! A counter with one writer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts what one thread does, and lets all others read it. With one writer an addition is a load and a store; a locked
/// one would cost several times as much, and a request makes about ten of them. Should a second thread write after all,
/// counts get lost, and nothing else happens.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
