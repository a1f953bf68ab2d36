//! One request: carries out what [`lb_core::attempts`] decides, one attempt after the other.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::{
    Method,
    body::BoxBody,
    header::{self, HeaderValue},
};
use actix_web::{HttpRequest, HttpResponse};
use awc::{
    ClientResponse,
    error::SendRequestError,
    http::{Uri, uri},
};
use lb_core::{
    attempts::{AttemptEnd, Attempts, Connection, GaveUp, PickBy, Progress, Replay, Reuse, Step},
    config::SendHost,
    pool::{Backend, Lease, NoBackend, Pool, Terms},
};

use super::{
    HandlerWorker, answer,
    dispatch::host,
    failure::Failure,
    headers,
    request::Handed,
    request_body::{self, RequestBody},
    response_body::{Origin, ResponseBody},
};
use crate::{
    proxy::{FailedAttempt, Passage, Phase, ProxyError, TimeLimit, answer_head, sticky_cookie},
    upstream::Pulse,
};

/// How often within the longest silence a backend that takes an upload slowly is asked whether there is room.
const ASKED: u32 = 4;

/// A request on its way.
pub(super) struct Exchange {
    pub(super) request: HttpRequest,
    pub(super) body: RequestBody,
    pub(super) worker: Rc<HandlerWorker>,
    pub(super) handed: Rc<Handed>,
    pub(super) by: PickBy,
    pub(super) passage: Passage,
    pub(super) started: Instant,
    pub(super) deadline: Option<(Instant, Duration)>,
}

/// How the last attempt ended, as long as another one may follow.
enum Ended {
    /// With this response of a backend, whose status is to be retried.
    Rejected(Arc<Backend>, ClientResponse),
    /// Without a response.
    Failed(Phase, ProxyError, Connection),
}

