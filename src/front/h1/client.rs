//! A client's connection: what has been read of it and not been used, and what it has not taken yet.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use lb_core::{config, pool::Destination};
use lb_wire::{Parsed, RequestHead, only_empty_lines, parse_request, worth_parsing};
use tokio::io::{AsyncWriteExt, ReadBuf};

use super::backlog::Backlog;
use crate::{
    front::{FrontWorker, READ_SIZE, Timer},
    proxy::{
        self, About, Asked, Connection, FIRST_REQUEST_GRACE, FailedRequest, HeadLines, LINGER, Look,
        MOST_AHEAD, ProxyError, ReplyTo, Transport, head_limits,
    },
    telemetry::{Notes, RequestRecord},
};

/// Bytes of a read that looks for a request. What comes of a body together with the head is copied, twice; the rest of it is
/// not. With [`READ_SIZE`] here, an upload of 64 KiB costs a fifth more.
const A_HEAD: usize = 8 * 1024;

/// A buffer that grew larger is given back between requests.
const KEPT: usize = 1024;

/// A head that has grown this much is parsed again though no line of it has ended: a start line or a head that is too long
/// must be refused. Parsing starts at the front each time, so this bounds the work on a head that arrives byte by byte.
const PARSE_EVERY: usize = 2 * 1024;

/// How often the kernel is asked about a client that is not read from.
const LOOK: Duration = Duration::from_secs(1);

/// One client connection.
pub struct Client<S> {
    pub(crate) stream: S,
    pub(crate) worker: Rc<FrontWorker>,
    pub(crate) timer: Timer,
    pub(crate) connection: Connection,
    /// Read and not used: the head being answered is not among it.
    pub(crate) input: Vec<u8>,
    used: usize,
    /// To be sent.
    pub(crate) out: Backlog,
    /// The client has closed its side.
    pub(crate) eof: bool,
    looked: Instant,
    /// After which silence the kernel breaks the connection.
    given_up_after: Option<Duration>,
    /// Of the request that is carried.
    record: Option<RequestRecord>,
}

/// Why no request came.
pub(crate) enum NoRequest {
    /// The client left, or was idle too long, between requests: nothing to say.
    Gone,
    /// What it sent is no request, or did not come to its end in time.
    Refused(ProxyError),
}

impl<S: Transport> Client<S> {
    pub(crate) fn new(stream: S, connection: Connection, worker: Rc<FrontWorker>) -> Self {
        let timer = worker.timers.timer();
        let looked = worker.timers.now();
        Self {
            stream,
            worker,
            timer,
            connection,
            input: Vec::new(),
            used: 0,
            out: Backlog::default(),
            eof: false,
            looked,
            given_up_after: None,
            record: None,
        }
    }

    /// Begins the record of a request, whose head was read if there is one.
    #[inline]
    pub(super) fn begin_record(&mut self, head: Option<&RequestHead>) {
        let records = &self.worker.shared.records;
        let record = records.begin(&self.connection.peer);
        self.record = Some(record);
        self.note(|notes| self.note_head(notes, head));
    }

    /// Notes what the head of a request says.
    #[inline(never)]
    fn note_head(&self, notes: &Notes, head: Option<&RequestHead>) {
        let Some(head) = head else { return };
        let shared = &self.worker.shared;
        notes.note(|facts| {
            let lines = self.worker.lines();
            let view = head.view(self.unused(), &lines);
            let snapshot = shared.registry.snapshot();
            let networks = &snapshot.config().trusted_proxies;
            let peer = proxy::Client::new(facts.peer.ip(), networks);
            facts.version = Some(head.version);
            facts.client = proxy::client_address(peer, networks, &HeadLines(view));
            facts.scheme = proxy::scheme(self.connection.scheme, peer, &HeadLines(view));
            shared.records.needs(|needs| facts.asked(&view, needs));
        });
    }

    /// The request ends here.
    pub(super) fn end_record(&mut self) {
        self.record = None;
    }

    /// Where facts of the request that is carried are noted; `None` where nobody wants to know.
    #[inline]
    pub(crate) fn record(&self) -> Option<&Notes> {
        let notes = self.record.as_ref()?.notes();
        notes.are_wanted().then_some(notes)
    }

