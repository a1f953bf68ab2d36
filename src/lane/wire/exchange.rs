//! One request at one backend: sends it, and passes the answer on, both at once.
//!
//! Everything happens in [`Exchange::poll`], which goes as far as the sockets allow and then waits for any of them. It
//! never waits with bytes in the worker's shared buffer: what a socket does not take is copied to its backlog, and no
//! more is read until that is empty.

mod answer;

use std::{
    io,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use lb_core::{
    config::{Config, PoolConfig},
    pool::Lease,
};
use lb_wire::{BodyError, BodyTracker, RequestHead};

use self::answer::Answer;
use super::{
    Transport,
    client::Client,
    outgoing::Outgoing,
    timer::TICK,
    worker::{LARGE_READ, WireWorker},
};
use crate::{
    proxy::{Phase, ProxyError, TimeLimit},
    upstream::UpstreamConnection,
};

/// A client that closed its side may only have said that it sends no more; but most have left. So long may the backend
/// be silent then, before the head of its answer and within its body (nginx gives it no time at all).
const HALF_CLOSED: Duration = Duration::from_secs(2);

/// How an exchange ended.
pub(super) enum End {
    /// The client has the whole answer.
    Answered {
        /// The client's connection can take another request.
        client_goes_on: bool,
        /// The backend's connection can take another request.
        backend_goes_on: bool,
    },
    /// From here on bytes pass both ways.
    Tunnel,
    /// It failed, and the client has got nothing yet.
    Failed(Phase, ProxyError),
    /// It failed in the middle of the answer.
    Broken {
        /// Why.
        error: ProxyError,
        /// Whether the client would take the end of its connection for the end of the answer.
        looks_whole: bool,
    },
    /// The client has left.
    ClientGone,
}

/// One attempt.
pub(super) struct Exchange<'a, S> {
    pub(super) client: &'a mut Client<S>,
    pub(super) backend: &'a mut UpstreamConnection,
    pub(super) lease: &'a Lease,
    pub(super) head: &'a RequestHead,
    pub(super) outgoing: &'a mut Outgoing,
    /// Where the client's body is.
    pub(super) upload: &'a mut BodyTracker,
    pub(super) config: &'a Config,
    pub(super) settings: &'a PoolConfig,
    /// When the whole request must be done.
    pub(super) deadline: Option<(Instant, Duration)>,
    /// Whether an answer whose status is to be retried can be.
    pub(super) retry_statuses: bool,
    worker: Rc<WireWorker>,
    answer: Option<Answer>,
    upload_failure: Option<io::Error>,
    interim: u32,
    uploaded: u64,
    client_since: Instant,
    backend_since: Instant,
    half_closed: Option<Instant>,
    dirty: bool,
}

/// What an [`Exchange`] is made of.
pub(super) struct Parts<'a, S> {
    pub(super) client: &'a mut Client<S>,
    pub(super) backend: &'a mut UpstreamConnection,
    pub(super) lease: &'a Lease,
    pub(super) head: &'a RequestHead,
    pub(super) outgoing: &'a mut Outgoing,
    pub(super) upload: &'a mut BodyTracker,
    pub(super) config: &'a Config,
    pub(super) settings: &'a PoolConfig,
    pub(super) deadline: Option<(Instant, Duration)>,
    pub(super) retry_statuses: bool,
}

/// What the upload waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upload {
    Done,
    WaitsForClient,
    WaitsForBackend,
}

impl<'a, S: Transport> Exchange<'a, S> {
    pub(super) fn new(parts: Parts<'a, S>) -> Self {
        let Parts {
            client,
            backend,
            lease,
            head,
            outgoing,
            upload,
            config,
            settings,
            deadline,
            retry_statuses,
        } = parts;
        let now = client.timer.clock().now();
        Self {
            worker: Rc::clone(&client.worker),
            client,
            backend,
            lease,
            head,
            outgoing,
            upload,
            config,
            settings,
            deadline,
            retry_statuses,
            answer: None,
            upload_failure: None,
            interim: 0,
            uploaded: 0,
            client_since: now,
            backend_since: now,
            half_closed: None,
            dirty: false,
        }
    }

