//! One request: carries out what [`lb_core::attempts`] decides, one attempt after the other.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use actix_http::{
    body::BoxBody,
    header::{self, HeaderValue},
};
use actix_web::HttpRequest;
use awc::{
    ClientResponse,
    error::SendRequestError,
    http::{Uri, uri},
};
use lb_core::{
    attempts::{
        AttemptEnd, Attempts, Connection, Deadline, Failure, GaveUp, PickBy, Progress, Replay, Reuse, Step,
        Timeout, Wait,
    },
    config::SendHost,
    pool::{Backend, Lease, NoBackend, Pool, Terms},
};

use super::{
    HandlerWorker,
    awc::{SwitchedAt, Watch, Wish},
    dispatch::{failed, host},
    failure::HandlerFailure,
    headers,
    request::Handed,
    request_body::{self, RequestBody},
    response_body::Origin,
};
use crate::{
    front::TICK,
    proxy::{FailedAttempt, FailedRequest, Line, Passage, Phase, ProxyError, Turn, answer_head},
    telemetry::{Notes, Responder},
    upstream::Sending,
};

/// How often within the longest silence a backend that takes an upload slowly is asked whether there is room.
const ASKED: u32 = 4;

/// A request on its way.
pub(super) struct HandlerRequest {
    pub(super) request: HttpRequest,
    pub(super) body: RequestBody,
    pub(super) worker: Rc<HandlerWorker>,
    pub(super) handed: Rc<Handed>,
    pub(super) by: PickBy,
    pub(super) passage: Passage,
    pub(super) started: Instant,
    pub(super) deadline: Option<Deadline>,
    /// In which the response came.
    pub(super) version: Cell<lb_wire::Version>,
}

/// What a backend has answered.
pub(super) enum Answer {
    Response(ClientResponse),
    /// It has switched protocols.
    Switched(SwitchedAt),
}

/// How the last attempt ended, as long as another one may follow.
enum Ended {
    /// With this response of a backend, whose status is to be retried.
    Rejected(Arc<Backend>, ClientResponse),
    /// Without a response.
    Failed(Phase, ProxyError, Connection),
}

impl HandlerRequest {
    /// Carries out the request's steps until a backend has responded.
    ///
    /// # Errors
    /// Why none has, and whether the log has said it.
    pub(super) async fn run(&self) -> Result<(Origin, Answer), (ProxyError, Line)> {
        let mut attempts = Attempts::new(self.by, self.deadline);
        let mut step = attempts.begin(self.pool(), self.started);
        let mut last = None;
        let mut line = Line::Due;
        loop {
            step = match step {
                Step::Send(lease) | Step::Reconnect(lease) => {
                    self.notes().attempt(lease.backend(), attempts.count());
                    line = Line::Written;
                    self.body.rewind();
                    let failed = match self.attempt(&lease, attempts.reuse()).await {
                        Ok(Answer::Response(response)) if !self.rejects(&attempts, &response) => {
                            return Ok((Origin::Holds(lease), Answer::Response(response)));
                        }
                        Ok(switched @ Answer::Switched(_)) => return Ok((Origin::Holds(lease), switched)),
                        Ok(Answer::Response(response)) => {
                            Ended::Rejected(Arc::clone(lease.backend()), response)
                        }
                        Err(failure) => Ended::Failed(failure.phase, failure.error, failure.connection),
                    };
                    self.after(&mut attempts, lease, last.insert(failed))
                }
                Step::Wait => {
                    line = Line::Due;
                    let picked = self.wait_for_a_place(&attempts).await;
                    attempts.waited(picked, self.pool())
                }
                Step::PassOn(_) | Step::GiveUp(_) | Step::Done => {
                    return self.end(step, last).map_err(|error| (error, line));
                }
            };
        }
    }

    /// What comes after an attempt without a response that is passed on at once.
    fn after(&self, attempts: &mut Attempts, lease: Lease, ended: &Ended) -> Step {
        let (end, phase, error) = match ended {
            Ended::Rejected(_, response) => (
                AttemptEnd::Rejected,
                Phase::Waiting,
                &ProxyError::RetriedStatus(response.status().as_u16()),
            ),
            Ended::Failed(phase, error, connection) => {
                let failure = Failure {
                    cause: error.cause(),
                    progress: match phase {
                        Phase::Connecting => Progress::NotSent,
                        _ => Progress::Sent,
                    },
                    upload: self.body.upload(),
                    connection: *connection,
                };
                (AttemptEnd::Failed(failure), *phase, error)
            }
        };
        let failed = FailedAttempt {
            lease,
            end,
            replay: self.replay(),
            phase,
            error,
        };
        self.worker
            .after(&self.failed(), attempts, failed, &self.passage.destination)
    }

