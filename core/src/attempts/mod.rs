//! What comes after an attempt of a request has ended: another backend, the same one over a new connection, the queue, the
//! response that was kept, or the end. Decided here for both lanes and for the simulation, which carry out [`Step`]s.
//!
//! The rules:
//! - A request has one attempt, and at most `retries.attempts` more, each at a backend that it has not met.
//! - It goes elsewhere only where sending it again does no harm ([`Replay`]), and after something of it was sent only within
//!   the [`RetryBudget`], so that a failing pool is not buried under its own retries.
//! - A kept connection that its backend closed just as the request was sent is nobody's fault: the same backend gets the
//!   request once more over a new connection. That is no retry.
//! - The lease of an attempt ends before the request waits in the queue, or two requests could deadlock on each other's
//!   place.
//! - A response whose status is to be retried is kept until there is another backend, and passed on if there is none: it is
//!   better than an error of the balancer's own.
//!
//! Models: tower's `retry::Policy`, linkerd's `http/retry`, finagle's `RetryBudget`.

mod budget;
mod ending;
mod limits;
mod replay;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

pub use budget::RetryBudget;
pub use ending::{AttemptEnd, Cause, Connection, Failure, Fault, Progress, Upload};
pub use limits::{Deadline, TimeLimit, Timeout, Wait, WaitEnd};
pub use replay::Replay;

use crate::{
    config::Retries,
    pool::{Ask, Backend, Lease, NoBackend, Outcome, Pool, Ticket, Tried},
    sticky::StickyId,
};

/// What a request brings to the choice of its backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct PickBy {
    /// The worker that serves it.
    pub worker: usize,
    /// Its random number, the same for all its attempts.
    pub random: u64,
    /// The number that tells it apart, under a strategy that wants one.
    pub key: Option<u64>,
    /// The backend that its client was told to come back to.
    pub sticky: Option<StickyId>,
}

/// Where and when a decision is made.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The request's pool, as it is now.
    pub pool: &'a Pool,
    /// How often requests of this route are retried.
    pub retries: &'a Retries,
    /// The time.
    pub now: Instant,
}

/// What is to be done next with a request.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Send it to this backend.
    Send(Lease),
    /// Send it once more to the same backend, over a new connection.
    Reconnect(Lease),
    /// Wait in the queue of the pool, by [`Attempts::join`], and then ask [`Attempts::waited`]. Nothing is held meanwhile.
    Wait,
    /// Pass on the response that was kept. Where the request has waited, it is over at its backend, and there is no lease.
    PassOn(Option<Lease>),
    /// Tell the client that it failed.
    GiveUp(GaveUp),
    /// Nothing: the request is over.
    Done,
}

/// Why a request is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// Because of the failure of its last attempt.
    Failure,
    /// There is no backend for it.
    NoBackend(NoBackend),
}

/// What the failure line of an attempt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another attempt follows, at once or after a wait.
    Retried,
    /// The client gets an error, or a broken response.
    GaveUp,
}

/// What comes after an attempt, as data.
#[derive(Debug)]
#[must_use]
pub struct Decision {
    /// What is to be done next.
    pub step: Step,
    /// The backend of the attempt.
    pub backend: Arc<Backend>,
    /// What is logged of the attempt; `None`: nothing.
    pub verdict: Option<Verdict>,
    /// No connection could be made: the registry resolves the backend's name again.
    pub could_not_connect: bool,
    /// The number of the backend, if its failures in a row have reached their limit: the registry judges it at once.
    pub failed_in_a_row: Option<u64>,
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Attempts {
    by: PickBy,
    tried: Tried,
    retries: u32,
    /// When the whole request must be done.
    deadline: Option<Deadline>,
    /// When it began, by the clock of its leases.
    begun: Option<Instant>,
    reuse: Reuse,
    last: Last,
}

/// Which connections the current attempt may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// A kept one, if there is one.
    Allowed,
    /// A new one only.
    Forbidden,
}

/// What the request has got of its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// There was none.
    Nothing,
    Failure,
    /// A response, which is kept.
    Response,
}

/// A place in the queue of a pool.
#[derive(Debug)]
pub struct Waiting {
    /// The place.
    pub ticket: Ticket,
    /// How long it lasts: as `queue.timeout` says, and no longer than the request may take.
    pub until: Instant,
}

