//! One request of a wire connection: carries out what [`lb_core::attempts`] decides, one attempt after the other.

use std::{future::poll_fn, ops::ControlFlow, rc::Rc, sync::Arc};

use lb_core::{
    attempts::{AttemptEnd, Attempts, Fault, GaveUp, Step},
    pool::{Backend, Lease, NoBackend, Terms},
};
use lb_wire::{Method, RequestError};

use super::{
    attempt::{Attempt, Failed},
    dispatch::write_head,
    exchange::{Exchange, Message, Sides},
    outgoing::Outgoing,
    waiting::{self, Waited},
    worker::WireWorker,
};
use crate::{
    front::h1::{
        Client, Next, OpenTunnel, own_response,
        own_response::{finish, takes_another},
    },
    proxy::{
        AnswerForm, BrokenResponse, Edits, FailedAttempt, FailedRequest, Line, Phase, ProxyError, ReplyTo,
        RequestId, Transport,
    },
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
    /// Its head as it came, where another path or host goes to the backend: for the log.
    pub(super) original: Option<Box<[u8]>>,
}

/// How an attempt ended, where another one may follow.
enum Ended {
    /// With a response whose status is to be retried; the connection holds it.
    Rejected(u16, Box<UpstreamConnection>),
    /// Without a response.
    Failed(Failed),
}

