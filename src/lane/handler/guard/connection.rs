//! The way in: one request at a time, read strictly and handed on.

use std::{
    future::Future,
    io, mem,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use lb_core::config::ClientTimeouts;
use lb_wire::{
    Limits, Method, Parsed, Version, only_empty_lines, parse_request, worth_parsing, write_plain_request_head,
};
use tokio::{io::ReadBuf, time::Instant};

use super::{Link, Shared, alarm::Alarm, answering::Answer, ending::Refusal};
use crate::proxy::{
    self, Client, ClientBody, FIRST_REQUEST_GRACE, HALF_CLOSED, MOST_AHEAD, NO_FURTHER, Transport, identify,
    refusal,
};

/// A buffer that grew larger is given back between requests.
const KEPT: usize = 1024;

/// The begin of a stop.
pub(super) type Stop = Pin<Box<dyn Future<Output = ()>>>;

/// A guarded connection.
pub(super) struct Connection<Io> {
    pub(super) io: Io,
    peer: Option<IpAddr>,
    pub(super) shared: Rc<Shared>,
    pub(super) link: Rc<Link>,
    pub(super) phase: Phase,
    pub(super) exchange: Exchange,
    pub(super) alarm: Alarm,
    /// What is said behind the last answer, or in place of the only one.
    pub(super) refusal: Option<Refusal>,
    /// The client has closed its side.
    pub(super) eof: bool,
    /// The last answer has been given.
    pub(super) said_last: bool,
    /// Read and not used.
    input: Vec<u8>,
    used: usize,
    /// For the server, which has taken the first so many bytes of it.
    ready: Vec<u8>,
    given: usize,
    /// Resolves when the balancer begins to stop.
    stop: Stop,
    /// A connection that is that young may bring a request that is on its way while the balancer begins to stop.
    young_until: Option<Instant>,
    /// Of the next head. Its end must have come until then, or its first byte.
    until: Instant,
    begun: bool,
    /// When the client was seen to have closed its side, or when it was last sent something since.
    pub(super) half_closed: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The next head is awaited, and nothing is owed.
    Between,
    /// The server has a request, and owes an answer.
    Exchange,
    /// The server gets nothing more.
    Over,
}

/// The request that the server has.
pub(super) struct Exchange {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) body: ClientBody,
    /// The body was malformed or too large, and the server was told that it has ended.
    pub(super) failed: bool,
    pub(super) answer: Answer,
}

/// What came of bytes that may be a head.
enum Taken {
    /// More are needed.
    Partial,
    /// The first so many are for the server.
    AsTheyAre(usize),
    /// The first so many are used up; what is for the server is ready.
    Anew(usize),
    /// None is for the server.
    Refused,
}

impl<Io: Transport> Connection<Io> {
    pub(super) fn new(io: Io, peer: Option<IpAddr>, shared: Rc<Shared>, stop: Stop) -> Self {
        let now = Instant::now();
        let mut connection = Self {
            io,
            peer,
            shared,
            link: Rc::default(),
            phase: Phase::Between,
            exchange: Exchange {
                method: Method::Other,
                version: Version::Http11,
                body: ClientBody::new(lb_wire::Framing::None, Vec::new(), None),
                failed: false,
                answer: Answer::default(),
            },
            alarm: Alarm::default(),
            refusal: None,
            eof: false,
            said_last: false,
            input: Vec::new(),
            used: 0,
            ready: Vec::new(),
            given: 0,
            stop,
            young_until: Some(now + FIRST_REQUEST_GRACE),
            until: now,
            begun: true,
            half_closed: now,
        };
        connection.until = now + connection.timeouts().request_header;
        connection
    }

    fn timeouts(&self) -> ClientTimeouts {
        self.shared.worker.registry.snapshot().config().client_timeouts
    }