impl Attempts {
    /// Of a request that has not been sent yet, and must be done by the deadline.
    pub fn new(by: PickBy, deadline: Option<Deadline>) -> Self {
        Self {
            by,
            tried: Tried::default(),
            retries: 0,
            deadline,
            begun: None,
            reuse: Reuse::Allowed,
            last: Last::Nothing,
        }
    }

    /// Attempts that have begun, without those over a second connection.
    pub fn count(&self) -> u32 {
        u32::try_from(self.tried.len()).unwrap_or(u32::MAX)
    }

    /// Which connections the current attempt may use.
    pub fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// What the request brings to the choice of its backend.
    pub fn by(&self) -> &PickBy {
        &self.by
    }

    /// The first step, with the pool as it was when the request's route was found.
    #[inline]
    pub fn begin(&mut self, pool: &Pool, now: Instant) -> Step {
        self.begun = Some(now);
        match pool.pick(&self.ask(now)) {
            Ok(lease) => {
                self.tried.add(lease.backend());
                Step::Send(lease)
            }
            Err(NoBackend::Saturated) => Step::Wait,
            Err(none) => Step::GiveUp(GaveUp::NoBackend(none)),
        }
    }

    /// Whether a response with this status is kept, so that another backend can be asked. Takes a retry from the budget if
    /// so; then the attempt is to end with [`AttemptEnd::Rejected`].
    pub fn rejects(&self, status: u16, replay: Replay, at: At<'_>) -> bool {
        at.retries.statuses.contains(&status)
            && replay == Replay::Always
            && self.may_try_another(at)
            && at.pool.retry_budget().withdraw(at.retries, at.now)
    }

    /// What comes after an attempt that has ended so. The lease ends here, or goes on in the step.
    pub fn after(&mut self, end: AttemptEnd, lease: Lease, replay: Replay, at: At<'_>) -> Decision {
        let mut decision = Decision {
            step: Step::Done,
            backend: Arc::clone(lease.backend()),
            verdict: None,
            could_not_connect: false,
            failed_in_a_row: None,
        };
        match end {
            AttemptEnd::Failed(failure) if self.is_stale(&failure, replay) => {
                self.reuse = Reuse::Forbidden;
                decision.step = Step::Reconnect(lease);
                return decision;
            }
            AttemptEnd::Failed(failure) => {
                decision.could_not_connect = failure.could_not_connect();
                self.last = Last::Failure;
            }
            AttemptEnd::Rejected => self.last = Last::Response,
            AttemptEnd::Complete | AttemptEnd::ClientGone => {
                decision.failed_in_a_row = finish(lease, &end, || at.now);
                return decision;
            }
        }
        let outcome = match end {
            AttemptEnd::Failed(failure) if failure.cause == Cause::Deadline && !self.had_its_time(&lease) => {
                Outcome::Abandoned
            }
            _ => end.outcome(),
        };
        self.reuse = Reuse::Allowed;
        (decision.step, decision.verdict) = match self.another(end, replay, at) {
            Ok(next) => (Step::Send(next), Some(Verdict::Retried)),
            Err(NoBackend::Saturated) => (Step::Wait, Some(Verdict::Retried)),
            Err(_) if self.last == Last::Response => {
                decision.step = Step::PassOn(Some(lease));
                return decision;
            }
            Err(_) => (Step::GiveUp(GaveUp::Failure), Some(Verdict::GaveUp)),
        };
        decision.failed_in_a_row = lease.finish(outcome, at.now);
        decision
    }

    /// Whether an attempt had at least half of the time for the whole request. What the queue or other backends used up is
    /// not its backend's fault; otherwise an overload would eject healthy backends.
    fn had_its_time(&self, lease: &Lease) -> bool {
        let (Some(begun), Some(deadline)) = (self.begun, self.deadline) else {
            return true;
        };
        lease.started().saturating_duration_since(begun) <= deadline.after / 2
    }

