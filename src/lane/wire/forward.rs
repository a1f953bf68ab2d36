//! One request of a wire connection: asks the registry, exchanges, and asks again while another backend may answer.

use std::{
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use lb_core::{
    pool::{Backend, Lease, NoBackend, Outcome, Pool, Tried},
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
    waiting::{self, Waited},
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
        let mut lease = match first {
            Ok(lease) => lease,
            Err(none) => return self.give_up(client, &none.into(), true).await,
        };
        let mut reuse = true;
        loop {
            if reuse {
                tried.add(lease.backend());
            }
            let retry_statuses =
                retries < self.message.terms.retries.attempts && self.may_retry_status(&tried);
            let attempt = self.attempt(client, &lease, (reuse, retry_statuses)).await;
            let (phase, error, answer) = match attempt {
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
                    self.log(lease.backend(), (Phase::Answering, &error), Verdict::GaveUp);
                    self.worker.shared.finish(lease, error.outcome(false));
                    return self.break_off(client, (&error, looks_whole)).await;
                }
                Attempt::Stale => {
                    // The backend closed a kept-alive connection just as the request was on its way: nobody's fault.
                    reuse = false;
                    self.message.outgoing.rewind();
                    continue;
                }
                Attempt::Rejected(status, backend) => {
                    (Phase::Waiting, ProxyError::RetriedStatus(status), Some(backend))
                }
                Attempt::Failed(phase, error) => (phase, error, None),
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
                self.worker.shared.pick(self.pool, &tried, by)
            } else {
                Err(NoBackend::AllTried)
            };
            let failed = Arc::clone(lease.backend());
            let outcome = error.outcome(self.message.body.is_done());
            let next = match (next, answer) {
                (Ok(next), _) => {
                    self.log(&failed, (phase, &error), Verdict::Retried);
                    self.worker.shared.finish(lease, outcome);
                    next
                }
                (Err(NoBackend::Saturated), answer) => {
                    self.log(&failed, (phase, &error), Verdict::Retried);
                    // Who waits holds no place, or two could wait for each other's.
                    self.worker.shared.finish(lease, outcome);
                    match (self.wait(client, &tried).await, answer) {
                        (Waited::Picked(Ok(next)), _) => next,
                        (Waited::ClientGone, _) => return Next::Drop,
                        (Waited::Picked(Err(_)), Some(answer)) => {
                            return self.pass_on(client, (&failed, answer), None).await;
                        }
                        (Waited::Picked(Err(NoBackend::Saturated)), None) => {
                            return self.give_up(client, &NoBackend::Saturated.into(), true).await;
                        }
                        (Waited::Picked(Err(_)), None) => return self.give_up(client, &error, true).await,
                    }
                }
                // The client is better off with this answer than with none.
                (Err(_), Some(answer)) => {
                    return self.pass_on(client, (&failed, answer), Some(lease)).await;
                }
                (Err(_), None) => {
                    self.log(&failed, (phase, &error), Verdict::GaveUp);
                    self.worker.shared.finish(lease, outcome);
                    return self.give_up(client, &error, false).await;
                }
            };
            self.message.outgoing.rewind();
            if self.sends_own_host {
                self.message.outgoing.set_host(next.backend().authority());
            }
            retries += 1;
            lease = next;
        }
    }

    /// Waits in the queue until there is a place at a backend that was not tried.
    async fn wait<S: Transport>(&self, client: &mut Client<S>, tried: &Tried) -> Waited {
        let until = self.message.deadline.map(|(deadline, _)| deadline);
        waiting::for_a_place(client, (self.pool, tried), (self.by, until)).await
    }

    /// Passes an answer on that was to be retried. Where the request has waited meanwhile, it is over at its backend, and
    /// there is no lease.
    async fn pass_on<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        (from, mut connection): (&Backend, UpstreamConnection),
        lease: Option<Lease>,
    ) -> Next {
        let mut exchange = Exchange::resume(client, (from, &mut connection), &mut self.message);
        let end = poll_fn(|cx| exchange.poll(cx)).await;
        match self.came_of(client, from, (end, connection)) {
            Attempt::Done(next) => {
                if let Some(lease) = lease {
                    self.worker.shared.finish(lease, Outcome::Answered);
                }
                next
            }
            Attempt::Broken { error, looks_whole } => {
                self.log(from, (Phase::Answering, &error), Verdict::GaveUp);
                if let Some(lease) = lease {
                    self.worker.shared.finish(lease, error.outcome(false));
                }
                self.break_off(client, (&error, looks_whole)).await
            }
            Attempt::Failed(_, error) => self.give_up(client, &error, true).await,
            // The whole head was there, and nobody retries it.
            Attempt::Gone | Attempt::Stale | Attempt::Tunnel(_) | Attempt::Rejected(..) => Next::Drop,
        }
    }

    fn log(&self, backend: &Backend, failure: (Phase, &ProxyError), verdict: Verdict) {
        let log = &self.worker.shared.failures;
        log.write(&self.id, Some(backend.url()), failure, verdict);
    }

    /// Ends a broken answer: the client gets what came of it, and then sees that it is not whole.
    async fn break_off<S: Transport>(
        &self,
        client: &mut Client<S>,
        (error, looks_whole): (&ProxyError, bool),
    ) -> Next {
        // Who has not read for that long gets no more time to read what is left.
        let stalled = matches!(
            error,
            ProxyError::TimedOut {
                limit: TimeLimit::BodyStall,
                ..
            }
        );
        if looks_whole || stalled {
            return Next::Reset;
        }
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
        let end = poll_fn(|cx| exchange.poll(cx)).await;
        self.came_of(client, lease.backend(), (end, backend))
    }

    /// What an exchange's end means, and what becomes of its connection.
    fn came_of<S: Transport>(
        &self,
        client: &Client<S>,
        at: &Backend,
        (end, backend): (End, UpstreamConnection),
    ) -> Attempt {
        match end {
            End::Answered {
                client_goes_on,
                backend_goes_on,
            } => {
                let worker = &self.worker;
                if backend_goes_on {
                    worker.idle.put(at.id(), backend, worker.timers.now());
                }
                Attempt::Done(match client_goes_on {
                    true => Next::Request,
                    // Unread bytes would turn the close into a reset.
                    false if self.message.body.is_done() && client.unused().is_empty() => Next::Drop,
                    false => Next::Close,
                })
            }
            End::Tunnel => Attempt::Tunnel(backend),
            End::Rejected(status) => Attempt::Rejected(status, backend),
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
    /// The connection holds the answer.
    Rejected(u16, UpstreamConnection),
    Stale,
    Broken {
        error: ProxyError,
        looks_whole: bool,
    },
    Gone,
}
