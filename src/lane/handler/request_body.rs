//! The client's body on its way to a backend: streamed, never held, and still there for another backend as long as
//! nobody has begun to read it.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_http::{
    Payload,
    body::{BodySize, MessageBody},
    error::PayloadError,
};
use bytes::Bytes;
use futures::Stream;
use tokio::time::Sleep;

use super::guard::Link;
use crate::proxy::{ProxyError, TimeLimit};

/// A client's body. Clones share it; an attempt that fails before reading leaves it to the next.
#[derive(Clone)]
pub(super) struct RequestBody {
    shared: Rc<Shared>,
}

struct Shared {
    payload: RefCell<Payload>,
    /// Knows why the payload ended early.
    link: Option<Rc<Link>>,
    size: BodySize,
    stall: Duration,
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
    touched: Cell<bool>,
    progress: Cell<Progress>,
    received: Cell<u64>,
    ended: Cell<bool>,
    failure: RefCell<Option<ProxyError>>,
}

/// What the upload is doing, for the timer that watches the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The client is to send; its silence is its own.
    WaitsForClient,
    /// Since then nothing has been asked of the client.
    Moved(Instant),
}

impl RequestBody {
    /// `size` is what the backend is told; `stall` how long the client may be silent.
    pub(super) fn new((payload, link): (Payload, Option<Rc<Link>>), size: BodySize, stall: Duration) -> Self {
        Self {
            shared: Rc::new(Shared {
                payload: RefCell::new(payload),
                link,
                size,
                stall,
                timer: RefCell::new(None),
                touched: Cell::new(false),
                progress: Cell::new(Progress::Moved(Instant::now())),
                received: Cell::new(0),
                ended: Cell::new(false),
                failure: RefCell::new(None),
            }),
        }
    }

    /// Whether there is anything to send.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.shared.size, BodySize::None | BodySize::Sized(0))
    }

    /// Whether it can still be sent from its first byte.
    pub(super) fn is_intact(&self) -> bool {
        self.is_empty() || !self.shared.touched.get()
    }

    /// Whether all of it has come from the client.
    pub(super) fn is_complete(&self) -> bool {
        match self.shared.size {
            BodySize::None => true,
            BodySize::Sized(length) => self.shared.received.get() == length,
            BodySize::Stream => self.shared.ended.get(),
        }
    }

    /// What the upload is doing.
    pub(super) fn progress(&self) -> Progress {
        self.shared.progress.get()
    }

    /// The failure that was the client's own, if that is what ended the upload.
    pub(super) fn take_failure(&self) -> Option<ProxyError> {
        self.shared.failure.borrow_mut().take()
    }

    fn fail(&self, error: ProxyError) -> ClientFailed {
        *self.shared.failure.borrow_mut() = Some(error);
        ClientFailed
    }

    fn poll_stalled(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.shared.timer.borrow_mut();
        timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.shared.stall)))
            .as_mut()
            .poll(cx)
    }
}

/// The upload ended because of the client; [`RequestBody::take_failure`] has the reason.
#[derive(Debug)]
pub(super) struct ClientFailed;

impl fmt::Display for ClientFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client's body failed")
    }
}

impl std::error::Error for ClientFailed {}

impl MessageBody for RequestBody {
    type Error = ClientFailed;

    fn size(&self) -> BodySize {
        self.shared.size
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ClientFailed>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let shared = &self.shared;
        let polled = Pin::new(&mut *shared.payload.borrow_mut()).poll_next(cx);
        match polled {
            Poll::Ready(item) => {
                shared.touched.set(true);
                shared.timer.borrow_mut().take();
                shared.progress.set(Progress::Moved(Instant::now()));
                match &item {
                    Some(Ok(chunk)) => shared.received.set(shared.received.get() + chunk.len() as u64),
                    Some(Err(_)) => {}
                    None => shared.ended.set(true),
                }
                let told = || shared.link.as_ref()?.take_failure();
                let broken = |error: PayloadError| {
                    self.fail(told().unwrap_or_else(|| ProxyError::ClientBody(error.to_string())))
                };
                Poll::Ready(item.map(|chunk| chunk.map_err(broken)))
            }
            Poll::Pending => {
                shared.progress.set(Progress::WaitsForClient);
                match self.poll_stalled(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => {
                        let (limit, after) = (TimeLimit::BodyStall, shared.stall);
                        Poll::Ready(Some(Err(self.fail(ProxyError::TimedOut { limit, after }))))
                    }
                }
            }
        }
    }
}