    /// Takes a place in the queue of the pool.
    ///
    /// # Errors
    /// Where the queue is full, or there is none: what [`Attempts::waited`] wants to hear.
    pub fn join(&self, pool: &Pool, now: Instant) -> Result<Waiting, NoBackend> {
        let queue = pool.config().queue;
        let ticket = pool.queue().join(queue.size as usize, &self.tried);
        let ticket = ticket.ok_or(match queue.size {
            0 => NoBackend::Saturated,
            _ => NoBackend::QueueFull,
        })?;
        let longest = now + queue.timeout;
        Ok(Waiting {
            ticket,
            until: self.deadline.map_or(longest, |deadline| deadline.at.min(longest)),
        })
    }

    /// Looks for a place when it is the request's turn in the queue, with the pool as it is now; `None`: it goes on waiting.
    pub fn in_turn(&self, pool: &Pool, now: Instant) -> Option<Result<Lease, NoBackend>> {
        match pool.pick_in_turn(&self.ask(now)) {
            Err(NoBackend::Saturated) => None,
            picked => Some(picked),
        }
    }

    /// Looks for a place in another pool than the one whose queue the request waits in.
    ///
    /// # Errors
    /// [`NoBackend`] when there is none; where all are taken, the request may wait there.
    pub fn moved_to(&self, pool: &Pool, now: Instant) -> Result<Lease, NoBackend> {
        pool.pick(&self.ask(now))
    }

    /// What comes after the wait in the queue: with a backend, with what [`Attempts::join`] said, or with
    /// [`NoBackend::QueueTimedOut`].
    pub fn waited(&mut self, picked: Result<Lease, NoBackend>, pool: &Pool) -> Step {
        match (picked, self.last) {
            (Ok(lease), _) => {
                self.note(&lease, pool);
                Step::Send(lease)
            }
            (Err(_), Last::Response) => Step::PassOn(None),
            (Err(NoBackend::NoneEligible | NoBackend::AllTried), Last::Failure) => {
                Step::GiveUp(GaveUp::Failure)
            }
            (Err(none), _) => Step::GiveUp(GaveUp::NoBackend(none)),
        }
    }

    /// A backend that closed a kept connection just as the request was sent. Once only: a new connection proves nothing of
    /// this kind.
    fn is_stale(&self, failure: &Failure, replay: Replay) -> bool {
        failure.cause == Cause::Broken
            && failure.connection == Connection::Kept
            && self.reuse == Reuse::Allowed
            && replay.allows(failure.progress)
    }

    /// Another backend for a request that has been tried.
    fn another(&mut self, end: AttemptEnd, replay: Replay, at: At<'_>) -> Result<Lease, NoBackend> {
        let budget = at.pool.retry_budget();
        let allowed = self.may_try_another(at)
            && match end {
                // Was taken from the budget when the response came.
                AttemptEnd::Rejected => true,
                AttemptEnd::Failed(failure) => {
                    failure.cause.may_pass()
                        && replay.allows(failure.progress)
                        && (failure.progress == Progress::NotSent || budget.withdraw(at.retries, at.now))
                }
                AttemptEnd::Complete | AttemptEnd::ClientGone => false,
            };
        if !allowed {
            return Err(NoBackend::AllTried);
        }
        let lease = at.pool.pick(&self.ask(at.now))?;
        self.note(&lease, at.pool);
        Ok(lease)
    }

    fn may_try_another(&self, at: At<'_>) -> bool {
        self.retries < at.retries.attempts && at.pool.has_untried(&self.tried)
    }

    /// The one place where retries are counted.
    fn note(&mut self, lease: &Lease, pool: &Pool) {
        if self.last != Last::Nothing {
            self.retries += 1;
            pool.retry_budget().count_retry();
        }
        self.tried.add(lease.backend());
    }

    fn ask(&self, now: Instant) -> Ask<'_> {
        let PickBy {
            worker,
            random,
            key,
            sticky,
        } = self.by;
        Ask {
            worker,
            now,
            random,
            key,
            sticky,
            tried: &self.tried,
        }
    }
}

/// Ends the lease of an attempt after which nothing is to be decided. `now` is asked where the time counts. Returns the
/// backend's number if its failures in a row have reached their limit: then the registry judges it at once.
#[inline]
pub fn finish(lease: Lease, end: &AttemptEnd, now: impl FnOnce() -> Instant) -> Option<u64> {
    let outcome = end.outcome();
    let now = match outcome {
        Outcome::BackendFailed => now(),
        _ => lease.started(),
    };
    lease.finish(outcome, now)
}
