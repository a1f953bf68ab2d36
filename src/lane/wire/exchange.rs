//! One request at one backend: sends it, and passes the answer on, both at once. What it came from is a [`Downstream`]: a client's
//! connection, whose bytes are read and written in place, or whatever else gives a body and takes a response.
//!
//! Everything happens in [`Exchange::poll`], which goes as far as the sockets allow and then waits for any of them. It
//! never waits with bytes in the worker's shared buffer: what a socket does not take is copied to its backlog, and no
//! more is read until that is empty.

mod answer;
mod pulse;
#[cfg(test)]
mod tests;

use std::{
    io,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use lb_core::{
    attempts::{self, Attempts, Deadline, Replay, Wait},
    config::SendHost,
    pool::{Backend, Destination, Lease},
    sticky::StickyId,
};
use lb_wire::{AddedLines, RequestHead};

use self::answer::Answer;
use super::{outgoing::Outgoing, worker::WireWorker};
use crate::{
    front::{Downstream, KeptConfig, Pulse, READ_SIZE, TICK},
    proxy::{ClientBody, HALF_CLOSED, Look, Phase, ProxyError},
    upstream::UpstreamConnection,
};

/// Bytes that are read in a row before other connections of the worker get their turn.
const A_TURN: usize = 512 * 1024;

/// A client that sends less of its body than this in its time is taken to be silent: it would hold a place for ever.
const PIECE: u64 = 256;

/// How an exchange ended.
pub(super) enum End {
    /// The client has the whole answer.
    Answered {
        /// The client's connection can take another request.
        client_goes_on: bool,
        /// The backend's connection can take another request.
        backend_goes_on: bool,
        /// The client may still have much of the answer to read.
        is_long: bool,
    },
    /// From here on bytes pass both ways.
    Tunnel,
    /// It failed, and the client has got nothing yet.
    Failed(Phase, ProxyError),
    /// An answer came with this status, which is to be retried. The connection holds it, for [`Exchange::resume`].
    Rejected(u16),
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

/// What is asked of backends, the same in all attempts.
pub(super) struct Message {
    pub(super) head: RequestHead,
    /// The protocols that it asks to switch to.
    pub(super) offers: Vec<u8>,
    pub(super) config: Rc<KeptConfig>,
    /// The pool as it was when the request came, and the terms; attempts after the first take the newest backends.
    pub(super) destination: Arc<Destination>,
    /// The backend that the client was told to come back to.
    pub(super) sticky: Option<StickyId>,
    /// What its route changes of the answer.
    pub(super) answer_edits: Option<AnswerEdits>,
    /// When the whole request must be done.
    pub(super) deadline: Option<Deadline>,
    pub(super) outgoing: Outgoing,
    pub(super) body: ClientBody,
    /// The client has been told that its body is wanted.
    pub(super) continued: bool,
}

impl Message {
    /// Whether it may be sent again.
    pub(super) fn replay(&self) -> Replay {
        let method = self.head.method;
        match self.outgoing.is_whole() {
            false => Replay::Never,
            true if method.is_safe() && self.head.framing.is_empty() => Replay::Always,
            true if method.is_idempotent() => Replay::IfUnanswered,
            true => Replay::IfUnsent,
        }
    }

    /// How far the client's body has come.
    pub(super) fn upload(&self) -> attempts::Upload {
        match self.body.is_done() {
            true => attempts::Upload::Complete,
            false if self.outgoing.is_flushed() => attempts::Upload::Owed,
            false => attempts::Upload::Blocked,
        }
    }

    /// Whether each backend is told its own host: because the route says so, or because the client named none.
    pub(super) fn sends_own_host(&self) -> bool {
        match self.destination.forward().map(|forward| &forward.send_host) {
            Some(SendHost::Backend) => true,
            Some(SendHost::Literal(_)) => false,
            Some(SendHost::Preserve) | None => !self.head.names_host(),
        }
    }
}

/// Changes of an answer's header lines.
#[derive(Default)]
pub(super) struct AnswerEdits {
    /// Names of lines that are left out.
    pub(super) dropped: Arc<[Box<str>]>,
    /// Lines that are added.
    pub(super) added: AddedLines,
}

/// One attempt.
pub(super) struct Exchange<'a, D> {
    client: &'a mut D,
    backend: &'a mut UpstreamConnection,
    to: &'a Backend,
    /// Missing where the answer has been noted already.
    lease: Option<&'a Lease>,
    message: &'a mut Message,
    /// Decides whether a response is kept, as its status is to be retried; missing where one is passed on in any case.
    attempts: Option<&'a Attempts>,
    /// The connection holds an answer, or a part of one, that nobody has looked at.
    held: bool,
    worker: Rc<WireWorker>,
    answer: Option<Answer>,
    upload_failure: Option<io::Error>,
    interim: u32,
    /// How much of the client's body must have come for it to have its time anew.
    due: u64,
    /// The backend has not taken what came of the upload.
    blocked: bool,
    /// When all of the request had been sent.
    sent: Option<Instant>,
    client_pulse: Pulse,
    backend_pulse: Pulse,
    half_closed: Option<Instant>,
    dirty: bool,
}

/// What the upload waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UploadStep {
    Done,
    WaitsForClient,
    WaitsForBackend,
}

