//! One request at one backend: sends it, and passes the answer on, both at once.
//!
//! Everything happens in [`Exchange::poll`], which goes as far as the sockets allow and then waits for any of them. It
//! never waits with bytes in the worker's shared buffer: what a socket does not take is copied to its backlog, and no
//! more is read until that is empty.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use lb_core::{
    config::{Config, PoolConfig},
    pool::Lease,
};
use lb_wire::{
    AnswerContext, Asked, BodyError, BodyPlan, BodyTracker, CHUNK_END, Framing, LAST_CHUNK, Lines, Parsed,
    RequestHead, ResponseHead, Version, parse_response, write_chunk_head, write_response_head,
};
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    Transport,
    client::Client,
    outgoing::Outgoing,
    timer::TICK,
    worker::{LARGE_READ, SMALL_READ, WireWorker},
};
use crate::{
    proxy::{Phase, ProxyError, TimeLimit},
    upstream::UpstreamConnection,
};

/// A client that closed its side may only have said that it sends no more; but most have left. So long may the backend
/// be silent then, before the head of its answer and within its body (nginx gives it no time at all).
const HALF_CLOSED: Duration = Duration::from_secs(2);

/// A backend that sends more interim answers than this to one request is defective.
const MOST_INTERIM: u32 = 100;

/// Reads in a row before other connections of the worker get their turn.
const READS_A_TURN: u32 = 16;

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

/// An answer that the client is getting.
struct Answer {
    body: BodyTracker,
    framing: Framing,
    plan: BodyPlan,
    client_goes_on: bool,
    backend_goes_on: bool,
    read_size: usize,
    received: u64,
    ended: bool,
}

impl Answer {
    fn broken(&self, error: ProxyError) -> End {
        End::Broken {
            error,
            looks_whole: self.plan.ends_connection(self.framing),
        }
    }
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

