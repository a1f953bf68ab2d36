//! One request of a wire connection: carries out what [`lb_core::attempts`] decides, one attempt after the other.

use std::{future::poll_fn, ops::ControlFlow, rc::Rc, sync::Arc};

use lb_core::{
    attempts::{AttemptEnd, Attempts, GaveUp, Step},
    pool::{Backend, Lease, NoBackend, Pool, Terms},
};
use lb_wire::Method;

use super::{
    attempt::{Attempt, Failed},
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
    proxy::{Edits, ErrorAnswer, FailedAttempt, Phase, ProxyError, RequestId, TimeLimit, Transport},
    telemetry::RequestEnd,
    upstream::UpstreamConnection,
};

/// What one request is through all its attempts.
pub(super) struct Request {
    pub(super) worker: Rc<WireWorker>,
    pub(super) id: RequestId,
    pub(super) json: bool,
    pub(super) attempts: Attempts,
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
        let picked = match self.wait(client).await {
            Waited::ClientGone => return gone(client),
            Waited::Picked(picked) => picked,
        };
        let goes_on = match self.waited(picked) {
            // Others have used the worker's table of lines meanwhile.
            Step::Send(lease) if client.parse_again(&self.message.config.limits) => {
                self.write(client, lease.backend().authority());
                return self.run(client, lease).await;
            }
            Step::GiveUp(GaveUp::NoBackend(none)) => {
                client.consume(self.came);
                self.refuse_unsent(client, none)
            }
            _ => {
                client.consume(self.message.head.len);
                let too_large = (431, "the head is larger than the limits that hold by now");
                self.answer(client, too_large, false);
                false
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
        loop {
            client.note(|notes| notes.attempt(lease.backend(), self.attempts.count()));
            let attempt = self.attempt(client, &lease).await;
            let (failed, kept) = match attempt {
                Attempt::Done(next) => {
                    self.worker.shared.finish(lease, &AttemptEnd::Complete);
                    self.worker.give_buffer(self.message.outgoing.into_buffer());
                    client.note(|notes| notes.end(RequestEnd::Complete));
                    return next;
                }
                Attempt::Tunnel(backend) => return self.tunnel(*backend, lease),
                Attempt::Gone => {
                    self.worker.shared.finish(lease, &AttemptEnd::ClientGone);
                    return gone(client);
                }
                Attempt::Broken { failed, looks_whole } => {
                    let from = Arc::clone(lease.backend());
                    self.broke_off(&from, Some(lease), &failed);
                    return Box::pin(self.break_off(client, (&failed.error, looks_whole))).await;
                }
                Attempt::Rejected(status, backend) => (Err(status), Some(backend)),
                Attempt::Failed(failed) => (Ok(failed), None),
            };
            match Box::pin(self.next(client, lease, (failed, kept))).await {
                ControlFlow::Continue(next) => lease = next,
                ControlFlow::Break(next) => return next,
            }
            self.message.outgoing.rewind();
            if self.message.sends_own_host() {
                self.message.outgoing.set_host(lease.backend().authority());
            }
        }
    }

    /// After a failed attempt, or one whose status is to be retried: the backend for the next one, or what came of the
    /// request.
    async fn next<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        lease: Lease,
        (failed, mut kept): (Result<Failed, u16>, Option<Box<UpstreamConnection>>),
    ) -> ControlFlow<Next, Lease> {
        let (end, phase, error) = match failed {
            Ok(failed) => (AttemptEnd::Failed(failed.failure), failed.phase, failed.error),
            Err(status) => (
                AttemptEnd::Rejected,
                Phase::Waiting,
                ProxyError::RetriedStatus(status),
            ),
        };
        let from = Arc::clone(lease.backend());
        let failed = FailedAttempt {
            lease,
            end,
            replay: self.message.replay(),
            phase,
            error: &error,
        };
        let destination = &self.message.destination;
        let request = (&self.id, &mut self.attempts, &client.notes());
        let mut step = self.worker.shared.after(request, failed, destination);
        let mut is_logged = true;
        loop {
            let error = match (step, kept.take()) {
                (Step::Send(lease) | Step::Reconnect(lease), _) => return ControlFlow::Continue(lease),
                (Step::Wait, response) => {
                    kept = response;
                    is_logged = false;
                    step = match self.wait(client).await {
                        Waited::ClientGone => return ControlFlow::Break(gone(client)),
                        Waited::Picked(picked) => self.waited(picked),
                    };
                    continue;
                }
                (Step::PassOn(lease), Some(response)) => {
                    return ControlFlow::Break(self.pass_on(client, (&from, *response), lease).await);
                }
                (Step::GiveUp(GaveUp::NoBackend(none)), _) => none.into(),
                (Step::GiveUp(GaveUp::Failure) | Step::PassOn(_), _) => error,
                (Step::Done, _) => return ControlFlow::Break(Next::Drop),
            };
            if !is_logged {
                self.worker.shared.gave_up(&self.id, &error);
            }
            return ControlFlow::Break(self.give_up(client, &error).await);
        }
    }

