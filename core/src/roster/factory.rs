//! New backends, with numbers that are never given twice.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{config::BackendUrl, pool::Backend};

/// Makes backends. It outlives the [`Roster`](super::Roster), which may be rebuilt from a snapshot: leases, checkers and
/// judges know backends by their numbers.
#[derive(Debug)]
pub struct BackendFactory {
    next: AtomicU64,
    shards: usize,
}

impl BackendFactory {
    /// `shards`: how many threads count requests at a backend, each on a shard of its own.
    pub fn new(shards: usize) -> Self {
        Self {
            next: AtomicU64::new(1),
            shards,
        }
    }

    /// A backend that has met no request yet. Where its host is an address, that is known at once.
    pub(super) fn create(&self, url: &BackendUrl) -> Arc<Backend> {
        let id = self.next.fetch_add(1, Relaxed);
        let backend = Backend::new(id, url.clone(), self.shards);
        if let Some(address) = url.literal_address() {
            backend.addresses().set(&[address]);
        }
        Arc::new(backend)
    }
}
