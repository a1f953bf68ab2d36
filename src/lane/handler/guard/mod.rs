//! The stream that actix-http gets for a client's connection. It watches both directions by lb-wire and ends what
//! actix-http 3.20 does wrong with the messages of strangers:
//!
//! - Its parser lets pass what two readers could read differently. Here each head and each chunk is read strictly before it
//!   sees them, and a head that is odd is written anew, so that it has one meaning (RFC 9112 sections 2.2, 3, 5, 6 and 7.1).
//! - It reads on while it answers, and encodes an answer by the request that it has read last. Here it gets one request at a
//!   time; the next one waits until the answer has gone out, and behind the last one there is none (RFC 9112 sections 9.3.2 and 9.6).
//! - What it refuses, it refuses without a word. Here such answers are taken back, and ours goes out in their place.
//! - It closes with bytes unread, which destroys the answer on its way. Here the rest is read for a while (RFC 9112 section 9.6).
//! - It has a time limit for the first head only, and none for a client that does not read.
//!
//! It buffers one head that came in parts or is written anew, and 16 KiB of later requests; bodies pass in the server's own
//! buffer. The end of an answer is found in the bytes that are written, whoever writes them.

mod alarm;
mod answering;
mod connection;
mod ending;
mod link;
mod service;
#[cfg(test)]
mod tests;

pub use service::service;

pub(super) use self::link::Link;

use std::{
    cell::RefCell,
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use lb_core::config::{self, ByteSize};
use lb_wire::{Limits, Lines};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::connection::Connection;
use crate::proxy::{Transport, Worker, head_limits};

/// Header lines of a request: actix-http takes 96, of which three may be ours.
pub const MOST_LINES: u16 = 93;

/// A request's head: actix-http takes less than 128 KiB, and little is added.
pub const LARGEST_HEAD: ByteSize = ByteSize::new(120 * 1024);

/// What the guarded connections of one worker share.
struct Shared {
    worker: Rc<Worker>,
    lines: RefCell<Lines>,
}

impl Shared {
    fn new(worker: Rc<Worker>) -> Rc<Self> {
        Rc::new(Self {
            worker,
            lines: RefCell::new(Lines::new()),
        })
    }

    fn head_limits(&self) -> Limits {
        let configured = self.worker.registry.snapshot().config().limits;
        head_limits(&config::Limits {
            header_size: configured.header_size.min(LARGEST_HEAD),
            header_count: configured.header_count.min(MOST_LINES),
            ..configured
        })
    }
}

/// The server's end of a guarded connection. Who ends the connection behind the server's back has another.
struct Guarded<Io>(Rc<RefCell<Connection<Io>>>);

impl<Io: Transport> AsyncRead for Guarded<Io> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_read(cx, buf)
    }
}

impl<Io: Transport> AsyncWrite for Guarded<Io> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().io).poll_flush(cx)
    }

    /// The connection is closed when the server has let go of it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<Io> fmt::Debug for Guarded<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}
