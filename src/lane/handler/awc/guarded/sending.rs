//! The way to the backend: the request's head, and its body as the client sends it.

use std::{
    io, mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use lb_wire::{LAST_CHUNK, write_chunk};
use tokio::io::AsyncWrite;

use super::fault::Fault;
use crate::lane::handler::awc::watch::Watch;

/// Bytes gathered for one write. More would not make it cheaper; less would cost a system call for each of the small
/// pieces in which a body often comes.
const FULL: usize = 32 * 1024;

/// Bytes of buffer that an idle connection keeps: room for a usual head.
const KEPT: usize = 2 * 1024;

/// Between two times that a backend which takes no bytes is asked whether there is room.
const PAUSE: Duration = Duration::from_millis(100);

/// Sends as many bytes as the kernel has room for, whatever the runtime believes.
type Ask<'a, Io> = &'a dyn Fn(&mut Io, &[u8]) -> io::Result<usize>;

/// What is to be sent. Holds at most [`FULL`] bytes and one piece of the client's.
#[derive(Default)]
pub(super) struct Sending {
    pub(super) out: Vec<u8>,
    /// Bytes of `out` that are written.
    written: usize,
    /// TLS holds back what is not flushed.
    unflushed: bool,
    upload: Option<Upload>,
    /// The head waits a turn for the start of the body.
    fresh: bool,
    /// The rest of the upload was given up; the backend waits for bytes that will not come.
    broken: bool,
    failure: Option<io::Error>,
    /// Shows the handler when the backend moves.
    pub(super) watch: Option<Rc<Watch>>,
    asked: Option<Instant>,
}

struct Upload {
    body: BoxBody,
    /// Bytes still to come; `None` where it goes in chunks.
    left: Option<u64>,
}

impl Sending {
    /// The body that follows the head in `out`.
    pub(super) fn attach(&mut self, body: BoxBody) -> Result<(), Fault> {
        let left = match body.size() {
            BodySize::Stream => None,
            BodySize::Sized(length) if length > 0 => Some(length),
            BodySize::Sized(_) | BodySize::None => return Err(Fault::Order),
        };
        self.upload = Some(Upload { body, left });
        self.fresh = true;
        Ok(())
    }

    /// Whether a body is on its way that has not been taken over completely.
    pub(super) fn has_upload(&self) -> bool {
        self.upload.is_some()
    }

    /// Whether all that was announced is written.
    pub(super) fn is_complete(&self) -> bool {
        !self.is_busy() && !self.broken
    }

    /// Whether there is more to do.
    pub(super) fn is_busy(&self) -> bool {
        self.upload.is_some() || !self.out.is_empty() || self.unflushed
    }

    /// Why writing failed, if it did.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// What is there and not written, which is then somebody else's to send.
    pub(super) fn take_unsent(&mut self) -> Vec<u8> {
        let mut out = mem::take(&mut self.out);
        out.split_off(mem::take(&mut self.written))
    }

    /// Sends no more.
    pub(super) fn give_up(&mut self) {
        self.upload = None;
        self.unflushed = false;
        self.broken = true;
        self.clear();
    }

    /// Ready for the next request.
    pub(super) fn reset(&mut self) {
        self.clear();
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
    }

    fn clear(&mut self) {
        self.out.clear();
        self.written = 0;
    }

    /// Sends as much as client and backend allow now. A backend that takes no more may have answered, so that is no
    /// error here: [`take_failure`](Self::take_failure) has it.
    ///
    /// # Errors
    /// [`Fault::Upload`]: the client's body failed.
    pub(super) fn poll<Io: AsyncWrite + Unpin>(
        &mut self,
        io: &mut Io,
        ask: Ask<'_, Io>,
        cx: &mut Context<'_>,
    ) -> Result<(), Fault> {
        while !self.broken {
            let head = self.out.len();
            self.fill(cx)?;
            // The server hands a body over after the request it belongs to: mostly it is there when this task gets its
            // next turn, and one write does for both.
            if mem::take(&mut self.fresh) && self.upload.is_some() && self.out.len() == head {
                cx.waker().wake_by_ref();
                return Ok(());
            }
            if self.out.is_empty() {
                break;
            }
            match Pin::new(&mut *io).poll_write(cx, &self.out[self.written..]) {
                Poll::Ready(Ok(0)) => self.fail(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.unflushed = true;
                    if self.upload.is_some() {
                        self.note();
                    }
                }
                Poll::Ready(Err(error)) => self.fail(error),
                Poll::Pending => match self.ask(io, ask) {
                    Some(Ok(count)) => {
                        self.written += count;
                        self.note();
                    }
                    Some(Err(error)) => self.fail(error),
                    None => break,
                },
            }
            if self.written == self.out.len() {
                self.clear();
            }
        }
        if self.unflushed {
            match Pin::new(io).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => self.fail(error),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// The backend has moved.
    pub(super) fn note(&self) {
        if let Some(watch) = &self.watch {
            watch.note();
        }
    }

    /// Asks whether there is room for a part, now and then: the kernel calls a socket writable only when a third of its
    /// buffer is free, which a slow backend may take longer for than it may be silent.
    fn ask<Io>(&mut self, io: &mut Io, ask: Ask<'_, Io>) -> Option<io::Result<usize>> {
        let now = Instant::now();
        let asked = *self.asked.get_or_insert(now);
        if now.duration_since(asked) < PAUSE {
            return None;
        }
        self.asked = Some(now);
        match ask(io, &self.out[self.written..]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            asked => Some(asked),
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.give_up();
        self.failure = Some(error);
    }

    /// Takes over what the client has sent.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while self.written == 0 && self.out.len() < FULL {
            let Some(upload) = &mut self.upload else {
                return Ok(());
            };
            match Pin::new(&mut upload.body).poll_next(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(piece))) => match &mut upload.left {
                    None => write_chunk(&piece, &mut self.out),
                    Some(left) => {
                        *left = left.checked_sub(piece.len() as u64).ok_or(Fault::Upload)?;
                        self.out.extend_from_slice(&piece);
                        if *left == 0 {
                            self.upload = None;
                        }
                    }
                },
                Poll::Ready(Some(Err(_))) => return Err(Fault::Upload),
                Poll::Ready(None) => match mem::take(&mut self.upload) {
                    Some(Upload { left: Some(_), .. }) => return Err(Fault::Upload),
                    _ => self.out.extend_from_slice(LAST_CHUNK),
                },
            }
        }
        Ok(())
    }
}
