//! How many requests the whole process has taken and finished, and whether it is draining.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// Counters of one worker, alone on their cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    started: AtomicU64,
    finished: AtomicU64,
}

/// Requests in flight, over all workers.
#[derive(Debug)]
pub struct Traffic {
    shards: Box<[Shard]>,
    draining: AtomicBool,
}

impl Traffic {
    /// Counters for that many workers.
    pub fn new(workers: usize) -> Arc<Self> {
        let shards = (0..workers.max(1)).map(|_| Shard::default()).collect();
        Arc::new(Self {
            shards,
            draining: AtomicBool::new(false),
        })
    }

    /// Counts a request until the returned guard is dropped.
    pub fn enter(self: &Arc<Self>, worker: usize) -> InFlight {
        self.shard(worker).started.fetch_add(1, Relaxed);
        InFlight {
            traffic: Arc::clone(self),
            worker,
        }
    }

    /// Requests taken since the start.
    pub fn started(&self) -> u64 {
        self.shards.iter().map(|shard| shard.started.load(Relaxed)).sum()
    }

    /// Requests finished since the start.
    pub fn finished(&self) -> u64 {
        self.shards.iter().map(|shard| shard.finished.load(Relaxed)).sum()
    }

    /// Requests that are being answered now.
    pub fn in_flight(&self) -> u64 {
        // Finished first: a request that ends in between must not make more ends than starts.
        let finished = self.finished();
        self.started().saturating_sub(finished)
    }

    /// From now on every answer is the last one of its connection.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether a stop has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    fn shard(&self, worker: usize) -> &Shard {
        &self.shards[worker % self.shards.len()]
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight {
    traffic: Arc<Traffic>,
    worker: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.traffic.shard(self.worker).finished.fetch_add(1, Relaxed);
    }
}
