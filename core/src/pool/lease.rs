//! The right to send one request to one backend. While a lease lives, the request counts as in flight there.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

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
    meter: Meter,
    answered: Cell<bool>,
    failed: bool,
}

/// What the pool's strategy wants to know of a request, beside that the backend holds it.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    /// How long latencies are remembered, if they count.
    pub(super) decay: Option<Duration>,
    /// What the whole pool holds, if that counts. It is counted from the moment on at which a strategy wants to know
    /// it; what was in flight then is missing until it ends, which makes a bound a little narrower.
    pub(super) held: Option<Arc<AtomicU64>>,
}

impl Lease {
    /// Takes one of the backend's places; `None` when it has no place left.
    pub(super) fn take(
        backend: &Arc<Backend>,
        most: Option<u32>,
        (worker, now): (usize, Instant),
        meter: &Meter,
    ) -> Option<Self> {
        if !backend.start(worker, most) {
            return None;
        }
        if let Some(held) = &meter.held {
            held.fetch_add(1, Relaxed);
        }
        Some(Self {
            backend: Arc::clone(backend),
            worker,
            started: now,
            meter: meter.clone(),
            answered: Cell::new(false),
            failed: false,
        })
    }

    /// Where to send the request.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// Notes that the answer's head has come.
    pub fn answered(&self, now: Instant) {
        let latency = now.saturating_duration_since(self.started);
        self.answered.set(true);
        self.backend.answered(self.worker, latency);
        if let Some(decay) = self.meter.decay {
            self.backend.latency().observe(latency, now, decay);
        }
    }

    /// Ends the lease. `now` counts where no answer came: the time until then is a latency, too.
    pub fn finish(mut self, outcome: Outcome, now: Instant) {
        self.failed = outcome == Outcome::BackendFailed;
        if self.meter.decay.is_some() {
            let (latency, took) = (
                self.backend.latency(),
                now.saturating_duration_since(self.started),
            );
            match outcome {
                Outcome::BackendFailed => latency.observe_failure(took, now),
                Outcome::Abandoned if !self.answered.get() => latency.observe_at_least(took, now),
                Outcome::Abandoned | Outcome::Answered => {}
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend.finished(self.worker, self.failed);
        if let Some(held) = &self.meter.held {
            held.fetch_sub(1, Relaxed);
        }
    }
}