/// The two sides of an exchange.
pub(super) struct Sides<'a, D> {
    pub(super) client: &'a mut D,
    pub(super) backend: &'a mut UpstreamConnection,
}

/// The attempt that an exchange carries out.
pub(super) struct Sent<'a> {
    pub(super) lease: &'a Lease,
    pub(super) attempts: &'a Attempts,
}

impl<'a, D: Downstream> Exchange<'a, D> {
    /// Before anything is sent.
    pub(super) fn new(
        worker: &Rc<WireWorker>,
        sides: Sides<'a, D>,
        attempt: Sent<'a>,
        message: &'a mut Message,
    ) -> Self {
        let Sent { lease, attempts } = attempt;
        Self {
            lease: Some(lease),
            attempts: Some(attempts),
            ..Self::resume(worker, sides, lease.backend(), message)
        }
    }

    /// For an answer that was [rejected](End::Rejected), and is passed on after all.
    pub(super) fn resume(
        worker: &Rc<WireWorker>,
        Sides { client, backend }: Sides<'a, D>,
        to: &'a Backend,
        message: &'a mut Message,
    ) -> Self {
        let now = client.now();
        client.give_up_as_late_as(message.destination.terms().timeouts.body_stall);
        Self {
            worker: Rc::clone(worker),
            client,
            held: !backend.input.is_empty(),
            backend,
            to,
            lease: None,
            message,
            attempts: None,
            answer: None,
            upload_failure: None,
            interim: 0,
            due: 0,
            blocked: false,
            sent: None,
            client_pulse: Pulse::new(now),
            backend_pulse: Pulse::new(now),
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
        // An interim answer that found no room.
        if self.answer.is_none()
            && let Poll::Ready(Err(end)) = self.flush_client(cx)
        {
            return Poll::Ready(end);
        }
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
        if upload == UploadStep::Done && self.half_closed.is_none() {
            match self.client.poll_gone(cx) {
                Poll::Ready(Ok(())) => self.half_closed = Some(self.now()),
                Poll::Ready(Err(_)) => return Poll::Ready(End::ClientGone),
                Poll::Pending => {}
            }
        }
        if upload == UploadStep::WaitsForBackend && self.client.look() == Look::Gone {
            return Poll::Ready(End::ClientGone);
        }
        self.wait(cx, upload)
    }

    fn now(&self) -> Instant {
        self.client.now()
    }

    /// Ends the exchange because of `error`.
    fn fail(&mut self, phase: Phase, error: ProxyError) -> End {
        match &self.answer {
            Some(answer) => answer.broken(error),
            None => End::Failed(phase, error),
        }
    }

    /// Sees whose time is up, and asks to be woken when the next one's is.
    fn wait(&mut self, cx: &mut Context<'_>, upload: UploadStep) -> Poll<End> {
        let ask = match self.ask_for_progress(cx) {
            Ok(ask) => ask,
            Err(end) => return Poll::Ready(end),
        };
        if upload == UploadStep::Done && self.sent.is_none() {
            self.sent = Some(self.now());
        }
        let timeouts = &self.message.destination.terms().timeouts;
        let responding = self.answer.is_some();
        let upload_is_due = upload == UploadStep::WaitsForClient && !responding && !self.awaits_continue();
        let client = self.client_pulse.since + TICK;
        let backend = self.backend_pulse.since + TICK;
        let wait = match responding {
            _ if self.client.waiting() > 0 => Wait::Reader { since: client },
            _ if upload_is_due => Wait::Upload { since: client },
            true => Wait::Body { since: backend },
            false => Wait::Head {
                since: backend,
                sent: self.sent.map(|sent| sent + TICK),
            },
        };
        let end = wait.ends(timeouts, self.message.deadline);
        let now = self.now();
        if end.at <= now {
            return Poll::Ready(self.fail(Phase::Waiting, end.by.into()));
        }
        let mut wake = ask.map_or(end.at, |ask| end.at.min(ask));
        // Nobody reads from the client.
        if upload == UploadStep::WaitsForBackend || self.client.is_far_ahead() {
            wake = wake.min(self.client.looks_again());
        }
        // What is sent to a client that has left comes back as a reset, so only silence has to be asked about.
        let flows = self.client.waiting() > 0;
        if let Some(half_closed) = self.half_closed.filter(|_| !flows) {
            let silent = if responding {
                half_closed.max(self.backend_pulse.since)
            } else {
                half_closed
            };
            let gone = silent + HALF_CLOSED + TICK;
            if gone <= now {
                return Poll::Ready(End::ClientGone);
            }
            wake = wake.min(gone);
        }
        self.client.wake_at(cx, Some(wake));
        Poll::Pending
    }

    /// Whether the client rightly waits with its body until the backend wants it (RFC 9110 section 10.1.1): then it is not
    /// the client who is silent.
    fn awaits_continue(&self) -> bool {
        let message = &self.message;
        message.head.expect_continue && !message.continued && !message.body.has_begun()
    }

    /// Sends the head, and the client's body as it comes.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<UploadStep, ProxyError> {
        let worker = Rc::clone(&self.worker);
        let mut turn = A_TURN;
        loop {
            if self.upload_failure.is_some() {
                return Ok(UploadStep::WaitsForBackend);
            }
            let message = &mut *self.message;
            match message.outgoing.poll_flush(cx, &mut self.backend.stream) {
                Poll::Pending => {
                    self.blocked = true;
                    return Ok(UploadStep::WaitsForBackend);
                }
                Poll::Ready(Err(error)) => {
                    // The backend may have answered before it closed.
                    self.upload_failure = Some(error);
                    continue;
                }
                // It was the backend who was slow, and now it is the client's turn.
                Poll::Ready(Ok(())) if std::mem::take(&mut self.blocked) => {
                    self.client_pulse.since = self.now()
                }
                Poll::Ready(Ok(())) => {}
            }
            let message = &mut *self.message;
            if message.body.is_done() {
                return Ok(UploadStep::Done);
            }
            if !self.client.unused().is_empty() {
                let count = message.body.take(self.client.unused())?;
                message
                    .outgoing
                    .queue(message.body.passes(&self.client.unused()[..count]));
                self.client.consume(count);
                self.upload_moved();
                continue;
            }
            if turn == 0 {
                // Others first; this one goes on right behind them.
                cx.waker().wake_by_ref();
                return Ok(UploadStep::WaitsForClient);
            }
            let count = match self.client.poll_read(cx, READ_SIZE) {
                Poll::Pending => return Ok(UploadStep::WaitsForClient),
                Poll::Ready(Ok(count)) if count > 0 => count,
                Poll::Ready(_) => return Err(ProxyError::ClientBody("the client left".to_owned())),
            };
            turn = turn.saturating_sub(count);
            let scratch = worker.scratch();
            let (body, rest) = scratch[..count].split_at(message.body.take(&scratch[..count])?);
            let body = message.body.passes(body);
            let sent = message.outgoing.send(cx, &mut self.backend.stream, body);
            self.client.keep(rest);
            self.upload_failure = sent.err();
            self.upload_moved();
        }
    }

    /// Notes that nobody is silent in the upload. A client that sends a byte now and then, only to keep its place, is:
    /// it has its time for each [`PIECE`].
    fn upload_moved(&mut self) {
        let now = self.now();
        let body = &self.message.body;
        if let Some(notes) = self.client.record() {
            notes.note(|facts| facts.received = body.content());
        }
        let taken = body.taken();
        if taken >= self.due {
            self.due = taken + PIECE;
            self.client_pulse.since = now;
        }
        self.backend_pulse.since = now;
    }
}
