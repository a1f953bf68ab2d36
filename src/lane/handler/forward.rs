//! One request: asks the registry, sends, and asks again while another backend may still answer.

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
    config::SendHost,
    pool::{Backend, Lease, NoBackend, Outcome, Pool, Terms, Tried},
    retry::{Progress, Replay},
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
    proxy::{Passage, Phase, PickBy, ProxyError, TimeLimit, Verdict, answer_head, sticky_cookie},
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
    pub(super) deadline: Option<(Instant, Duration)>,
}

impl Exchange {
    /// Tries one backend after the other until one answers.
    pub(super) async fn run(&self) -> Result<(Origin, ClientResponse), ProxyError> {
        let mut tried = Tried::default();
        let mut retries = 0;
        let mut picked = self.pick(&tried);
        if picked.as_ref().is_err_and(|none| *none == NoBackend::Saturated) {
            picked = self.wait_for_a_place(&tried).await;
        }
        let mut lease = picked.map_err(|none| self.none_there(none))?;
        let mut reuse = true;
        loop {
            if reuse {
                tried.add(lease.backend());
            }
            let (phase, error, answer) = match self.attempt(&lease, reuse).await {
                Ok(answer) if !self.is_retried_status(&answer) => {
                    return Ok((Origin::Holds(lease), answer));
                }
                Ok(answer) => {
                    let error = ProxyError::RetriedStatus(answer.status().as_u16());
                    (Phase::Waiting, error, Some(answer))
                }
                Err(failure) if failure.stale && reuse && self.replay().allows(Progress::Sent) => {
                    // The backend closed a kept-alive connection just as the request was on its way: nobody's fault.
                    reuse = false;
                    continue;
                }
                Err(failure) => (failure.phase, failure.error, None),
            };
            reuse = true;
            if phase == Phase::Connecting {
                self.worker.registry.connect_failed(lease.backend());
            }
            let next = if retries < self.terms().retries.attempts {
                self.next_backend(&error, &tried)
            } else {
                Err(NoBackend::AllTried)
            };
            let failed = Arc::clone(lease.backend());
            lease = match (next, answer) {
                (Ok(next), _) => {
                    self.log(&failed, (phase, &error), Verdict::Retried);
                    self.finish(lease, &error);
                    next
                }
                (Err(NoBackend::Saturated), answer) => {
                    self.log(&failed, (phase, &error), Verdict::Retried);
                    // Who waits holds no place, or two could wait for each other's.
                    self.finish(lease, &error);
                    match (self.wait_for_a_place(&tried).await, answer) {
                        (Ok(next), _) => next,
                        (Err(_), Some(answer)) => return Ok((Origin::Gone(failed), answer)),
                        (Err(NoBackend::Saturated), None) => {
                            return Err(self.none_there(NoBackend::Saturated));
                        }
                        (Err(_), None) => {
                            self.log(&failed, (phase, &error), Verdict::GaveUp);
                            return Err(error);
                        }
                    }
                }
                // The client is better off with this answer than with none.
                (Err(_), Some(answer)) => return Ok((Origin::Holds(lease), answer)),
                (Err(_), None) => {
                    self.log(&failed, (phase, &error), Verdict::GaveUp);
                    self.finish(lease, &error);
                    return Err(error);
                }
            };
            retries += 1;
        }
    }

    /// Another backend, if the failure allows one, there is one, and the budget has something left.
    fn next_backend(&self, error: &ProxyError, tried: &Tried) -> Result<Lease, NoBackend> {
        let progress = error.progress();
        let allowed = self.replay().allows(progress)
            && self.worker.has_untried(self.pool(), tried)
            && (progress == Progress::NotSent || self.worker.withdraw_retry(self.pool(), self.terms()));
        match allowed {
            true => self.pick(tried),
            false => Err(NoBackend::AllTried),
        }
    }

    fn finish(&self, lease: Lease, error: &ProxyError) {
        self.worker.finish(lease, error.outcome(self.body.is_complete()));
    }

    fn pool(&self) -> &Pool {
        self.passage.destination.pool()
    }

    fn terms(&self) -> &Terms {
        self.passage.destination.terms()
    }

    fn pick(&self, tried: &Tried) -> Result<Lease, NoBackend> {
        let now = Instant::now();
        self.worker.pick(self.pool(), tried, PickBy { now, ..self.by })
    }

    /// Waits in the queue of the pool for a backend that was not tried, for as long as the pool and the cap on the request
    /// allow.
    async fn wait_for_a_place(&self, tried: &Tried) -> Result<Lease, NoBackend> {
        let pool = self.pool();
        let queue = pool.config().queue;
        let Some(mut ticket) = pool.queue().join(queue.size as usize) else {
            return Err(NoBackend::Saturated);
        };
        if !tried.is_empty() {
            ticket = ticket.choosy();
        }
        let turn = poll_fn(|cx| {
            ticket.poll(cx, || {
                let now = Instant::now();
                match self.worker.pick_in_turn(pool, tried, PickBy { now, ..self.by }) {
                    Err(NoBackend::Saturated) => None,
                    picked => Some(picked),
                }
            })
        });
        let longest = Instant::now() + queue.timeout;
        let until = self
            .deadline
            .map_or(longest, |(deadline, _)| deadline.min(longest));
        tokio::select! {
            biased;
            picked = turn => picked,
            () = tokio::time::sleep_until(until.into()) => Err(NoBackend::Saturated),
        }
    }

    fn none_there(&self, none: NoBackend) -> ProxyError {
        let error = ProxyError::from(none);
        self.worker.failures.write(
            &self.handed.id,
            None,
            (Phase::Connecting, &error),
            Verdict::GaveUp,
        );
        error
    }

    fn log(&self, backend: &Backend, failure: (Phase, &ProxyError), verdict: Verdict) {
        self.worker
            .failures
            .write(&self.handed.id, Some(backend.url()), failure, verdict);
    }

    fn is_retried_status(&self, answer: &ClientResponse) -> bool {
        let statuses = &self.terms().retries.statuses;
        statuses.contains(&answer.status().as_u16()) && self.replay().allows(Progress::Sent)
    }

    fn replay(&self) -> Replay {
        let safe = matches!(*self.request.method(), Method::GET | Method::HEAD) && self.body.is_empty();
        Replay {
            safe,
            body_intact: self.body.is_intact(),
        }
    }

    /// `reuse`: over a kept-alive connection if there is one.
    async fn attempt(&self, lease: &Lease, reuse: bool) -> Result<ClientResponse, Failure> {
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
        if !reuse {
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
    fn uri(&self, lease: &Lease, reuse: bool) -> Result<Uri, Failure> {
        let backend = lease.backend();
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = match reuse {
            true => self.worker.upstream.authority(backend),
            false => self.worker.upstream.authority_for_new(backend),
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
            origin.finish(&self.worker, Outcome::Answered);
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