    /// Carries out the last step.
    fn end(&self, step: Step, last: Option<Ended>) -> Result<(Origin, Answer), ProxyError> {
        if let (Step::PassOn(_), Some(Ended::Rejected(_, response))) = (&step, &last) {
            let status = response.status().as_u16();
            self.notes().response(Responder::Backend, status, Instant::now);
        }
        match (step, last) {
            (Step::PassOn(Some(lease)), Some(Ended::Rejected(_, response))) => {
                Ok((Origin::Holds(lease), Answer::Response(response)))
            }
            (Step::PassOn(None), Some(Ended::Rejected(from, response))) => {
                Ok((Origin::Gone(from), Answer::Response(response)))
            }
            (Step::GiveUp(GaveUp::NoBackend(none)), _) => Err(none.into()),
            (_, Some(Ended::Failed(_, error, _))) => Err(error),
            _ => Err(NoBackend::AllTried.into()),
        }
    }

    /// The request as failures see it.
    pub(super) fn failed(&self) -> FailedRequest<'_> {
        failed(&self.request, &self.handed, Some(&self.passage.destination))
    }

    fn rejects(&self, attempts: &Attempts, response: &ClientResponse) -> bool {
        let status = response.status().as_u16();
        self.worker
            .rejects(attempts, status, self.replay(), &self.passage.destination)
    }

    pub(super) fn pool(&self) -> &Pool {
        self.passage.destination.pool()
    }

    fn notes(&self) -> &Notes {
        self.handed.link.notes()
    }

    pub(super) fn terms(&self) -> &Terms {
        self.passage.destination.terms()
    }

    /// Waits in the queue of the pool for a backend that was not tried, for as long as the attempts allow.
    async fn wait_for_a_place(&self, attempts: &Attempts) -> Result<Lease, NoBackend> {
        let begun = Instant::now();
        let clock = self.handed.link.clock();
        let destination = &self.passage.destination;
        let mut pool = Arc::clone(destination.pool());
        let mut left = None;
        let picked = loop {
            let place = match attempts.join(&pool, clock.at(begun)) {
                Ok(place) => place,
                Err(none) => break Err(none),
            };
            // Only now may those behind it follow, or they would get past it.
            drop(left.take());
            let look = || self.worker.in_turn(attempts, &pool, destination);
            let turn = tokio::select! {
                biased;
                turn = poll_fn(|cx| place.ticket.poll(cx, look)) => turn,
                () = self.handed.link.until(place.until) => Turn::Over(Err(NoBackend::QueueTimedOut)),
            };
            match turn {
                Turn::Over(picked) => break picked,
                Turn::Moved(successor) => (pool, left) = (successor, Some(place)),
            }
        };
        self.notes().note(|facts| facts.times.queued += begun.elapsed());
        picked
    }

    fn replay(&self) -> Replay {
        let method = self.handed.method;
        match self.body.is_intact() {
            false => Replay::Never,
            true if method.is_safe() && self.body.is_empty() => Replay::Always,
            true if method.is_idempotent() => Replay::IfUnanswered,
            true => Replay::IfUnsent,
        }
    }

    /// What the connection has to know, and what it tells.
    fn watch(&self, reuse: Reuse) -> Watch {
        let sending = match self.handed.method.is_idempotent() {
            true => Sending::Repeatable,
            false => Sending::OnlyOnce,
        };
        let wish = Wish {
            timeouts: self.terms().timeouts,
            sending: (reuse == Reuse::Allowed).then_some(sending),
        };
        let link = &self.handed.link;
        if link.awaits_continue() {
            link.leave_asking_to_backend();
        }
        Watch::new(Some(wish)).towards(Rc::clone(link), self.body.clone(), self.handed.offers.clone())
    }

    /// Sends it to one backend, until the head of its response.
    async fn attempt(&self, lease: &Lease, reuse: Reuse) -> Result<Answer, HandlerFailure> {
        let timeouts = &self.terms().timeouts;
        let uri = self.uri(lease)?;
        let client = self.worker.upstream.get(timeouts.connect);
        let mut request = client.request(self.request.method().clone(), uri).no_decompress();
        let host = host(&self.request);
        for (name, value) in &self.handed.forwarded {
            request.headers_mut().append(name.clone(), value.clone());
        }
        if let Some(host) = &host {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        let backend = lease.backend().authority();
        let host_to_send = match self
            .passage
            .destination
            .forward()
            .map(|forward| &forward.send_host)
        {
            Some(SendHost::Literal(host)) => Some(&**host),
            Some(SendHost::Backend) => Some(backend),
            // awc would name the authority of its URI.
            Some(SendHost::Preserve) | None => host.is_none().then_some(backend),
        };
        if let Some(Ok(host)) = host_to_send.map(HeaderValue::from_str) {
            request.headers_mut().insert(header::HOST, host);
        }
        if let Some(edits) = &self.passage.edits {
            headers::change(&edits.request, request.headers_mut());
        }
        let body = BoxBody::new(self.body.clone());
        let watch = Rc::new(self.watch(reuse));
        let sending = self.worker.upstream.send(request, body, Rc::clone(&watch));
        let answer = match self.within_limits(sending, &watch).await? {
            Ok(answer) => answer,
            Err(error) => {
                let Some(switched) = watch.take_switched() else {
                    return Err(self.describe(error));
                };
                self.answered(lease, 101);
                return Ok(Answer::Switched(switched));
            }
        };
        self.version.set(watch.version());
        self.answered(lease, answer.status().as_u16());
        let headers = answer.headers();
        self.notes().response_headers(&self.worker.records, |name| {
            headers.get(name).map(HeaderValue::as_bytes)
        });
        Ok(Answer::Response(answer))
    }

    /// Notes that the head of a response has come.
    fn answered(&self, lease: &Lease, status: u16) {
        let now = Instant::now();
        self.notes().response(Responder::Backend, status, || now);
        let timed = self.body.is_empty() && self.handed.link.clock().has_run(lease.started(), now);
        lease.answered(now, answer_head(status, self.pool(), timed));
    }

    /// Path and query exactly as they came, unless the route rewrites them.
    fn uri(&self, lease: &Lease) -> Result<Uri, HandlerFailure> {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = self.worker.upstream.authority(lease.backend());
        let rewritten = self
            .passage
            .edits
            .as_ref()
            .and_then(|edits| edits.target.as_deref());
        parts.path_and_query = match rewritten {
            Some(target) => uri::PathAndQuery::try_from(target).ok(),
            None => self.request.uri().path_and_query().and_then(rooted),
        };
        Uri::from_parts(parts).map_err(|error| {
            HandlerFailure::new(
                Phase::Connecting,
                ProxyError::Connect(format!("bad target: {error}")),
            )
        })
    }

    /// Waits for the answer's head as long as the backend may be silent. The time in which the client is to send its
    /// body does not count, and a backend that takes a part of it, or sends a part of a head, is not silent.
    async fn within_limits<T>(
        &self,
        sending: impl Future<Output = T>,
        watch: &Watch,
    ) -> Result<T, HandlerFailure> {
        let mut sending = std::pin::pin!(sending);
        let timeouts = &self.terms().timeouts;
        let clock = self.handed.link.clock();
        let mut sent = None;
        let mut ends = |silent_since: Instant| {
            if sent.is_none() && self.body.is_complete() {
                sent = Some(clock.now() + TICK);
            }
            let wait = Wait::Head {
                since: silent_since + TICK,
                sent,
            };
            wait.ends(timeouts, self.deadline)
        };
        let mut silent_since = clock.now();
        let mut end = ends(silent_since);
        loop {
            // One that takes an upload slowly is asked now and then, which is done by whoever is woken.
            let wake = match self.body.is_empty() {
                true => end.at,
                false => end.at.min(clock.now() + timeouts.response_idle / ASKED),
            };
            tokio::select! {
                biased;
                answer = &mut sending => return Ok(answer),
                () = self.handed.link.until(wake) => {}
            }
            let moved = match self.body.progress() {
                request_body::Progress::WaitsForClient => clock.now(),
                request_body::Progress::Moved(at) => at.max(watch.moved()),
            };
            silent_since = silent_since.max(moved);
            end = ends(silent_since);
            if end.at <= clock.now() {
                return Err(HandlerFailure::new(Phase::Waiting, end.by.into()));
            }
        }
    }

    fn describe(&self, error: SendRequestError) -> HandlerFailure {
        match self.body.take_failure() {
            Some(client_failure) => HandlerFailure::new(Phase::Sending, client_failure),
            None => HandlerFailure::sending(error, Timeout::connect(&self.terms().timeouts)),
        }
    }
}

/// An absolute target may have a query without a path, which is `/` (RFC 9112 section 3.2.1).
fn rooted(target: &uri::PathAndQuery) -> Option<uri::PathAndQuery> {
    if target.as_str().starts_with(['/', '*']) {
        return Some(target.clone());
    }
    format!("/{}", target.as_str()).parse().ok()
}
