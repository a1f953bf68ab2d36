//! What one worker thread has of its own. Nothing in it is shared with another worker but the registry and the
//! counters, which are built for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lb_actors::RegistryHandle;
use lb_core::{
    config::{PoolConfig, UpstreamTimeouts},
    pool::{AnswerHead, AnswerKind, Ask, Lease, NoBackend, Outcome, Tried},
};

use super::FailureLog;
use crate::{telemetry::Traffic, upstream::UpstreamClients};

/// What a request brings to the choice of its backends.
#[derive(Debug, Clone, Copy)]
pub struct PickBy {
    /// Its random number.
    pub random: u64,
    /// The number that tells it apart, under a strategy that wants one.
    pub key: Option<u64>,
}

/// One worker.
pub struct Worker {
    /// Its number; counters are sharded by it.
    pub index: usize,
    /// Whom to ask for a backend.
    pub registry: RegistryHandle,
    /// What is counted of requests.
    pub traffic: Arc<Traffic>,
    /// Its connections to backends.
    pub upstream: UpstreamClients,
    /// Its failure lines.
    pub failures: FailureLog,
}

/// What the head of an answer says of its backend. `bodiless`: the client had nothing to send, so that the time is the
/// backend's own.
pub fn answer_head(status: u16, settings: &PoolConfig, bodiless: bool) -> AnswerHead {
    AnswerHead {
        kind: AnswerKind::of(status, settings.ejection.as_ref()),
        timed: bodiless,
    }
}

impl Worker {
    /// A worker without connections yet.
    pub fn new(index: usize, registry: RegistryHandle, traffic: Arc<Traffic>) -> Self {
        let upstream = UpstreamClients::new(registry.clone());
        Self {
            index,
            registry,
            traffic,
            upstream,
            failures: FailureLog::new(Instant::now()),
        }
    }

    /// Asks the registry for a backend.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick(&self, now: Instant, tried: &Tried, by: PickBy) -> Result<Lease, NoBackend> {
        self.registry.pick(&Ask {
            worker: self.index,
            now,
            random: by.random,
            key: by.key,
            tried,
        })
    }

    /// Ends a request at its backend. If that was one failure too many in a row, the registry hears of it.
    pub fn finish(&self, lease: Lease, outcome: Outcome) {
        if let Some(backend) = lease.finish(outcome, Instant::now()) {
            self.registry.failed_in_a_row(backend);
        }
    }

    /// Whether the retry budget allows to send a request again.
    pub fn withdraw_retry(&self, settings: &PoolConfig) -> bool {
        let snapshot = self.registry.snapshot();
        let Some(pool) = snapshot.route() else {
            return false;
        };
        pool.retry_budget()
            .withdraw(&settings.retries, pool.requests(), Instant::now())
    }

    /// Whether there is a backend that the request has not tried yet.
    pub fn has_untried(&self, tried: &Tried) -> bool {
        self.registry
            .snapshot()
            .route()
            .is_some_and(|pool| pool.has_untried(tried))
    }

    /// How long a client may be silent, or not read, in the middle of a message.
    pub fn stall(&self) -> Duration {
        let snapshot = self.registry.snapshot();
        let default = UpstreamTimeouts::default();
        snapshot
            .route()
            .map_or(default.body_stall, |pool| pool.config().timeouts.body_stall)
    }

    /// How long a tunnel may be silent.
    pub fn tunnel_idle(&self) -> Duration {
        let snapshot = self.registry.snapshot();
        let default = UpstreamTimeouts::default();
        snapshot
            .route()
            .map_or(default.tunnel_idle, |pool| pool.config().timeouts.tunnel_idle)
    }
}
