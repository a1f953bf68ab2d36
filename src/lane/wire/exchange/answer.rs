//! The answer's half of an exchange: heads off the backend's bytes, and the body to its end.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use lb_core::attempts::Replay;
use lb_wire::{
    AnswerContext, Asked, BodyError, BodyFilter, BodyPlan, CHUNK_END, Framing, LAST_CHUNK, LineEdits, Lines,
    Parsed, ResponseHead, Version, parse_response, write_chunk_head,
};
use tokio::io::{AsyncRead, ReadBuf};

use super::{A_TURN, AnswerEdits, End, Exchange, Message, UploadStep};
use crate::{
    front::Downstream,
    lane::wire::worker::WireWorker,
    proxy::{Phase, ProxyError, answer_head, sticky_cookie},
    telemetry::Responder,
};

/// A backend that sends more interim answers than this to one request is defective.
const MOST_INTERIM: u32 = 100;

/// A longer answer is not taken to have been read by the client when it was sent.
const SHORT: u64 = 16 * 1024;

/// An answer that the client is getting.
pub(super) struct Answer {
    body: BodyFilter,
    framing: Framing,
    plan: BodyPlan,
    client_goes_on: bool,
    backend_goes_on: bool,
    received: u64,
    ended: bool,
}

impl Answer {
    pub(super) fn broken(&self, error: ProxyError) -> End {
        End::Broken {
            error,
            looks_whole: self.plan.ends_connection(self.framing),
        }
    }
}

