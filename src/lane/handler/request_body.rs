//! The client's body on its way to a backend: streamed, and still there for another backend as long as nobody has begun to read
//! it, or as it is small and may be sent twice. A client that is silent in it is the front's to notice.

use std::{
    cell::{Cell, RefCell},
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use actix_http::{
    Payload,
    body::{BodySize, MessageBody},
};
use bytes::Bytes;
use futures::Stream;
use lb_core::attempts::Upload;

use super::request::body_failure;
use crate::{front::Link, proxy::ProxyError};

/// A client's body. Clones share it; an attempt that fails before reading leaves it to the next.
#[derive(Clone)]
pub(super) struct RequestBody {
    shared: Rc<Shared>,
}

struct Shared {
    payload: RefCell<Payload>,
    /// To the front that reads it.
    link: Rc<Link>,
    size: BodySize,
    /// What was taken of it, as long as that is all.
    kept: RefCell<Kept>,
    progress: Cell<Progress>,
    failure: RefCell<Option<ProxyError>>,
}

/// Bytes of a body that are kept for a second sending.
const REPLAY_BODY: usize = 64 * 1024;

/// The pieces that were taken.
struct Kept {
    pieces: Vec<Bytes>,
    bytes: usize,
    /// So many bytes at most.
    most: usize,
    /// Of the pieces, for this attempt.
    next: usize,
    /// All that was taken is there.
    whole: bool,
}

impl Kept {
    /// A piece that an attempt before has taken.
    fn again(&mut self) -> Option<Bytes> {
        let piece = self.pieces.get(self.next).cloned()?;
        self.next += 1;
        Some(piece)
    }

    fn keep(&mut self, piece: &Bytes) {
        self.bytes += piece.len();
        self.whole &= self.bytes <= self.most;
        if self.whole {
            self.pieces.push(piece.clone());
            self.next = self.pieces.len();
        } else {
            self.pieces = Vec::new();
            self.next = 0;
        }
    }
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
    /// `size` is what the backend is told; `keeps`: a small one is kept, so that it can be sent twice.
    pub(super) fn new(payload: Payload, link: Rc<Link>, size: BodySize, keeps: bool) -> Self {
        Self {
            shared: Rc::new(Shared {
                progress: Cell::new(Progress::Moved(link.clock().now())),
                payload: RefCell::new(payload),
                link,
                size,
                kept: RefCell::new(Kept {
                    pieces: Vec::new(),
                    bytes: 0,
                    most: if keeps { REPLAY_BODY } else { 0 },
                    next: 0,
                    whole: true,
                }),
                failure: RefCell::new(None),
            }),
        }
    }

    /// Whether there is anything to send.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.shared.size, BodySize::None | BodySize::Sized(0))
    }

    /// Whether it can still be sent from its first byte.
    pub(in crate::lane::handler) fn is_intact(&self) -> bool {
        self.is_empty() || self.shared.kept.borrow().whole
    }

    /// Begins anew, for another attempt.
    pub(super) fn rewind(&self) {
        self.shared.kept.borrow_mut().next = 0;
    }

    /// Whether all of it has come from the client.
    pub(super) fn is_complete(&self) -> bool {
        self.is_empty() || self.shared.link.is_body_complete()
    }

    /// How far it has come.
    pub(super) fn upload(&self) -> Upload {
        match self.progress() {
            _ if self.is_complete() => Upload::Complete,
            Progress::WaitsForClient => Upload::Owed,
            Progress::Moved(_) if self.shared.link.awaits_continue() => Upload::Owed,
            Progress::Moved(_) => Upload::Blocked,
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
        if let Some(piece) = shared.kept.borrow_mut().again() {
            return Poll::Ready(Some(Ok(piece)));
        }
        let polled = Pin::new(&mut *shared.payload.borrow_mut()).poll_next(cx);
        match polled {
            Poll::Ready(item) => {
                if let Some(Ok(piece)) = &item {
                    shared.kept.borrow_mut().keep(piece);
                }
                shared.progress.set(Progress::Moved(shared.link.clock().now()));
                Poll::Ready(item.map(|piece| piece.map_err(|error| self.fail(body_failure(error)))))
            }
            Poll::Pending => {
                if !shared.link.awaits_continue() {
                    shared.progress.set(Progress::WaitsForClient);
                }
                Poll::Pending
            }
        }
    }
}
