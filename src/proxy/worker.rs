//! What one worker thread has of its own. Nothing in it is shared with another worker but the registry and the
//! counters, which are built for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lb_actors::RegistryHandle;
use lb_core::{
    config::UpstreamTimeouts,
    pool::{AnswerHead, AnswerKind, Ask, Lease, NoBackend, Outcome, Pool, Terms, Tried},
    sticky::StickyId,
};

use super::FailureLog;
use crate::telemetry::Traffic;

/// What a request brings to the choice of its backend.
#[derive(Debug, Clone, Copy)]
pub struct PickBy {
    /// When it asks.
    pub now: Instant,
    /// Its random number, the same for all its attempts.
    pub random: u64,
    /// The number that tells it apart, under a strategy that wants one.
    pub key: Option<u64>,
    /// The backend that its client was told to come back to.
    pub sticky: Option<StickyId>,
}

/// One worker.
pub struct Worker {
    /// Its number; counters are sharded by it.
    pub index: usize,
    /// Whom to ask for a backend.
    pub registry: RegistryHandle,
    /// What is counted of requests.
    pub traffic: Arc<Traffic>,
    /// Its failure lines.
    pub failures: FailureLog,
}

/// What the head of an answer says of its backend. `bodiless`: the client had nothing to send, so that the time is the
/// backend's own.
pub fn answer_head(status: u16, pool: &Pool, bodiless: bool) -> AnswerHead {
    AnswerHead {
        kind: AnswerKind::of(status, pool.config().ejection.as_ref()),
        timed: bodiless,
    }
}

impl Worker {
    /// A worker without connections yet.
    pub fn new(index: usize, registry: RegistryHandle, traffic: Arc<Traffic>) -> Self {
        Self {
            index,
            registry,
            traffic,
            failures: FailureLog::new(Instant::now()),
        }
    }

    /// Asks for a backend of a pool. For its first attempt a request takes the pool that its route led to a moment ago, later
    /// the newest: what has gone down meanwhile must not be tried.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick(&self, pool: &Pool, tried: &Tried, by: PickBy) -> Result<Lease, NoBackend> {
        let ask = self.ask(tried, by);
        if tried.is_empty() {
            pool.pick(&ask)
        } else {
            self.registry.pick_from(pool, &ask)
        }
    }

    /// The same for a request whose turn it is in the queue of the pool, from the newest snapshot, for whichever attempt.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick_in_turn(&self, pool: &Pool, tried: &Tried, by: PickBy) -> Result<Lease, NoBackend> {
        let snapshot = self.registry.snapshot();
        let newest = snapshot.newest(pool).map_or(pool, |newest| newest);
        newest.pick_in_turn(&self.ask(tried, by))
    }

    fn ask<'a>(&self, tried: &'a Tried, by: PickBy) -> Ask<'a> {
        Ask {
            worker: self.index,
            now: by.now,
            random: by.random,
            key: by.key,
            sticky: by.sticky,
            tried,
        }
    }

    /// Ends a request at its backend. If that was one failure too many in a row, the registry hears of it.
    pub fn finish(&self, lease: Lease, outcome: Outcome) {
        // The clock is asked where the time counts.
        let now = match outcome {
            Outcome::BackendFailed => Instant::now(),
            _ => lease.started(),
        };
        if let Some(backend) = lease.finish(outcome, now) {
            self.registry.failed_in_a_row(backend);
        }
    }

    /// Whether the retry budget of a pool allows to send a request again.
    pub fn withdraw_retry(&self, pool: &Pool, terms: &Terms) -> bool {
        let budget = pool.retry_budget();
        budget.withdraw(&terms.retries, pool.requests(), Instant::now())
    }

    /// Whether there is a backend in a pool that the request has not tried yet.
    pub fn has_untried(&self, pool: &Pool, tried: &Tried) -> bool {
        let snapshot = self.registry.snapshot();
        let newest = snapshot.newest(pool).map_or(pool, |newest| newest);
        newest.has_untried(tried)
    }

    /// How long a client may be silent, or not read, in the middle of a message that belongs to no route.
    pub fn stall(&self) -> Duration {
        let snapshot = self.registry.snapshot();
        let default = UpstreamTimeouts::default();
        snapshot
            .default_pool()
            .map_or(default.body_stall, |pool| pool.config().timeouts.body_stall)
    }
}
