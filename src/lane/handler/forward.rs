//! One request: asks the registry, sends, and asks again while another backend may still answer.

use std::{
    future::{Future, poll_fn},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::{
    Method, Version,
    body::BoxBody,
    header::{self, HeaderValue},
};
use actix_web::{HttpRequest, HttpResponse};
use awc::{
    ClientResponse,
    error::{ConnectError, SendRequestError},
    http::{Uri, uri},
};
use lb_core::{
    config::SendHost,
    pool::{Backend, Lease, NoBackend, Outcome, Pool, Terms, Tried},
    retry::{Progress, Replay},
};

use super::{
    answer,
    dispatch::host,
    headers,
    request_body::{self, RequestBody},
    response_body::ResponseBody,
};
use crate::{
    proxy::{
        Client, Passage, Phase, PickBy, ProxyError, RequestId, TimeLimit, Verdict, Worker, answer_head,
        sticky_cookie,
    },
    telemetry::InFlight,
    upstream::Fault,
};

/// A request on its way.
pub(super) struct Exchange {
    pub(super) request: HttpRequest,
    pub(super) body: RequestBody,
    pub(super) worker: Rc<Worker>,
    pub(super) client: Client,
    pub(super) id: RequestId,
    pub(super) by: PickBy,
    pub(super) passage: Passage,
    pub(super) deadline: Option<(Instant, Duration)>,
}

/// A failed attempt, and how far it had come.
struct Failure(Phase, ProxyError);

impl Exchange {
    /// Tries one backend after the other until one answers.
    pub(super) async fn run(&self) -> Result<(Lease, ClientResponse), ProxyError> {
        let mut tried = Tried::default();
        let (mut retries, mut second_chance) = (0, true);
        let mut picked = self.pick(&tried);
        if picked.as_ref().is_err_and(|none| *none == NoBackend::Saturated) {
            picked = self.wait_for_a_place().await;
        }
        let mut lease = picked.map_err(|none| self.none_there(none))?;
        loop {
            tried.add(lease.backend());
            let (phase, error, answer) = match self.attempt(&lease).await {
                Ok(answer) if !self.is_retried_status(&answer) => return Ok((lease, answer)),
                Ok(answer) => {
                    let error = ProxyError::RetriedStatus(answer.status().as_u16());
                    (Phase::Waiting, error, Some(answer))
                }
                Err(Failure(phase, error)) => (phase, error, None),
            };
            if phase == Phase::Connecting {
                self.worker.registry.connect_failed(lease.backend());
            }
            // Its place is free from now on, also for the second chance of this request.
            let backend = Arc::clone(lease.backend());
            let answered = match answer {
                Some(answer) => Some((lease, answer)),
                None => {
                    self.finish(lease, &error);
                    None
                }
            };
            let next = if retries < self.terms().retries.attempts {
                self.next_backend(&error, &mut tried, &mut second_chance)
            } else {
                None
            };
            match (next, answered) {
                // The client is better off with this answer than with none.
                (None, Some(answered)) => return Ok(answered),
                (None, None) => {
                    self.log(&backend, (phase, &error), Verdict::GaveUp);
                    return Err(error);
                }
                (Some(next), answered) => {
                    self.log(&backend, (phase, &error), Verdict::Retried);
                    if let Some((lease, _)) = answered {
                        self.finish(lease, &error);
                    }
                    lease = next;
                    retries += 1;
                }
            }
        }
    }

    /// Another backend, if the failure allows one, there is one, and the budget has something left.
    fn next_backend(&self, error: &ProxyError, tried: &mut Tried, second_chance: &mut bool) -> Option<Lease> {
        let progress = error.progress();
        if !self.replay().allows(progress) {
            return None;
        }
        if !self.worker.has_untried(self.pool(), tried) {
            // The only backend there is may just have closed a kept-alive connection: it gets one more chance.
            if tried.len() > 1 || !error.is_broken_connection() || !std::mem::take(second_chance) {
                return None;
            }
            *tried = Tried::default();
        }
        let allowed = progress == Progress::NotSent || self.worker.withdraw_retry(self.pool(), self.terms());
        allowed.then(|| self.pick(tried).ok()).flatten()
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

    /// Waits in the queue of the pool, for as long as that allows.
    async fn wait_for_a_place(&self) -> Result<Lease, NoBackend> {
        let pool = self.pool();
        let queue = pool.config().queue;
        let Some(ticket) = pool.queue().join(queue.size as usize) else {
            return Err(NoBackend::Saturated);
        };
        let turn = poll_fn(|cx| {
            ticket.poll(cx, || {
                let now = Instant::now();
                match self
                    .worker
                    .pick_in_turn(pool, &Tried::default(), PickBy { now, ..self.by })
                {
                    Err(NoBackend::Saturated) => None,
                    picked => Some(picked),
                }
            })
        });
        let in_time = tokio::time::timeout(self.terms().longest_wait(&queue), turn).await;
        in_time.unwrap_or(Err(NoBackend::Saturated))
    }

    fn none_there(&self, none: NoBackend) -> ProxyError {
        let error = ProxyError::from(none);
        self.worker
            .failures
            .write(&self.id, None, (Phase::Connecting, &error), Verdict::GaveUp);
        error
    }

    fn log(&self, backend: &Backend, failure: (Phase, &ProxyError), verdict: Verdict) {
        self.worker
            .failures
            .write(&self.id, Some(backend.url()), failure, verdict);
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

    async fn attempt(&self, lease: &Lease) -> Result<ClientResponse, Failure> {
        let timeouts = &self.terms().timeouts;
        let uri = self.uri(lease)?;
        let client = self.worker.upstream.get(timeouts);
        let mut request = client.request(self.request.method().clone(), uri).no_decompress();
        let host = host(&self.request);
        headers::copy_request(
            self.request.headers(),
            host.as_ref(),
            (self.client, &self.id),
            request.headers_mut(),
        );
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
        let sending = self.worker.upstream.send(request, body);
        let answer = match self.within_limits(sending).await? {
            Ok(answer) => answer,
            Err(error) => return Err(self.describe(error)),
        };
        let head = answer_head(answer.status().as_u16(), self.pool(), self.body.is_empty());
        lease.answered(Instant::now(), head);
        Ok(answer)
    }

    /// Path and query exactly as they came, unless the route rewrites them.
    fn uri(&self, lease: &Lease) -> Result<Uri, Failure> {
        let backend = lease.backend();
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = self.worker.upstream.authority(backend);
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
            Failure(
                Phase::Connecting,
                ProxyError::Connect(format!("bad target: {error}")),
            )
        })
    }

    /// Waits for the answer's head as long as the backend may be silent. The time in which the client is to send its
    /// body does not count.
    async fn within_limits<T>(&self, sending: impl Future<Output = T>) -> Result<T, Failure> {
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
            if let Ok(answer) = tokio::time::timeout_at(at.into(), &mut sending).await {
                return Ok(answer);
            }
            let moved = match self.body.progress() {
                request_body::Progress::WaitsForClient => Instant::now(),
                request_body::Progress::Moved(at) => at,
            };
            if limit == TimeLimit::Request || moved <= silent_since {
                return Err(Failure(Phase::Waiting, ProxyError::TimedOut { limit, after }));
            }
            silent_since = moved;
        }
    }

    fn describe(&self, error: SendRequestError) -> Failure {
        if let Some(client_failure) = self.body.take_failure() {
            return Failure(Phase::Sending, client_failure);
        }
        let timeout = self.terms().timeouts.connect;
        match error {
            SendRequestError::Connect(ConnectError::Disconnected) => {
                Failure(Phase::Waiting, ProxyError::Closed)
            }
            SendRequestError::Connect(error) => Failure(Phase::Connecting, describe_connect(&error, timeout)),
            SendRequestError::Send(error) => Failure(Phase::Sending, ProxyError::Io(error.to_string())),
            SendRequestError::Response(error) => describe_answer(&error),
            other => Failure(Phase::Sending, ProxyError::Io(other.to_string())),
        }
    }

    pub(super) fn deliver(self, lease: Lease, from: ClientResponse, in_flight: InFlight) -> HttpResponse {
        // Behind an answer that did not wait for the body nobody reads the rest.
        let close = self.worker.traffic.is_draining() || !self.body.is_complete();
        let bodyless = answer::is_bodyless(from.status(), *self.request.method() == Method::HEAD);
        let mut response = HttpResponse::new(from.status());
        headers::copy_response(from.headers(), response.headers_mut());
        if let Some(edits) = &self.passage.edits {
            headers::change(&edits.response, response.headers_mut());
        }
        let cookie = sticky_cookie(self.pool(), lease.backend(), self.by.sticky);
        if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        let length = answer::content_length(&from);
        // HTTP/1.0 knows no chunks; only the end of its connection is left to end such a body (RFC 9112 section 6.3).
        let unframed = length.is_none() && self.request.version() == Version::HTTP_10;
        response.head_mut().no_chunking(unframed);
        let close = close || unframed && !bodyless;
        if bodyless {
            self.worker.finish(lease, Outcome::Answered);
            return answer::bodyless(response, length, close);
        }
        let body = ResponseBody {
            answer: from,
            length,
            received: 0,
            idle: self.passage.destination.terms().timeouts.response_idle,
            deadline: self.deadline,
            timer: None,
            lease: Some(lease),
            id: self.id,
            worker: self.worker,
            _in_flight: in_flight,
        };
        answer::streamed(response, body, close)
    }
}