    /// Goes as far as it can.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let upload = match self.poll_upload(cx) {
            Ok(upload) => upload,
            Err(error) => return Poll::Ready(self.fail(Phase::Sending, error)),
        };
        if self.answer.is_none()
            && let Poll::Ready(result) = self.poll_head(cx)
            && let Err(end) = result
        {
            return Poll::Ready(end);
        }
        if self.answer.is_some()
            && let Poll::Ready(end) = self.poll_body(cx, upload)
        {
            return Poll::Ready(end);
        }
        if upload == Upload::Done && self.half_closed.is_none() {
            match self.client.poll_gone(cx) {
                Poll::Ready(Ok(())) => self.half_closed = Some(self.now()),
                Poll::Ready(Err(_)) => return Poll::Ready(End::ClientGone),
                Poll::Pending => {}
            }
        }
        self.wait(cx, upload)
    }

    fn now(&self) -> Instant {
        self.client.timer.clock().now()
    }

    /// Ends the exchange because of `error`.
    fn fail(&mut self, phase: Phase, error: ProxyError) -> End {
        match &self.answer {
            Some(answer) => answer.broken(error),
            None => End::Failed(phase, error),
        }
    }

    /// Sees whose time is up, and asks to be woken when the next one's is.
    fn wait(&mut self, cx: &mut Context<'_>, upload: Upload) -> Poll<End> {
        let timeouts = &self.settings.timeouts;
        let begun = self.answer.is_some();
        let (since, limit, after) =
            if !self.client.out.is_empty() || (upload == Upload::WaitsForClient && !begun) {
                (self.client_since, TimeLimit::BodyStall, timeouts.body_stall)
            } else {
                (
                    self.backend_since,
                    TimeLimit::ResponseIdle,
                    timeouts.response_idle,
                )
            };
        let mut next = (since + after + TICK, limit, after);
        if let Some((deadline, whole)) = self.deadline.filter(|(deadline, _)| *deadline < next.0) {
            next = (deadline, TimeLimit::Request, whole);
        }
        let now = self.now();
        if next.0 <= now {
            let (limit, after) = (next.1, next.2);
            return Poll::Ready(self.fail(Phase::Waiting, ProxyError::TimedOut { limit, after }));
        }
        let mut wake = next.0;
        // What is sent to a client that has left comes back as a reset, so only silence has to be asked about.
        let flows = !self.client.out.is_empty();
        if let Some(half_closed) = self.half_closed.filter(|_| !flows) {
            let silent = if begun {
                half_closed.max(self.backend_since)
            } else {
                half_closed
            };
            let gone = silent + HALF_CLOSED + TICK;
            if gone <= now {
                return Poll::Ready(End::ClientGone);
            }
            wake = wake.min(gone);
        }
        self.client.timer.arm(cx, Some(wake), false);
        Poll::Pending
    }

    /// Sends the head, and the client's body as it comes.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<Upload, ProxyError> {
        let worker = Rc::clone(&self.worker);
        loop {
            if self.upload_failure.is_some() {
                return Ok(Upload::WaitsForBackend);
            }
            match self.outgoing.poll_flush(cx, &mut self.backend.stream) {
                Poll::Pending => return Ok(Upload::WaitsForBackend),
                Poll::Ready(Err(error)) => {
                    // The backend may have answered before it closed.
                    self.upload_failure = Some(error);
                    continue;
                }
                Poll::Ready(Ok(())) => {}
            }
            if self.upload.is_done() {
                return Ok(Upload::Done);
            }
            let broken = |error: BodyError| ProxyError::ClientBody(error.to_string());
            if !self.client.unused().is_empty() {
                let progress = self.upload.feed(self.client.unused()).map_err(broken)?;
                self.outgoing.queue(&self.client.unused()[..progress.consumed]);
                self.client.consume(progress.consumed);
                self.count_upload(progress.consumed)?;
                continue;
            }
            let count = match self.client.poll_read(cx, LARGE_READ) {
                Poll::Pending => return Ok(Upload::WaitsForClient),
                Poll::Ready(Ok(count)) if count > 0 => count,
                Poll::Ready(_) => return Err(ProxyError::ClientBody("the client left".to_owned())),
            };
            let scratch = worker.scratch();
            let progress = self.upload.feed(&scratch[..count]).map_err(broken)?;
            let sent = self
                .outgoing
                .send(cx, &mut self.backend.stream, &scratch[..progress.consumed]);
            self.client.keep(&scratch[progress.consumed..count]);
            self.upload_failure = sent.err();
            self.count_upload(progress.consumed)?;
        }
    }

    /// Notes that the upload has moved, and refuses one that has become too large. Sizes of chunks count with them.
    fn count_upload(&mut self, bytes: usize) -> Result<(), ProxyError> {
        self.uploaded += bytes as u64;
        let now = self.now();
        self.client_since = now;
        self.backend_since = now;
        match self.config.limits.body_size {
            Some(limit) if self.uploaded > limit.bytes() => Err(ProxyError::BodyTooLarge(limit)),
            _ => Ok(()),
        }
    }
}