    /// From here on bytes pass both ways.
    fn tunnel(self: Box<Self>, backend: UpstreamConnection, lease: Lease) -> Next {
        let idle = self.terms().timeouts.tunnel_idle;
        let Self { mut message, .. } = *self;
        Next::Tunnel(Box::new(OpenTunnel {
            backend,
            unsent: message.outgoing.take_unsent(),
            lease,
            idle,
        }))
    }

    /// Waits in the queue until there is a place at a backend that was not tried.
    async fn wait<S: Transport>(&self, client: &mut Client<S>) -> Waited {
        waiting::for_a_place(client, (&self.attempts, self.pool())).await
    }

    fn waited(&mut self, picked: Result<Lease, NoBackend>) -> Step {
        self.attempts.waited(picked, self.message.destination.pool())
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
                    self.worker.shared.finish(lease, &AttemptEnd::Complete);
                }
                client.note(|notes| notes.end(RequestEnd::Complete));
                next
            }
            Attempt::Broken { failed, looks_whole } => {
                self.broke_off(from, lease, &failed);
                self.break_off(client, (&failed.error, looks_whole)).await
            }
            Attempt::Failed(failed) => {
                self.worker.shared.gave_up(&self.id, &failed.error);
                self.give_up(client, &failed.error).await
            }
            // The whole head was there, and nobody retries it.
            Attempt::Gone | Attempt::Tunnel(_) | Attempt::Rejected(..) => gone(client),
        }
    }

    /// Ends the lease of an attempt whose response broke off, if there is one still.
    fn broke_off(&self, from: &Backend, lease: Option<Lease>, failed: &Failed) {
        let end = AttemptEnd::Failed(failed.failure);
        self.worker
            .shared
            .broke_off((&self.id, from), lease, (&end, &failed.error));
    }

    /// Ends a broken answer: the client gets what came of it, and then sees that it is not whole.
    async fn break_off<S: Transport>(
        &self,
        client: &mut Client<S>,
        (error, looks_whole): (&ProxyError, bool),
    ) -> Next {
        client.note(|notes| {
            notes.fault(error.fault());
            notes.end(RequestEnd::BrokenOff);
        });
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

    /// The same for a request that was sent to no backend.
    pub(super) fn refuse_unsent<S: Transport>(&self, client: &mut Client<S>, none: NoBackend) -> bool {
        let error = none.into();
        self.worker.shared.gave_up(&self.id, &error);
        self.refuse(client, &error)
    }

    /// Answers with an error. The connection goes on if all of the request has been read.
    async fn give_up<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError) -> Next {
        let goes_on = self.refuse(client, error);
        finish(client, goes_on).await
    }

    /// Writes the answer to an error; whether the connection goes on behind it.
    pub(super) fn refuse<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError) -> bool {
        let head = &self.message.head;
        let read = self.message.body.is_done() || head.framing.is_empty();
        let goes_on = takes_another(client, head, read);
        client.note(|notes| notes.fault(error.fault()));
        self.answer(client, (error.status(), error.reason()), goes_on);
        goes_on
    }

    fn answer<S: Transport>(&self, client: &mut Client<S>, (status, reason): (u16, &str), goes_on: bool) {
        let answer = ErrorAnswer::new(&self.message.config, (status, reason), &self.id, self.json);
        let is_head = self.message.head.method == Method::Head;
        own_response::write(client, &answer, &self.id, is_head, !goes_on);
    }
}

/// The client has left.
fn gone<S: Transport>(client: &Client<S>) -> Next {
    client.note(|notes| notes.end(RequestEnd::ClientGone));
    Next::Drop
}