    /// Notes facts of the request that is carried.
    #[inline]
    pub(crate) fn note(&self, note: impl FnOnce(&Notes)) {
        if let Some(notes) = self.record() {
            note(notes);
        }
    }

    /// When the request that is carried began, if somebody wants to know.
    #[inline]
    pub(crate) fn started(&self) -> Option<Instant> {
        self.record.as_ref()?.notes().started()
    }

    /// Where facts of the request that is carried are noted.
    pub(crate) fn notes(&self) -> Notes {
        self.record
            .as_ref()
            .map_or_else(Notes::default, |record| record.notes().clone())
    }

    /// A request of this connection as failures see it; `head` is what it asked for.
    pub(crate) fn failed<'a>(
        &self,
        to: ReplyTo<'a>,
        head: &'a [u8],
        destination: Option<&'a Destination>,
    ) -> FailedRequest<'a> {
        FailedRequest {
            about: About {
                id: to.id,
                client: self.connection.peer.ip().to_canonical(),
                asked: Asked::Head(head),
                destination,
            },
            json: to.json,
            notes: self.notes(),
        }
    }

    /// Bytes that were read and not used.
    pub(crate) fn unused(&self) -> &[u8] {
        &self.input[self.used..]
    }

    /// Marks bytes as used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used += count;
        if self.used >= self.input.len() {
            self.input.clear();
            self.used = 0;
        }
    }

    /// Keeps bytes that belong to a later message.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Reads into the worker's buffer, at most `most` bytes; 0 at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        if self.eof {
            return Poll::Ready(Ok(0));
        }
        let mut scratch = self.worker.scratch();
        let length = most.min(scratch.len());
        let mut buffer = ReadBuf::new(&mut scratch[..length]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.eof = count == 0;
        Poll::Ready(Ok(count))
    }

    /// Looks whether the client is still there while it has nothing to send. `Ready` when it has closed its side.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.eof {
            if self.is_far_ahead() {
                return match self.look() {
                    Look::There => Poll::Pending,
                    Look::SendsNoMore => Poll::Ready(Ok(())),
                    Look::Gone => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                };
            }
            let count = ready!(self.poll_read(cx, MOST_AHEAD))?;
            let worker = Rc::clone(&self.worker);
            self.keep(&worker.scratch()[..count]);
        }
        Poll::Ready(Ok(()))
    }

    /// So much of later requests is there that no more is read: [`Client::poll_gone`] wakes nobody then.
    pub(crate) fn is_far_ahead(&self) -> bool {
        self.unused().len() >= MOST_AHEAD
    }

    /// Whether a client that is not read from is still there, asked once a [`LOOK`]; in between it is taken to be.
    pub(crate) fn look(&mut self) -> Look {
        let now = self.timer.clock().now();
        if now < self.looked + LOOK {
            return Look::There;
        }
        self.looked = now;
        self.stream.look()
    }

    /// Lets the kernel break the connection when the client takes nothing for so long.
    pub(crate) fn give_up_after(&mut self, silence: Duration) {
        if self.given_up_after != Some(silence) {
            self.given_up_after = Some(silence);
            self.stream.give_up_after(silence);
        }
    }

    /// The same for a request with another limit, if the kernel was told one before.
    pub(crate) fn give_up_as_late_as(&mut self, silence: Duration) {
        if self.given_up_after.is_some() {
            self.give_up_after(silence);
        }
    }

    /// When to look again.
    pub(crate) fn looks_again(&self) -> Instant {
        self.looked.max(self.timer.clock().now()) + LOOK
    }

    /// Reads up to the end of the next request's head. Its bytes stay at the start of [`Client::unused`], and its lines
    /// in the worker, until the task waits again.
    pub(crate) async fn read_head(&mut self, first: bool) -> Result<RequestHead, NoRequest> {
        if self.input.is_empty() {
            self.input.shrink_to(KEPT);
        } else if self.used > 0 {
            self.input.drain(..self.used);
            self.used = 0;
        }
        let (timeouts, limits) = {
            let snapshot = self.worker.shared.registry.snapshot();
            (
                snapshot.config().client_timeouts,
                head_limits(&snapshot.config().limits),
            )
        };
        let clock = Rc::clone(self.timer.clock());
        let idle_until = clock.after(if first {
            timeouts.request_header
        } else {
            timeouts.client_idle
        });
        let mut begun_until: Option<Instant> = first.then_some(idle_until);
        let may_bring_one_until = first.then(|| clock.after(FIRST_REQUEST_GRACE));
        if !only_empty_lines(&self.input) {
            begun_until = Some(clock.after(timeouts.request_header));
        }
        let mut worth_it = !self.input.is_empty();
        poll_fn(|cx| {
            loop {
                if std::mem::take(&mut worth_it) {
                    let mut lines = self.worker.lines();
                    match parse_request(&self.input[self.used..], &mut lines, &limits) {
                        Ok(Parsed::Complete(head)) => return Poll::Ready(Ok(head)),
                        Ok(Parsed::Partial) => {}
                        Err(error) => return Poll::Ready(Err(NoRequest::Refused(error.into()))),
                    }
                }
                match self.poll_read(cx, A_HEAD) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(NoRequest::Gone)),
                    Poll::Ready(Ok(count)) => {
                        let worker = Rc::clone(&self.worker);
                        let scratch = worker.scratch();
                        let (before, after) = (self.input.len(), self.input.len() + count);
                        worth_it = before == 0
                            || worth_parsing(&scratch[..count])
                            || before / PARSE_EVERY != after / PARSE_EVERY
                            || after >= limits.head_bytes as usize;
                        self.keep(&scratch[..count]);
                        // Empty lines are no request yet, and a few of them no reason to complain.
                        if begun_until.is_none() && !only_empty_lines(&self.input) {
                            begun_until = Some(clock.after(timeouts.request_header));
                        }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(NoRequest::Gone)),
                    Poll::Pending => {
                        let empty = only_empty_lines(&self.input);
                        let deadline = begun_until.unwrap_or(idle_until);
                        let draining = self.worker.traffic().is_draining();
                        if deadline <= clock.now() {
                            let reason = if empty {
                                NoRequest::Gone
                            } else {
                                NoRequest::Refused(ProxyError::SlowHead)
                            };
                            return Poll::Ready(Err(reason));
                        }
                        let just_opened = may_bring_one_until.is_some_and(|until| until > clock.now());
                        if draining && empty && !just_opened {
                            return Poll::Ready(Err(NoRequest::Gone));
                        }
                        self.timer.arm(cx, Some(deadline), empty);
                        return Poll::Pending;
                    }
                }
            }
        })
        .await
    }

    /// Reads the head at the start of what came into the worker's table of lines once more. `false`: a reload has lowered
    /// the limits since it was read the first time, and its lines are not all there.
    pub(crate) fn parse_again(&self, limits: &config::Limits) -> bool {
        let parsed = parse_request(self.unused(), &mut self.worker.lines(), &head_limits(limits));
        matches!(parsed, Ok(Parsed::Complete(_)))
    }

    /// Sends what is left of an answer, as long as the client takes it.
    pub(crate) async fn flush(&mut self, stall: Duration) -> io::Result<()> {
        let clock = Rc::clone(self.timer.clock());
        let mut deadline = clock.after(stall);
        poll_fn(|cx| {
            let waiting = self.out.len();
            if let Poll::Ready(flushed) = self.out.poll_flush(cx, &mut self.stream) {
                return Poll::Ready(flushed);
            }
            if self.out.len() < waiting {
                deadline = clock.after(stall);
            }
            if deadline <= clock.now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.arm(cx, Some(deadline), false);
            Poll::Pending
        })
        .await
    }

    /// Closes so that the client gets what was sent: says that nothing more comes, and reads on for a while.
    pub(crate) async fn close_gently(mut self: Box<Self>) {
        if self.stream.shutdown().await.is_err() || self.eof {
            return;
        }
        let clock = Rc::clone(self.timer.clock());
        let deadline = clock.after(LINGER.0);
        let mut left = LINGER.1;
        self.input = Vec::new();
        poll_fn(|cx| {
            loop {
                match self.poll_read(cx, READ_SIZE) {
                    Poll::Ready(Ok(count)) if count > 0 && count < left => left -= count,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending if deadline <= clock.now() => return Poll::Ready(()),
                    Poll::Pending => {
                        self.timer.arm(cx, Some(deadline), false);
                        return Poll::Pending;
                    }
                }
            }
        })
        .await;
    }
}
