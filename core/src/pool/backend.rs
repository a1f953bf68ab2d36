//! One backend: its identity, its addresses and its counters. Snapshots come and go around it; what is counted here
//! stays for as long as anybody holds it, so that a removed backend still sees its last requests end.
//!
//! Requests count on a shard of their own worker, because a counter that all workers write costs each of them a
//! cache miss a request. A reader adds the shards up.
//!
//! What a backend holds now is the exception. A limit must hold over all workers, and choosing by load must not read a
//! shard a worker for each candidate, so one counter says it. It lies beside the reference count of the backend, which
//! every request writes at the same two moments: the cache line is there already.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Addresses, Queue,
    counter::Counter,
    evidence::{Streak, Tally},
    linger::Linger,
};
use crate::{
    config::BackendUrl,
    health::Traffic,
    status::ResponseCounts,
    strategy::{PeakEwma, hash_bytes},
};

/// A backend of one pool. In the order of C, so that `held` is next to the counts of its `Arc`.
#[repr(C)]
pub struct Backend {
    held: AtomicU64,
    /// Whether requests may wait in `queue` for what is held here.
    is_awaited: AtomicBool,
    /// Beside `held`, because choosing by load reads both.
    linger: Linger,
    id: u64,
    identity: u64,
    latency: PeakEwma,
    url: BackendUrl,
    authority: String,
    shards: Box<[Shard]>,
    addresses: Addresses,
    last_probe: Mutex<Option<ProbeRecord>>,
    streak: Streak,
    queue: RwLock<Option<Arc<Queue>>>,
}

/// Counters of one worker, alone on their cache lines (two, because processors fetch lines in pairs).
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    started: Counter,
    failed: Counter,
    /// By the class of their status codes.
    answers: [Counter; ResponseCounts::CLASSES],
    latency_micros: Counter,
    tally: Tally,
}

/// What a backend's counters add up to, as the status report shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackendCounts {
    /// Requests sent to it, retries included.
    pub requests: u64,
    /// Requests it holds now.
    pub in_flight: u64,
    /// Requests that failed at it: no connection, no whole answer, too slow.
    pub failures: u64,
    /// Time to the head of its answers, all together; divided by `answers` it is the mean.
    pub latency_micros_total: u64,
    /// Answers whose head arrived.
    pub answers: u64,
    /// The same by the class of their status codes, those that were retried included.
    #[serde(default)]
    pub responses: ResponseCounts,
}

/// The last probe of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRecord {
    /// Whether it passed.
    pub ok: bool,
    /// `200 OK`, `connection refused`, …
    pub detail: String,
    /// How long it took.
    pub took: Duration,
    /// When it ended.
    pub at: Instant,
}

impl Backend {
    /// A backend nobody has talked to yet. `id` is never given twice in a process; `workers` is how many shards its
    /// counters get.
    pub fn new(id: u64, url: BackendUrl, workers: usize) -> Self {
        Self {
            held: AtomicU64::new(0),
            is_awaited: AtomicBool::new(false),
            linger: Linger::default(),
            id,
            identity: hash_bytes(url.to_string().as_bytes()),
            latency: PeakEwma::default(),
            authority: url.authority(),
            url,
            shards: (0..workers.max(1)).map(|_| Shard::default()).collect(),
            addresses: Addresses::default(),
            last_probe: Mutex::new(None),
            streak: Streak::default(),
            queue: RwLock::default(),
        }
    }

    /// Its number, unique in the process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// A number that is the same for this URL in every process: what tables for hashing are built from.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Its smoothed latency, as far as a strategy asks for it.
    pub fn latency(&self) -> &PeakEwma {
        &self.latency
    }

