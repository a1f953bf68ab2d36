//! What one worker thread has of its own. Nothing in it is shared with another worker but the registry and the
//! counters, which are built for it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lb_actors::RegistryHandle;
use lb_core::{
    config::{PoolConfig, UpstreamTimeouts},
    pool::{Ask, Lease, NoBackend, Tried},
};

use super::FailureLog;
use crate::{telemetry::Traffic, upstream::UpstreamClients};

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

impl Worker {
    /// A worker without connections yet.
    pub fn new(index: usize, registry: RegistryHandle, traffic: Arc<Traffic>) -> Self {
        Self {
            index,
            registry,
            traffic,
            upstream: UpstreamClients::default(),
            failures: FailureLog::new(Instant::now()),
        }
    }

    /// Asks the registry for a backend.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none.
    pub fn pick(&self, now: Instant, tried: &Tried) -> Result<Lease, NoBackend> {
        self.registry.pick(&Ask {
            worker: self.index,
            now,
            random: fastrand::u64(..),
            key: None,
            tried,
        })
    }

    /// Whether the retry budget allows to send a request again.
    pub fn withdraw_retry(&self, settings: &PoolConfig) -> bool {
        let snapshot = self.registry.snapshot();
        let Some(pool) = snapshot.default_pool() else {
            return false;
        };
        pool.retry_budget()
            .withdraw(&settings.retries, pool.requests(), Instant::now())
    }

    /// Whether there is a backend that the request has not tried yet.
    pub fn has_untried(&self, tried: &Tried) -> bool {
        self.registry
            .snapshot()
            .default_pool()
            .is_some_and(|pool| pool.has_untried(tried))
    }

    /// How long a client may be silent, or not read, in the middle of a message.
    pub fn stall(&self) -> Duration {
        let snapshot = self.registry.snapshot();
        let default = UpstreamTimeouts::default();
        snapshot
            .default_pool()
            .map_or(default.body_stall, |pool| pool.config().timeouts.body_stall)
    }

    /// How long a tunnel may be silent.
    pub fn tunnel_idle(&self) -> Duration {
        let snapshot = self.registry.snapshot();
        let default = UpstreamTimeouts::default();
        snapshot
            .default_pool()
            .map_or(default.tunnel_idle, |pool| pool.config().timeouts.tunnel_idle)
    }
}
