//! The stream that awc gets for a connection to a backend. It watches both directions by lb-wire's framing and ends
//! what awc 3.11 does wrong with messages of strangers:
//!
//! - awc takes the first head for the final one. Here interim answers are absorbed, and a switch of protocols that nobody
//!   asked for is an error (RFC 9110 section 15.2).
//! - awc's parser is lenient, and reads on where a message has ended. Here each head is parsed strictly, each message ends
//!   where RFC 9112 section 6.3 says, and what comes behind it is never passed on.
//! - awc takes the end of the connection for the end of the message. Here it is an error unless the message says so
//!   (RFC 9112 section 8).
//! - awc writes all before it reads. Here the body takes another way, [`Uploads`](super::uploads::Uploads), and both
//!   directions move together.
//! - awc pools whatever it thinks to be reusable, and asks about it only when it next looks for a connection to that backend.
//!   Here a connection in doubt is closed at once, and one that is good goes to a [`Keeper`]; what awc pools is an empty shell,
//!   which asks the keeper for a connection when awc looks at it.
//!
//! It buffers one head that came in parts, and a bounded part of the upload. Whatever it cannot make sense of is an
//! error and the end of the connection. It is generic over the stream inside, so that TLS fits below it.

mod answer;
mod fault;
mod head;
mod sending;
#[cfg(test)]
mod tests;

pub(in crate::lane::handler) use fault::Fault;
pub(in crate::lane::handler) use head::{OFFERED_UPGRADE, OMITTED_LENGTH};

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_rt::net::{ActixStream, Ready};
use lb_core::config::MAX_HEADER_SIZE;
use lb_wire::{BodyTracker, Lines, Method};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::{head::Request, sending::Sending};
use super::{uploads::Uploads, watch::Watch};

/// Bytes of a request head: the largest that a client may send, and what a route adds to it.
const REQUEST_HEAD: usize = 4 * MAX_HEADER_SIZE.bytes() as usize;

/// What the guarded connections of one worker share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) uploads: Uploads,
    lines: RefCell<Lines>,
    /// Guarded connections, those that are empty shells among them.
    pub(super) shells: Cell<usize>,
}

/// Where connections to a backend are between two requests.
pub(super) trait Keeper<Io> {
    /// One that may carry the request of this watch.
    fn take(&self, watch: &Watch) -> Option<Io>;

    /// Keeps one whose message has ended cleanly.
    fn keep(&self, io: Io);

    /// Notes that one that was kept broke under a request.
    fn lost(&self, io: &Io);

    /// Notes that the backend said more than it was asked.
    fn sent_unsolicited(&self);

    /// Writes what there is room for, whatever the runtime believes.
    ///
    /// # Errors
    /// `WouldBlock` where there is no room at all.
    fn write_now(&self, io: &mut Io, bytes: &[u8]) -> io::Result<usize>;
}

/// A guarded connection.
pub(super) struct Guarded<Io> {
    /// `None` once it is closed, or kept elsewhere.
    inner: Option<Io>,
    shared: Rc<Shared>,
    phase: ResponsePhase,
    method: Method,
    /// The backend takes another request behind this answer.
    keep_alive: bool,
    /// An interim answer said that the connection ends.
    interim_closes: bool,
    /// It has carried an answer to its end.
    reused: bool,
    sending: Sending,
    /// Has it between two requests; without one it stays here.
    keeper: Option<Box<dyn Keeper<Io>>>,
    /// While the head is awaited, what there is of it; then what awc has not taken yet.
    held: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ResponsePhase {
    /// Between messages; or awc has written a part of a head.
    Idle,
    /// A final head is to come.
    Head,
    /// An answer's body is to come.
    Body(BodyTracker),
}

impl<Io: 'static> Guarded<Io> {
    pub(super) fn new(inner: Io, shared: Rc<Shared>) -> Self {
        shared.shells.set(shared.shells.get() + 1);
        Self {
            inner: Some(inner),
            shared,
            phase: ResponsePhase::Idle,
            method: Method::Other,
            keep_alive: false,
            interim_closes: false,
            reused: false,
            sending: Sending::default(),
            keeper: None,
            held: Vec::new(),
        }
    }

    /// With a place for it between two requests. One that was there already has carried a response.
    pub(super) fn kept_by(mut self, keeper: Box<dyn Keeper<Io>>, reused: bool) -> Self {
        self.keeper = Some(keeper);
        self.reused = reused;
        self
    }

    fn close(&mut self) {
        self.inner = None;
        self.sending.give_up();
        self.phase = ResponsePhase::Idle;
    }