impl<D: Downstream> Exchange<'_, D> {
    fn poll_backend(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = self.worker.scratch();
        let mut buffer = ReadBuf::new(&mut scratch[..]);
        ready!(Pin::new(&mut self.backend.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Reads until the final head is there, and begins to pass it on. No further head is taken while something waits for the
    /// client: the flush that found no room wakes the task.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.client.waiting() > 0 {
            return Poll::Pending;
        }
        let worker = Rc::clone(&self.worker);
        if std::mem::take(&mut self.held) {
            let input = std::mem::take(&mut self.backend.input);
            let taken = self.take_heads(cx, &input, &mut worker.lines());
            if !matches!(taken, Ok(false)) {
                return Poll::Ready(taken.map(|_| ()));
            }
        }
        while self.client.waiting() == 0 {
            let count = match ready!(self.poll_backend(cx)) {
                Ok(0) => return Poll::Ready(Err(self.closed_early(None))),
                Ok(count) => count,
                Err(error) => return Poll::Ready(Err(self.closed_early(Some(error)))),
            };
            self.backend_pulse.since = self.now();
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
        Poll::Pending
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

    /// Takes heads off `bytes`; `false` when the final one is not complete yet, or has to wait until the client has taken an
    /// interim one.
    fn take_heads(&mut self, cx: &mut Context<'_>, mut bytes: &[u8], lines: &mut Lines) -> Result<bool, End> {
        let bad = |text: String| End::Failed(Phase::Waiting, ProxyError::BadAnswer(text));
        loop {
            let asked = Asked {
                method: self.message.head.method,
                offers: &self.message.offers,
            };
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
                    self.dirty |= !head.keep_alive;
                    self.pass_interim(cx, &head, bytes, lines)?;
                    bytes = &bytes[head.len..];
                    if self.client.waiting() > 0 {
                        self.backend.input.extend_from_slice(bytes);
                        self.held = !bytes.is_empty();
                        return Ok(false);
                    }
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
        let asked = &mut *self.message;
        let wanted = head.status != 100 || (asked.head.expect_continue && !asked.continued);
        if asked.head.version == Version::Http10 || !wanted {
            return Ok(());
        }
        if head.status == 100 {
            // From now on the body is due.
            asked.continued = true;
            self.client_pulse.since = self.client.now();
        }
        let context = context(self.message, BodyPlan::Copy, true, None);
        self.client.begin(&head.view(bytes, lines), &context);
        match self.flush_client(cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => {
                // Its time to read begins now.
                self.client_pulse.since = self.client.now();
                Ok(())
            }
        }
    }

    /// Sends what waits for the client. Slow is not stalled: a part that is taken counts. The backend's silence counts from
    /// the last part on: nothing was read from it before.
    pub(super) fn flush_client(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let waiting = self.client.waiting();
        if waiting == 0 {
            return Poll::Ready(Ok(()));
        }
        let polled = self.client.poll_flush(cx);
        let left = self.client.waiting();
        if left < waiting {
            let now = self.now();
            self.client_pulse.since = now;
            if left == 0 {
                self.backend_pulse.since = now;
            }
        }
        polled.map_err(|_| End::ClientGone)
    }

    /// Passes the final head on, with what of the body came with it.
    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        head: &ResponseHead,
        bytes: &[u8],
        lines: &Lines,
    ) -> Result<(), End> {
        if self.is_idle_timeout(head) {
            return Err(End::Failed(Phase::Waiting, ProxyError::Closed));
        }
        let now = WireWorker::precise_now();
        if let Some(lease) = self.lease {
            // Time counts where it is the backend's own.
            let timed =
                self.message.head.framing.is_empty() && self.worker.timers.has_run(lease.started(), now);
            let said = answer_head(head.status, self.message.destination.pool(), timed);
            lease.answered(now, said);
        }
        let destination = &self.message.destination;
        if let Some(attempts) = self.attempts
            && !destination.terms().retries.statuses.is_empty()
            && self
                .worker
                .shared
                .rejects(attempts, head.status, self.message.replay(), destination)
        {
            self.backend.input.extend_from_slice(bytes);
            return Err(End::Rejected(head.status));
        }
        self.worker.shared.records.count_response(head.status);
        if let Some(notes) = self.client.record() {
            notes.response(Responder::Backend, head.status, || now);
            let records = &self.worker.shared.records;
            notes.response_headers(records, |name| lines.values(bytes, name).next());
        }
        let asked = &*self.message;
        let plan = self.client.plan(head.framing, asked.head.version);
        let uploaded = asked.body.is_done() && asked.outgoing.is_flushed();
        let wanted = asked.head.keep_alive && uploaded && !self.worker.traffic().is_draining();
        let date = self.worker.date();
        let cookie = sticky_cookie(asked.destination.pool(), self.to, asked.sticky);
        let with_cookie = cookie.map(|cookie| with_cookie(asked.answer_edits.as_ref(), &cookie));
        let mut context = context(asked, plan, wanted, Some(&date));
        if let Some(edits) = &with_cookie {
            context.edits = Some(edits.as_lines());
        }
        let goes_on = self.client.begin(&head.view(bytes, lines), &context);
        let body = &bytes[head.len..];
        if head.tunnel {
            self.backend.input.extend_from_slice(body);
            return Err(End::Tunnel);
        }
        self.client_pulse.since = self.now();
        let mut filter = BodyFilter::of_answer(head.framing, head.view(bytes, lines).named_away());
        if let Some(edits) = &asked.answer_edits {
            filter.leave_out_trailers(&edits.dropped);
        }
        self.answer = Some(Answer {
            body: filter,
            framing: head.framing,
            plan,
            client_goes_on: goes_on,
            backend_goes_on: head.keep_alive,
            received: 0,
            ended: false,
        });
        match self.pass(cx, body) {
            Ok(()) => Ok(()),
            Err(Passing::Backend(error)) => Err(self.fail(Phase::Answering, error)),
            Err(Passing::Client) => Err(End::ClientGone),
        }
    }

    /// Whether a backend ends a kept connection by 408 that it took to be idle, while the request was on its way (RFC 9110
    /// section 15.5.9). A request that may be sent again is, as after a close; others' clients are told.
    fn is_idle_timeout(&self, head: &ResponseHead) -> bool {
        head.status == 408
            && !head.keep_alive
            && self.backend.reused
            && self.attempts.is_some()
            && self.message.replay() >= Replay::IfUnanswered
    }

    /// Passes bytes of the body on.
    fn pass(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> Result<(), Passing> {
        let bad = |error: BodyError| Passing::Backend(ProxyError::BadAnswer(error.to_string()));
        // It is large, so it stays where it is.
        let Some(answer) = &mut self.answer else {
            return Ok(());
        };
        answer.received += bytes.len() as u64;
        let client = &mut *self.client;
        let mut content = 0;
        match answer.plan {
            BodyPlan::Copy => {
                let mut instead = Vec::new();
                let passed = answer.body.pass(bytes, &mut instead).map_err(bad)?;
                content = passed.content;
                let (body, rest) = bytes.split_at(passed.consumed);
                client.send(cx, if passed.changed { &instead } else { body })?;
                bytes = rest;
            }
            BodyPlan::Chunk => {
                if !bytes.is_empty() {
                    content = bytes.len();
                    let mut size = Vec::with_capacity(16);
                    write_chunk_head(bytes.len(), &mut size);
                    client.append(&size);
                    client.send(cx, bytes)?;
                    client.append(CHUNK_END);
                }
                bytes = &[];
            }
            BodyPlan::Unchunk => {
                while !bytes.is_empty() && !answer.body.is_done() {
                    let piece = answer.body.step(bytes).map_err(bad)?;
                    content += piece.data.len();
                    client.append(&bytes[piece.data]);
                    bytes = &bytes[piece.consumed..];
                }
            }
        }
        if let Some(notes) = client.record() {
            notes.note(|facts| facts.sent += content as u64);
        }
        answer.ended = answer.body.is_done();
        if answer.ended {
            client.end_body();
        }
        // Bytes behind the end belong to nothing; they go no further, and neither does the connection.
        if !bytes.is_empty() {
            self.dirty = true;
            self.worker.idle.talked(self.to, self.worker.timers.real());
        }
        Ok(())
    }

    /// Passes the body on to its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>, upload: UploadStep) -> Poll<End> {
        let worker = Rc::clone(&self.worker);
        let mut turn = A_TURN;
        while turn > 0 {
            if let Err(end) = ready!(self.flush_client(cx)) {
                return Poll::Ready(end);
            }
            if let Some(answer) = &self.answer
                && answer.ended
            {
                let uploaded = upload == UploadStep::Done;
                return Poll::Ready(End::Answered {
                    client_goes_on: answer.client_goes_on && uploaded,
                    backend_goes_on: answer.backend_goes_on && uploaded && !self.dirty,
                    is_long: answer.received > SHORT,
                });
            }
            let count = match ready!(self.poll_backend(cx)) {
                Ok(count) => count,
                Err(error) => {
                    let error = ProxyError::Io(error.to_string());
                    return Poll::Ready(self.fail(Phase::Answering, error));
                }
            };
            self.backend_pulse.since = self.now();
            if count == 0 {
                if let Err(end) = self.end_of_backend() {
                    return Poll::Ready(end);
                }
                continue;
            }
            turn = turn.saturating_sub(count);
            let scratch = worker.scratch();
            match self.pass(cx, &scratch[..count]) {
                Ok(()) => self.client_pulse.since = self.now(),
                Err(Passing::Backend(error)) => return Poll::Ready(self.fail(Phase::Answering, error)),
                Err(Passing::Client) => return Poll::Ready(End::ClientGone),
            }
        }
        // Others first; this one goes on right behind them.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The backend closed: the end of a body that ends so, and a broken answer otherwise.
    fn end_of_backend(&mut self) -> Result<(), End> {
        let Some(answer) = &mut self.answer else {
            return Ok(());
        };
        if answer.framing != Framing::UntilClose {
            return Err(answer.broken(ProxyError::CutShort {
                received: answer.received,
            }));
        }
        if answer.plan == BodyPlan::Chunk {
            self.client.append(LAST_CHUNK);
        }
        self.client.end_body();
        answer.ended = true;
        answer.backend_goes_on = false;
        Ok(())
    }
}

/// How an answer's head is passed on.
fn context<'c>(
    message: &'c Message,
    body: BodyPlan,
    keep_alive: bool,
    date: Option<&'c [u8]>,
) -> AnswerContext<'c> {
    AnswerContext {
        client: message.head.version,
        keep_alive,
        body,
        length_without_body: true,
        date,
        via: message.config.via.as_deref(),
        edits: message.answer_edits.as_ref().map(AnswerEdits::as_lines),
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

impl AnswerEdits {
    fn as_lines(&self) -> LineEdits<'_> {
        LineEdits {
            dropped: &self.dropped,
            added: &self.added,
        }
    }
}

/// The route's changes, and one more line.
fn with_cookie(edits: Option<&AnswerEdits>, cookie: &str) -> AnswerEdits {
    let mut edits = edits.map_or_else(AnswerEdits::default, |edits| AnswerEdits {
        dropped: Arc::clone(&edits.dropped),
        added: edits.added.clone(),
    });
    edits.added.push("Set-Cookie", cookie.as_bytes());
    edits
}
