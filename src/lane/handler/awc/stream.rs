//! A backend's connection as awc's transport has it, and the place where it is kept between two requests: the worker's own
//! pool. What awc keeps meanwhile is an empty shell.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    sync::Weak,
    task::{Context, Poll},
};

use actix_rt::net::{ActixStream, Ready};
use lb_core::pool::Backend;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{guarded::Keeper, watch::Watch};
use crate::{
    front::FrontWorker,
    proxy::Transport as _,
    upstream::{IdlePool, UpstreamConnection},
};

/// A connection to a backend.
pub(in crate::lane::handler) struct BackendStream(pub(in crate::lane::handler) UpstreamConnection);

impl AsyncRead for BackendStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for BackendStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.stream).poll_shutdown(cx)
    }
}

impl ActixStream for BackendStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(&self.0.stream, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.0.stream, cx)
    }
}

/// Keeps connections to one backend in the pool of its worker.
pub(super) struct Kept {
    pub(super) backend: Weak<Backend>,
    pub(super) idle: Rc<IdlePool>,
    pub(super) front: Rc<FrontWorker>,
}

impl Keeper<BackendStream> for Kept {
    fn take(&self, watch: &Watch) -> Option<BackendStream> {
        let wish = watch.wish()?;
        let backend = self.backend.upgrade()?;
        let now = self.front.timers.real();
        let taken = self.idle.take(&backend, &wish.timeouts, now, wish.sending?)?;
        Some(BackendStream(taken))
    }

    fn keep(&self, stream: BackendStream) {
        if let Some(backend) = self.backend.upgrade() {
            self.idle.put(&backend, stream.0, self.front.timers.real());
        }
    }

    fn lost(&self, stream: &BackendStream) {
        if let Some(backend) = self.backend.upgrade() {
            self.idle.lost(&backend, &stream.0, self.front.timers.real());
        }
    }

    fn sent_unsolicited(&self) {
        if let Some(backend) = self.backend.upgrade() {
            self.idle.talked(&backend, self.front.timers.real());
        }
    }

    fn write_now(&self, stream: &mut BackendStream, bytes: &[u8]) -> io::Result<usize> {
        stream.0.stream.write_now(bytes)
    }
}