impl Request {
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
            Step::GiveUp(GaveUp::NoBackend(none)) => self.refuse_unsent(client, &none.into()),
            // The limits that hold by now.
            _ => self.refuse_unsent(client, &RequestError::HeadTooLarge.into()),
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
            let ended = match attempt {
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
                    self.broke_off(client, &from, Some(lease), &failed);
                    return Box::pin(self.break_off(client, &failed.error, looks_whole)).await;
                }
                Attempt::Rejected(status, backend) => Ended::Rejected(status, backend),
                Attempt::Failed(failed) => Ended::Failed(failed),
            };
            match Box::pin(self.next(client, lease, ended)).await {
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
        ended: Ended,
    ) -> ControlFlow<Next, Lease> {
        let mut kept = None;
        let (end, phase, error) = match ended {
            Ended::Failed(failed) => (AttemptEnd::Failed(failed.failure), failed.phase, failed.error),
            Ended::Rejected(status, response) => {
                kept = Some(response);
                let error = ProxyError::RetriedStatus(status);
                (AttemptEnd::Rejected, Phase::Waiting, error)
            }
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
        let to = ReplyTo {
            id: &self.id,
            json: self.json,
        };
        let request = request_of(client, to, &self.message, &self.original);
        let mut step = self
            .worker
            .shared
            .after(&request, &mut self.attempts, failed, destination);
        let mut line = Line::Written;
        loop {
            let error = match (step, kept.take()) {
                (Step::Send(lease) | Step::Reconnect(lease), _) => return ControlFlow::Continue(lease),
                (Step::Wait, response) => {
                    kept = response;
                    line = Line::Due;
                    step = match self.wait(client).await {
                        Waited::ClientGone => return ControlFlow::Break(gone(client)),
                        Waited::Picked(picked) => self.waited(picked),
                    };
                    continue;
                }
                (Step::PassOn(lease), Some(response)) => {
                    return ControlFlow::Break(self.pass_on(client, &from, *response, lease).await);
                }
                (Step::GiveUp(GaveUp::NoBackend(none)), _) => none.into(),
                (Step::GiveUp(GaveUp::Failure) | Step::PassOn(_), _) => error,
                (Step::Done, _) => return ControlFlow::Break(Next::Drop),
            };
            return ControlFlow::Break(self.give_up(client, &error, line).await);
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
        waiting::for_a_place(client, &self.attempts, &self.message.destination).await
    }

    fn waited(&mut self, picked: Result<Lease, NoBackend>) -> Step {
        self.attempts.waited(picked, self.message.destination.pool())
    }

    /// Passes an answer on that was to be retried. Where the request has waited meanwhile, it is over at its backend, and
    /// there is no lease.
    async fn pass_on<S: Transport>(
        &mut self,
        client: &mut Client<S>,
        from: &Backend,
        mut connection: UpstreamConnection,
        lease: Option<Lease>,
    ) -> Next {
        let sides = Sides {
            client: &mut *client,
            backend: &mut connection,
        };
        let mut exchange = Exchange::resume(&self.worker, sides, from, &mut self.message);
        let end = poll_fn(|cx| exchange.poll(cx)).await;
        match self.came_of(client, from, end, connection) {
            Attempt::Done(next) => {
                if let Some(lease) = lease {
                    self.worker.shared.finish(lease, &AttemptEnd::Complete);
                }
                client.note(|notes| notes.end(RequestEnd::Complete));
                next
            }
            Attempt::Broken { failed, looks_whole } => {
                self.broke_off(client, from, lease, &failed);
                self.break_off(client, &failed.error, looks_whole).await
            }
            Attempt::Failed(failed) => self.give_up(client, &failed.error, Line::Due).await,
            // The whole head was there, and nobody retries it.
            Attempt::Gone | Attempt::Tunnel(_) | Attempt::Rejected(..) => gone(client),
        }
    }

    /// Ends the lease of an attempt whose response broke off, if there is one still.
    fn broke_off<S: Transport>(
        &self,
        client: &Client<S>,
        from: &Backend,
        lease: Option<Lease>,
        failed: &Failed,
    ) {
        let broken = BrokenResponse {
            from,
            lease,
            failure: failed.failure,
            error: &failed.error,
        };
        self.worker.shared.broke_off(&self.as_failed(client), broken);
    }

    /// The request as failures see it.
    fn as_failed<'a, S: Transport>(&'a self, client: &'a Client<S>) -> FailedRequest<'a> {
        let to = ReplyTo {
            id: &self.id,
            json: self.json,
        };
        request_of(client, to, &self.message, &self.original)
    }

    /// Ends a broken answer: the client gets what came of it, and then sees that it is not whole.
    async fn break_off<S: Transport>(
        &self,
        client: &mut Client<S>,
        error: &ProxyError,
        looks_whole: bool,
    ) -> Next {
        client.note(|notes| notes.end(RequestEnd::BrokenOff));
        // Who has not read for that long gets no more time to read what is left.
        let stalled = matches!(error, ProxyError::TimedOut(_)) && error.fault() == Fault::Client;
        if looks_whole || stalled {
            return Next::Reset;
        }
        match client.flush(self.terms().timeouts.body_stall).await {
            Ok(()) => Next::Drop,
            Err(_) => Next::Reset,
        }
    }

    /// Writes the response to an error of a request that was sent to no backend, and takes the request off the client.
    pub(super) fn refuse_unsent<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError) -> bool {
        let goes_on = self.refuse(client, error, Line::Due);
        client.consume(self.came);
        goes_on
    }

    /// Responds with an error. The connection goes on if all of the request has been read.
    async fn give_up<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError, line: Line) -> Next {
        let goes_on = self.refuse(client, error, line);
        finish(client, goes_on).await
    }

    /// Writes the response to an error; whether the connection goes on behind it.
    fn refuse<S: Transport>(&self, client: &mut Client<S>, error: &ProxyError, line: Line) -> bool {
        let head = &self.message.head;
        let read = self.message.body.is_done() || head.framing.is_empty();
        let goes_on = takes_another(client, head, read && !error.ends_connection());
        let answer = self.worker.shared.refuse(&self.as_failed(client), error, line);
        let form = AnswerForm {
            id: &self.id,
            is_head: head.method == Method::Head,
            close: !goes_on,
        };
        own_response::write(client, &answer, form);
        goes_on
    }
}

/// A request as failures see it. Before it is sent its head is still among what the client's connection has not used.
fn request_of<'a, S: Transport>(
    client: &'a Client<S>,
    to: ReplyTo<'a>,
    message: &'a Message,
    original: &'a Option<Box<[u8]>>,
) -> FailedRequest<'a> {
    let head = match (original, message.outgoing.head()) {
        (Some(original), _) => original,
        (None, []) => client.unused(),
        (None, sent) => sent,
    };
    client.failed(to, head, Some(&message.destination))
}

/// The client has left.
fn gone<S: Transport>(client: &Client<S>) -> Next {
    client.note(|notes| notes.end(RequestEnd::ClientGone));
    Next::Drop
}
