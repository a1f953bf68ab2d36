//! The right to send one request to one backend. While a lease lives, the request counts as in flight there.

use std::{sync::Arc, time::Instant};

use super::Backend;

/// How a request ended, as far as its backend is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer came, whatever its status.
    Answered,
    /// The backend's fault: no connection, no whole answer, too slow.
    BackendFailed,
    /// Not the backend's fault: the client left or sent a broken body.
    Abandoned,
}

/// One request at one backend. Dropping it without [`Lease::finish`] counts as [`Outcome::Abandoned`].
#[derive(Debug)]
pub struct Lease {
    backend: Arc<Backend>,
    worker: usize,
    started: Instant,
    failed: bool,
}

impl Lease {
    pub(super) fn new(backend: Arc<Backend>, worker: usize, now: Instant) -> Self {
        backend.started(worker);
        Self {
            backend,
            worker,
            started: now,
            failed: false,
        }
    }

    /// Where to send the request.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// Notes that the answer's head has come.
    pub fn answered(&self, now: Instant) {
        self.backend
            .answered(self.worker, now.saturating_duration_since(self.started));
    }

    /// Ends the lease.
    pub fn finish(mut self, outcome: Outcome) {
        self.failed = outcome == Outcome::BackendFailed;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend.finished(self.worker, self.failed);
    }
}