    /// Requests and tunnels that it holds now.
    pub fn in_flight(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// What it holds, and what its failures count as: how busy it is for those who choose by load.
    #[inline]
    pub fn load(&self, now: Instant) -> u64 {
        self.in_flight() + self.linger.load(now)
    }

    /// Notes how long a good response takes in its pool, which is how long a failure counts as load.
    pub fn set_usual_time(&self, time: Duration) {
        self.linger.set_usual(time);
    }

    pub(super) fn linger(&self) -> &Linger {
        &self.linger
    }

    /// Its identity within the pool.
    pub fn url(&self) -> &BackendUrl {
        &self.url
    }

    /// `host:port`, as connection pools and Host headers have it.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The addresses of its name.
    #[inline]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The last probe, if there was one.
    pub fn last_probe(&self) -> Option<ProbeRecord> {
        self.last_probe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Notes a probe.
    pub fn set_last_probe(&self, probe: ProbeRecord) {
        *self.last_probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(probe);
    }

    /// The counters of all workers together. Read without stopping anybody, so the sums may be a request apart.
    pub fn counts(&self) -> BackendCounts {
        let sum = |field: fn(&Shard) -> &Counter| -> u64 {
            self.shards.iter().map(|shard| field(shard).get()).sum()
        };
        let mut responses = ResponseCounts::default();
        for shard in &self.shards {
            responses.add(shard.answers.each_ref().map(Counter::get));
        }
        BackendCounts {
            requests: sum(|shard| &shard.started),
            in_flight: self.in_flight(),
            failures: sum(|shard| &shard.failed),
            latency_micros_total: sum(|shard| &shard.latency_micros),
            answers: responses.total(),
            responses,
        }
    }

    /// What its requests add up to for those who judge it. Of all workers together, as [`counts`](Self::counts).
    pub fn traffic(&self) -> Traffic {
        let mut all = Traffic::default();
        self.shards.iter().for_each(|shard| shard.tally.add_to(&mut all));
        all
    }

    /// How many requests in a row have failed at it now.
    pub fn failures_in_a_row(&self) -> u32 {
        self.streak.count()
    }

    /// How often it has been judged anew.
    pub(crate) fn era(&self) -> u32 {
        self.streak.era()
    }

    /// After how many failures in a row a lease says so; 0: never.
    pub fn set_failures_limit(&self, limit: u32) {
        self.streak.set_limit(limit);
    }

    /// The limit, if failures in a row have reached it since this was last asked.
    pub fn take_reached(&self) -> Option<u32> {
        self.streak.take_reached()
    }

    /// Begins anew to judge it: neither failures until now count in a row with later ones, nor those of requests that it
    /// holds.
    pub fn forget_failures(&self) {
        self.streak.forget();
    }

    pub(super) fn streak(&self) -> &Streak {
        &self.streak
    }

    pub(super) fn tally(&self, worker: usize) -> &Tally {
        &self.shard(worker).tally
    }

    /// Counts a request in; `false` if the backend holds `most` already.
    pub(super) fn start(&self, worker: usize, most: Option<u32>) -> bool {
        let taken = match most {
            None => {
                self.held.fetch_add(1, Relaxed);
                true
            }
            Some(most) => {
                let one_more = |held| (held < u64::from(most)).then_some(held + 1);
                self.held.fetch_update(SeqCst, SeqCst, one_more).is_ok()
            }
        };
        if taken {
            self.shard(worker).started.add(1);
        }
        taken
    }

    /// Counts a request out, and calls who waits for its place.
    pub(super) fn finished(&self, worker: usize, failed: bool) {
        // Before it is asked whether anybody waits; who comes to wait looks for a place after saying so.
        self.held.fetch_sub(1, SeqCst);
        if failed {
            self.shard(worker).failed.add(1);
        }
        if self.is_awaited.load(SeqCst) {
            let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(queue) = &*queue {
                queue.call();
            }
        }
    }

    /// Who waits for a place here once there is a limit. Requests that were sent before call them as well.
    pub(super) fn set_queue(&self, queue: &Arc<Queue>) {
        let is_same = |known: &Arc<Queue>| Arc::ptr_eq(known, queue);
        let known = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(is_same) {
            return;
        }
        drop(known);
        *self.queue.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(queue));
        self.is_awaited.store(true, SeqCst);
    }

    pub(super) fn answered(&self, worker: usize, status: u16, latency: Duration) {
        let shard = self.shard(worker);
        shard.answers[ResponseCounts::class_of(status)].add(1);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        shard.latency_micros.add(micros);
    }

    fn shard(&self, worker: usize) -> &Shard {
        let own = self.shards.get(worker);
        own.unwrap_or_else(|| &self.shards[worker % self.shards.len()])
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backend({} {})", self.id, self.url)
    }
}
