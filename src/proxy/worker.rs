//! What one worker thread has of its own. Nothing in it is shared with another worker but the registry and the
//! counters, which are built for it.

use std::{sync::Arc, time::Instant};

use lb_actors::RegistryHandle;

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
        let upstream = UpstreamClients::new(registry.clone());
        Self {
            index,
            registry,
            traffic,
            upstream,
            failures: FailureLog::new(Instant::now()),
        }
    }
}
