//! What one worker thread has of its own. Nothing in it is shared with another worker but the registry and the
//! counters, which are built for it.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_actors::RegistryHandle;
use lb_core::{
    attempts::{self, At, AttemptEnd, Attempts, Decision, Failure, Replay, Step, Verdict},
    config::UpstreamTimeouts,
    pool::{AnswerHead, AnswerKind, Backend, Destination, Lease, NoBackend, Pool},
};

use super::{
    ErrorAnswer, ErrorText, FailureLog, Phase, ProxyError,
    failure_log::{About, FailedAt},
};
use crate::telemetry::{Notes, Records, Traffic};

/// One worker.
pub struct Worker {
    /// Its number; counters are sharded by it.
    pub index: usize,
    /// Whom to ask for a backend.
    pub registry: RegistryHandle,
    /// What is counted of requests.
    pub traffic: Arc<Traffic>,
    /// Its requests.
    pub records: Rc<Records>,
    /// Its failure lines.
    pub failures: FailureLog,
}

/// What a request finds when it is its turn in a queue.
pub enum Turn {
    /// A backend, or none for it: the wait is over.
    Over(Result<Lease, NoBackend>),
    /// Its pool was removed, and this one has no free place: it waits there.
    Moved(Arc<Pool>),
}

/// An attempt that failed, or whose response is to be retried.
pub struct FailedAttempt<'e> {
    /// The right to it, which ends.
    pub lease: Lease,
    /// How it ended.
    pub end: AttemptEnd,
    /// Whether its request may be sent again.
    pub replay: Replay,
    /// How far it had come, for the log.
    pub phase: Phase,
    /// Why it failed, for the log.
    pub error: &'e ProxyError,
}

/// A request that failed, or whose attempt did, whatever lane carries it.
pub struct FailedRequest<'a> {
    /// What the log says of it.
    pub about: About<'a>,
    /// Its sender wants errors as JSON.
    pub json: bool,
    /// Where its facts are noted.
    pub notes: Notes,
}

/// A response that broke off on its way to the client.
pub struct BrokenResponse<'a> {
    /// The backend that it came from.
    pub from: &'a Backend,
    /// Of its attempt; none where the request is over at the backend.
    pub lease: Option<Lease>,
    /// How far it had come.
    pub failure: Failure,
    /// Why.
    pub error: &'a ProxyError,
}

/// Whether a line of the log has said why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// That of its last attempt has.
    Written,
    /// None has.
    Due,
}

/// What the head of an answer says of its backend. `timed`: the time is the backend's own, because the client had nothing to
/// send, and the process was not stopped meanwhile.
pub fn answer_head(status: u16, pool: &Pool, timed: bool) -> AnswerHead {
    AnswerHead {
        status,
        kind: AnswerKind::of(status, pool.config().ejection.as_ref()),
        timed,
    }
}

impl Worker {
    /// A worker without connections yet.
    pub fn new(index: usize, registry: RegistryHandle, traffic: Arc<Traffic>) -> Self {
        Self {
            records: traffic.records(index),
            index,
            registry,
            traffic,
            failures: FailureLog::new(Instant::now()),
        }
    }

    /// Whether a response with this status is kept, so that another backend can be asked.
    pub fn rejects(
        &self,
        attempts: &Attempts,
        status: u16,
        replay: Replay,
        destination: &Destination,
    ) -> bool {
        let retries = &destination.terms().retries;
        retries.statuses.contains(&status)
            && self.newest(destination.pool(), |pool| {
                let now = Instant::now();
                attempts.rejects(status, replay, At { pool, retries, now })
            })
    }

    /// What comes after a failed attempt, by the pool as it is now. Logs it and tells the registry.
    pub fn after(
        &self,
        request: &FailedRequest<'_>,
        attempts: &mut Attempts,
        failed: FailedAttempt<'_>,
        destination: &Destination,
    ) -> Step {
        let retries = &destination.terms().retries;
        let decision = self.newest(destination.pool(), |pool| {
            let now = Instant::now();
            let at = At { pool, retries, now };
            attempts.after(failed.end, failed.lease, failed.replay, at)
        });
        let Decision {
            step,
            backend,
            verdict,
            could_not_connect,
            failed_in_a_row,
        } = decision;
        if let Some(verdict) = verdict {
            let at = FailedAt::Backend(backend.url(), failed.phase);
            self.failures.write(&request.about, at, failed.error, verdict);
        }
        if verdict == Some(Verdict::Retried) {
            request.notes.retried(&failed.end);
        }
        if could_not_connect {
            self.registry.connect_failed(&backend);
        }
        self.tell(failed_in_a_row);
        step
    }

    /// The response to a request that failed: noted, counted, and logged unless the line of its last attempt has said why.
    pub fn refuse(&self, request: &FailedRequest<'_>, error: &ProxyError, line: Line) -> ErrorAnswer {
        request.notes.fault(error.fault(), || error.reason());
        if line == Line::Due {
            self.failures
                .write(&request.about, FailedAt::Balancer, error, Verdict::GaveUp);
        }
        let reason = error.reason();
        let text = ErrorText {
            status: error.status(),
            reason: &reason,
            id: request.about.id,
            retry_after: error.retry_after(),
        };
        let snapshot = self.registry.snapshot();
        let answer = ErrorAnswer::new(snapshot.config(), text, request.json);
        self.records.count_error(text.status, reason);
        answer
    }

    /// Looks for a backend when it is a request's turn in the queue of this pool; `None`: it goes on waiting. Where a reload
    /// has removed the pool, its backends get no more requests: the request goes where its route leads by now.
    pub fn in_turn(&self, attempts: &Attempts, pool: &Pool, destination: &Destination) -> Option<Turn> {
        let snapshot = self.registry.snapshot();
        let now = Instant::now();
        if let Some(newest) = snapshot.newest(pool) {
            return attempts.in_turn(newest, now).map(Turn::Over);
        }
        let Some(successor) = snapshot.successor(destination, attempts.by().random) else {
            return Some(Turn::Over(Err(NoBackend::NoneEligible)));
        };
        Some(match attempts.moved_to(successor, now) {
            Err(NoBackend::Saturated) => Turn::Moved(Arc::clone(successor)),
            picked => Turn::Over(picked),
        })
    }

    /// Ends the lease of an attempt after which nothing is to be decided.
    pub fn finish(&self, lease: Lease, end: &AttemptEnd) {
        self.tell(attempts::finish(lease, end, Instant::now));
    }

    /// Notes and logs that a response broke off, and ends the lease of its attempt, if there is one still.
    pub fn broke_off(&self, request: &FailedRequest<'_>, broken: BrokenResponse<'_>) {
        let BrokenResponse {
            from,
            lease,
            failure,
            error,
        } = broken;
        request.notes.fault(error.fault(), || error.reason());
        let at = FailedAt::Backend(from.url(), Phase::Answering);
        self.failures.write(&request.about, at, error, Verdict::GaveUp);
        if let Some(lease) = lease {
            self.finish(lease, &AttemptEnd::Failed(failure));
        }
    }

    /// A backend that failed once too often in a row is judged at once.
    fn tell(&self, failed_in_a_row: Option<u64>) {
        if let Some(backend) = failed_in_a_row {
            self.registry.failed_in_a_row(backend);
        }
    }

    /// A pool as it is now; as it was, where a reload has removed it.
    fn newest<T>(&self, pool: &Pool, with: impl FnOnce(&Pool) -> T) -> T {
        let snapshot = self.registry.snapshot();
        with(snapshot.newest(pool).map_or(pool, |newest| newest))
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