/// An absolute target may have a query without a path, which is `/` (RFC 9112 section 3.2.1).
fn rooted(target: &uri::PathAndQuery) -> Option<uri::PathAndQuery> {
    if target.as_str().starts_with(['/', '*']) {
        return Some(target.clone());
    }
    format!("/{}", target.as_str()).parse().ok()
}

fn describe_connect(error: &ConnectError, after: Duration) -> ProxyError {
    match error {
        ConnectError::Timeout => ProxyError::TimedOut {
            limit: TimeLimit::Connect,
            after,
        },
        ConnectError::Io(error) => ProxyError::connecting(error, (TimeLimit::Connect, after)),
        ConnectError::Unresolved => ProxyError::Connect("the backend was just removed".to_owned()),
        other => ProxyError::Connect(other.to_string()),
    }
}

fn describe_answer(error: &actix_http::error::ParseError) -> Failure {
    use actix_http::error::ParseError;
    match error {
        ParseError::Io(error) => Failure(Phase::Waiting, describe_fault(error)),
        other => Failure(Phase::Waiting, ProxyError::BadAnswer(other.to_string())),
    }
}

fn describe_fault(error: &std::io::Error) -> ProxyError {
    match Fault::of(error) {
        Some(Fault::Head(_) | Fault::Tunnel | Fault::Body(_)) => ProxyError::BadAnswer(error.to_string()),
        // Nothing of it is of use to the client, so it is as good as none.
        Some(Fault::HeadCutShort | Fault::CutShort) => ProxyError::Closed,
        Some(Fault::Upload | Fault::Order) | None => ProxyError::Io(error.to_string()),
    }
}