    /// The message has ended.
    fn end(&mut self) {
        if self.keep_alive && self.sending.is_complete() {
            self.phase = ResponsePhase::Idle;
            self.reused = true;
            self.sending.reset();
            if let Some(keeper) = &self.keeper
                && let Some(inner) = self.inner.take()
            {
                keeper.keep(inner);
            }
        } else {
            self.close();
        }
    }

    /// What ended the connection before any byte of an answer.
    fn broken(&self, failure: io::Error) -> io::Error {
        if !self.reused {
            return failure;
        }
        if let (Some(keeper), Some(inner)) = (&self.keeper, &self.inner) {
            keeper.lost(inner);
        }
        Fault::Stale(failure.kind()).into()
    }

    /// Bytes came that nobody asked for.
    fn note_unsolicited(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.sent_unsolicited();
        }
    }

    /// Takes a part of a request's head; behind its end nothing may follow.
    fn write_head(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        const END: &[u8] = b"\r\n\r\n";
        let out = &mut self.sending.out;
        let from = out.len().saturating_sub(END.len() - 1);
        out.extend_from_slice(bytes);
        let end = memchr::memmem::find(&out[from..], END).map(|at| from + at + END.len());
        let in_order = self.phase == ResponsePhase::Idle && self.held.is_empty();
        if !in_order || end.unwrap_or(out.len()) != out.len() || out.len() > REQUEST_HEAD {
            return Err(Fault::Order);
        }
        if end.is_some() {
            let watch = self.shared.uploads.watch();
            let Request { method, offer } = head::prepare_request(out, watch.as_deref());
            if let Some(number) = offer {
                let body = self.shared.uploads.take(number).ok_or(Fault::Order)?;
                self.sending.attach(body)?;
            }
            self.method = method;
            self.phase = ResponsePhase::Head;
            self.sending.watch = watch;
        }
        Ok(())
    }
}

impl<Io: AsyncWrite + Unpin + 'static> Guarded<Io> {
    /// Sends a head that is complete, unless a body will go along with it.
    fn start(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if self.phase == ResponsePhase::Head && !self.sending.has_upload() {
            self.poll_send(cx)?;
        }
        Ok(())
    }

    /// An answer may be complete while its request is not: then only the request's rest is given up.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        let ask = |inner: &mut Io, bytes: &[u8]| match &self.keeper {
            Some(keeper) => keeper.write_now(inner, bytes),
            None => Err(io::ErrorKind::WouldBlock.into()),
        };
        match self.sending.poll(inner, &ask, cx) {
            Err(_) if matches!(self.phase, ResponsePhase::Body(_)) => {
                self.sending.give_up();
                Ok(())
            }
            sent => sent,
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> AsyncRead for Guarded<Io> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if this.phase != ResponsePhase::Head && !this.held.is_empty() {
            this.deliver(buf);
            return Poll::Ready(Ok(()));
        }
        let answer = this.poll_answer(cx, buf);
        if let Poll::Ready(Err(_)) = answer {
            this.held = Vec::new();
            this.close();
        }
        answer
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> AsyncWrite for Guarded<Io> {
    /// Takes a request's head, in as many parts as awc likes, and nothing else: see [`Uploads`](super::uploads::Uploads).
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.inner.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = this.write_head(bytes).and_then(|()| this.start(cx));
        if written.is_err() {
            this.close();
        }
        written?;
        Poll::Ready(Ok(bytes.len()))
    }

    /// A body is sent while the answer is awaited, and its head along with it.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.phase == ResponsePhase::Head && !this.sending.has_upload() {
            this.poll_send(cx)?;
            if let Some(failure) = this.sending.take_failure() {
                return Poll::Ready(Err(this.broken(failure)));
            }
            if !this.sending.is_complete() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Some(inner) => Pin::new(inner).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<Io: ActixStream + 'static> ActixStream for Guarded<Io> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.inner {
            Some(inner) => inner.poll_read_ready(cx),
            None => Poll::Ready(Ok(Ready::READ_CLOSED)),
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.inner {
            Some(inner) => inner.poll_write_ready(cx),
            None => Poll::Ready(Ok(Ready::WRITE_CLOSED)),
        }
    }
}

impl<Io> Drop for Guarded<Io> {
    fn drop(&mut self) {
        self.shared.shells.set(self.shared.shells.get().saturating_sub(1));
    }
}

impl<Io> fmt::Debug for Guarded<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("open", &self.inner.is_some())
            .finish_non_exhaustive()
    }
}
