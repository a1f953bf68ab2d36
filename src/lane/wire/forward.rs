//! One request of a wire connection: asks the registry, exchanges, and asks again while another backend may answer.

use std::{future::poll_fn, ops::ControlFlow, rc::Rc, sync::Arc};

use lb_core::{
    config::SendHost,
    pool::{Backend, Lease, NoBackend, Outcome, Pool, Terms, Tried},
    retry::{Progress, Replay},
};
use lb_wire::Method;

use super::{
    attempt::Attempt,
    dispatch::write_head,
    exchange::{Exchange, Message},
    outgoing::Outgoing,
    waiting::{self, Waited},
    worker::WireWorker,
};
use crate::{
    front::h1::{
        Client, Next, OpenTunnel, own_response,
        own_response::{finish, takes_another},
    },
    proxy::{Edits, ErrorAnswer, Phase, PickBy, ProxyError, RequestId, TimeLimit, Transport, Verdict},
    telemetry::InFlight,
    upstream::UpstreamConnection,
};

/// What one request is through all its attempts.
pub(super) struct Request {
    pub(super) worker: Rc<WireWorker>,
    pub(super) counted: InFlight,
    pub(super) id: RequestId,
    pub(super) json: bool,
    pub(super) by: PickBy,
    pub(super) tried: Tried,
    /// Bytes of it that came together: its head, and what of its body was there.
    pub(super) came: usize,
    pub(super) message: Message,
    /// What its route changes.
    pub(super) edits: Option<Box<Edits>>,
}

impl Request {
    fn pool(&self) -> &Pool {
        self.message.destination.pool()
    }

    pub(super) fn terms(&self) -> &Terms {
        self.message.destination.terms()
    }

    /// The first backend to ask.
    pub(super) fn first(&self) -> Result<Lease, NoBackend> {
        self.worker.shared.pick(self.pool(), &self.tried, self.by)
    }

    /// Writes it for the backend whose own host this is, and takes what came of it off the client.
    pub(super) fn write<S: Transport>(&mut self, client: &mut Client<S>, own_host: &str) {
        let mut out = self.worker.take_buffer();
        write_head(client, self, own_host, &mut out);
        let head_length = out.len();
        let head = &self.message.head;
        let body = &client.unused()[head.len..self.came];
        out.extend_from_slice(self.message.body.passes(body));
        client.consume(self.came);
        self.message.outgoing = Outgoing::new(out, head_length, head.method.is_idempotent());
    }

    /// Waits for its first backend, and goes on.
    pub(super) async fn wait_and_run<S: Transport>(mut self: Box<Self>, client: &mut Client<S>) -> Next {
        let goes_on = match self.wait(client).await {
            Waited::ClientGone => return Next::Drop,
            // Others have used the worker's table of lines meanwhile.
            Waited::Picked(Ok(lease)) if client.parse_again(&self.message.config.limits) => {
                self.write(client, lease.backend().authority());
                return self.run(client, lease).await;
            }
            Waited::Picked(Ok(_)) => {
                client.consume(self.message.head.len);
                let too_large = (431, "the head is larger than the limits that hold by now");
                self.answer(client, too_large, false);
                false
            }
            Waited::Picked(Err(none)) => {
                client.consume(self.came);
                self.refuse(client, &none.into(), true)
            }
        };
        finish(client, goes_on).await
    }