    fn poll_backend(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let mut scratch = self.worker.scratch();
        let length = most.min(scratch.len());
        let mut buffer = ReadBuf::new(&mut scratch[..length]);
        ready!(Pin::new(&mut self.backend.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Reads until the final head is there, and begins to pass it on.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let worker = Rc::clone(&self.worker);
        loop {
            let count = match ready!(self.poll_backend(cx, SMALL_READ)) {
                Ok(0) => return Poll::Ready(Err(self.closed_early(None))),
                Ok(count) => count,
                Err(error) => return Poll::Ready(Err(self.closed_early(Some(error)))),
            };
            self.backend_since = self.now();
            let scratch = worker.scratch();
            let mut lines = worker.lines();
            let taken = if self.backend.input.is_empty() {
                self.take_heads(cx, &scratch[..count], &mut lines)
            } else {
                let mut input = std::mem::take(&mut self.backend.input);
                input.extend_from_slice(&scratch[..count]);
                self.take_heads(cx, &input, &mut lines)
            };
            match taken {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(end) => return Poll::Ready(Err(end)),
            }
        }
    }

    /// The connection ended before an answer.
    fn closed_early(&mut self, error: Option<io::Error>) -> End {
        if !self.backend.input.is_empty() {
            return End::Failed(
                Phase::Waiting,
                ProxyError::BadAnswer("its head was cut short".to_owned()),
            );
        }
        match (self.upload_failure.take(), error) {
            (Some(error), _) => End::Failed(Phase::Sending, ProxyError::Io(error.to_string())),
            (None, Some(error)) => End::Failed(Phase::Waiting, ProxyError::Io(error.to_string())),
            (None, None) => End::Failed(Phase::Waiting, ProxyError::Closed),
        }
    }

    /// Takes heads off `bytes`; `false` when the final one is not complete yet.
    fn take_heads(&mut self, cx: &mut Context<'_>, mut bytes: &[u8], lines: &mut Lines) -> Result<bool, End> {
        let bad = |text: String| End::Failed(Phase::Waiting, ProxyError::BadAnswer(text));
        loop {
            let asked = Asked::from(self.head);
            match parse_response(bytes, lines, &self.worker.limits, asked) {
                Err(error) => return Err(bad(error.to_string())),
                Ok(Parsed::Partial) => {
                    self.backend.input.extend_from_slice(bytes);
                    return Ok(false);
                }
                Ok(Parsed::Complete(head)) if head.is_interim() => {
                    self.interim += 1;
                    if self.interim > MOST_INTERIM {
                        return Err(bad("too many interim answers".to_owned()));
                    }
                    self.pass_interim(cx, &head, bytes, lines)?;
                    bytes = &bytes[head.len..];
                }
                Ok(Parsed::Complete(head)) => return self.begin(cx, &head, bytes, lines).map(|()| true),
            }
        }
    }

    /// 100 goes to those who wait for it, other interim answers to all who speak HTTP/1.1 (RFC 9110 section 15.2).
    fn pass_interim(
        &mut self,
        cx: &mut Context<'_>,
        head: &ResponseHead,
        bytes: &[u8],
        lines: &Lines,
    ) -> Result<(), End> {
        let wanted = head.status != 100 || self.head.expect_continue;
        if self.head.version == Version::Http10 || !wanted {
            return Ok(());
        }
        let context = self.context(BodyPlan::Copy, true, None);
        write_response_head(&head.view(bytes, lines), &context, self.client.out.buffer());
        match self.client.out.poll_flush(cx, &mut self.client.stream) {
            Poll::Ready(Err(_)) => Err(End::ClientGone),
            _ => Ok(()),
        }
    }

    fn context<'c>(&self, body: BodyPlan, keep_alive: bool, date: Option<&'c str>) -> AnswerContext<'c>
    where
        'a: 'c,
    {
        let config: &'a Config = self.config;
        AnswerContext {
            client: self.head.version,
            keep_alive,
            body,
            length_without_body: true,
            date,
            via: config.via.as_deref(),
        }
    }

    /// Passes the final head on, with what of the body came with it.
    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        head: &ResponseHead,
        bytes: &[u8],
        lines: &Lines,
    ) -> Result<(), End> {
        self.lease.answered(WireWorker::precise_now());
        let retried = self.retry_statuses && self.settings.retries.statuses.contains(&head.status);
        // Within the budget only: the client is better off with this answer than with none.
        if retried && self.worker.shared.withdraw_retry(self.settings) {
            return Err(End::Failed(
                Phase::Waiting,
                ProxyError::RetriedStatus(head.status),
            ));
        }
        let plan = BodyPlan::choose(head.framing, self.head.version);
        let uploaded = self.upload.is_done() && self.outgoing.is_flushed();
        let wanted = self.head.keep_alive && uploaded && !self.worker.traffic().is_draining();
        let date = self.worker.date();
        let date = std::str::from_utf8(&date).ok();
        let context = self.context(plan, wanted, date);
        let goes_on = write_response_head(&head.view(bytes, lines), &context, self.client.out.buffer());
        let body = &bytes[head.len..];
        if head.tunnel {
            self.backend.input.extend_from_slice(body);
            return Err(End::Tunnel);
        }
        self.client_since = self.now();
        let mut answer = Answer {
            body: BodyTracker::new(head.framing),
            framing: head.framing,
            plan,
            client_goes_on: goes_on,
            backend_goes_on: head.keep_alive,
            read_size: SMALL_READ,
            received: 0,
            ended: false,
        };
        let passed = self.pass(cx, &mut answer, body);
        self.answer = Some(answer);
        match passed {
            Ok(()) => Ok(()),
            Err(Passing::Backend(error)) => Err(self.fail(Phase::Answering, error)),
            Err(Passing::Client) => Err(End::ClientGone),
        }
    }