impl Exchange {
    /// Carries out the request's steps until a backend has responded.
    pub(super) async fn run(&self) -> Result<(Origin, ClientResponse), ProxyError> {
        let mut attempts = Attempts::new(self.by, self.deadline.map(|(deadline, _)| deadline));
        let mut step = attempts.begin(self.pool(), self.started);
        let mut last = None;
        let mut is_logged = false;
        loop {
            step = match step {
                Step::Send(lease) | Step::Reconnect(lease) => {
                    is_logged = true;
                    let failed = match self.attempt(&lease, attempts.reuse()).await {
                        Ok(response) if !self.rejects(&attempts, &response) => {
                            return Ok((Origin::Holds(lease), response));
                        }
                        Ok(response) => Ended::Rejected(Arc::clone(lease.backend()), response),
                        Err(failure) => Ended::Failed(failure.phase, failure.error, failure.connection),
                    };
                    self.after(&mut attempts, lease, last.insert(failed))
                }
                Step::Wait => {
                    is_logged = false;
                    let picked = self.wait_for_a_place(&attempts).await;
                    attempts.waited(picked, self.pool())
                }
                Step::PassOn(_) | Step::GiveUp(_) | Step::Done => {
                    return self.end(step, last, is_logged);
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
                let failure = lb_core::attempts::Failure {
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
            .after((&self.handed.id, attempts), failed, &self.passage.destination)
    }

    /// Carries out the last step.
    fn end(
        &self,
        step: Step,
        last: Option<Ended>,
        is_logged: bool,
    ) -> Result<(Origin, ClientResponse), ProxyError> {
        let error = match (step, last) {
            (Step::PassOn(Some(lease)), Some(Ended::Rejected(_, response))) => {
                return Ok((Origin::Holds(lease), response));
            }
            (Step::PassOn(None), Some(Ended::Rejected(from, response))) => {
                return Ok((Origin::Gone(from), response));
            }
            (Step::GiveUp(GaveUp::NoBackend(none)), _) => none.into(),
            (_, Some(Ended::Failed(_, error, _))) => error,
            _ => NoBackend::AllTried.into(),
        };
        if !is_logged {
            self.worker.gave_up(&self.handed.id, &error);
        }
        Err(error)
    }

    fn rejects(&self, attempts: &Attempts, response: &ClientResponse) -> bool {
        let status = response.status().as_u16();
        self.worker
            .rejects(attempts, (status, self.replay()), &self.passage.destination)
    }

    fn pool(&self) -> &Pool {
        self.passage.destination.pool()
    }

    fn terms(&self) -> &Terms {
        self.passage.destination.terms()
    }

    /// Waits in the queue of the pool for a backend that was not tried, for as long as the attempts allow.
    async fn wait_for_a_place(&self, attempts: &Attempts) -> Result<Lease, NoBackend> {
        let place = attempts.join(self.pool(), Instant::now())?;
        let turn = poll_fn(|cx| {
            place
                .ticket
                .poll(cx, || self.worker.in_turn(attempts, self.pool()))
        });
        tokio::select! {
            biased;
            picked = turn => picked,
            () = tokio::time::sleep_until(place.until.into()) => Err(NoBackend::Saturated),
        }
    }

    fn replay(&self) -> Replay {
        match *self.request.method() {
            Method::GET | Method::HEAD if self.body.is_empty() => Replay::Always,
            _ if self.body.is_intact() => Replay::IfUnsent,
            _ => Replay::Never,
        }
    }

    /// Sends it to one backend, until the head of its response.
    async fn attempt(&self, lease: &Lease, reuse: Reuse) -> Result<ClientResponse, Failure> {
        let timeouts = &self.terms().timeouts;
        let uri = self.uri(lease, reuse)?;
        let client = self.worker.upstream.get(timeouts);
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
        if reuse == Reuse::Forbidden {
            request = request.force_close();
        }
        let body = BoxBody::new(self.body.clone());
        let pulse = Pulse::new(Cell::new(Instant::now()));
        let sending = self.worker.upstream.send(request, body, Rc::clone(&pulse));
        let answer = match self.within_limits(sending, &pulse).await? {
            Ok(answer) => answer,
            Err(error) => return Err(self.describe(error)),
        };
        let head = answer_head(answer.status().as_u16(), self.pool(), self.body.is_empty());
        lease.answered(Instant::now(), head);
        Ok(answer)
    }

    /// Path and query exactly as they came, unless the route rewrites them.
    fn uri(&self, lease: &Lease, reuse: Reuse) -> Result<Uri, Failure> {
        let backend = lease.backend();
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = match reuse {
            Reuse::Allowed => self.worker.upstream.authority(backend),
            Reuse::Forbidden => self.worker.upstream.authority_for_new(backend),
        };
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
            Failure::new(
                Phase::Connecting,
                ProxyError::Connect(format!("bad target: {error}")),
            )
        })
    }

    /// Waits for the answer's head as long as the backend may be silent. The time in which the client is to send its
    /// body does not count, and a backend that takes a part of it, or sends a part of a head, is not silent.
    async fn within_limits<T>(&self, sending: impl Future<Output = T>, pulse: &Pulse) -> Result<T, Failure> {
        let mut sending = std::pin::pin!(sending);
        let idle = self.terms().timeouts.response_idle;
        let mut silent_since = Instant::now();
        loop {
            let (limit, after, at) = match self.deadline {
                Some((deadline, whole)) if deadline < silent_since + idle => {
                    (TimeLimit::Request, whole, deadline)
                }
                _ => (TimeLimit::ResponseIdle, idle, silent_since + idle),
            };
            // One that takes an upload slowly is asked now and then, which is done by whoever is woken.
            let wake = match self.body.is_empty() {
                true => at,
                false => at.min(Instant::now() + idle / ASKED),
            };
            if let Ok(answer) = tokio::time::timeout_at(wake.into(), &mut sending).await {
                return Ok(answer);
            }
            let moved = match self.body.progress() {
                request_body::Progress::WaitsForClient => Instant::now(),
                request_body::Progress::Moved(at) => at.max(pulse.get()),
            };
            if wake == at && (limit == TimeLimit::Request || moved <= silent_since) {
                return Err(Failure::new(
                    Phase::Waiting,
                    ProxyError::TimedOut { limit, after },
                ));
            }
            silent_since = silent_since.max(moved);
        }
    }

    fn describe(&self, error: SendRequestError) -> Failure {
        match self.body.take_failure() {
            Some(client_failure) => Failure::new(Phase::Sending, client_failure),
            None => Failure::sending(error, self.terms().timeouts.connect),
        }
    }

    pub(super) fn deliver(self, origin: Origin, from: ClientResponse) -> HttpResponse {
        let bodyless = answer::is_bodyless(from.status(), *self.request.method() == Method::HEAD);
        let mut response = HttpResponse::new(from.status());
        headers::copy_response(from.status(), from.headers(), response.headers_mut());
        if let Some(edits) = &self.passage.edits {
            headers::change(&edits.response, response.headers_mut());
        }
        let cookie = sticky_cookie(self.pool(), origin.backend(), self.by.sticky);
        if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        let length = answer::content_length(&from);
        response.head_mut().version = from.version();
        if bodyless {
            origin.complete(&self.worker);
            return answer::bodyless(response, length);
        }
        let body = ResponseBody {
            answer: from,
            length,
            received: 0,
            idle: self.passage.destination.terms().timeouts.response_idle,
            deadline: self.deadline,
            timer: None,
            origin: Some(origin),
            upload: self.body,
            handed: self.handed,
            worker: self.worker,
        };
        answer::streamed(response, body)
    }
}

/// An absolute target may have a query without a path, which is `/` (RFC 9112 section 3.2.1).
fn rooted(target: &uri::PathAndQuery) -> Option<uri::PathAndQuery> {
    if target.as_str().starts_with(['/', '*']) {
        return Some(target.clone());
    }
    format!("/{}", target.as_str()).parse().ok()
}