    /// Asks one backend after the other, as long as another may answer.
    pub(super) async fn run<S: Transport>(
        mut self: Box<Self>,
        client: &mut Client<S>,
        mut lease: Lease,
    ) -> Next {
        let mut retries = 0;
        let mut reuse = true;
        loop {
            if reuse {
                self.tried.add(lease.backend());
            }
            let retry_statuses = retries < self.terms().retries.attempts && self.may_retry_status();
            let attempt = self.attempt(client, &lease, (reuse, retry_statuses)).await;
            let (phase, error, answer) = match attempt {
                Attempt::Done(next) => {
                    self.worker.shared.finish(lease, Outcome::Answered);
                    self.worker.give_buffer(self.message.outgoing.into_buffer());
                    return next;
                }
                Attempt::Tunnel(backend) => return self.tunnel(*backend, lease),
                Attempt::Gone => return Next::Drop,
                Attempt::Broken { error, looks_whole } => {
                    self.log(lease.backend(), (Phase::Answering, &error), Verdict::GaveUp);
                    self.worker.shared.finish(lease, error.outcome(false));
                    return Box::pin(self.break_off(client, (&error, looks_whole))).await;
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
            let next = Box::pin(self.next(client, lease, (phase, error, answer), retries)).await;
            lease = match next {
                ControlFlow::Continue(next) => next,
                ControlFlow::Break(next) => return next,
            };
            self.message.outgoing.rewind();
            if self.sends_own_host() {
                self.message.outgoing.set_host(lease.backend().authority());
            }
            retries += 1;
        }
    }

    /// After a failed attempt: the backend for the next one, or what came of the request.
    async fn next<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        lease: Lease,
        (phase, error, answer): (Phase, ProxyError, Option<Box<UpstreamConnection>>),
        retries: u32,
    ) -> ControlFlow<Next, Lease> {
        let left = retries < self.terms().retries.attempts
            && self.worker.shared.has_untried(self.pool(), &self.tried);
        let next = if left && self.may_retry(&error) {
            let by = PickBy {
                now: WireWorker::precise_now(),
                ..self.by
            };
            self.worker.shared.pick(self.pool(), &self.tried, by)
        } else {
            Err(NoBackend::AllTried)
        };
        let failed = Arc::clone(lease.backend());
        let outcome = error.outcome(self.message.body.is_done());
        ControlFlow::Break(match (next, answer) {
            (Ok(next), _) => {
                self.log(&failed, (phase, &error), Verdict::Retried);
                self.worker.shared.finish(lease, outcome);
                return ControlFlow::Continue(next);
            }
            (Err(NoBackend::Saturated), answer) => {
                self.log(&failed, (phase, &error), Verdict::Retried);
                // Who waits holds no place, or two could wait for each other's.
                self.worker.shared.finish(lease, outcome);
                match (self.wait(client).await, answer) {
                    (Waited::Picked(Ok(next)), _) => return ControlFlow::Continue(next),
                    (Waited::ClientGone, _) => Next::Drop,
                    (Waited::Picked(Err(_)), Some(answer)) => {
                        self.pass_on(client, (&failed, *answer), None).await
                    }
                    (Waited::Picked(Err(NoBackend::Saturated)), None) => {
                        self.give_up(client, &NoBackend::Saturated.into(), true).await
                    }
                    (Waited::Picked(Err(_)), None) => self.give_up(client, &error, true).await,
                }
            }
            // The client is better off with this answer than with none.
            (Err(_), Some(answer)) => self.pass_on(client, (&failed, *answer), Some(lease)).await,
            (Err(_), None) => {
                self.log(&failed, (phase, &error), Verdict::GaveUp);
                self.worker.shared.finish(lease, outcome);
                self.give_up(client, &error, false).await
            }
        })
    }

    /// From here on bytes pass both ways.
    fn tunnel(self: Box<Self>, backend: UpstreamConnection, lease: Lease) -> Next {
        let idle = self.terms().timeouts.tunnel_idle;
        let Self {
            counted, mut message, ..
        } = *self;
        Next::Tunnel(Box::new(OpenTunnel {
            backend,
            unsent: message.outgoing.take_unsent(),
            lease,
            counted,
            idle,
        }))
    }

    /// Each backend is told its own host.
    fn sends_own_host(&self) -> bool {
        let forward = self.message.destination.forward();
        forward.is_some_and(|forward| forward.send_host == SendHost::Backend)
    }

    /// Waits in the queue until there is a place at a backend that was not tried.
    async fn wait<S: Transport>(&self, client: &mut Client<S>) -> Waited {
        let until = self.message.deadline.map(|(deadline, _)| deadline);
        waiting::for_a_place(client, (self.pool(), &self.tried), (self.by, until)).await
    }

    /// Passes an answer on that was to be retried. Where the request has waited meanwhile, it is over at its backend, and
    /// there is no lease.
    async fn pass_on<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        (from, mut connection): (&Backend, UpstreamConnection),
        lease: Option<Lease>,
    ) -> Next {
        let mut exchange =
            Exchange::resume((&self.worker, client), (from, &mut connection), &mut self.message);
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
        match client.flush(self.terms().timeouts.body_stall).await {
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
            && (progress == Progress::NotSent || self.worker.shared.withdraw_retry(self.pool(), self.terms()))
    }

    /// Answers with an error. The connection goes on if all of the request has been read.
    async fn give_up<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError, log: bool) -> Next {
        let goes_on = self.refuse(client, error, log);
        finish(client, goes_on).await
    }

    /// Writes the answer to an error; whether the connection goes on behind it.
    pub(super) fn refuse<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError, log: bool) -> bool {
        if log {
            let failures = &self.worker.shared.failures;
            failures.write(&self.id, None, (Phase::Connecting, error), Verdict::GaveUp);
        }
        let head = &self.message.head;
        let read = self.message.body.is_done() || head.framing.is_empty();
        let goes_on = takes_another(client, head, read);
        self.answer(client, (error.status(), error.reason()), goes_on);
        goes_on
    }

    fn answer<S: Transport>(&self, client: &mut Client<S>, (status, reason): (u16, &str), goes_on: bool) {
        let answer = ErrorAnswer::new(&self.message.config, (status, reason), &self.id, self.json);
        let is_head = self.message.head.method == Method::Head;
        own_response::write(client, &answer, &self.id, is_head, !goes_on);
    }

    /// Whether an answer could be thrown away for another backend's.
    fn may_retry_status(&self) -> bool {
        !self.terms().retries.statuses.is_empty()
            && self.message.head.method.is_safe()
            && self.message.head.framing.is_empty()
            && self.worker.shared.has_untried(self.pool(), &self.tried)
    }
}
