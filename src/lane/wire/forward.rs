//! One request of a wire connection: asks the registry, exchanges, and asks again while another backend may answer.

use std::{
    future::poll_fn,
    rc::Rc,
    time::{Duration, Instant},
};

use lb_core::{
    pool::{Lease, NoBackend, Outcome, Pool, Tried},
    retry::{Progress, Replay},
};
use lb_wire::Method;

use super::{
    Transport,
    client::Client,
    dispatch::{finish, takes_another},
    exchange::{End, Exchange, Message},
    own_answer,
    tunnel::OpenTunnel,
    worker::WireWorker,
};
use crate::{
    proxy::{ErrorAnswer, Phase, PickBy, ProxyError, RequestId, TimeLimit, Verdict},
    telemetry::InFlight,
    upstream::{UpstreamConnection, connect},
};

/// A request that must not be sent twice goes over a connection that was used a moment ago or over a new one: a backend
/// that closes idle connections would lose it.
const FRESH: Duration = Duration::from_secs(1);

/// What comes after a request.
pub(super) enum Next {
    /// Another one.
    Request,
    /// The end, gently, because the client may still be sending.
    Close,
    /// The end.
    Drop,
    /// The end, so that the client sees that its answer is broken.
    Reset,
    /// Bytes, both ways.
    Tunnel(Box<OpenTunnel>),
}

/// What one request is through all its attempts.
pub(super) struct Request<'m> {
    pub(super) worker: Rc<WireWorker>,
    pub(super) id: RequestId,
    pub(super) json: bool,
    /// The pool as it was when the request came; attempts after the first take the newest.
    pub(super) pool: &'m Pool,
    /// Each backend is told its own host.
    pub(super) sends_own_host: bool,
    pub(super) by: PickBy,
    pub(super) message: Message<'m>,
}

