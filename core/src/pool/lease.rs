//! The right to send one request to one backend. While a lease lives, the request counts as in flight there, and how
//! it ends is what the backend is judged by.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    Backend,
    evidence::{AnswerHead, AnswerKind},
};

/// How a request ended, as far as its backend is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer came, whatever its status.
    Answered,
    /// An answer came, and because of its status the request goes to another backend.
    Rejected,
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
    outcome: Outcome,
    head: Cell<Option<AnswerHead>>,
    /// Failures in a row that the answer's head has ended; they count again if the answer breaks off.
    ended: Cell<u32>,
    reached: Cell<bool>,
    judged: bool,
    /// That of the backend's failures when the request was sent.
    era: u32,
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
    /// For a request that the backend has counted in.
    pub(super) fn new(backend: Arc<Backend>, worker: usize, now: Instant, meter: &Meter) -> Self {
        if let Some(held) = &meter.held {
            held.fetch_add(1, Relaxed);
        }
        Self {
            era: backend.streak().era(),
            backend,
            worker,
            started: now,
            meter: meter.clone(),
            outcome: Outcome::Abandoned,
            head: Cell::new(None),
            ended: Cell::new(0),
            reached: Cell::new(false),
            judged: false,
        }
    }

    /// Where to send the request.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// When the backend was picked.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Notes that the answer's head has come.
    pub fn answered(&self, now: Instant, head: AnswerHead) {
        let latency = now.saturating_duration_since(self.started);
        self.backend.answered(self.worker, head.status, latency);
        self.head.set(Some(head));
        if let Some(decay) = self.meter.decay {
            let smoothed = self.backend.latency();
            match head.kind {
                AnswerKind::Good if head.timed => smoothed.observe(latency, now, decay),
                // How fast a client sends its body says nothing of the backend, but that it works.
                AnswerKind::Good => smoothed.observe_at_least(Duration::ZERO, now),
                // An error is no measure of how fast good answers come.
                AnswerKind::Error => smoothed.observe_at_least(latency, now),
                AnswerKind::Failing => smoothed.observe_failure(latency, now),
            }
        }
        match head.kind {
            AnswerKind::Good => {
                self.ended.set(self.backend.streak().end());
                if head.timed {
                    self.backend.tally(self.worker).time(latency);
                }
            }
            // A status says nothing of one backend alone. It counts where backends are compared.
            AnswerKind::Error | AnswerKind::Failing => {}
        }
    }

    /// Ends the lease. `now` counts where the backend failed: the time until then is a latency, too. Returns the backend's
    /// number if its failures in a row have reached their limit with this request: then somebody should hear of it.
    #[inline]
    pub fn finish(mut self, outcome: Outcome, now: Instant) -> Option<u64> {
        self.outcome = outcome;
        let started = self.started;
        let took = || now.saturating_duration_since(started);
        let kind = self.head.get().map(|head| head.kind);
        // What a client broke off says nothing: it may have been its own upload that took so long.
        if self.meter.decay.is_some() && outcome == Outcome::BackendFailed {
            self.backend.latency().observe_failure(took(), now);
        }
        if outcome == Outcome::BackendFailed || matches!(kind, Some(AnswerKind::Failing | AnswerKind::Error))
        {
            self.backend.linger().add(took(), now);
        }
        self.judge();
        self.reached.get().then(|| self.backend.id())
    }

    fn fail(&self, failures: u32) {
        // It has come back since, and what it was like before is known.
        if self.era != self.backend.streak().era() {
            return;
        }
        if self.backend.streak().extend(failures) {
            self.reached.set(true);
        }
    }

    /// Counts for or against the backend, once.
    fn judge(&mut self) {
        if std::mem::replace(&mut self.judged, true) {
            return;
        }
        let failed = self.outcome == Outcome::BackendFailed;
        if failed {
            self.fail(self.ended.get().saturating_add(1));
        }
        let tally = self.backend.tally(self.worker);
        match self.head.get().map(|head| head.kind) {
            _ if failed => tally.count_failure(),
            Some(AnswerKind::Failing) => tally.count_failure(),
            Some(AnswerKind::Good) => tally.count_good(),
            Some(AnswerKind::Error) | None => {}
        }
        let failed = failed || self.outcome == Outcome::Rejected;
        self.backend.finished(self.worker, failed);
        if let Some(held) = &self.meter.held {
            held.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.judge();
    }
}