    /// Passes bytes of the body on.
    fn pass(&mut self, cx: &mut Context<'_>, answer: &mut Answer, mut bytes: &[u8]) -> Result<(), Passing> {
        let bad = |error: BodyError| Passing::Backend(ProxyError::BadAnswer(error.to_string()));
        answer.received += bytes.len() as u64;
        let (out, stream) = (&mut self.client.out, &mut self.client.stream);
        match answer.plan {
            BodyPlan::Copy => {
                let progress = answer.body.feed(bytes).map_err(bad)?;
                let (body, rest) = bytes.split_at(progress.consumed);
                out.send(cx, stream, body)?;
                bytes = rest;
            }
            BodyPlan::Chunk => {
                if !bytes.is_empty() {
                    write_chunk_head(bytes.len(), out.buffer());
                    out.send(cx, stream, bytes)?;
                    out.buffer().extend_from_slice(CHUNK_END);
                }
                bytes = &[];
            }
            BodyPlan::Unchunk => {
                while !bytes.is_empty() && !answer.body.is_done() {
                    let piece = answer.body.step(bytes).map_err(bad)?;
                    out.buffer().extend_from_slice(&bytes[piece.data]);
                    bytes = &bytes[piece.consumed..];
                }
            }
        }
        answer.ended = answer.body.is_done();
        // Bytes behind the end belong to nothing; they go no further, and neither does the connection.
        self.dirty |= !bytes.is_empty();
        Ok(())
    }

    /// Passes the body on to its end.
    fn poll_body(&mut self, cx: &mut Context<'_>, upload: Upload) -> Poll<End> {
        let Some(mut answer) = self.answer.take() else {
            return Poll::Pending;
        };
        let polled = self.poll_answer(cx, &mut answer, upload);
        self.answer = Some(answer);
        polled
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>, answer: &mut Answer, upload: Upload) -> Poll<End> {
        let worker = Rc::clone(&self.worker);
        for _ in 0..READS_A_TURN {
            if !self.client.out.is_empty() {
                let waiting = self.client.out.len();
                match self.client.out.poll_flush(cx, &mut self.client.stream) {
                    Poll::Pending if self.client.out.len() == waiting => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(End::ClientGone),
                    // Slow is not stalled: a part that was taken counts.
                    Poll::Pending => {
                        self.client_since = self.now();
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(())) => self.client_since = self.now(),
                }
            }
            if answer.ended {
                let uploaded = upload == Upload::Done;
                return Poll::Ready(End::Answered {
                    client_goes_on: answer.client_goes_on && uploaded,
                    backend_goes_on: answer.backend_goes_on && uploaded && !self.dirty,
                });
            }
            let count = match ready!(self.poll_backend(cx, answer.read_size)) {
                Ok(count) => count,
                Err(error) => return Poll::Ready(answer.broken(ProxyError::Io(error.to_string()))),
            };
            self.backend_since = self.now();
            if count == 0 {
                if let Err(end) = self.end_of_backend(answer) {
                    return Poll::Ready(end);
                }
                continue;
            }
            if count == answer.read_size {
                answer.read_size = LARGE_READ;
            }
            let scratch = worker.scratch();
            match self.pass(cx, answer, &scratch[..count]) {
                Ok(()) => self.client_since = self.now(),
                Err(Passing::Backend(error)) => return Poll::Ready(answer.broken(error)),
                Err(Passing::Client) => return Poll::Ready(End::ClientGone),
            }
        }
        // Others first; this one goes on right behind them.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The backend closed: the end of a body that ends so, and a broken answer otherwise.
    fn end_of_backend(&mut self, answer: &mut Answer) -> Result<(), End> {
        if answer.framing != Framing::UntilClose {
            return Err(answer.broken(ProxyError::CutShort {
                received: answer.received,
            }));
        }
        if answer.plan == BodyPlan::Chunk {
            self.client.out.buffer().extend_from_slice(LAST_CHUNK);
        }
        answer.ended = true;
        answer.backend_goes_on = false;
        Ok(())
    }
}

/// Whose side failed while bytes were passed on.
enum Passing {
    Backend(ProxyError),
    Client,
}

impl From<io::Error> for Passing {
    fn from(_: io::Error) -> Self {
        Self::Client
    }
}