    /// Bytes that were read and not used.
    pub(super) fn unused(&self) -> &[u8] {
        &self.input[self.used..]
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if self.given < self.ready.len() {
                self.give(buf);
                return Poll::Ready(Ok(()));
            }
            match self.phase {
                Phase::Over => return Poll::Ready(Ok(())),
                Phase::Exchange if !self.exchange.body.is_done() && !self.exchange.failed => {
                    return self.poll_body(cx, buf);
                }
                Phase::Exchange => return self.poll_ahead(cx, buf),
                Phase::Between => {
                    let before = buf.filled().len();
                    ready!(self.poll_head(cx, buf));
                    if buf.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = &self.ready[self.given..];
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        self.given += count;
        if self.given == self.ready.len() {
            self.given = 0;
            self.ready.clear();
            self.ready.shrink_to(KEPT);
        }
    }

    /// Reads into the server's buffer; 0 at the end.
    fn poll_io(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        if count == 0 {
            self.eof = true;
            self.half_closed = Instant::now();
        }
        Poll::Ready(Ok(count))
    }

    /// Reads the next head. Afterwards there is something in `buf`, or ready, or the connection is over.
    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<()> {
        let mut input = mem::take(&mut self.input);
        input.drain(..mem::take(&mut self.used));
        input.shrink_to(KEPT);
        let polled = self.poll_head_behind(cx, &mut input, buf);
        self.input = input;
        polled
    }

    /// The same, behind what has been read already.
    fn poll_head_behind(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut Vec<u8>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<()> {
        let limits = self.shared.head_limits();
        let from = buf.filled().len();
        let mut worth_it = !input.is_empty();
        loop {
            if mem::take(&mut worth_it) {
                match self.take_head(input, &limits) {
                    Taken::Partial => {}
                    Taken::Refused => return Poll::Ready(()),
                    Taken::Anew(count) => {
                        input.drain(..count);
                        return Poll::Ready(());
                    }
                    Taken::AsTheyAre(count) => {
                        self.ready.extend(input.drain(..count));
                        return Poll::Ready(());
                    }
                }
            }
            match self.poll_io(cx, buf) {
                // It left between requests, or within a head: nothing to say.
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.phase = Phase::Over;
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    let stops = input.is_empty() && self.poll_stop(cx).is_ready();
                    if !stops {
                        ready!(self.alarm.poll(cx, self.until));
                    }
                    self.phase = Phase::Over;
                    if !only_empty_lines(input) {
                        let late = Refusal::of_head(input, 408, "the request's head did not arrive in time");
                        self.refusal = Some(late);
                    }
                    return Poll::Ready(());
                }
            }
            let bytes = &buf.filled()[from..];
            // Empty lines are no request yet.
            let is_blank = only_empty_lines(input) && only_empty_lines(bytes);
            if !is_blank && !mem::replace(&mut self.begun, true) {
                self.until = Instant::now() + self.timeouts().request_header;
            }
            if !input.is_empty() {
                // A refusal must be found too, which a line's end does not announce.
                worth_it = worth_parsing(bytes) || input.len() + bytes.len() >= limits.target_bytes as usize;
                input.extend_from_slice(bytes);
                buf.set_filled(from);
                continue;
            }
            // Mostly it is a whole head that can be left where it is.
            let (used, stays, taken) = match self.take_head(bytes, &limits) {
                Taken::Partial => (0, 0, false),
                Taken::Refused => (bytes.len(), 0, true),
                Taken::Anew(count) => (count, 0, true),
                Taken::AsTheyAre(count) => (count, count, true),
            };
            input.extend_from_slice(&bytes[used..]);
            buf.set_filled(from + stays);
            if taken {
                return Poll::Ready(());
            }
        }
    }

    /// Whether an idle connection ends because the balancer does. A request that has begun is waited for.
    fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shared.worker.traffic.is_draining() {
            ready!(self.stop.as_mut().poll(cx));
        }
        match self.young_until {
            Some(until) if until < self.until => self.alarm.poll(cx, until),
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }
    }

    /// Takes a head and what came of its body from the front of `bytes`.
    fn take_head(&mut self, bytes: &[u8], limits: &Limits) -> Taken {
        let shared = Rc::clone(&self.shared);
        let mut lines = shared.lines.borrow_mut();
        let head = match parse_request(bytes, &mut lines, limits) {
            Ok(Parsed::Complete(head)) => head,
            Ok(Parsed::Partial) => return Taken::Partial,
            Err(error) => {
                self.phase = Phase::Over;
                self.refusal = Some(Refusal::of_head(bytes, error.status(), &error.to_string()));
                return Taken::Refused;
            }
        };
        let view = head.view(bytes, &lines);
        let snapshot = shared.worker.registry.snapshot();
        let config = snapshot.config();
        // What came with the head is looked at before any backend is asked.
        // The framework drops all trailers.
        let mut body = ClientBody::new(head.framing, Vec::new(), config.limits.body_size);
        let with_head = body.take(&bytes[head.len..]);
        let peer = self.peer;
        let trusted = || peer.is_some_and(|peer| Client::new(peer, &config.trusted_proxies).trusted);
        let refused = match (refusal(&view, config, trusted), &with_head) {
            (None, Err(error)) => Some(proxy::Refusal::Error(error.status(), error.reason())),
            (refused, _) => refused,
        };
        if let Some(refused) = refused {
            let (status, reason, trace) = match refused {
                proxy::Refusal::Error(status, reason) => (status, reason, None),
                proxy::Refusal::Options => (200, NO_FURTHER, None),
                proxy::Refusal::Trace(trace) => (200, "", Some(trace)),
            };
            let (id, json) = identify(&view, fastrand::u128(..));
            let traffic = &shared.worker.traffic;
            self.phase = Phase::Over;
            self.refusal = Some(Refusal {
                status,
                reason: reason.to_owned(),
                id,
                json,
                is_head: head.method == Method::Head,
                trace,
                _counted: Some(traffic.enter(shared.worker.index)),
            });
            return Taken::Refused;
        }
        let count = head.len + with_head.unwrap_or_default();
        self.link.begin();
        self.young_until = None;
        self.phase = Phase::Exchange;
        self.exchange = Exchange {
            method: head.method,
            version: head.version,
            body,
            failed: false,
            answer: Answer::default(),
        };
        if head.version == Version::Http11 && view.is_plain() {
            return Taken::AsTheyAre(count);
        }
        write_plain_request_head(&view, &mut self.ready);
        self.ready.extend_from_slice(&bytes[head.len..count]);
        Taken::Anew(count)
    }

    /// Hands the body on, to its end and no further.
    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let from = buf.filled().len();
        let unused = &self.input[self.used..];
        if !unused.is_empty() {
            let most = unused.len().min(buf.remaining());
            match self.exchange.body.take(&unused[..most]) {
                Ok(count) => {
                    buf.put_slice(&unused[..count]);
                    self.used += count;
                }
                Err(error) => self.fail(error),
            }
            return Poll::Ready(Ok(()));
        }
        if self.eof {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_io(cx, buf))?;
        let bytes = &buf.filled()[from..];
        match self.exchange.body.take(bytes) {
            Ok(count) => {
                self.input.clear();
                self.input.extend_from_slice(&bytes[count..]);
                self.used = 0;
                buf.set_filled(from + count);
            }
            Err(error) => {
                buf.set_filled(from);
                self.fail(error);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing of the body goes any further. To the server it ends early, which ends the upload; the handler learns why.
    fn fail(&mut self, error: crate::proxy::ProxyError) {
        self.exchange.failed = true;
        self.link.fail(error);
    }

    /// While the answer is owed: keeps what comes, which is a later request, and sees whether the client is still there. One
    /// that is not gets no answer; that it is not is an error to the server, which gives the request up.
    fn poll_ahead(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let from = buf.filled().len();
        while !self.eof && !self.exchange.failed && self.unused().len() < MOST_AHEAD {
            match self.poll_io(cx, buf) {
                Poll::Ready(read) => read?,
                Poll::Pending => return Poll::Pending,
            };
            self.input.extend_from_slice(&buf.filled()[from..]);
            buf.set_filled(from);
        }
        // What is sent to a client that has left comes back as a reset, so only silence has to be asked about.
        if self.eof && !self.exchange.answer.is_stalled() {
            ready!(self.alarm.poll(cx, self.half_closed + HALF_CLOSED));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Pending
    }

    /// The answer is complete, and the server may have the next request.
    pub(super) fn go_on(&mut self, cx: &mut Context<'_>) {
        let timeouts = self.timeouts();
        self.phase = Phase::Between;
        self.begun = !only_empty_lines(self.unused());
        self.until = Instant::now()
            + match self.begun {
                true => timeouts.request_header,
                false => timeouts.client_idle,
            };
        let ends = self.eof || self.poll_stop(cx).is_ready() || self.alarm.poll(cx, self.until).is_ready();
        if self.begun || ends {
            cx.waker().wake_by_ref();
        }
    }
}