impl Request<'_> {
    pub(super) async fn run<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        first: Result<Lease, NoBackend>,
        counted: InFlight,
    ) -> Next {
        let mut tried = Tried::default();
        let mut retries = 0;
        let mut picked = first;
        let mut reuse = true;
        loop {
            let lease = match picked {
                Ok(lease) => lease,
                Err(none) => return self.give_up(client, &none.into(), true).await,
            };
            if reuse {
                tried.add(lease.backend());
            }
            let retry_statuses =
                retries < self.message.terms.retries.attempts && self.may_retry_status(&tried);
            let attempt = self.attempt(client, &lease, (reuse, retry_statuses)).await;
            let (phase, error) = match attempt {
                Attempt::Done(next) => {
                    self.worker.shared.finish(lease, Outcome::Answered);
                    return next;
                }
                Attempt::Tunnel(backend) => {
                    return Next::Tunnel(Box::new(OpenTunnel {
                        backend,
                        unsent: self.message.outgoing.take_unsent(),
                        lease,
                        counted,
                        idle: self.message.terms.timeouts.tunnel_idle,
                    }));
                }
                Attempt::Gone => return Next::Drop,
                Attempt::Broken { error, looks_whole } => {
                    let log = &self.worker.shared.failures;
                    log.write(
                        &self.id,
                        Some(lease.backend().url()),
                        (Phase::Answering, &error),
                        Verdict::GaveUp,
                    );
                    self.worker.shared.finish(lease, error.outcome(false));
                    // Who has not read for that long gets no more time to read what is left.
                    let stalled = matches!(
                        error,
                        ProxyError::TimedOut {
                            limit: TimeLimit::BodyStall,
                            ..
                        }
                    );
                    return if looks_whole || stalled {
                        Next::Reset
                    } else {
                        self.break_off(client).await
                    };
                }
                Attempt::Stale => {
                    // The backend closed a kept-alive connection just as the request was on its way: nobody's fault.
                    reuse = false;
                    self.message.outgoing.rewind();
                    picked = Ok(lease);
                    continue;
                }
                Attempt::Failed(phase, error) => (phase, error),
            };
            reuse = true;
            if phase == Phase::Connecting {
                self.worker.shared.registry.connect_failed(lease.backend());
            }
            let left = retries < self.message.terms.retries.attempts
                && self.worker.shared.has_untried(self.pool, &tried);
            let next = if left && self.may_retry(&error) {
                let by = PickBy {
                    now: WireWorker::precise_now(),
                    ..self.by
                };
                self.worker.shared.pick(self.pool, &tried, by).ok()
            } else {
                None
            };
            let verdict = if next.is_some() {
                Verdict::Retried
            } else {
                Verdict::GaveUp
            };
            let log = &self.worker.shared.failures;
            log.write(&self.id, Some(lease.backend().url()), (phase, &error), verdict);
            let outcome = error.outcome(self.message.body.is_done());
            self.worker.shared.finish(lease, outcome);
            match next {
                Some(next) => {
                    self.message.outgoing.rewind();
                    if self.sends_own_host {
                        self.message.outgoing.set_host(next.backend().authority());
                    }
                    retries += 1;
                    picked = Ok(next);
                }
                None => return self.give_up(client, &error, false).await,
            }
        }
    }

    /// Ends a broken answer: the client gets what came of it, and then sees that it is not whole.
    async fn break_off<S: Transport>(&self, client: &mut Client<S>) -> Next {
        match client.flush(self.message.terms.timeouts.body_stall).await {
            Ok(()) => Next::Drop,
            Err(_) => Next::Reset,
        }
    }

    fn may_retry(&self, error: &ProxyError) -> bool {
        // Was taken from the budget when the answer came.
        if matches!(error, ProxyError::RetriedStatus(_)) {
            return true;
        }
        let progress = match error.progress() {
            Progress::Sent if !self.message.outgoing.is_touched() => Progress::NotSent,
            progress => progress,
        };
        let safe = self.message.head.method.is_idempotent() && self.message.outgoing.is_whole();
        let allowed = Replay {
            safe,
            body_intact: self.message.outgoing.is_whole(),
        }
        .allows(progress);
        allowed
            && (progress == Progress::NotSent
                || self.worker.shared.withdraw_retry(self.pool, self.message.terms))
    }

    /// Answers with an error. The connection goes on if all of the request has been read.
    async fn give_up<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError, log: bool) -> Next {
        if log {
            let failures = &self.worker.shared.failures;
            failures.write(&self.id, None, (Phase::Connecting, error), Verdict::GaveUp);
        }
        let head = self.message.head;
        let goes_on = takes_another(
            client,
            head,
            self.message.body.is_done() || head.framing.is_empty(),
        );
        let answer = ErrorAnswer::new(
            self.message.config,
            (error.status(), error.reason()),
            &self.id,
            self.json,
        );
        own_answer::write(client, &answer, &self.id, head.method == Method::Head, !goes_on);
        finish(client, goes_on).await
    }

    /// Whether an answer could be thrown away for another backend's.
    fn may_retry_status(&self, tried: &Tried) -> bool {
        !self.message.terms.retries.statuses.is_empty()
            && self.message.head.method.is_safe()
            && self.message.head.framing.is_empty()
            && self.worker.shared.has_untried(self.pool, tried)
    }

    async fn attempt<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        lease: &Lease,
        (reuse, retry_statuses): (bool, bool),
    ) -> Attempt {
        let mut backend = match self.connection(lease, reuse).await {
            Ok(backend) => backend,
            Err(error) => return Attempt::Failed(Phase::Connecting, error),
        };
        let mut exchange = Exchange::new(client, (lease, &mut backend), &mut self.message, retry_statuses);
        match poll_fn(|cx| exchange.poll(cx)).await {
            End::Answered {
                client_goes_on,
                backend_goes_on,
            } => {
                let worker = &self.worker;
                if backend_goes_on {
                    worker
                        .idle
                        .put(lease.backend().id(), backend, worker.timers.now());
                }
                Attempt::Done(match client_goes_on {
                    true => Next::Request,
                    // Unread bytes would turn the close into a reset.
                    false if self.message.body.is_done() && client.unused().is_empty() => Next::Drop,
                    false => Next::Close,
                })
            }
            End::Tunnel => Attempt::Tunnel(backend),
            End::Failed(_, error)
                if backend.reused && error.is_broken_connection() && self.is_replayable() =>
            {
                Attempt::Stale
            }
            End::Failed(phase, error) => Attempt::Failed(phase, error),
            End::Broken { error, looks_whole } => Attempt::Broken { error, looks_whole },
            End::ClientGone => Attempt::Gone,
        }
    }

    fn is_replayable(&self) -> bool {
        let harmless = self.message.head.method.is_idempotent() || !self.message.outgoing.is_touched();
        harmless && self.message.outgoing.is_whole()
    }

    /// An idle connection if there is a good one, else a new one.
    async fn connection(&self, lease: &Lease, reuse: bool) -> Result<UpstreamConnection, ProxyError> {
        let timeouts = &self.message.terms.timeouts;
        let now = self.worker.timers.now();
        let fresh = (!self.message.head.method.is_idempotent()).then_some(FRESH);
        if reuse && let Some(idle) = self.worker.idle.take(lease.backend().id(), timeouts, now, fresh) {
            return Ok(idle);
        }
        let mut limit = (TimeLimit::Connect, timeouts.connect);
        let mut wait = timeouts.connect;
        if let Some((deadline, whole)) = self.message.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left < wait {
                (limit, wait) = ((TimeLimit::Request, whole), left);
            }
        }
        match connect(lease.backend(), wait).await {
            Ok(stream) => Ok(UpstreamConnection::new(stream, now)),
            Err(error) => Err(ProxyError::connecting(&error, limit)),
        }
    }
}

/// What came of one attempt.
enum Attempt {
    Done(Next),
    Tunnel(UpstreamConnection),
    Failed(Phase, ProxyError),
    Stale,
    Broken { error: ProxyError, looks_whole: bool },
    Gone,
}
